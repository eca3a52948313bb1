"""Sound files on their way into the prompt library: piece by piece to disk, then converted by a process of its own."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

import msgspec

from media.conversion import MAX_DURATION_S as CONVERTED_S
from media.conversion import Converted
from model.commands_prompts import MAX_DURATION_S, MAX_PIECE, MAX_UPLOAD
from model.errors import Congested, InvalidValue, NoSuchUpload, StorageUnavailable

log = logging.getLogger(__name__)

MAX_UPLOADS = 8
"""Under way at a time."""
IDLE_S = 600.0
CONVERSION_S = 20.0
_MAX_SAID = 4096

Convert = Callable[[Path, Path], Awaitable[Converted]]

assert MAX_DURATION_S == CONVERTED_S


class Upload(msgspec.Struct):
    upload_id: str
    user: str
    path: Path
    touched: float
    size: int = 0
    is_busy: bool = False
    converted: Converted | None = None

    @property
    def made(self) -> Path:
        """What it was converted to."""
        return self.path.with_suffix(".wav")


class Uploads:
    """Of all users; each sees his own. Raises the errors of the API."""

    def __init__(self, folder: Path, token: Callable[[int], str], convert: Convert | None = None) -> None:
        self._folder = folder
        self._token = token
        self._convert = convert or _convert
        self._uploads: dict[str, Upload] = {}
        self._one_at_a_time = asyncio.Lock()

    async def take(self, user: str, upload_id: str, offset: int, piece: bytes, *, is_last: bool) -> Upload:
        """The next piece of a file; after the last one it is converted. A file that cannot be is forgotten."""
        upload = self.find(user, upload_id) if upload_id else await self._begin(user)
        if upload.is_busy or upload.converted is not None:
            raise InvalidValue("the upload takes no more", field="upload_id")
        if offset != upload.size:
            raise InvalidValue(f"the next piece begins at {upload.size}, not at {offset}", field="offset")
        if len(piece) > MAX_PIECE or upload.size + len(piece) > MAX_UPLOAD:
            raise InvalidValue(f"at most {MAX_PIECE} bytes in a piece, and {MAX_UPLOAD >> 20} MiB in all", field="data")
        upload.is_busy = True
        upload.touched = monotonic()
        try:
            await asyncio.to_thread(_write, upload.path, piece, offset)
            upload.size += len(piece)
            if is_last:
                await self._finish(upload)
        except OSError as error:
            await self.forget(upload)
            raise StorageUnavailable(f"{self._folder}: {error.strerror}") from None
        except BaseException:
            await self.forget(upload)
            raise
        finally:
            upload.is_busy = False
        return upload

    def find(self, user: str, upload_id: str) -> Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or upload.user != user:
            raise NoSuchUpload(f"no upload {upload_id} of {user}: begin anew")
        return upload

    def finished(self, user: str, upload_id: str) -> Upload:
        upload = self.find(user, upload_id)
        if upload.converted is None:
            raise NoSuchUpload(f"upload {upload_id} is not complete: {upload.size} bytes have come")
        upload.touched = monotonic()
        return upload

    async def forget(self, upload: Upload) -> None:
        """With its files."""
        self._uploads.pop(upload.upload_id, None)
        await asyncio.to_thread(_delete, upload.path, upload.made)

    async def _begin(self, user: str) -> Upload:
        now = monotonic()
        for each in [*self._uploads.values()]:
            if not each.is_busy and now - each.touched > IDLE_S:
                await self.forget(each)
        if len(self._uploads) >= MAX_UPLOADS:
            raise Congested(f"{MAX_UPLOADS} uploads are under way; finish one, or try again later")
        upload_id = self._token(16)
        upload = Upload(upload_id, user, self._folder / f"{upload_id}.upload", now)
        self._uploads[upload_id] = upload
        return upload

    async def _finish(self, upload: Upload) -> None:
        async with self._one_at_a_time:
            result = await self._convert(upload.path, upload.made)
        if result.error:
            raise InvalidValue(f"the file {result.error}", field="data")
        await asyncio.to_thread(_delete, upload.path)
        upload.converted = result


async def _convert(source: Path, target: Path) -> Converted:
    """In a process that has bounds of its own; nothing of it lasts longer than `CONVERSION_S`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "media.conversion",
        str(source),
        str(target),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(CONVERSION_S):
            said = await process.stdout.read(_MAX_SAID)
            await process.wait()
    except TimeoutError:
        return Converted(error=f"could not be read within {CONVERSION_S:.0f} seconds")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(said, type=Converted)
    except msgspec.MsgspecError:
        log.warning("! the conversion of an uploaded sound file ended with %d", process.returncode)
        return Converted(error="broke the decoder")


def _write(path: Path, piece: bytes, offset: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "r+b") as file:
        file.seek(offset)
        file.write(piece)


def _delete(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("! %s cannot be removed: %s", path, error.strerror)
