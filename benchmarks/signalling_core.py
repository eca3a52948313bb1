"""The switch's core fed from memory: microseconds a call, without sockets, disk and sleep.

    python -m benchmarks.signalling_core [--rounds 100]

The whole `switch.core` with a real event hub and two subscribers; what would leave by a socket or to the disk is kept
in a list. Only the time inside the core is counted: 5 datagrams a call, each on its own, the timers afterwards, the
delivery of the events. Rounds of direct and anchored audio alternate; the best round counts, for what a busy machine
adds is never negative.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.signalling_text import (
    answer_tail,
    callee_answer,
    follow,
    follow_template,
    header_line,
    invite_template,
    session_description,
)
from control.event_log import EventFilter
from control.hub import EventHub
from media.client import MediaClient
from model.ids import IdSource
from model.media import Command, LegReleased, LegStatistics, ReleaseLeg, ReleaseSession
from sip.flow import Flow
from sip.net.dns import Resolver
from sip.stack import Listener
from switch.collector import calm_collector
from switch.config_file import parse_config
from switch.core import Core, assemble
from switch.directory import Directory
from switch.media_pool import MediaPool
from switch.runtime import Outside

_HOST = "127.0.0.1"
_SIP, _CALLER, _CALLEE = 5060, 6001, 6002
_CALLS = 50
"""A round is short, so that some rounds are not interrupted even on a busy machine."""
_LINGER_S = 40.0
_CONFIG = """
[node]
name = "bench"
[sip]
listen = ["udp:127.0.0.1:5060"]
[recording]
enabled = false
[calls]
max_calls = 20000
[[trunk]]
name = "caller"
host = "127.0.0.1"
port = 6001
from_addresses = ["127.0.0.1:6001"]
media = "MEDIA"
[[trunk]]
name = "callee"
host = "127.0.0.1"
port = 6002
media = "MEDIA"
[[access_number]]
number = "4000"
to = "18000000000"
[[route]]
name = "all"
pattern = "180"
trunks = ["callee"]
"""


class Subscriber:
    """Takes what the hub delivers."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def write_events(self, data: bytes) -> bool:
        self.n_bytes += len(data)
        return True

    def drop_subscriber(self, data: bytes) -> None:
        raise RuntimeError("a subscriber fell behind")


class Worker(MediaClient):
    """A media worker that is always there and only remembers which legs were to be released."""

    def __init__(self) -> None:
        super().__init__("", on_event=lambda batch: None)
        self.is_connected = True
        self.ports.reset(list(range(20_000, 60_000, 2)))
        self.commands: list[Command] = []

    def send(self, command: Command) -> bool:
        self.commands.append(command)
        return True


