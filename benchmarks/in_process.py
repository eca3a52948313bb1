"""What one call costs in the switch's own code: the real core fed from memory, no socket, clock, disk or task.

Five messages in, five out (100 Trying is left out when an answer comes within 200 ms), a CDR, the media commands, and every event encoded for two subscribers. `python -m
benchmarks.in_process --json` prints microseconds per call, the best of several rounds (the machine's noise only adds).
"""

import argparse
import gc
import json
import os
import time
from collections.abc import Sequence

from control.event_log import EventLog
from media.client import MediaClient
from model.declare import Event
from model.ids import IdSource
from model.media import Hello
from sip.flow import Flow
from sip.stack import Listener
from switch.config import Config, parse_config
from switch.core import Core, assemble
from switch.directory import Directory
from switch.media_pool import MediaPool
from switch.runtime import Outside

CONFIG = """
[recording]
enabled = false
[[trunk]]
name = "in"
host = "127.0.0.1"
port = 5070
media = "{media}"
[[trunk]]
name = "out"
host = "127.0.0.1"
port = 5080
media = "{media}"
[[access_number]]
number = "8000"
to = "98001"
[[route]]
name = "out"
pattern = "9."
strip = 1
trunks = ["out"]
"""
CALLER = Flow("udp", "127.0.0.1", 5070)
CALLEE = Flow("udp", "127.0.0.1", 5080)
SDP = (
    "v=0\r\no=load 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)


class Literals:
    """Where trunks are: their addresses, without any look-up."""

    def try_literal(self, uri: str, *, listener: int = 0) -> list[Flow] | None:
        port = int(uri.partition("127.0.0.1:")[2].partition(";")[0])
        return [Flow("udp", "127.0.0.1", port, listener)]

    async def resolve(self, uri: str, *, deadline_s: float = 3.0, listener: int = 0) -> list[Flow]:
        return self.try_literal(uri, listener=listener) or []


class Bench:
    """A core whose outside is two lists."""

    def __init__(self, config: Config) -> None:
        self.sent: list[bytes] = []
        self.n_records = 0
        self.n_commands = 0
        self.now = 1000.0
        self.events = EventLog("bench", 10_000, 1)
        worker = MediaClient("", on_event=lambda batch: None)
        worker.ports.reset(list(range(20000, 60000, 2)))
        worker.hello = Hello("w0", 1, [])
        worker.is_connected = True
        outside = Outside(
            send=lambda data, flow: self.sent.append(data),
            publish=self.publish,
            keep=lambda record: self._count(),
            resolve=lambda action: None,
            call_later=lambda delay_s, callback: _Timer(),
            clock=lambda: self.now,
        )
        directory = Directory(config)
        self.core: Core = assemble(
            config,
            directory,
            [Listener(transport="udp", host="127.0.0.1", port=5060)],
            MediaPool([worker], "127.0.0.1"),
            outside,
            Literals(),
            ids=IdSource(),
            secrets=os.urandom,
            wall_offset=time.time() - self.now,
            publish=self.publish,
        )
        self.core.trunks.resolve_literals()

    def publish(self, event: Event) -> None:
        self.events.publish(event, self.now)

    def _count(self) -> None:
        self.n_records += 1

    def take(self) -> list[bytes]:
        sent, self.sent[:] = self.sent[:], []
        return sent

    def call(self, number: int) -> None:
        """One whole call: INVITE, 180, 200, ACK, BYE and its 200."""
        receive = self.core.runtime.receive_batch
        receive([(_invite(number), CALLER)])
        (invite,) = self.take()
        head = invite[: invite.index(b"\r\n\r\n")].decode()
        receive([(_response(head, "180 Ringing", ""), CALLEE)])
        receive([(_response(head, "200 OK", SDP.format(port=7000)), CALLEE)])
        out = self.take()
        ok = next(one for one in out if one.startswith(b"SIP/2.0 200"))
        receive([(_in_dialog(ok, "ACK", number, 1), CALLER)])
        receive([(_in_dialog(ok, "BYE", number, 2), CALLER)])
        bye = next(one for one in self.take() if one.startswith(b"BYE"))
        receive([(_response(bye[: bye.index(b"\r\n\r\n")].decode(), "200 OK", ""), CALLEE)])
        self.sent.clear()

    def round(self, n_calls: int, start: int) -> float:
        """Seconds of CPU for `n_calls` calls, the peers' own rendering taken off."""
        before = time.process_time()
        for number in range(start, start + n_calls):
            self.now += 0.005
            self.call(number)
        spent = time.process_time() - before
        self.now += 60.0
        self.core.runtime.rearm(self.now)
        self.core.runtime.perform_sip(self.core.stack.poll(self.now), self.now)
        self.core.runtime.perform(self.core.calls.handle_timeout(self.now), self.now)
        return spent

    def peers_round(self, n_calls: int) -> float:
        """What rendering the peers' messages costs: it is no part of the switch."""
        invite = self._sample_invite()
        before = time.process_time()
        for number in range(n_calls):
            _invite(number)
            _response(invite, "180 Ringing", "")
            _response(invite, "200 OK", SDP.format(port=7000))
            _in_dialog(_OK_SAMPLE, "ACK", number, 1)
            _in_dialog(_OK_SAMPLE, "BYE", number, 2)
            _response(invite, "200 OK", "")
        return time.process_time() - before

    def _sample_invite(self) -> str:
        return _invite(1).partition(b"\r\n\r\n")[0].decode()


_OK_SAMPLE = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa1\r\nFrom: <sip:1@x>;tag=a1\r\n"
    b"To: <sip:8000@127.0.0.1:5060>;tag=0123456789abcdef\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
)


