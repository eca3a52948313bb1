"""The switch's part in `benchmarks.media`: configures a worker's calls through its protocol and takes its events."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any, Protocol

from media.client import MediaClient
from model.media import (
    CommandRefused,
    ConfigureLeg,
    ConnectMatrix,
    Event,
    GetStatistics,
    Health,
    Hello,
    LegReleased,
    RecordingFinished,
    ReleaseSession,
    Room,
    StartRecording,
    Statistics,
)

HOST = "127.0.0.1"
ANSWER_S = 30.0
"""How long anything asked of another process may take."""


class Peers(Protocol):
    """Where the phones of the load are."""

    ports: list[int]
    report_port: int


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
        self._n_sessions = 0

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

    async def configure(
        self, n_legs: int, load: "Peers", *, legs_of_session: int = 2, detect: tuple[str, ...] = ()
    ) -> None:
        """Sessions in which everybody hears everybody else; all legs on shared ports where the worker has those."""
        for leg in range(n_legs):
            port = self._port(leg, len(load.ports))
            self.ports.append(port)
            self._client.send(
                ConfigureLeg(
                    _session(leg // legs_of_session),
                    str(leg % legs_of_session),
                    port,
                    remote_host=HOST,
                    remote_port=load.ports[leg % len(load.ports)],
                    remote_rtcp_port=load.report_port,
                    learn_from=HOST,
                    # Whoever is told the digits may not hear them too, and cannot be relayed to.
                    dtmf_payload_type=-1 if detect else 101,
                    detect=detect,
                )
            )
        self._n_sessions = n_legs // legs_of_session
        names = [str(leg) for leg in range(legs_of_session)]
        for number in range(self._n_sessions):
            self._client.send(ConnectMatrix(_session(number), rooms=[Room(names, names)]))
        # Commands are carried out in order: when the last session can be asked about, all are ready.
        self._client.send(GetStatistics(_session(self._n_sessions - 1)))
        await self._until(lambda: self._is_ready)

    def _port(self, leg: int, n_peers: int) -> int:
        assert self._hello is not None
        shared = self._hello.shared_ports
        # Legs with the same peer's address are on different ports.
        port = shared[leg // n_peers] if shared else self._client.allocate_port()
        assert port is not None
        return port

    def record(self, folder: str) -> None:
        """Every session of two, in stereo."""
        for number in range(self._n_sessions):
            path = os.path.join(folder, "rec", f"{number}.wav")
            self._client.send(StartRecording(_session(number), f"recording-{number}", path, [["0"], ["1"]]))

    async def release(self, n_recordings: int) -> None:
        """Ends all calls and waits until the worker has let go of everything."""
        for number in range(self._n_sessions):
            self._client.send(ReleaseSession(_session(number)))
        await self._until(lambda: len(self._released) == len(self.ports) and len(self._recordings) == n_recordings)

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


def _session(number: int) -> str:
    return f"call-{number:08d}-0000-7000-8000-000000000000"
