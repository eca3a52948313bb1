"""RTCP of all legs: a report every 5 s from each, staggered over the ticks, and what the peers report of ours."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.arrays import LegTable
from media.session import Leg
from rtp import rtcp
from rtp.net.address import Address
from rtp.net.ports import Ports
from rtp.receiver import ReceiverTable

RUN_TICKS = 5
"""Ticks from one `run` to the next: the reports of many legs at once cost little more than that of one."""
PERIOD = 50
"""`run`s between two reports of a leg (5 s, RFC 3550 §6.2)."""
MAX_REPORTS = 8
"""Compound packets taken of one leg in one poll."""
MAX_REPORTS_OF_PORT = 64
"""The same of one shared port."""


class _State:
    __slots__ = ("fraction_lost", "round_trip_s", "was_learned")

    def __init__(self) -> None:
        self.round_trip_s = -1.0
        self.fraction_lost = -1.0
        self.was_learned = False


class Reports:
    """Sends and takes RTCP. `wall` gives seconds since 1970 for the NTP times; `tell_loss` takes the row and the
    fraction lost of each report."""

    def __init__(
        self,
        table: LegTable,
        receiver: ReceiverTable,
        ports: Ports,
        cname: str,
        wall: Callable[[], float],
        tell_loss: Callable[[int, float], None] = lambda _row, _fraction: None,
    ) -> None:
        self._table = table
        self._receiver = receiver
        self._ports = ports
        self._cname = cname
        self._wall = wall
        self._tell_loss = tell_loss
        self._states: dict[int, _State] = {}
        self._due: list[set[int]] = [set() for _ in range(PERIOD)]
        self._next = 0
        self._n_ticks = 0
        self._builder = rtcp.SenderReports(cname)
        self._last_sr = np.zeros(table.capacity, np.int64)
        """By row: the middle of the NTP time of the peer's newest report; 0 = none came."""
        self._last_sr_at = np.zeros(table.capacity, np.float64)

    def add(self, leg: Leg, now: float) -> None:
        self._states[leg.row] = _State()
        self._last_sr[leg.row] = 0
        # Far enough from now that the first report has something to say, and legs allocated together are apart.
        self._due[(self._next + PERIOD // 2 + leg.row) % PERIOD].add(leg.row)

    def first_secure_index(self) -> int:
        """First SRTCP index of a leg whose keys are new here: whatever worker used them before, it began earlier and
        sent less than a report a second, so none is used twice (RFC 3711 §3.2.1)."""
        return int(self._wall()) & 0x7FFFFFFF

    def remove(self, leg: Leg, now: float) -> None:
        """Says BYE to the peer and forgets the leg."""
        for due in self._due:
            due.discard(leg.row)
        if leg.report_to is not None and self._table.sent_at[leg.row] >= 0:
            self._send(leg, now, is_leaving=True)
        del self._states[leg.row]

    def run(self, by_row: list[Leg | None], now: float) -> None:
        """Once a tick."""
        self._n_ticks += 1
        if self._n_ticks % RUN_TICKS:
            return
        due = self._due[self._next]
        self._next = (self._next + 1) % PERIOD
        legs = [leg for leg in map(by_row.__getitem__, due) if leg is not None and leg.report_to is not None]
        if not legs:
            return
        rows = np.array([leg.row for leg in legs])
        is_usual = (self._receiver.ssrc.take(rows) >= 0) & self._is_sending(rows, now)
        if is_usual.any():
            self._send_many([legs[k] for k in np.flatnonzero(is_usual).tolist()], rows[is_usual], now)
        for k in np.flatnonzero(~is_usual).tolist():
            self._send(legs[k], now, is_leaving=False)

    def _is_sending(self, rows: NDArray[np.int64], now: float) -> NDArray[np.bool_]:
        sent_at = self._table.sent_at.take(rows)
        return (sent_at >= 0) & (now - sent_at < 10)

    def _send_many(self, legs: list[Leg], rows: NDArray[np.int64], now: float) -> None:
        """As `_send`, of legs that send and receive."""
        table, received = self._table, self._receiver
        since = ((now - table.sent_at.take(rows)) * 100 * table.step.take(rows)).astype(np.int64)
        fraction, lost = received.report(rows)
        last_sr = self._last_sr.take(rows)
        delay = ((now - self._last_sr_at.take(rows)) * 65536).astype(np.int64)
        packets = self._builder.build(
            ssrc=table.out_ssrc.take(rows),
            ntp=rtcp.ntp_time(self._wall()),
            timestamp=table.out_ts.take(rows) + since,
            packets=table.packets_sent.take(rows),
            bytes=table.bytes_sent.take(rows),
            of=received.ssrc.take(rows),
            fraction_lost=fraction,
            lost=lost,
            highest_seq=received.highest.take(rows),
            jitter=received.jitter.take(rows).astype(np.int64),
            last_sr=last_sr,
            delay=np.where(last_sr != 0, delay, 0),
        )
        for leg, packet in zip(legs, packets, strict=True):
            assert leg.report_to is not None
            self._ports.send_report(leg.row, packet, leg.report_to)

    def redirect(self, leg: Leg) -> None:
        """The leg's RTP address was learned: RTCP goes beside it, until the peer's own tells better."""
        destination = leg.guard.destination
        if destination is not None and not self._states[leg.row].was_learned and destination[1] < 65535:
            leg.report_to = (destination[0], destination[1] + 1)

    def round_trip_ms(self, leg: Leg) -> float:
        seconds = self._states[leg.row].round_trip_s
        return seconds * 1000 if seconds >= 0 else -1.0

    def remote_lost_fraction(self, leg: Leg) -> float:
        return self._states[leg.row].fraction_lost

    def take(self, leg: Leg, now: float) -> None:
        """Reads what came for the leg. Only hosts that may send RTP may report."""
        for _ in range(MAX_REPORTS):
            read = self._ports.read_report(leg.row)
            if read is None:
                return
            self._take(leg, *read, now)

    def take_shared(self, index: int, by_row: list[Leg | None], now: float) -> None:
        """Reads what came to the RTCP port beside a shared port; what cannot be told whose it is, is dropped."""
        for _ in range(MAX_REPORTS_OF_PORT):
            read = self._ports.read_shared_report(index)
            if read is None:
                return
            leg = self._whose(index, *read, by_row)
            if leg is not None:
                self._take(leg, *read, now)

    def _whose(self, index: int, data: bytes, address: Address, by_row: list[Leg | None]) -> Leg | None:
        """By the sender's SSRC, which is that of its RTP; where that says nothing, by the address."""
        rows = self._ports.rows_of(index)
        found = rows[self._receiver.ssrc[rows] == int.from_bytes(data[4:8], "big")]
        legs = [leg for leg in (by_row[row] for row in found.tolist()) if leg is not None]
        if not legs:
            # A peer that sends no RTP: few, so each may be asked.
            silent = rows[self._receiver.ssrc[rows] < 0].tolist()
            legs = [leg for leg in (by_row[row] for row in silent) if leg is not None and leg.report_to == address]
        legs = [leg for leg in legs if self._is_peer(leg, address)]
        return legs[0] if len(legs) == 1 else None

    def _take(self, leg: Leg, data: bytes, address: Address, now: float) -> None:
        srtp = self._ports.srtp
        if srtp.has_keys[leg.row]:
            data = srtp.unprotect_rtcp(leg.row, data) or b""
        report = rtcp.parse(data)
        if report is None or not self._is_peer(leg, address):
            self._table.rejected[leg.row] += 1
            return
        state = self._states[leg.row]
        if leg.guard.may_learn_from(address[0]) and address != leg.report_to:
            leg.report_to = address
            state.was_learned = True
        self._apply(leg, state, report, now)

    def _is_peer(self, leg: Leg, address: Address) -> bool:
        source = leg.guard.source
        return leg.guard.is_allowed_host(address[0]) or (source is not None and source[0] == address[0])

    def _apply(self, leg: Leg, state: _State, report: rtcp.Report, now: float) -> None:
        if report.sender is not None:
            self._last_sr[leg.row] = rtcp.middle(report.sender.ntp)
            self._last_sr_at[leg.row] = now
        for block in report.blocks:
            if block.ssrc != int(self._table.out_ssrc[leg.row]):
                continue
            state.fraction_lost = block.fraction_lost / 256
            self._tell_loss(leg.row, state.fraction_lost)
            if block.last_sr:
                arrived = rtcp.middle(rtcp.ntp_time(self._wall()))
                trip = (arrived - block.last_sr - block.delay) & 0xFFFFFFFF
                if trip < 1 << 31:  # the peer's rounding can make it a hair less than nothing
                    state.round_trip_s = trip / 65536
                else:
                    state.round_trip_s = 0.0

    def _send(self, leg: Leg, now: float, *, is_leaving: bool) -> None:
        table, receiver, row = self._table, self._receiver, leg.row
        ssrc = int(table.out_ssrc[row])
        sender = None
        if table.sent_at[row] >= 0 and (is_leaving or now - table.sent_at[row] < 10):
            since = int((now - float(table.sent_at[row])) * 100 * int(table.step[row]))
            sender = rtcp.SenderInfo(
                rtcp.ntp_time(self._wall()),
                int(table.out_ts[row]) + since,
                int(table.packets_sent[row]),
                int(table.bytes_sent[row]),
            )
        blocks = (self._block(leg, now),) if receiver.ssrc[row] >= 0 else ()
        assert leg.report_to is not None
        packet = rtcp.build(rtcp.Report(ssrc, sender, blocks, self._cname, (ssrc,) if is_leaving else ()))
        self._ports.send_report(row, packet, leg.report_to)

    def _block(self, leg: Leg, now: float) -> rtcp.ReportBlock:
        receiver, row, last_sr = self._receiver, leg.row, int(self._last_sr[leg.row])
        return rtcp.ReportBlock(
            ssrc=int(receiver.ssrc[row]),
            fraction_lost=receiver.take_fraction_lost(row),
            lost=receiver.lost(row),
            highest_seq=int(receiver.highest[row]),
            jitter=int(receiver.jitter[row]),
            last_sr=last_sr,
            delay=int((now - float(self._last_sr_at[row])) * 65536) & 0xFFFFFFFF if last_sr else 0,
        )
