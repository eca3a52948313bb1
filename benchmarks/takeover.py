"""What kill -9 of a media worker does to calls that are up: `python -m benchmarks.takeover [--json] [--quick]`.

A real `ringback serve`; 50 phones call out over a trunk, every call is recorded, audio flows both ways over loopback.
In mid-call the worker is killed by its pid, several times; once its successor as soon as it is there, once the spare,
and once the worker is stopped (SIGSTOP) instead, so that it hangs. What is judged was seen by the phones: the longest
time without a packet after a kill (`audio_gap_ms_max`), SSRC, sequence numbers and timestamps of all packets; and what
stands in the recordings, decoded by FFmpeg: whole length, each side's own tone on its channel, until the end.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import uvloop

from benchmarks.measure import machine, median, print_result
from benchmarks.takeover_phones import CALLEE_HZ, CALLER_HZ, HOST, PACKET_S, Clock, Line, Telephone
from control.client import ControlClient
from switch.demo.events import PhoneEvent
from switch.demo.processes import SwitchProcess
from switch.demo.setting import FIRST_OUTSIDE_NUMBER, Setting, prepare

PATIENCE_S = 60.0
GAP_MS = 300.0
SETTLE_S = 2.2
"""Calls talk so long before the first kill and after the last."""
WATCHED_S = 1.0
"""A kill's gap begins within this time after it."""
HANG_WATCHED_S = 12.0
LENGTH_S = 1.0
"""A recording may differ so much from its call."""
_FRAME_S = 0.02


class Kill(msgspec.Struct):
    """One thing that was done to the worker, and what followed."""

    what: str
    at: float
    watched_s: float = WATCHED_S
    up_s: float = -1.0
    """Until the switch had its successor."""
    gap_ms: float = 0.0


