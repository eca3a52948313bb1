"""Real speech workers: asked, killed, held up, gone with the switch."""

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from media.wav import read_samples
from model.speech import DEFAULT_VOICES, Setup, SpeechVoice
from speech.errors import SpeechError
from switch import speech_client
from switch.speech_client import SpeechClient

PATIENCE_S = 60.0


def pids(caplog) -> list[int]:
    return [int(each) for each in re.findall(r"speech worker is pid (\d+)", caplog.text)]


def contents(path: str) -> bytes:
    return Path(path).read_bytes()


def spoil(path: str) -> None:
    Path(path).write_bytes(b"broken")


async def until(is_so) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.asynccontextmanager
async def speaking(folder: Path, *voices: SpeechVoice, max_bytes: int = 1 << 20, gone=lambda paths: None):
    client = SpeechClient(Setup((*DEFAULT_VOICES, *voices), str(folder), max_bytes), gone)
    task = asyncio.ensure_future(client.run())
    try:
        yield client
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO)


def test_ivr_06_texts_become_files(tmp_path, caplog):
    async def main():
        async with speaking(tmp_path) as client:
            zh, en, de = await asyncio.gather(
                client.make("您的余额是十二元。", "zh", PATIENCE_S),
                client.make("Your balance is twelve yuan.", "en", PATIENCE_S, is_ahead=True),
                client.make("Guten Tag.", "de", PATIENCE_S),
            )
            for path in (zh, en, de):
                samples, rate = read_samples(contents(path))
                assert rate == 8000 and 0.4 < len(samples) / 8000 < 6 and abs(samples).max() > 3000
            again = await client.make("您的余额是十二元。", "zh", PATIENCE_S)
            assert again == zh
            spoil(zh)
            assert await client.make("您的余额是十二元。", "zh", PATIENCE_S) == zh
            assert len(contents(zh)) > 8000
            with pytest.raises(SpeechError, match='no voice "qq"'):
                await client.make("a", "qq", PATIENCE_S)
        assert not is_there(pids(caplog)[0])

    asyncio.run(main())


def test_a_worker_that_is_killed_comes_back_and_nothing_is_lost(tmp_path, caplog):
    async def main():
        async with speaking(tmp_path) as client:
            path = await client.make("您好", "zh", PATIENCE_S)
            first = pids(caplog)[0]
            os.kill(first, signal.SIGSTOP)
            wanted = asyncio.ensure_future(client.make("再见", "zh", PATIENCE_S))
            await asyncio.sleep(0.1)
            os.kill(first, signal.SIGKILL)
            assert contents(await wanted)
            assert len(pids(caplog)) == 2
            assert await client.make("您好", "zh", PATIENCE_S) == path

    asyncio.run(main())


BAD_WORKER = """#!{python}
import os, socket, sys
sock = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
def read():
    size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL), "big")
    return sock.recv(size, socket.MSG_WAITALL)
read()
{behaviour}
"""


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("read(); os._exit(9)", "gone (status 9)"),
        ("os._exit(3)", "gone (status 3)"),
        ('sock.sendall(bytes(3) + b"\\x01\\xc1"); read(); read()', "not our protocol"),
        ('sock.sendall(b"\\xff" * 4); read(); read()', "a message of 4294967295 bytes"),
    ],
)
def test_a_text_that_one_worker_after_the_other_dies_of_is_given_up(tmp_path, caplog, monkeypatch, behaviour, why):
    program = tmp_path / "worker"
    program.write_text(BAD_WORKER.format(python=sys.executable, behaviour=behaviour))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))

    async def main():
        async with speaking(tmp_path / "cache") as client:
            with pytest.raises(SpeechError, match="the speech worker died of it"):
                await client.make("您好", "zh", PATIENCE_S)
            await until(lambda: why in caplog.text)

    asyncio.run(main())


def test_a_voice_that_cannot_speak_is_said_at_the_start(tmp_path, capfd):
    async def main():
        voice = SpeechVoice(language="fr", provider="piper", file=str(tmp_path / "fr.onnx"))
        async with speaking(tmp_path / "cache", voice) as client:
            with pytest.raises(SpeechError, match="piper-tts is not installed"):
                await client.make("Bonjour", "fr", PATIENCE_S)
            await client.make("您好", "zh", PATIENCE_S)
        assert "nothing can be spoken in fr: piper-tts is not installed" in capfd.readouterr().err

    asyncio.run(main())


def test_a_worker_that_is_silent_is_replaced_and_who_waits_is_told_in_time(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(speech_client, "SILENT_S", 6.0)

    async def main():
        async with speaking(tmp_path) as client:
            await client.make("您好", "zh", PATIENCE_S)
            os.kill(pids(caplog)[0], signal.SIGSTOP)
            with pytest.raises(SpeechError, match=r"not made within 0\.2 s"):
                await client.make("再见", "zh", 0.2)
            assert contents(await client.make("再见", "zh", PATIENCE_S))
            assert not is_there(pids(caplog)[0])
            assert "silent for 6 s" in caplog.text

    asyncio.run(main())


def test_what_others_needed_the_room_for_is_told(tmp_path):
    async def main():
        gone: list[str] = []
        async with speaking(tmp_path, max_bytes=110_000, gone=gone.extend) as client:
            first = await client.make("您好，这是第一句话。", "zh", PATIENCE_S)
            second = await client.make("您好，这是第二句话。", "zh", PATIENCE_S)
            client.used([first])
            await client.make("您好，这是第三句话，比较长一些。", "zh", PATIENCE_S)
            assert gone == [second]
            assert contents(first)

    asyncio.run(main())


def test_no_more_than_so_many_texts_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_client, "MAX_ASKED", 1)

    async def main():
        client = SpeechClient(Setup(DEFAULT_VOICES, str(tmp_path), 1 << 20), lambda paths: None)
        wanted = asyncio.ensure_future(client.make("您好", "zh", 0.05))
        await asyncio.sleep(0)
        with pytest.raises(SpeechError, match="1 texts wait already"):
            await client.make("您好", "zh", 1.0)
        with pytest.raises(SpeechError, match="not made within"):
            await wanted

    asyncio.run(main())


def test_a_folder_that_cannot_be_used_is_said(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")

    async def main():
        async with speaking(tmp_path / "file") as client:
            with pytest.raises(SpeechError):
                await client.make("您好", "zh", 2.0)
        assert "the speech worker is gone (status 1)" in caplog.text

    asyncio.run(main())
