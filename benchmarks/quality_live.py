"""A real worker process over loopback UDP, in real time, for `benchmarks.media_quality`: is relayed audio bit-exact,
and what does mixed audio sound like at the other end."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_lab import HOST, Phone, bound_pair
from benchmarks.quality_speech import measure, utterances
from media.client import MediaClient
from model.media import CommandRefused, ConfigureLeg, ConnectMatrix, Edge, Event, GetStatistics, Hello, Statistics

ANSWER_S = 30.0
_FIRST_FD = 8192
_LEGS = 5
_WARM_S = 1.0


class _Switch:
    """The switch's part of one worker."""

    def __init__(self, path: str) -> None:
        self.client = MediaClient(path, on_event=self._on_event, on_connected=self._on_connected)
        self._is_connected = asyncio.Event()
        self._is_ready = asyncio.Event()
        self._refused = ""

    def _on_connected(self, hello: Hello) -> None:
        self._is_connected.set()

    def _on_event(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, CommandRefused):
                self._refused = event.error
            if isinstance(event, Statistics | CommandRefused):
                self._is_ready.set()

    async def connect(self) -> None:
        await asyncio.wait_for(self._is_connected.wait(), ANSWER_S)

    async def settle(self, session: str) -> None:
        """Until all that was commanded is done; RuntimeError when something was refused."""
        self._is_ready.clear()
        self.client.send(GetStatistics(session))
        await asyncio.wait_for(self._is_ready.wait(), ANSWER_S)
        if self._refused:
            raise RuntimeError(self._refused)


async def measure_live(n_speakers: int) -> dict[str, Any]:
    """`is_bit_exact`, `packets` of the relayed call; `pesq_nb`, `stoi` of the mixed one (mean of the speakers)."""
    said = utterances(8000)[:n_speakers]
    quiet = np.zeros(round(_WARM_S * 8000))
    voice = np.concatenate([quiet, *said, quiet])
    phones = [
        Phone("a", voice=voice, session="relay", seed=1),
        Phone("b", voice=voice[::-1].copy(), session="relay", seed=2),
        Phone("a", voice=voice, session="mix", seed=3),
        Phone("b", session="mix", seed=4),
        Phone("m", session="mix", seed=5),
    ]
    try:
        async with _worker() as switch:
            ports = {}
            for phone in phones:
                port = switch.client.allocate_port()
                assert port is not None
                ports[phone] = port
                peer = phone.socket.getsockname()[1]
                switch.client.send(
                    ConfigureLeg(phone.session, phone.name, port, remote_host=HOST, remote_port=peer, learn_from=HOST)
                )
            switch.client.send(ConnectMatrix("relay", [Edge("a", "b"), Edge("b", "a")]))
            switch.client.send(ConnectMatrix("mix", [Edge("a", "b"), Edge("m", "b")]))
            await switch.settle("mix")
            await _talk(phones, ports)
        first, second = phones[0], phones[1]
        exact = all(
            [packet[12:] for _, packet in ear.heard] == mouth.sent for mouth, ear in ((first, second), (second, first))
        )
        scores = _scores(phones[3], said)
        return {
            "is_bit_exact": exact,
            "packets": len(first.heard) + len(second.heard),
            "pesq_nb": round(float(np.mean([score["pesq"] for score in scores])), 3),
            "stoi": round(float(np.mean([score["stoi"] for score in scores])), 4),
        }
    finally:
        for phone in phones:
            phone.close()


def _scores(ear: Phone, said: tuple[NDArray[np.float64], ...]) -> list[dict[str, float]]:
    heard = ear.timeline()
    scores, at = [], round((_WARM_S - 0.1) * 8000)
    for each in said:
        scores.append(measure(each, heard[at:], 8000))
        at += len(each)
    return scores


async def _talk(phones: list[Phone], ports: dict[Phone, int]) -> None:
    """Every phone says all it has, each packet at its time."""
    due = sorted(((at, packet, phone) for phone in phones for at, packet in phone.packets()), key=lambda each: each[0])
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.05
    for at, packet, phone in due:
        await asyncio.sleep(began + at - loop.time())
        phone.socket.sendto(packet, (HOST, ports[phone]))
        for each in phones:
            each.collect(loop.time())
    await asyncio.sleep(0.5)
    for each in phones:
        each.collect(loop.time())


@contextlib.asynccontextmanager
async def _worker() -> AsyncIterator[_Switch]:
    with tempfile.TemporaryDirectory(prefix="ringback-quality-") as folder:
        path = os.path.join(folder, "worker.sock")
        sockets: list[socket.socket] = [each for _ in range(_LEGS) for each in bound_pair()]
        wanted = range(_FIRST_FD, _FIRST_FD + len(sockets))
        for fd, each in zip(wanted, sockets, strict=True):
            os.dup2(each.fileno(), fd)
            each.close()
        arguments = ["-m", "media.worker", "--name", "quality", "--socket", path, "--log-level", "ERROR"]
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, "--rtp-fds", f"{_FIRST_FD}:{len(sockets)}", pass_fds=wanted
            )
        finally:
            for fd in wanted:
                os.close(fd)
        switch = _Switch(path)
        task = asyncio.create_task(switch.client.run())
        try:
            await switch.connect()
            yield switch
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            process.send_signal(signal.SIGTERM)
            await process.wait()