class Stage:
    """The running switch, the phones, and what they tell."""

    def __init__(self, setting: Setting, control: ControlClient) -> None:
        self.setting = setting
        self.control = control
        self.clock = Clock()
        self.lines: dict[str, Line] = {}
        self.phones: list[Telephone] = []
        self.ended: list[PhoneEvent] = []
        self.n_answered = 0
        self._changed = asyncio.Event()

    def tell(self, event: PhoneEvent) -> None:
        if event.event == "ended":
            self.ended.append(event)
        self.n_answered += event.event == "answered"
        self._changed.set()

    async def until(self, is_so: Any) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def call_all(self, n_calls: int) -> None:
        """All phones there, and every one of them talking."""
        server = f"udp:{HOST}:{self.setting.sip_port}"
        self.phones.append(
            await Telephone.open("carrier", server, self.clock, self.tell, self.lines, port=self.setting.carrier_port)
        )
        for extension, password in list(self.setting.passwords.items())[:n_calls]:
            self.phones.append(
                await Telephone.open(extension, server, self.clock, self.tell, self.lines, password=password)
            )
        await self.until(lambda: all(phone.agent.is_registered for phone in self.phones[1:]))
        for i, phone in enumerate(self.phones[1:]):
            phone.agent.call(str(FIRST_OUTSIDE_NUMBER + i))
        await self.until(lambda: self.n_answered == 2 * n_calls)

    async def serving(self, but: int = 0) -> int:
        """Process id of the media worker, once there is one and it is another than `but`."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                worker = (await self.control.call("system.status"))["media_workers"][0]
                if worker["state"] == "up" and worker["pid"] > 0 and worker["pid"] != but:
                    return int(worker["pid"])
                await asyncio.sleep(0.002)

    async def hang_up(self) -> None:
        for phone in self.phones[1:]:
            for call in list(phone.agent.calls):
                phone.agent.hang_up(call)
        await self.until(lambda: not any(phone.agent.calls for phone in self.phones))

    async def close(self) -> None:
        for phone in self.phones:
            await phone.close()


class Gaps:
    """What the phones heard, for all calls."""

    def __init__(self, lines: dict[str, Line]) -> None:
        self._arrived = [line.arrived for line in lines.values()]

    def longest_ms(self, begin: float, end: float) -> float:
        """The longest time without a packet that began between `begin` and `end`, in any direction of any call."""
        longest = 0.0
        for arrived in self._arrived:
            times = np.array([at for at, *_ in arrived])
            starts = np.flatnonzero((times[:-1] >= begin - PACKET_S) & (times[:-1] <= end))
            if len(starts):
                longest = max(longest, float((times[starts + 1] - times[starts]).max()))
            if not len(times) or times[-1] < end:
                longest = max(longest, end - (float(times[-1]) if len(times) else begin))
        return longest * 1000

    def count_breaks(self) -> dict[str, int]:
        """Over all streams: another SSRC, sequence numbers that go back or come twice, timestamps that go back, and
        sequence numbers that never came."""
        found = {"ssrc_changes": 0, "sequence_back": 0, "timestamp_back": 0, "packets_lost": 0}
        for arrived in self._arrived:
            if not arrived:
                continue
            seq = np.array([one[1] for one in arrived], np.uint16)
            ts = np.array([one[2] for one in arrived], np.uint32)
            found["ssrc_changes"] += len({one[3] for one in arrived}) - 1
            steps = np.diff(seq).view(np.int16)
            found["sequence_back"] += int((steps <= 0).sum())
            found["timestamp_back"] += int((np.diff(ts).view(np.int32) <= 0).sum())
            found["packets_lost"] += int((steps[steps > 0] - 1).sum())
        return found


def judge_recording(path: Path, talked_s: float, last_kill_s: float) -> dict[str, Any]:
    """What is wrong with a recording, if anything. `last_kill_s`: seconds from the last takeover to its end.

    Never raises for a file that is bad: that is the result.
    """
    try:
        with av.open(str(path)) as file:
            rate = file.streams.audio[0].rate
            parts = [frame.to_ndarray().reshape(-1, 2) for frame in file.decode(audio=0)]
    except (OSError, av.FFmpegError) as error:
        return {"error": f"{path.name}: {error}"}
    sound = np.concatenate(parts).T.astype(np.float64)
    length_s = sound.shape[1] / rate
    heard = [_has_tone(channel, hz, rate) for channel, hz in zip(sound, (CALLEE_HZ, CALLER_HZ), strict=True)]
    # A second behind the takeover, for what a recording may be off by.
    after = max(1, int((last_kill_s - LENGTH_S) / _FRAME_S))
    wrong = ""
    if abs(length_s - talked_s) > LENGTH_S:
        wrong = f"{path.name}: {length_s:.2f} s long, the call talked {talked_s:.2f} s"
    elif not all(one[-after:].mean() > 0.8 for one in heard):
        wrong = f"{path.name}: not both sides are heard after the last takeover"
    return {"error": wrong, "length_s": length_s, "silent_s": max(float((~one).sum() * _FRAME_S) for one in heard)}


def _has_tone(channel: Any, hz: float, rate: int) -> Any:
    """By frame of 20 ms: whether that tone, and nothing else of weight, is in it."""
    size = round(rate * _FRAME_S)
    frames = channel[: len(channel) // size * size].reshape(-1, size)
    wave = np.exp(-2j * np.pi * hz / rate * np.arange(size))
    tone = np.abs(frames @ wave) ** 2 * 2 / size
    power = (frames**2).sum(axis=1)
    return (power > 0) & (tone > 0.8 * power)


async def provoke(stage: Stage, rounds: int, settle_s: float, *, with_hang: bool) -> list[Kill]:
    """Kills in mid-call, each when the calls have settled after the one before."""
    loop = asyncio.get_running_loop()
    kills = []

    async def end(what: str, number: int, watched_s: float = WATCHED_S) -> None:
        pid = await stage.serving()
        os.kill(pid, number)
        kill = Kill(what, loop.time(), watched_s)
        kills.append(kill)
        await stage.serving(but=pid)
        kill.up_s = loop.time() - kill.at

    for _ in range(rounds):
        await end("worker", signal.SIGKILL)
        await asyncio.sleep(settle_s)
    worker = await stage.serving()
    spares = {pid for pid in media_pids(stage) if pid != worker}
    for pid in spares:
        os.kill(pid, signal.SIGKILL)
    kills.append(Kill("spare", loop.time(), up_s=0.0))
    await asyncio.sleep(settle_s)
    await end("worker", signal.SIGKILL)
    await asyncio.sleep(settle_s)
    # Its successor a moment after: nobody waits in the wings then.
    await end("worker twice", signal.SIGKILL, 3 * WATCHED_S)
    await end("worker twice", signal.SIGKILL, 3 * WATCHED_S)
    await asyncio.sleep(settle_s)
    if with_hang:
        await end("hang", signal.SIGSTOP, HANG_WATCHED_S)
        await asyncio.sleep(settle_s)
    return kills


def media_pids(stage: Stage) -> list[int]:
    """Worker and spare."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if b"media.worker" in (folder / "cmdline").read_bytes() and _belongs(stage, int(folder.name)):
                    found.append(int(folder.name))
    return found


def _belongs(stage: Stage, pid: int) -> bool:
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return str(stage.setting.config).encode() in Path(f"/proc/{parent}/cmdline").read_bytes()


