"""Covers `switch/prompts_desk.py`, `prompt_uploads.py`, `prompt_folder.py`: files that come in pieces, are converted in
a process of their own, replaced, fetched, removed, and there again after a restart or a death at any point.

What callers hear is in tests/scenarios/test_prompts.py.
"""

import asyncio
import hashlib
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from control.auth import Caller
from media.conversion import Converted
from media.wav import WavFormat, make_header
from model import errors
from model.commands_prompts import (
    MAX_PIECE,
    MAX_UPLOAD,
    DownloadPrompt,
    GetPrompt,
    RemovePrompt,
    SetPrompt,
    UploadPrompt,
)
from model.events_prompts import PromptChanged, PromptRemoved
from storage.errors import UnavailableError
from storage.memory import MemoryStorage
from switch import prompt_uploads, prompts_desk, uploads
from switch.config_file import parse_config
from switch.directory import Directory
from switch.prompts_desk import load_prompts, make_handlers
from tests.harness.sim_switch import EXTENSIONS

ANN, BEN = Caller("ann", "administrator"), Caller("ben", "administrator")


def wav(hz: float, seconds: float = 1.0) -> bytes:
    at = np.arange(int(seconds * 8000)) / 8000
    data = np.asarray(8000 * np.sin(2 * np.pi * hz * at), "<i2").tobytes()
    return make_header(WavFormat(1, "pcm16"), len(data)) + data


async def stand_in(source: Path, target: Path) -> Converted:
    """In the place of the process: what it is given, unchanged."""
    return copy(source, target)


def copy(source: Path, target: Path) -> Converted:
    data = source.read_bytes()
    target.write_bytes(data)
    return Converted(1.0, hashlib.sha256(data).hexdigest())


class Library:
    def __init__(self, folder: Path, storage: MemoryStorage | None = None, convert=stand_in) -> None:
        path = folder / "ringback.toml"
        self.config = parse_config(f'[node]\ndirectory = "{folder}"\n[sip]\nrealm = "r"\n{EXTENSIONS}', str(path))
        self.folder = folder / "prompt-library"
        self.storage = storage or MemoryStorage()
        self.directory = Directory(self.config)
        self.published: list[object] = []
        self._n = 0
        env = SimpleNamespace(ids=SimpleNamespace(token=self._token), wall=lambda now: 1e9 + now)
        app = SimpleNamespace(
            config=self.config,
            core=SimpleNamespace(directory=self.directory, env=env),
            runtime=SimpleNamespace(outside=SimpleNamespace(clock=lambda: 5.0)),
            storage=self.storage,
            hub=SimpleNamespace(publish=self.published.append),
        )
        self._handlers = make_handlers(app, convert)  # type: ignore[arg-type]

    def _token(self, n: int) -> str:
        self._n += 1
        return f"u{self._n}"

    async def do(self, command, caller: Caller = ANN):
        result = self._handlers[type(command)](command, caller)
        return await result if asyncio.iscoroutine(result) else result

    async def upload(self, content: bytes, caller: Caller = ANN):
        upload_id = ""
        for offset in range(0, max(1, len(content)), MAX_PIECE):
            piece = b64encode(content[offset : offset + MAX_PIECE]).decode()
            is_last = offset + MAX_PIECE >= len(content)
            command = UploadPrompt(data=piece, upload_id=upload_id, offset=offset, is_last=is_last)
            uploaded = await self.do(command, caller)
            upload_id = uploaded.upload_id
        return uploaded

    async def add(self, prompt: str, content: bytes, language: str = "zh"):
        uploaded = await self.upload(content)
        return await self.do(SetPrompt(prompt=prompt, audio={language: uploaded.upload_id}))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    async def has_files(self, n: int) -> None:
        """Waits for it."""
        async with asyncio.timeout(30.0):
            while len(self.files()) != n:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def again(self) -> "Library":
        """After a restart."""
        other = Library(self.folder.parent, self.storage)
        await load_prompts(other.storage, other.config, other.directory)
        return other


