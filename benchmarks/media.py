"""What a media worker costs a call: relay and recording, beside the floor of the same packets in the same run.

    python -m benchmarks.media --json [--quick] [--calls 400] [--rounds 3] [--seconds 20]

Each row runs the same traffic (`benchmarks.media_load`: 20 ms PCMU both ways, every packet verified) through another
process: the bare floors of `benchmarks.media_floor` and a real worker, started as the supervisor starts it, configured
through its protocol. The load has one processor, the process under test another. CPU time is what the operating system
counts for the process under test alone, in milliseconds per second of a call (two legs: 100 packets in, 100 out a
second). Rounds are interleaved and their medians reported; the verdict is for people: `load_send_late_ms_max` and
`machine_stolen_ms` say how far the machine itself was away, which makes packets late whoever carries them.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.measure import allow_descriptors, cpu_s, machine, median, print_result, rss_kb, stolen_s
from benchmarks.media_switch import ANSWER_S, HOST, Switch

_LOAD_SOCKETS = 20
_SHARED_SOCKETS = 4
_WARM_S = 1.5
_TAIL_S = 0.5
_FIRST_FD = 8192
"""Inherited sockets begin here: far above whatever else is open."""
ROWS = ("kernel_floor", "kernel_floor_shared", "relay", "record")


class Row:
    """Figures of one row, a value a round."""

    def __init__(self) -> None:
        self.cpu_ms: list[float] = []
        self.traffic: list[dict[str, Any]] = []
        self.extra: list[dict[str, Any]] = []

    def total(self, key: str) -> int:
        return sum(int(each[key]) for each in self.traffic)

    def worst(self, key: str) -> float:
        return max(float(each[key]) for each in self.traffic)


class Bench:
    """One run: `calls` calls for `seconds` a row."""

    def __init__(self, calls: int, seconds: float, folder: str, cpus: tuple[int, int]) -> None:
        self.calls = calls
        self.n_legs = 2 * calls
        self.seconds = seconds
        self.folder = folder
        self.load_cpu, self.test_cpu = cpus
        self.rows = {name: Row() for name in ROWS}
        self._stolen_at_start_s = stolen_s()

    async def run_round(self) -> None:
        """Every row once."""
        await self._floor("kernel_floor", "leg", _LOAD_SOCKETS, self.n_legs)
        await self._worker("relay", is_recorded=False)
        await self._worker("record", is_recorded=True)
        await self._floor("kernel_floor_shared", "shared", self.n_legs // _SHARED_SOCKETS, _SHARED_SOCKETS)

    async def _floor(self, name: str, kind: str, n_load_sockets: int, n_sockets: int) -> None:
        async with self._load(n_load_sockets) as load:
            peers = [load.ports[leg % n_load_sockets] for leg in range(self.n_legs)]
            which = [leg if kind == "leg" else leg // n_load_sockets for leg in range(self.n_legs)]
            sockets = [_bound_udp(0) for _ in range(n_sockets)]
            ports = [each.getsockname()[1] for each in sockets]
            arguments = ["-m", "benchmarks.media_floor", "--kind", kind, "--fds", f"{_FIRST_FD}:{n_sockets}"]
            arguments += ["--peers", ",".join(map(str, peers)), "--cpu", str(self.test_cpu)]
            if kind == "shared":
                arguments += ["--sockets-of", ",".join(map(str, which))]
            async with _process(arguments, sockets) as process:
                assert process.stdout is not None
                await asyncio.wait_for(process.stdout.readline(), ANSWER_S)
                await self._measure(name, process.pid, load, [ports[index] for index in which])

    async def _worker(self, name: str, *, is_recorded: bool) -> None:
        async with self._load(_LOAD_SOCKETS) as load:
            pairs = [_bound_pair() for _ in range(self.n_legs)]
            path = os.path.join(self.folder, "worker.sock")
            arguments = ["-m", "media.worker", "--name", "bench", "--socket", path, "--log-level", "WARNING"]
            arguments += ["--rtp-fds", f"{_FIRST_FD}:{2 * self.n_legs}", "--cpus", str(self.test_cpu)]
            sockets = [each for pair in pairs for each in pair]
            async with _process(arguments, sockets) as process, Switch(path) as switch:
                await switch.configure(self.calls, load.ports)
                if is_recorded:
                    switch.record(self.calls, self.folder)
                await self._measure(name, process.pid, load, switch.ports)
                await switch.release(self.calls, n_recordings=self.calls if is_recorded else 0)
                self.rows[name].extra.append(switch.summary() | {"rss_mb": rss_kb(process.pid) // 1024})

    async def _measure(self, name: str, pid: int, load: "_LoadProcess", targets: list[int]) -> None:
        await load.start(targets, self.seconds + _WARM_S + _TAIL_S)
        await asyncio.sleep(_WARM_S)
        loop = asyncio.get_running_loop()
        began, cpu = loop.time(), cpu_s([pid])
        await asyncio.sleep(self.seconds)
        used, lasted = cpu_s([pid]) - cpu, loop.time() - began
        row = self.rows[name]
        row.traffic.append(await load.result(self.seconds + ANSWER_S))
        row.cpu_ms.append(used / lasted / self.calls * 1000)

    @contextlib.asynccontextmanager
    async def _load(self, n_sockets: int) -> AsyncIterator["_LoadProcess"]:
        async with _process(["-m", "benchmarks.media_load"], []) as process:
            os.sched_setaffinity(process.pid, {self.load_cpu})
            load = _LoadProcess(process)
            await load.prepare(n_sockets, self.n_legs)
            yield load

    def result(self) -> dict[str, Any]:
        """What `--json` prints."""
        rows = self.rows
        worker = [rows["relay"], rows["record"]]
        cpu = {f"{name}_cpu_ms_per_call_s": median(rows[name].cpu_ms) for name in ROWS}
        relay, record = cpu["relay_cpu_ms_per_call_s"], cpu["record_cpu_ms_per_call_s"]
        return {
            **cpu,
            "relay_to_floor": round(relay / cpu["kernel_floor_cpu_ms_per_call_s"], 3),
            "record_to_relay": round(record / relay, 3),
            "calls": self.calls,
            "late_packets": sum(row.total("late") for row in worker),
            "lost": sum(row.total("lost") for row in worker),
            "duplicated": sum(row.total("duplicated") for row in worker),
            "corrupt": sum(row.total("corrupt") + row.total("misdelivered") for row in worker),
            "stream_breaks": sum(row.total("stream_breaks") for row in worker),
            "packets": sum(row.total("sent") for row in worker),
            "floor_lost": rows["kernel_floor"].total("lost") + rows["kernel_floor_shared"].total("lost"),
            "floor_late": rows["kernel_floor"].total("late") + rows["kernel_floor_shared"].total("late"),
            "transit_ms_p99": max(row.worst("transit_ms_p99") for row in worker),
            "transit_ms_max": max(row.worst("transit_ms_max") for row in worker),
            "load_send_late_ms_max": max(row.worst("send_late_ms_max") for row in worker),
            "machine_stolen_ms": round(1000 * (stolen_s() - self._stolen_at_start_s)),
            "load_cpu_percent": round(100 * max(row.worst("load_cpu_s") for row in worker) / (self.seconds + 2), 1),
            "tick_late_ms_max": max((float(e["tick_late_ms_max"]) for row in worker for e in row.extra), default=0.0),
            "recordings": sum(int(extra["recordings"]) for extra in rows["record"].extra),
            "recordings_bad": sum(int(extra["recordings_bad"]) for extra in rows["record"].extra),
            "rounds": len(rows["relay"].cpu_ms),
            "seconds": self.seconds,
            **machine(),
            "rows": {
                name: {"cpu_ms": row.cpu_ms, "traffic": row.traffic, "worker": row.extra} for name, row in rows.items()
            },
        }

    def table(self) -> list[list[Any]]:
        """A line a row, for people."""
        floor = median(self.rows["kernel_floor"].cpu_ms)
        return [
            [
                name,
                f"{median(row.cpu_ms):.3f}",
                f"{median(row.cpu_ms) / floor:.2f}",
                f"{min(row.cpu_ms):.3f}–{max(row.cpu_ms):.3f}",
                row.total("lost"),
                row.total("late"),
                row.worst("transit_ms_p99"),
                row.worst("transit_ms_max"),
            ]
            for name, row in self.rows.items()
        ]


class _LoadProcess:
    """Talks to `benchmarks.media_load`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.ports: list[int] = []

    async def prepare(self, n_sockets: int, n_legs: int) -> None:
        self._say({"sockets": n_sockets, "legs": n_legs, "host": HOST})
        self.ports = (await self._hear(ANSWER_S))["ports"]

    async def start(self, targets: list[int], seconds: float) -> None:
        self._say({"targets": targets, "seconds": seconds})
        await self._hear(ANSWER_S)

    async def result(self, timeout_s: float) -> dict[str, Any]:
        return await self._hear(timeout_s)

    def _say(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _hear(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), timeout_s)
        if not line:
            raise RuntimeError("the load ended before it answered")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def _process(arguments: list[str], sockets: list[socket.socket]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process that inherits `sockets` as descriptors `_FIRST_FD` and on; ended by SIGTERM."""
    wanted = range(_FIRST_FD, _FIRST_FD + len(sockets))
    for fd, each in zip(wanted, sockets, strict=True):
        os.dup2(each.fileno(), fd)
        each.close()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=wanted,
        )
    finally:
        for fd in wanted:
            os.close(fd)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def _bound_udp(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind((HOST, port))
    except OSError:
        made.close()
        raise
    return made


def _bound_pair() -> tuple[socket.socket, socket.socket]:
    """An even port and the odd one above it."""
    while True:
        first = _bound_udp(0)
        port: int = first.getsockname()[1]
        try:
            second = _bound_udp(port ^ 1)
        except OSError:
            first.close()
            continue
        return (first, second) if port % 2 == 0 else (second, first)


async def run(calls: int, rounds: int, seconds: float) -> Bench:
    """The whole benchmark."""
    cpus = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as folder:
        bench = Bench(calls, seconds, folder, (cpus[0], cpus[-1]))
        os.sched_setaffinity(0, {cpus[0]})
        for _ in range(rounds):
            await bench.run_round()
    return bench


def main() -> int:
    """Parses the command line, runs, prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="one short round: under a minute")
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time of each row in each round")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 8.0
    allow_descriptors(_FIRST_FD + 4 * options.calls + 256)
    bench = asyncio.run(run(options.calls, options.rounds, options.seconds))
    columns = ["row", "CPU ms per call-s", "× floor", "range", "lost", "late", "transit p99 ms", "max ms"]
    print_result(bench.result(), columns, bench.table(), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