async def measure(
    folder: Path, n_calls: int, rounds: int, *, with_hang: bool, settle_s: float = SETTLE_S
) -> dict[str, Any]:
    """The whole run. Raises when the stack does not come up or calls do not come about."""
    setting = prepare(folder, n_calls, [], n_calls)
    text = setting.config.read_text().replace("[media]\n", "[media]\nworkers = 1\n")
    setting.config.write_text(text)
    switch = await SwitchProcess.start(setting)
    loop = asyncio.get_running_loop()
    try:
        control = await switch.connect()
        stage = Stage(setting, control)
        clock = asyncio.create_task(stage.clock.run())
        try:
            await stage.call_all(n_calls)
            await asyncio.sleep(settle_s)
            # Not up to the first kill: what begins before it would count.
            quiet = (loop.time() - settle_s / 2, loop.time() - settle_s / 4)
            kills = await provoke(stage, rounds, settle_s, with_hang=with_hang)
            n_lost = len(stage.ended)
            ended = loop.time()
            await stage.hang_up()
            recordings = await finished_recordings(control, n_calls)
        finally:
            clock.cancel()
            await stage.close()
            await control.close()
    finally:
        await switch.stop()
    return summarise(stage, kills, recordings, n_lost, quiet, ended)


async def finished_recordings(control: ControlClient, n_calls: int) -> list[dict[str, Any]]:
    """What the switch has kept of them, once all have ended."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            listed = (await control.call("recording.list", limit=2 * n_calls))["recordings"]
            if len(listed) >= n_calls and all(one["state"] != "recording" for one in listed):
                return list(listed)
            await asyncio.sleep(0.2)


def summarise(
    stage: Stage,
    kills: list[Kill],
    recordings: list[dict[str, Any]],
    n_lost: int,
    quiet: tuple[float, float],
    ended: float,
) -> dict[str, Any]:
    gaps = Gaps(stage.lines)
    for kill in kills:
        kill.gap_ms = gaps.longest_ms(kill.at, kill.at + kill.watched_s)
    last_s = ended - kills[-1].at - kills[-1].up_s
    talked_s = {event.phone: event.duration_s for event in stage.ended}
    judged = [judge_recording(Path(one["path"]), talked_s.get(one["caller"], 0.0), last_s) for one in recordings]
    errors = [one["error"] for one in judged if one["error"]]
    errors += [f"{one['path']}: {one['state']}: {one['error']}" for one in recordings if one["state"] != "finished"]
    single = [kill for kill in kills if kill.what == "worker"]
    twice = [kill for kill in kills if kill.what == "worker twice"]
    hangs = [kill for kill in kills if kill.what == "hang"]
    return {
        "calls": len(stage.lines) // 2,
        "kills": len(single) + len(twice),
        "audio_gap_ms_max": round(max(kill.gap_ms for kill in single), 1),
        "audio_gap_ms_median": median([kill.gap_ms for kill in single], 1),
        "audio_gap_twice_ms": round(max((kill.gap_ms for kill in twice), default=0.0), 1),
        "audio_gap_spare_killed_ms": round(max(kill.gap_ms for kill in kills if kill.what == "spare"), 1),
        "audio_gap_hang_ms": round(max((kill.gap_ms for kill in hangs), default=0.0), 1),
        "audio_gap_undisturbed_ms": round(gaps.longest_ms(*quiet), 1),
        "successor_up_ms": median([kill.up_s * 1000 for kill in single], 1),
        "calls_lost": n_lost,
        "recordings": len(recordings),
        "recordings_broken": len(errors) + abs(len(recordings) - len(stage.lines) // 2),
        "recording_errors": errors[:5],
        "recording_silence_s_max": round(max((one.get("silent_s", 0.0) for one in judged), default=0.0), 2),
        **gaps.count_breaks(),
        "phones_late_ms_max": round(stage.clock.late_s_max * 1000, 1),
        "machine": machine(),
        "each": [{"what": k.what, "gap_ms": round(k.gap_ms, 1), "up_ms": round(k.up_s * 1000, 1)} for k in kills],
    }


def is_good(result: dict[str, Any]) -> bool:
    """What issue 3 asks for."""
    unbroken = not (result["ssrc_changes"] or result["sequence_back"] or result["timestamp_back"])
    return (
        result["audio_gap_ms_max"] <= GAP_MS
        and not result["calls_lost"]
        and not result["recordings_broken"]
        and unbroken
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.takeover", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--quick", action="store_true", help="within a minute: fewer kills, no hang")
    parser.add_argument("--calls", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringback-takeover-") as folder:
        rounds = 2 if options.quick else 5
        result = uvloop.run(measure(Path(folder), options.calls, rounds, with_hang=not options.quick))
    result["ok"] = is_good(result)
    rows = [[one["what"], one["gap_ms"], one["up_ms"]] for one in result["each"]]
    print_result(result, ("what", "longest gap, ms", "successor, ms"), rows, as_json=options.json)
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
