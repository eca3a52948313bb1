"""What a media worker costs a call, beside the floor of the same packets in the same run; what it holds under load.

    python -m benchmarks.media --json [--quick] [--calls 400] [--rounds 7] [--seconds 8]

Each row runs the same traffic (`benchmarks.media_load`: 20 ms PCMU both ways, every packet verified) through another
process: the bare floors of `benchmarks.media_floor` and a real worker, started as the supervisor starts it, configured
through its protocol. The load has one processor, the process under test another. CPU time is what the operating system
counts for the process under test alone, in milliseconds per second of a call (two legs: 100 packets in, 100 out a
second). Rounds are interleaved; medians are reported, of ratios those of the ratios within a round.

- `floor_per_leg`: one connected socket a leg, `recv_into` and `send` for each packet and nothing else;
  `floor_shared`: four sockets, `recvmmsg` and `sendmmsg` in batches and one array look-up for the address. No parsing,
  no counting, no RTCP, no tick; both look at their sockets every 10 ms, as the worker does.
- `relay`, `relay_shared`: calls joined two by two, legs on ports of their own and on four shared ports; with RTCP.
- `record`: as `relay`, each call in a stereo WAV. `dtmf`: in-band digits listened for on every leg.
- `mix`: four legs a session, each hears the mix of the three others, encoded for it alone. (Own ports, these three.)
- `busy`: as `record`, with as many calls as took 75 % of a processor in that row, if the load can send so many.

`late_packets` and `lost` are those of `busy`. A process that only sleeps, one on each processor, tells what the machine
itself did: `machine_late_ms_max` (`benchmarks.media_control`); packets that came late while it was late are the
machine's.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from typing import Any

from benchmarks.measure import allow_descriptors, cpu_s, machine, median, print_result, rss_kb, stolen_s
from benchmarks.media_processes import (
    FIRST_FD,
    LoadProcess,
    Talker,
    bound_pair,
    bound_udp,
    control_process,
    load_process,
    running,
)
from benchmarks.media_switch import ANSWER_S, Switch

_LOAD_SOCKETS = 20
_SHARED_PORTS = 4
_WARM_S = 1.0
_TAIL_S = 0.4
_BUSY = 0.75
_MOST_TIMES = 2
_LOAD_LIMIT = 0.85
"""Of a processor: more the load may not be asked for, its own delays would be measured."""
FLOORS = {"floor_per_leg": "leg", "floor_shared": "shared"}
WORKERS = ("relay", "relay_shared", "record", "mix", "dtmf", "busy")
RATIOS = {
    "relay_over_floor_shared": ("relay_shared", "floor_shared"),
    "relay_over_floor_per_leg": ("relay", "floor_per_leg"),
    "record_over_relay": ("record", "relay"),
    "mix_over_relay": ("mix", "relay"),
    "dtmf_over_relay": ("dtmf", "relay"),
}


class Row:
    """Figures of one row, a value a round."""

    def __init__(self) -> None:
        self.calls = 0
        self.cpu_ms: list[float] = []
        self.core: list[float] = []
        """Part of a processor that the process under test took."""
        self.load_core: list[float] = []
        self.traffic: list[dict[str, Any]] = []
        self.extra: list[dict[str, Any]] = []

    def total(self, key: str) -> int:
        return sum(int(each[key]) for each in self.traffic)

    def worst(self, key: str) -> float:
        return max((float(each[key]) for each in self.traffic), default=0.0)


class Bench:
    """One run: `calls` calls for `seconds` a row."""

    def __init__(self, calls: int, seconds: float, folder: str, cpus: tuple[int, int], controls: list[Talker]) -> None:
        self.calls = calls
        self.seconds = seconds
        self.folder = folder
        self.load_cpu, self.test_cpu = cpus
        self.rows = {name: Row() for name in (*FLOORS, *WORKERS)}
        self._controls = controls
        self._stolen_at_start_s = stolen_s()

    async def run_round(self) -> None:
        """Every row once."""
        await self._floor("floor_per_leg")
        await self._worker("relay")
        await self._worker("relay_shared", n_shared=_SHARED_PORTS)
        await self._floor("floor_shared")
        await self._worker("record", is_recorded=True)
        await self._worker("mix", legs_of_session=4)
        await self._worker("dtmf", detect=("dtmf",))
        record = self.rows["record"]
        factor = min(_BUSY / record.core[-1], _LOAD_LIMIT / record.load_core[-1], _MOST_TIMES)
        await self._worker("busy", calls=round(self.calls * factor), is_recorded=True)

    async def _floor(self, name: str) -> None:
        is_shared = FLOORS[name] == "shared"
        n_legs = 2 * self.calls
        n_sockets = _SHARED_PORTS if is_shared else n_legs
        n_load = n_legs // n_sockets if is_shared else _LOAD_SOCKETS
        async with load_process(n_load, n_legs, self.load_cpu) as load:
            peers = [load.ports[leg % n_load] for leg in range(n_legs)]
            which = [leg // n_load if is_shared else leg for leg in range(n_legs)]
            sockets = [bound_udp(0) for _ in range(n_sockets)]
            ports = [each.getsockname()[1] for each in sockets]
            arguments = ["-m", "benchmarks.media_floor", "--kind", FLOORS[name], "--fds", f"{FIRST_FD}:{n_sockets}"]
            arguments += ["--peers", ",".join(map(str, peers)), "--cpu", str(self.test_cpu)]
            if is_shared:
                arguments += ["--sockets-of", ",".join(map(str, which))]
            async with running(arguments, sockets) as process:
                assert process.stdout is not None
                await asyncio.wait_for(process.stdout.readline(), ANSWER_S)
                await self._measure(self.rows[name], process.pid, load, [ports[index] for index in which])

    async def _worker(
        self,
        name: str,
        *,
        calls: int = 0,
        n_shared: int = 0,
        legs_of_session: int = 2,
        is_recorded: bool = False,
        detect: tuple[str, ...] = (),
    ) -> None:
        n_legs = 2 * (calls or self.calls)
        n_load = n_legs // n_shared if n_shared else _LOAD_SOCKETS
        row = self.rows[name]
        async with load_process(n_load, n_legs, self.load_cpu) as load:
            pairs = [bound_pair() for _ in range(n_shared or n_legs)]
            path = os.path.join(self.folder, "worker.sock")
            arguments = ["-m", "media.worker", "--name", "bench", "--socket", path, "--log-level", "WARNING"]
            arguments += ["--rtp-fds", f"{FIRST_FD}:{2 * len(pairs)}", "--cpus", str(self.test_cpu)]
            arguments += ["--shared-ports", str(n_shared)]
            sockets = [each for pair in pairs for each in pair]
            async with running(arguments, sockets) as process, Switch(path) as switch:
                await switch.configure(n_legs, load, legs_of_session=legs_of_session, detect=detect)
                if is_recorded:
                    switch.record(self.folder)
                await self._measure(row, process.pid, load, switch.ports, is_mixed=legs_of_session > 2)
                await switch.release(n_recordings=n_legs // 2 if is_recorded else 0)
                row.extra.append(switch.summary() | {"rss_mb": rss_kb(process.pid) // 1024})

    async def _measure(
        self, row: Row, pid: int, load: LoadProcess, targets: list[int], *, is_mixed: bool = False
    ) -> None:
        await self._take_control()
        row.calls = len(targets) // 2
        seconds = self.seconds + _WARM_S + _TAIL_S
        await load.start(targets, seconds, is_mixed=is_mixed)
        await asyncio.sleep(_WARM_S)
        loop = asyncio.get_running_loop()
        began, cpu = loop.time(), cpu_s([pid])
        await asyncio.sleep(self.seconds)
        used, lasted = cpu_s([pid]) - cpu, loop.time() - began
        traffic = await load.hear(self.seconds + ANSWER_S)
        row.traffic.append(traffic | await self._take_control())
        row.core.append(used / lasted)
        row.load_core.append(float(traffic["load_cpu_s"]) / seconds)
        row.cpu_ms.append(used / lasted / row.calls * 1000)

    async def _take_control(self) -> dict[str, Any]:
        for control in self._controls:
            control.say("tell")
        told = [await control.hear() for control in self._controls]
        return {"machine_late_ms_max": max(each["late_ms_max"] for each in told)}

    def result(self) -> dict[str, Any]:
        """What `--json` prints."""
        rows = self.rows
        cpu = {name: median(row.cpu_ms) for name, row in rows.items()}
        worker = [rows[name] for name in WORKERS]
        busy = rows["busy"]
        return {
            "benchmark": "media",
            **{key: self._ratio(over, under) for key, (over, under) in RATIOS.items()},
            "late_packets": busy.total("late"),
            "lost": busy.total("lost"),
            "busy_core_percent": round(100 * median(busy.core), 1),
            "busy_calls": busy.calls,
            "calls_per_core": {name: round(1000 / cpu[name]) for name in WORKERS},
            **{f"{name}_cpu_ms_per_call_s": value for name, value in cpu.items()},
            "calls": self.calls,
            "late_in_all_rows": {name: row.total("late") for name, row in rows.items()},
            "lost_in_all_rows": {name: row.total("lost") for name, row in rows.items()},
            "duplicated": sum(row.total("duplicated") for row in worker),
            "corrupt": sum(row.total("corrupt") + row.total("misdelivered") for row in worker),
            "stream_breaks": sum(row.total("stream_breaks") for row in worker),
            "packets": sum(row.total("sent") for row in worker),
            "transit_ms_p99": max(row.worst("transit_ms_p99") for row in worker),
            "transit_ms_max": max(row.worst("transit_ms_max") for row in worker),
            "tick_late_ms_max": max(float(each["tick_late_ms_max"]) for row in worker for each in row.extra),
            "machine_late_ms_max": max(row.worst("machine_late_ms_max") for row in rows.values()),
            "machine_stolen_ms": round(1000 * (stolen_s() - self._stolen_at_start_s)),
            "load_send_late_ms_max": max(row.worst("send_late_ms_max") for row in worker),
            "load_core_percent": round(100 * max(max(row.load_core) for row in worker), 1),
            "recordings": sum(int(each["recordings"]) for row in worker for each in row.extra),
            "recordings_bad": sum(int(each["recordings_bad"]) for row in worker for each in row.extra),
            "rounds": len(busy.cpu_ms),
            "seconds": self.seconds,
            **machine(),
            "rows": {name: vars(row) for name, row in rows.items()},
        }

    def _ratio(self, over: str, under: str) -> float:
        """Median over the rounds: rows of one round stand close together, and the machine's speed drifts."""
        pairs = zip(self.rows[over].cpu_ms, self.rows[under].cpu_ms, strict=True)
        return round(median([a / b for a, b in pairs]), 3)

    def table(self) -> list[list[Any]]:
        """A line a row, for people."""
        return [
            [
                name,
                row.calls,
                f"{median(row.cpu_ms):.3f}",
                f"{min(row.cpu_ms):.3f}–{max(row.cpu_ms):.3f}",
                f"{1000 / median(row.cpu_ms):.0f}",
                row.total("lost"),
                row.total("late"),
                row.worst("transit_ms_p99"),
                row.worst("transit_ms_max"),
                max((float(each["tick_late_ms_max"]) for each in row.extra), default=0.0),
                row.worst("machine_late_ms_max"),
            ]
            for name, row in self.rows.items()
        ]