class Bench:
    """One switch in memory and the other ends of its trunks."""

    def __init__(self, media: str) -> None:
        self.now = 1000.0
        self._timer: Callable[[], None] | None = None
        self._timer_at = 0.0
        self.sent: list[tuple[bytes, Flow]] = []
        self.kept: list[Any] = []
        self.worker = Worker()
        self.hub = EventHub("bench")
        self.subscribers = [Subscriber(), Subscriber()]
        for subscriber in self.subscribers:
            self.hub.subscribe(subscriber, EventFilter())
        config = parse_config(_CONFIG.replace("MEDIA", media))
        outside = Outside(
            send=lambda data, flow: self.sent.append((data, flow)),
            publish=self.hub.publish,
            keep=self.kept.append,
            resolve=lambda action: None,
            call_later=self._call_later,
            clock=lambda: self.now,
        )
        self.core: Core = assemble(
            config,
            Directory(config),
            [Listener("udp", _HOST, _SIP)],
            MediaPool([self.worker], _HOST),
            outside,
            Resolver(),
            ids=IdSource(),
            secrets=os.urandom,
            wall_offset=time.time() - self.now,
            publish=self.hub.publish,
        )
        self.core.trunks.resolve_literals()
        sdp = session_description(30_000)
        self._invite = invite_template("4000", _SIP, _CALLER, sdp)
        self._follow = follow_template(_CALLER)
        self._tail = answer_tail(_CALLEE, sdp)
        self._number = 0

    def _call_later(self, delay_s: float, callback: Callable[[], None]) -> "Bench":
        self._timer, self._timer_at = callback, self.now + delay_s
        return self

    def cancel(self) -> None:
        """The core's one timer; this object is its handle."""
        self._timer = None

    def feed(self, messages: list[bytes], port: int) -> tuple[float, list[bytes], list[bytes]]:
        """One datagram after the other from that port. Seconds inside the core, what went to caller and to callee."""
        self.sent = []
        receive = self.core.runtime.receive_batch
        flow = Flow("udp", _HOST, port)
        clock = time.perf_counter
        spent = 0.0
        for message in messages:
            self.now += 0.001
            batch = [(message, flow)]
            start = clock()
            receive(batch)
            spent += clock() - start
        to_caller = [data for data, flow in self.sent if flow.port == _CALLER]
        to_callee = [data for data, flow in self.sent if flow.port == _CALLEE]
        return spent, to_caller, to_callee

    def round(self) -> float:
        """Microseconds a call. Raises RuntimeError when not every call went through and left its record."""
        numbers = range(self._number, self._number + _CALLS)
        self._number += _CALLS
        kept = len(self.kept)
        spent, _, invites = self.feed([self._invite % (n, n, n) for n in numbers], _CALLER)
        more, answers, _ = self.feed([callee_answer(invite, self._tail) for invite in invites], _CALLEE)
        spent += more
        oks = {header_line(answer, b"Call-ID"): answer for answer in answers if answer.startswith(b"SIP/2.0 200")}
        ok = [oks[b"Call-ID: %d@load" % n] for n in numbers]
        for method in (b"ACK", b"BYE"):
            requests = [follow(self._follow, method, answer, n) for answer, n in zip(ok, numbers, strict=True)]
            more, _, byes = self.feed(requests, _CALLER)
            spent += more
        more, _, _ = self.feed([callee_answer(bye, self._tail) for bye in byes], _CALLEE)
        spent += more + self._release() + self._time_passes()
        if len(self.kept) - kept != _CALLS or self.core.calls.calls:
            raise RuntimeError(f"{len(self.kept) - kept} records of {_CALLS} calls, {len(self.core.calls.calls)} left")
        self.kept.clear()
        return spent * 1e6 / _CALLS

    def _release(self) -> float:
        """The worker says that the legs are released, as a real one does."""
        released: list[Any] = []
        for command in self.worker.commands:
            if isinstance(command, ReleaseLeg):
                released.append(LegReleased(command.session, command.leg, LegStatistics()))
            elif isinstance(command, ReleaseSession):
                call = self.core.calls.calls.get(command.session)
                legs = call.legs if call is not None else ()
                released += [LegReleased(command.session, leg, LegStatistics()) for leg in legs]
        self.worker.commands.clear()
        start = time.perf_counter()
        if released:
            self.core.runtime.media_events(0, released)
        return time.perf_counter() - start

    def _time_passes(self) -> float:
        """Every timer that the calls left behind fires, the events are delivered."""
        start = time.perf_counter()
        self.hub.flush()
        end = self.now + _LINGER_S
        while self._timer is not None and self._timer_at <= end:
            callback, self._timer = self._timer, None
            # Timers of a burst of calls fall together, as they do where calls come one by one.
            self.now = max(self.now, self._timer_at + 0.2)
            callback()
        self.now = max(self.now, end)
        return time.perf_counter() - start


async def _measure(rounds: int) -> dict[str, float]:
    benches = {"": Bench("direct"), "relay_": Bench("relay")}
    best = dict.fromkeys(benches, float("inf"))
    calm_collector()
    for number in range(rounds + 1):
        for name, bench in benches.items():
            spent = bench.round()
            # The first round fills caches and tables.
            best[name] = min(best[name], spent) if number else best[name]
    for bench in benches.values():
        bench.hub.close()
    return {f"in_process_{name}us_per_call": round(us, 1) for name, us in best.items()}


def measure_core(rounds: int = 100) -> dict[str, float]:
    """`in_process_us_per_call` and the same with anchored audio; raises RuntimeError when a call fails."""
    return asyncio.run(_measure(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    for name, us in measure_core(parser.parse_args().rounds).items():
        print(f"{name}: {us}")


if __name__ == "__main__":
    main()
