"""speech/ears.py and speech/recognizers.py, as a process of their own beside a real WebSocket service on loopback: what
is sent while the file grows, what comes back, and what becomes of services that hang, break off, answer nonsense or are
not there."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve

from model.recognition import Enough, Heard, Listen, Recognition, Setup

SECOND = b"\x01\x02" * 8000


class Service:
    """Understands everything as `text`, when all of it has come; or does as it is told."""

    def __init__(self, mood: str = "") -> None:
        self.mood = mood
        self.started: list[dict[str, Any]] = []
        self.audio = b""
        self.headers: list[str | None] = []

    async def handle(self, socket_: ServerConnection) -> None:
        self.headers.append(socket_.request.headers.get("Authorization") if socket_.request else None)
        self.started.append(json.loads(await socket_.recv()))
        with contextlib.suppress(Exception):
            async for piece in socket_:
                if isinstance(piece, bytes):
                    self.audio += piece
                    if self.mood == "early" and len(self.audio) >= 8000:
                        await socket_.send(json.dumps({"type": "final", "text": "at once"}))
                    if self.mood == "breaks":
                        await socket_.close(1011, "no more")
                    continue
                await self.answer(socket_)

    async def answer(self, socket_: ServerConnection) -> None:
        if self.mood == "vosk":
            await socket_.send(json.dumps({"partial": "good"}))
            await socket_.send(json.dumps({"text": "good  morning"}))
        elif self.mood == "nonsense":
            await socket_.send("<html>")
        elif self.mood == "error":
            await socket_.send(json.dumps({"type": "error", "message": "no such language"}))
        elif self.mood == "huge":
            await socket_.send("x" * 1_000_000)
        elif self.mood == "nothing":
            await socket_.send(json.dumps({"type": "final", "text": ""}))
        elif self.mood != "hangs":
            await socket_.send(json.dumps({"type": "partial", "text": "good"}))
            await socket_.send(json.dumps({"type": "final", "text": "good morning"}))


class Process:
    """The listening process, as the switch has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._length = struct.Struct(">I")

    async def start(self, settings: Recognition) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "speech.ears", "--fd", str(theirs.fileno()), pass_fds=(theirs.fileno(),)
            )
        self.reader, self.writer = await asyncio.open_unix_connection(sock=ours)
        self.send(Setup(settings, "secret", str(self.folder)))

    def send(self, message: msgspec.Struct) -> None:
        data = msgspec.msgpack.encode(message)
        self.writer.write(self._length.pack(len(data)) + data)

    async def heard(self) -> Heard:
        async with asyncio.timeout(20.0):
            (size,) = self._length.unpack(await self.reader.readexactly(4))
            return msgspec.msgpack.decode(await self.reader.readexactly(size), type=Heard)

    async def close(self) -> int:
        self.writer.close()
        async with asyncio.timeout(10.0):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def listening(folder: Path, mood: str = "", **settings: Any) -> AsyncIterator[tuple[Process, Service]]:
    service = Service(mood)
    async with serve(service.handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = {"provider": "websocket", "url": f"ws://127.0.0.1:{port}", "answer_s": 1.0, **settings}
        process = Process(folder)
        await process.start(msgspec.convert(made, Recognition))
        try:
            yield process, service
        finally:
            assert await process.close() == 0


def head(rate: int = 8000, channels: int = 1, bits: int = 16) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2, 2, bits)
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + form + b"data\0\0\0\0"


def said(path: Path, seconds: int, **form: int) -> None:
    with path.open("ab") as file:
        if not file.tell():
            file.write(head(**form))
        file.write(SECOND * seconds)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not come")


def test_what_is_said_is_sent_while_it_is_said_and_comes_back_as_text(tmp_path: Path) -> None:
    async def main() -> None:
        stale = tmp_path / "stale.wav"
        stale.write_bytes(b"of an earlier run")
        os.utime(stale, (1.0, 1.0))
        path = tmp_path / "a.wav"
        async with listening(tmp_path) as (process, service):
            process.send(Listen(1, str(path), "zh-CN", ("销售",), 30.0))
            await asyncio.sleep(0.3)
            said(path, 1)
            await until(lambda: len(service.audio) >= len(SECOND))
            said(path, 1)
            process.send(Enough(1))
            heard = await process.heard()
            assert (heard.number, heard.text, heard.error) == (1, "good morning", "")
            assert service.audio == SECOND * 2
            assert service.started == [
                {"type": "start", "encoding": "pcm16", "sample_rate": 8000, "language": "zh-CN", "hints": ["销售"]}
            ]
            assert service.headers == ["Bearer secret"]
            assert not path.exists()
            assert not stale.exists()

    asyncio.run(main())


def test_a_service_that_is_sure_before_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "a.wav"
        async with listening(tmp_path, "early") as (process, _):
            process.send(Listen(1, str(path), "en", (), 30.0))
            said(path, 2, rate=16000)
            assert (await process.heard()).text == "at once"
            assert not path.exists()

    asyncio.run(main())


def test_a_vosk_server(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "a.wav"
        async with listening(tmp_path, "vosk", provider="vosk") as (process, service):
            said(path, 1)
            process.send(Listen(1, str(path), "en", ("sales",), 30.0))
            process.send(Enough(1))
            assert (await process.heard()).text == "good morning"
            assert service.started == [{"config": {"sample_rate": 8000, "phrase_list": ["sales", "[unk]"]}}]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        ("hangs", "no answer within 1 s"),
        ("breaks", "broke off"),
        ("nonsense", "no JSON"),
        ("error", "no such language"),
        ("huge", "broke off"),
    ],
)
def test_services_that_fail(tmp_path: Path, mood: str, error: str) -> None:
    async def main() -> None:
        path = tmp_path / "a.wav"
        async with listening(tmp_path, mood) as (process, _):
            said(path, 1)
            process.send(Listen(1, str(path), "en", (), 30.0))
            process.send(Enough(1))
            heard = await process.heard()
            assert heard.text == ""
            assert error in heard.error
            assert not path.exists()

    asyncio.run(main())


def test_nothing_understood_nothing_there_and_nobody_to_ask(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "a.wav"
        async with listening(tmp_path, "nothing") as (process, _):
            said(path, 1)
            process.send(Listen(1, str(path), "en", (), 30.0))
            process.send(Enough(1))
            heard = await process.heard()
            assert (heard.text, heard.error) == ("", "")
            process.send(Listen(2, str(tmp_path / "never.wav"), "en", (), 30.0))
            process.send(Enough(2))
            assert (await process.heard()).error == "nothing was recorded"
            said(path, 1, channels=2)
            process.send(Listen(3, str(path), "en", (), 30.0))
            assert "2 channels" in (await process.heard()).error
        async with listening(tmp_path, url="ws://127.0.0.1:9") as (process, _):
            said(path, 1)
            process.send(Listen(1, str(path), "en", (), 30.0))
            assert "cannot be reached" in (await process.heard()).error

    asyncio.run(main())


def test_what_nobody_wants_any_more_is_dropped(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "a.wav"
        async with listening(tmp_path, "hangs") as (process, _):
            said(path, 1)
            process.send(Listen(1, str(path), "en", (), 30.0))
            await asyncio.sleep(0.2)
            process.send(Enough(1, is_wanted=False))
            await until(lambda: not path.exists())

    asyncio.run(main())