def test_ivr_05_a_sound_file_is_uploaded_converted_fetched_and_there_after_a_restart(tmp_path):
    async def main():
        library = Library(tmp_path, convert=None)
        uploaded = await library.upload(wav(440.0, 3.0))
        assert uploaded.size == len(wav(440.0, 3.0)) > MAX_PIECE
        assert uploaded.duration_s == 3.0
        command = SetPrompt(prompt="welcome", title="Welcome", texts={"zh": "您好"}, audio={"zh": uploaded.upload_id})
        shown = await library.do(command)
        [variant] = shown.variants
        assert (shown.title, variant.language, variant.text, variant.duration_s) == ("Welcome", "zh", "您好", 3.0)
        assert (variant.uploaded_by, variant.uploaded_utc) == ("ann", 1e9 + 5)
        assert library.files() == [f"welcome.zh.{variant.sha256[:16]}.wav"]
        first = await library.do(DownloadPrompt(prompt="welcome", language="zh"))
        rest = await library.do(DownloadPrompt(prompt="welcome", language="zh", offset=MAX_PIECE))
        content = b64decode(first.data) + b64decode(rest.data)
        assert len(content) == first.size == len(make_header(WavFormat(1, "pcm16"), 48_000)) + 48_000
        assert hashlib.sha256(content).hexdigest() == first.sha256 == variant.sha256
        with pytest.raises(errors.InvalidValue, match="the file has 48080 bytes"):
            await library.do(DownloadPrompt(prompt="welcome", language="zh", offset=first.size))
        with pytest.raises(errors.NoSuchPrompt, match="no audio in en: it has zh"):
            await library.do(DownloadPrompt(prompt="welcome", language="en"))
        again = await library.again()
        assert await again.do(GetPrompt(prompt="welcome")) == shown
        [changed] = library.published
        assert isinstance(changed, PromptChanged) and changed.languages == ["zh"]

    asyncio.run(main())


def test_what_is_no_sound_file_is_refused_and_forgotten(tmp_path):
    async def main():
        library = Library(tmp_path, convert=None)
        with pytest.raises(errors.InvalidValue, match="the file is no sound file: WAV, MP3, OGG and FLAC can be read"):
            await library.upload(b"#EXTM3U\n/etc/passwd")
        with pytest.raises(errors.InvalidValue, match="the file is empty"):
            await library.upload(b"")
        with pytest.raises(errors.NoSuchUpload):
            await library.do(SetPrompt(prompt="a", audio={"zh": "u1"}))
        assert library.files() == [] and not library.directory.prompts

    asyncio.run(main())


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import os; os.abort()", "the file broke the decoder"),
        ("print('x' * 100_000)", "the file broke the decoder"),
        ("import time; time.sleep(60)", "could not be read within 1 seconds"),
    ],
)
def test_a_file_that_breaks_the_decoder_breaks_nothing_else(tmp_path, monkeypatch, program, says):
    """The process dies, talks nonsense, or never ends."""
    stub = tmp_path / "python"
    stub.write_text(f"#!{sys.executable}\n{program}\n")
    stub.chmod(0o700)
    monkeypatch.setattr(prompt_uploads.sys, "executable", str(stub))
    monkeypatch.setattr(prompt_uploads, "CONVERSION_S", 1.0)

    async def main():
        library = Library(tmp_path, convert=None)
        with pytest.raises(errors.InvalidValue, match=says):
            await library.upload(wav(440.0))
        assert library.files() == []

    asyncio.run(main())


def test_pieces_come_in_order_from_one_user_and_have_an_end(tmp_path):
    async def main():
        library = Library(tmp_path)
        begun = await library.do(UploadPrompt(data=b64encode(b"abc").decode()))
        assert (begun.upload_id, begun.size, begun.duration_s) == ("u1", 3, 0.0)
        refused = [
            (UploadPrompt(data="YQ==", upload_id="u1", offset=4), ANN, "the next piece begins at 3, not at 4"),
            (UploadPrompt(data="YQ==", upload_id="u1"), ANN, "the next piece begins at 3, not at 0"),
            (UploadPrompt(data="YQ", upload_id="u1", offset=3), ANN, "is no base64"),
            (UploadPrompt(data="YQ==", upload_id="u1", offset=3), BEN, "no upload u1 of ben"),
            (UploadPrompt(data="YQ==", upload_id="u9", offset=3), ANN, "no upload u9 of ann"),
            (SetPrompt(prompt="a", audio={"zh": "u1"}), ANN, "u1 is not complete: 3 bytes have come"),
        ]
        for command, caller, says in refused:
            with pytest.raises((errors.InvalidValue, errors.NoSuchUpload), match=says):
                await library.do(command, caller)
        await library.do(UploadPrompt(data="", upload_id="u1", offset=3, is_last=True))
        with pytest.raises(errors.InvalidValue, match="takes no more"):
            await library.do(UploadPrompt(data="", upload_id="u1", offset=3))
        with pytest.raises(errors.NoSuchUpload):
            await library.do(SetPrompt(prompt="a", audio={"zh": "u1"}), BEN)
        with pytest.raises(errors.InvalidValue, match="one upload is of one language"):
            await library.do(SetPrompt(prompt="a", audio={"zh": "u1", "en": "u1"}))
        await library.do(SetPrompt(prompt="a", audio={"zh": "u1"}))
        with pytest.raises(errors.NoSuchUpload):
            await library.do(SetPrompt(prompt="b", audio={"zh": "u1"}))

    asyncio.run(main())


