"""What a call costs the switch: CPU, latency, memory, beside the floor of the same datagrams in the same run.

    python -m benchmarks.signalling --json [--quick]

A real `ringback serve` carries calls from one trunk to another, INVITE to BYE, without digest: the record of each is
written, two subscribers in a process of their own get every event. `cpu_ms_per_call_*` counts supervisor, switch and
media workers as the operating system does, idle work included, from the first INVITE until the last record is in the
database; load (`benchmarks.signalling_load`) and subscribers are not counted. `media` is "direct" for these rows: audio
would go from trunk to trunk; the row `relay_200cps` anchors it (media commands for each call, no packets), and the row
`200cps_auth_timers` has an extension for a caller: challenge and SHA-256 digest for every call, session timers at both
legs. The floor (`benchmarks.signalling_floor`) only receives and sends the same datagrams. `failover_ms_*` is the time
from the INVITE to the answer by the second trunk when the first one is dead and every call has to find that out anew.
`transfer_ms_*` is the time from `call.transfer` until the new party has its ACK and is heard, audio relayed. Each is a
time of this machine in this minute: compare with the floor beside it.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import cpu_s, family, machine, print_result
from benchmarks.signalling_setting import DIAL_OUT, EXTENSION, HOST, PASSWORD, Failover, Setting, prepare
from benchmarks.signalling_transfers import transfer_all

_READY_S = 60.0
_WRITTEN_S = 30.0
_RATES = (50, 200, 800)
_CALLS = {50: 1000, 200: 4000, 800: 12_000}
_CALLS_QUICK = {50: 150, 200: 600, 800: 2000}
_DIRECT, _RELAY, _FAILOVER = "4000", "4001", "4002"
_EVENTS_A_CALL = 4
"""Created, answered, connected, ended: the least a subscriber must have seen of each call."""


class Child:
    """A helper process that speaks JSON lines."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Raises RuntimeError when it ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **job: Any) -> dict[str, Any]:
        self.tell(json.dumps(job))
        return self.read()

    def end_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Switch:
    """A real switch on `setting`."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        with setting.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from switch.cli import main; main()", "serve", "--config", str(setting.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pids(self) -> list[int]:
        return family(self.process.pid)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far of each of its processes."""
        return {f"{_name_of(pid)} {pid}": cpu_s([pid]) for pid in self.pids}

    def pss_kb(self) -> int:
        """Proportional memory of the process that has the calls."""
        for pid in self.pids:
            if b"switch.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        raise RuntimeError(f"the switch is gone: {self.last_words()}")

    def last_words(self) -> str:
        return "\n".join(self._setting.log.read_text("utf-8", "replace").splitlines()[-5:])

    def n_written(self) -> int:
        """Call records in the database."""
        with contextlib.closing(sqlite3.connect(f"file:{self._setting.database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])

    def wait_written(self, n: int) -> int:
        """Waits until `n` call records are there; how many are missing when time is up."""
        deadline = time.monotonic() + _WRITTEN_S
        while (written := self.n_written()) < n and time.monotonic() < deadline:
            time.sleep(0.05)
        return n - written

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _name_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return next((name for name in ("switch.process", "media.worker") if name.encode() in words), "supervisor")


@contextlib.contextmanager
def running(setting: Setting) -> Iterator[tuple[Switch, Child]]:
    """The switch and its subscribers, up."""
    switch = Switch(setting)
    try:
        deadline = time.monotonic() + _READY_S
        while True:
            if switch.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the switch does not start: {switch.last_words()}")
            with contextlib.suppress(OSError), contextlib.closing(setting.connect()):
                break
            time.sleep(0.05)
        with Child("benchmarks.signalling_subscribers", "--port", str(setting.control_port)) as subscribers:
            subscribers.tell(setting.token)
            subscribers.read()
            yield switch, subscribers
    finally:
        switch.stop()


class Bench:
    """One run of everything."""

    def __init__(self, is_quick: bool) -> None:
        self.calls = _CALLS_QUICK if is_quick else _CALLS
        self.talk_s = 0.5 if is_quick else 1.0
        self.n_held = 1000 if is_quick else 4000
        self.n_failover = 60 if is_quick else 400
        self.n_transfers = 100 if is_quick else 1000
        self.result: dict[str, Any] = {}
        self.rows: list[tuple[Any, ...]] = []
        self.failed = self.retransmissions = self.n_expected = 0

    def run(self) -> dict[str, Any]:
        with (
            tempfile.TemporaryDirectory(prefix="ringback-bench-") as folder,
            Child("benchmarks.signalling_load", "--pairs", "5") as load,
            contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as black_hole,
        ):
            pairs = load.read()["pairs"]
            black_hole.bind((HOST, 0))
            failover = Failover(pair=pairs[3], dead_port=black_hole.getsockname()[1], dial=_FAILOVER)
            setting = prepare(Path(folder), pairs[0], pairs[1], _DIRECT, _RELAY, failover, pairs[4])
            floor_ports = ("--caller", str(pairs[2][0]), "--callee", str(pairs[2][1]))
            with running(setting) as (switch, subscribers), Child("benchmarks.signalling_floor", *floor_ports) as floor:
                floor_port = floor.read()["port"]
                self._warm_up(load, setting, floor_port, switch)
                self._held(load, setting, switch)
                for rate in _RATES:
                    self._floor(load, floor, floor_port, rate)
                    self._rate(load, setting, switch, rate, 0, _DIRECT, f"{rate}cps")
                self._rate(load, setting, switch, 200, 1, _RELAY, "relay_200cps")
                self._rate(load, setting, switch, 200, 4, DIAL_OUT, "200cps_auth_timers")
                self._transfers(load, setting, switch)
                self._failover(load, setting, switch)
                subscribers.end_input()
                self._check_events(subscribers.read()["events"])
        self.result |= {"failed": self.failed, "retransmissions": self.retransmissions}
        return self.result

    def _warm_up(self, load: Child, setting: Setting, floor_port: int, switch: Switch) -> None:
        for pair, port, dial in (
            (2, floor_port, _DIRECT),
            (0, setting.sip_port, _DIRECT),
            (1, setting.sip_port, _RELAY),
        ):
            job = {"do": "run", "pair": pair, "host": "127.0.0.1", "port": port, "dial": dial}
            got = load.ask(**job, rate=100, calls=100, talk_s=0.2)
            if got["answered"] != 100:
                raise RuntimeError(f"calls fail: {got}\n{switch.last_words()}")
        self.n_expected = 200
        switch.wait_written(200)

    def _held(self, load: Child, setting: Setting, switch: Switch) -> None:
        """Memory of calls that are up. The transactions that still linger from setting them up are in it."""
        before = switch.pss_kb()
        n = self.n_held
        job = {"pair": 0, "host": "127.0.0.1", "port": setting.sip_port, "dial": _DIRECT}
        got = load.ask(do="hold", **job, rate=500, calls=n)
        held = got["answered"]
        self.result["kb_per_held_call"] = round((switch.pss_kb() - before) / max(1, held), 2)
        self.result["held_calls"] = held
        released = load.ask(do="release", rate=500)
        self.n_expected += n
        self._count(got)
        self.failed += released["failed"] + switch.wait_written(self.n_expected)

    def _floor(self, load: Child, floor: Child, port: int, rate: int) -> None:
        n = self.calls[rate]
        before = cpu_s([floor.process.pid])
        got = load.ask(
            do="run", pair=2, host="127.0.0.1", port=port, dial=_DIRECT, rate=rate, calls=n, talk_s=self.talk_s
        )
        ms = (cpu_s([floor.process.pid]) - before) * 1000 / n
        self.result[f"floor_ms_per_call_{rate}cps"] = round(ms, 4)
        self.result[f"floor_answer_ms_p99_{rate}cps"] = got["answer_ms_p99"]
        self.result["floor_failed"] = self.result.get("floor_failed", 0) + got["failed"]

    def _rate(self, load: Child, setting: Setting, switch: Switch, rate: int, pair: int, dial: str, name: str) -> None:
        n = self.calls[rate] // (2 if dial == _RELAY else 1)
        who = {"user": EXTENSION, "password": PASSWORD} if dial == DIAL_OUT else {}
        before = switch.cpu_s()
        got = load.ask(
            do="run",
            pair=pair,
            host="127.0.0.1",
            port=setting.sip_port,
            dial=dial,
            rate=rate,
            calls=n,
            talk_s=self.talk_s,
            **who,
        )
        self.n_expected += n
        self.failed += switch.wait_written(self.n_expected)
        spent = {name: (after - before.get(name, 0.0)) * 1000 / n for name, after in switch.cpu_s().items()}
        ms = sum(spent.values())
        self._count(got)
        is_relay = not name[0].isdigit()
        key = f"{'relay_' if is_relay else ''}cpu_ms_per_call_{name.removeprefix('relay_')}"
        self.result[key] = round(ms, 4)
        self.result[f"{key}_by_process"] = {name.split()[0]: round(part, 4) for name, part in spent.items()}
        for q in ("p50", "p99", "max"):
            self.result[f"answer_ms_{q}_{name}"] = got[f"answer_ms_{q}"]
        if name == "200cps":
            self.result["answer_ms_p50"], self.result["answer_ms_p99"] = got["answer_ms_p50"], got["answer_ms_p99"]
        floor = self.result[f"floor_ms_per_call_{rate}cps"]
        latency = f"{got['answer_ms_p50']} / {got['answer_ms_p99']}"
        self.rows.append((name, n, round(ms, 3), floor, round(ms / floor, 1), latency, got["failed"]))

    def _failover(self, load: Child, setting: Setting, switch: Switch) -> None:
        """From the INVITE to the answer of the second trunk, when the first reads nothing; each call finds out anew."""
        n = self.n_failover
        job = {"pair": 3, "host": HOST, "port": setting.sip_port, "dial": _FAILOVER}
        got = load.ask(do="run", **job, rate=20, calls=n, talk_s=self.talk_s)
        self.n_expected += n
        # The caller is told nothing while its call looks for a way but 100, which its load does not take for a sign of
        # life: its repetitions are its own.
        self.failed += got["failed"] + switch.wait_written(self.n_expected)
        for q in ("p50", "p99", "max"):
            self.result[f"failover_ms_{q}"] = got[f"answer_ms_{q}"]
        self.rows.append(
            ("failover", n, "-", "-", "-", f"{got['answer_ms_p50']} / {got['answer_ms_p99']}", got["failed"])
        )

    def _transfers(self, load: Child, setting: Setting, switch: Switch) -> None:
        """Calls that are up are transferred, 20 a second, to whoever answers at once."""
        n = self.n_transfers
        job = {"pair": 1, "host": HOST, "port": setting.sip_port, "dial": _RELAY}
        got = load.ask(do="hold", **job, rate=100, calls=n)
        load.tell(json.dumps({"do": "serve", "pair": 1}))
        asked_at = transfer_all(setting, _RELAY, n, rate=20)
        load.tell("")
        acked_at = load.read()["acked_at"]
        took = sorted((acked - asked) * 1000 for asked, acked in zip(asked_at, acked_at, strict=False))
        self.n_expected += n
        failed = got["failed"] + n - len(took) + switch.wait_written(self.n_expected)
        self.failed += failed
        for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            at = min(len(took) - 1, int(len(took) * q))
            self.result[f"transfer_ms_{name}"] = round(took[at], 3) if took else 0.0
        latency = f"{self.result['transfer_ms_p50']} / {self.result['transfer_ms_p99']}"
        self.rows.append(("transfer", n, "-", "-", "-", latency, failed))

    def _count(self, got: dict[str, Any]) -> None:
        self.failed += got["failed"]
        self.retransmissions += got["retransmissions"]

    def _check_events(self, counts: list[dict[str, int]]) -> None:
        totals = [sum(n for name, n in each.items() if name.startswith("call.")) for each in counts]
        self.result["events_per_subscriber"] = totals
        self.result["events_lost"] = sum(each.get("events.lost", 0) for each in counts)
        self.result["events_missing"] = sum(max(0, _EVENTS_A_CALL * self.n_expected - total) for total in totals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer calls, under a minute")
    wanted = parser.parse_args()
    bench = Bench(wanted.quick)
    result = bench.run()
    from benchmarks.signalling_core import measure_core

    result |= measure_core(rounds=60 if wanted.quick else 200)
    result |= {"machine": machine(), "cpus": os.cpu_count()}
    columns = ("calls/s", "calls", "ms CPU a call", "floor", "x floor", "answer ms p50 / p99", "failed")
    print_result(result, columns, bench.rows, as_json=wanted.json)


if __name__ == "__main__":
    main()