async def run(calls: int, rounds: int, seconds: float) -> Bench:
    """The whole benchmark."""
    cpus = sorted(os.sched_getaffinity(0))
    load_cpu, test_cpu = cpus[0], cpus[-1]
    os.sched_setaffinity(0, {load_cpu})
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as folder:
        async with control_process(load_cpu) as one, control_process(test_cpu) as other:
            bench = Bench(calls, seconds, folder, (load_cpu, test_cpu), [one, other])
            for _ in range(rounds):
                await bench.run_round()
    return bench


def main() -> int:
    """Parses the command line, runs, prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="one short round: under a minute")
    parser.add_argument("--calls", type=int, default=400, help="a multiple of 4")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time of each row in each round")
    options = parser.parse_args()
    if options.calls % 4 or options.calls <= 0:
        parser.error("--calls must be a multiple of 4")
    if options.quick:
        options.rounds, options.seconds = 1, 2.5
    allow_descriptors(FIRST_FD + 4 * _MOST_TIMES * options.calls + 256)
    bench = asyncio.run(run(options.calls, options.rounds, options.seconds))
    columns = ["row", "calls", "CPU ms per call-s", "range", "calls per core", "lost", "late"]
    columns += ["transit p99 ms", "max ms", "tick late ms", "machine late ms"]
    print_result(bench.result(), columns, bench.table(), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