def test_uploads_are_bounded_and_those_left_alone_are_forgotten(tmp_path, monkeypatch):
    async def main():
        now = 0.0
        monkeypatch.setattr(uploads, "monotonic", lambda: now)
        monkeypatch.setattr(prompt_uploads, "MAX_UPLOAD", 2 * MAX_PIECE)
        library = Library(tmp_path)
        with pytest.raises(errors.InvalidValue, match="in all"):
            await library.upload(bytes(2 * MAX_PIECE + 1))
        for _ in range(uploads.MAX_UPLOADS - 1):
            await library.do(UploadPrompt(data="YQ=="))
        with pytest.raises(errors.Congested, match="8 uploads are under way"):
            await library.do(UploadPrompt(data="YQ=="))
        assert len(library.files()) == 8
        now = uploads.IDLE_S + 1
        await library.do(UploadPrompt(data="YQ=="))
        assert library.files() == ["u9.upload"]
        await library.again()
        assert library.files() == []

    assert MAX_UPLOAD == 32 << 20
    asyncio.run(main())


def test_what_is_replaced_goes_after_a_while_and_what_is_removed_at_once(tmp_path, monkeypatch):
    async def main():
        monkeypatch.setattr(prompts_desk, "KEPT_S", 0.05)
        library = Library(tmp_path)
        first = await library.add("a", b"one")
        second = await library.add("a", b"two")
        assert len(library.files()) == 2
        assert second.variants[0].sha256 != first.variants[0].sha256
        await library.has_files(1)
        assert library.files() == [f"a.zh.{second.variants[0].sha256[:16]}.wav"]
        # The same once more in its place stays.
        await library.add("a", b"two")
        await asyncio.sleep(0.1)
        assert len(library.files()) == 1
        await library.add("a", b"three", "en")
        await library.do(SetPrompt(prompt="a", audio={"zh": ""}))
        assert [each.language for each in (await library.do(GetPrompt(prompt="a"))).variants] == ["en"]
        await library.do(RemovePrompt(prompt="a"))
        await library.has_files(0)
        assert isinstance(library.published[-1], PromptRemoved)
        with pytest.raises(errors.NoSuchPrompt):
            await library.do(GetPrompt(prompt="a"))
        assert not (await library.again()).directory.prompts

    asyncio.run(main())


def test_a_database_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch):
    async def main():
        library = Library(tmp_path)
        before = await library.add("a", b"one")

        async def fail(entry):
            raise UnavailableError("disk full")

        monkeypatch.setattr(library.storage.settings, "update", fail)
        with pytest.raises(errors.StorageUnavailable, match="disk full"):
            await library.add("a", b"two")
        assert await library.do(GetPrompt(prompt="a")) == before
        assert library.files() == [f"a.zh.{before.variants[0].sha256[:16]}.wav"]

    asyncio.run(main())


def test_a_death_between_file_and_record_leaves_the_library_as_it_was(tmp_path):
    async def main():
        library = Library(tmp_path)
        before = await library.add("a", b"one")
        # The file of the next audio was there already, an upload was not complete.
        (library.folder / "a.zh.0123456789abcdef.wav").write_bytes(b"two")
        await library.do(UploadPrompt(data="YQ=="))
        again = await library.again()
        assert await again.do(GetPrompt(prompt="a")) == before
        assert await again.do(DownloadPrompt(prompt="a", language="zh")) == await library.do(
            DownloadPrompt(prompt="a", language="zh")
        )
        assert not [name for name in library.files() if name.endswith(".upload")]

    asyncio.run(main())


def test_audio_whose_file_is_gone_is_told_and_left_out(tmp_path, caplog):
    async def main():
        library = Library(tmp_path)
        await library.add("a", b"one")
        await library.add("a", b"two", "en")
        next(library.folder.glob("a.zh.*")).unlink()
        again = await library.again()
        assert [each.language for each in (await again.do(GetPrompt(prompt="a"))).variants] == ["en"]
        assert "x prompt a: there is no file" in caplog.text

    asyncio.run(main())


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    async def main():
        library = Library(tmp_path)
        library.folder.write_text("in the way")
        with pytest.raises(errors.StorageUnavailable, match="prompt-library"):
            await library.upload(b"one")

    asyncio.run(main())