class _Timer:
    def cancel(self) -> None:
        pass


def _invite(number: int) -> bytes:
    body = SDP.format(port=6000)
    return (
        f"INVITE sip:8000@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:13800000000@127.0.0.1:5070>;tag=a{number}\r\nTo: <sip:8000@127.0.0.1:5060>\r\n"
        f"Call-ID: call-{number}@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:load@127.0.0.1:5070>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _response(request_head: str, status: str, body: str) -> bytes:
    lines = request_head.split("\r\n")
    kept = [line for line in lines[1:] if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
    to = next(line for line in lines if line.startswith("To:"))
    tag = "" if ";tag=" in to else ";tag=callee"
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"SIP/2.0 {status}\r\n" + "\r\n".join(kept) + f"\r\n{to}{tag}\r\nContact: <sip:callee@127.0.0.1:5080>\r\n"
        f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _in_dialog(ok: bytes, method: str, number: int, cseq: int) -> bytes:
    to = next(line for line in ok.split(b"\r\n") if line.startswith(b"To:")).decode()
    return (
        f"{method} sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{method}{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:13800000000@127.0.0.1:5070>;tag=a{number}\r\n{to}\r\n"
        f"Call-ID: call-{number}@127.0.0.1\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def us_per_call(media: str = "direct", *, n_rounds: int = 7, n_calls: int = 400) -> float:
    """Microseconds of CPU per call: the best round, less what the peers' rendering costs."""
    bench = Bench(parse_config(CONFIG.format(media=media)))
    bench.round(200, 0)
    gc.collect()
    gc.freeze()
    best = peers = float("inf")
    for index in range(n_rounds):
        best = min(best, bench.round(n_calls, 1000 + index * n_calls))
        peers = min(peers, bench.peers_round(n_calls))
    gc.unfreeze()
    assert bench.n_records == 200 + n_rounds * n_calls or media != "direct"
    return (best - peers) / n_calls * 1e6


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    result = {
        "in_process_us_per_call": round(us_per_call("direct"), 1),
        "in_process_us_per_call_relay": round(us_per_call("relay"), 1),
    }
    print(json.dumps(result) if arguments.json else "\n".join(f"{k:32} {v}" for k, v in result.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
