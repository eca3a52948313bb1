"""RTCP of a real worker: reports with true figures, the peer's reports, round trip, BYE; strangers' are not taken.

Not here: packing and parsing (tests/rtp/test_rtcp.py).
"""

import select
import socket
import time

from media.reports import PERIOD, RUN_TICKS
from model.media import ConfigureLeg, GetStatistics, ReleaseSession, Statistics
from rtp import rtcp
from tests.media.worker_process import TIMEOUT_S, Phone, Worker, bind_pairs, bridge, configure


class Reporter(Phone):
    """A phone with an RTCP port beside its own."""

    def __init__(self, **more):
        super().__init__(**more)
        self.socket.close()
        self.socket, self.rtcp = bind_pairs(1)
        self.host, self.port = self.socket.getsockname()

    def wait_for_report(self, check=lambda report: True):
        deadline = time.monotonic() + TIMEOUT_S
        while select.select([self.rtcp], [], [], max(0, deadline - time.monotonic()))[0]:
            report = rtcp.parse(self.rtcp.recv(1500))
            assert report is not None
            if check(report):
                return report
        raise AssertionError("no such report")

    def close(self):
        super().close()
        self.rtcp.close()


def test_reports_with_true_figures_and_round_trip():
    with Worker(2) as worker:
        a, b = Reporter(ssrc=0xA), Phone(ssrc=0xB)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        worker.switch.send(GetStatistics())
        worker.switch.wait(Statistics)
        for i in range(20):
            if i % 4 == 3:
                a.seq, a.ts = (a.seq + 1) & 0xFFFF, (a.ts + 160) & 0xFFFFFFFF  # lost on the way
            a.send(b"\1" * 160)
            b.send(b"\2" * 160)
            a.wait_for(i + 1)
        report = a.wait_for_report(lambda report: bool(report.blocks) and report.sender is not None)
        assert report.cname.startswith("w0@")
        assert report.sender.packets == 20 and report.sender.bytes == 3200
        (block,) = report.blocks
        assert (block.ssrc, block.lost) == (0xA, 5)
        assert block.fraction_lost == 5 * 256 // 25
        assert block.highest_seq & 0xFFFF == (a.seq - 1) & 0xFFFF
        # The peer reports: it got our report 100 ms before, and lost a quarter of our packets.
        mine = rtcp.ReportBlock(report.ssrc, 64, 5, 0, 0, rtcp.middle(report.sender.ntp), 0)
        target = (a.target[0], a.target[1] + 1)
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.bind(("127.0.0.2", 0))
        wrong = rtcp.ReportBlock(report.ssrc, 255, 5, 0, 0, 0, 0)
        stranger.sendto(rtcp.build(rtcp.Report(0xA, None, (wrong,))), target)
        a.rtcp.sendto(b"nonsense", target)
        a.rtcp.sendto(rtcp.build(rtcp.Report(0xA, None, (mine,), "me@home")), target)
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            worker.switch.send(GetStatistics(session="s1"))
            statistics = worker.switch.wait(Statistics).legs["a"]
            if statistics.remote_lost_fraction >= 0 and statistics.packets_rejected == 2:
                break
            assert time.monotonic() < deadline, statistics
        assert statistics.remote_lost_fraction == 0.25
        assert 0 <= statistics.round_trip_ms < 1000 * TIMEOUT_S
        assert statistics.packets_lost == 5
        worker.switch.send(ReleaseSession(session="s1"))
        bye = a.wait_for_report(lambda report: bool(report.bye))
        assert bye.bye == (report.ssrc,)
        for each in (a, b, stranger):
            each.close()


def test_rtcp_goes_where_the_peer_says():
    """a=rtcp of the SDP, and beside a learned address."""
    with Worker(2) as worker:
        told, learned, source = Reporter(ssrc=1), Reporter(ssrc=2), Phone(ssrc=3)
        told.rtcp_port = told.rtcp.getsockname()[1]
        worker.switch.send(
            configure(worker, source, "a", 0, remote_rtcp_port=told.rtcp_port),
            configure(worker, learned, "b", 1, remote_host="127.0.0.9", learn_from="127.0.0.1"),
            bridge(("a", "b")),
        )
        worker.switch.send(GetStatistics())
        worker.switch.wait(Statistics)
        source.send(b"\1" * 160)
        learned.send(b"\2" * 160)
        source.wait_for(1)
        source.send(b"\1" * 160)
        learned.wait_for(1)
        worker.switch.send(ReleaseSession(session="s1"))
        assert told.wait_for_report(lambda report: bool(report.bye)).blocks[0].ssrc == 3
        assert learned.wait_for_report(lambda report: bool(report.bye)).blocks[0].ssrc == 2
        for each in (told, learned, source):
            each.close()


def test_period():
    """RFC 3550 §6.2: 5 s."""
    assert PERIOD * RUN_TICKS * 0.02 == 5
    assert ConfigureLeg(session="s", leg="a", port=2).remote_rtcp_port == 0
