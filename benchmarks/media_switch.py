"""The switch's part in `benchmarks.media`: configures a worker's calls through its protocol and takes its events."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

from media.client import MediaClient
from model.media import (
    CommandRefused,
    ConfigureLeg,
    ConnectMatrix,
    Edge,
    Event,
    GetStatistics,
    Health,
    Hello,
    LegReleased,
    RecordingFinished,
    ReleaseSession,
    StartRecording,
    Statistics,
)

HOST = "127.0.0.1"
ANSWER_S = 30.0
"""How long anything asked of another process may take."""


class Switch:
    """The switch's part: configures the worker's calls and takes its events."""

    def __init__(self, path: str) -> None:
        self.ports: list[int] = []
        self._client = MediaClient(path, on_event=self._on_event, on_connected=self._on_connected)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._hello: Hello | None = None
        self._released: list[LegReleased] = []
        self._recordings: list[RecordingFinished] = []
        self._tick_late_ms = 0.0
        self._is_ready = False

    async def __aenter__(self) -> "Switch":
        self._task = asyncio.create_task(self._client.run())
        try:
            await self._until(lambda: self._hello is not None)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def configure(self, calls: int, load_ports: list[int]) -> None:
        """All calls, both legs each, joined."""
        for call in range(calls):
            session = f"call-{call:08d}-0000-7000-8000-000000000000"
            for side in (0, 1):
                leg = 2 * call + side
                port = self._client.allocate_port()
                assert port is not None
                self.ports.append(port)
                peer = load_ports[leg % len(load_ports)]
                self._client.send(
                    ConfigureLeg(session, str(side), port, remote_host=HOST, remote_port=peer, learn_from=HOST)
                )
            self._client.send(ConnectMatrix(session, [Edge("0", "1"), Edge("1", "0")]))
        # Commands are carried out in order: when the last call can be asked about, all are ready.
        self._client.send(GetStatistics(session))
        await self._until(lambda: self._is_ready)

    def record(self, calls: int, folder: str) -> None:
        """Every call, in stereo."""
        for call in range(calls):
            session, path = f"call-{call:08d}-0000-7000-8000-000000000000", os.path.join(folder, "rec", f"{call}.wav")
            self._client.send(StartRecording(session, f"recording-{call}", path, [["0"], ["1"]]))

    async def release(self, calls: int, n_recordings: int) -> None:
        """Ends all calls and waits until the worker has let go of everything."""
        for call in range(calls):
            self._client.send(ReleaseSession(f"call-{call:08d}-0000-7000-8000-000000000000"))
        await self._until(lambda: len(self._released) == 2 * calls and len(self._recordings) == n_recordings)

    def summary(self) -> dict[str, Any]:
        """What the worker said of itself."""
        statistics = [event.statistics for event in self._released]
        n_bad = 0
        for event in self._recordings:
            has_both_sides = len(event.speech_s) == 2 and min(event.speech_s) > 0
            n_bad += bool(event.error) or not event.sha256 or not has_both_sides
            os.unlink(event.path)
        return {
            "tick_late_ms_max": self._tick_late_ms,
            "packets_lost": sum(s.packets_lost for s in statistics),
            "packets_rejected": sum(s.packets_rejected for s in statistics),
            "jitter_ms_max": max((s.max_jitter_ms for s in statistics), default=0.0),
            "recordings": len(self._recordings),
            "recordings_bad": n_bad,
        }

    def _on_connected(self, hello: Hello) -> None:
        self._hello = hello
        self._changed.set()

    def _on_event(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case LegReleased():
                    self._released.append(event)
                case RecordingFinished():
                    self._recordings.append(event)
                case Statistics():
                    self._is_ready = True
                case Health():
                    self._tick_late_ms = max(self._tick_late_ms, event.tick_late_ms_max)
                case CommandRefused():
                    raise RuntimeError(f"the worker refused {event.command}: {event.error}")
                case _:
                    pass
        self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(ANSWER_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
