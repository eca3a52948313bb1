"""Files on their way in: piece by piece over the control connection, to disk."""

import asyncio
import binascii
import logging
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

import msgspec

from model.commands_prompts import MAX_PIECE
from model.errors import Congested, InvalidValue, NoSuchUpload, StorageUnavailable

log = logging.getLogger(__name__)

MAX_UPLOADS = 8
"""Under way at a time."""
IDLE_S = 600.0


class Upload(msgspec.Struct):
    upload_id: str
    user: str
    path: Path
    touched: float
    size: int = 0
    is_busy: bool = False
    is_complete: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """What is removed with it."""
        return (self.path,)


U = TypeVar("U", bound=Upload)


class Uploads(Generic[U]):
    """Of all users; each sees his own. Raises the errors of the API."""

    def __init__(self, kind: type[U], folder: Path, token: Callable[[int], str], max_bytes: int) -> None:
        self._kind = kind
        self._folder = folder
        self._token = token
        self.max_bytes = max_bytes
        self._uploads: dict[str, U] = {}

    async def take(self, user: str, upload_id: str, offset: int, piece: bytes, *, is_last: bool) -> U:
        """The next piece of a file; with the last one it is complete. A file that is refused then is forgotten."""
        upload = self.find(user, upload_id) if upload_id else await self._begin(user)
        if upload.is_busy or upload.is_complete:
            raise InvalidValue("the upload takes no more", field="upload_id")
        if offset != upload.size:
            raise InvalidValue(f"the next piece begins at {upload.size}, not at {offset}", field="offset")
        if len(piece) > MAX_PIECE or upload.size + len(piece) > self.max_bytes:
            raise InvalidValue(
                f"at most {MAX_PIECE} bytes in a piece, and {self.max_bytes >> 20} MiB in all", field="data"
            )
        upload.is_busy = True
        upload.touched = monotonic()
        try:
            await asyncio.to_thread(_write, upload.path, piece, offset)
            upload.size += len(piece)
            if is_last:
                await self._finish(upload)
                upload.is_complete = True
        except OSError as error:
            await self.forget(upload)
            raise StorageUnavailable(f"{self._folder}: {error.strerror}") from None
        except BaseException:
            await self.forget(upload)
            raise
        finally:
            upload.is_busy = False
        return upload

    def find(self, user: str, upload_id: str) -> U:
        upload = self._uploads.get(upload_id)
        if upload is None or upload.user != user:
            raise NoSuchUpload(f"no upload {upload_id} of {user}: begin anew")
        return upload

    def finished(self, user: str, upload_id: str) -> U:
        upload = self.find(user, upload_id)
        if not upload.is_complete:
            raise NoSuchUpload(f"upload {upload_id} is not complete: {upload.size} bytes have come")
        upload.touched = monotonic()
        return upload

    def release(self, upload: U) -> None:
        """It is somebody else's from now on, with its files."""
        self._uploads.pop(upload.upload_id, None)

    async def forget(self, upload: U) -> None:
        """With its files."""
        self.release(upload)
        await asyncio.to_thread(delete_files, *upload.files)

    async def _finish(self, upload: U) -> None:
        """All of it has come. Raises what is wrong with it."""

    async def _begin(self, user: str) -> U:
        now = monotonic()
        for each in [*self._uploads.values()]:
            if not each.is_busy and now - each.touched > IDLE_S:
                await self.forget(each)
        if len(self._uploads) >= MAX_UPLOADS:
            raise Congested(f"{MAX_UPLOADS} uploads are under way; finish one, or try again later")
        upload_id = self._token(16)
        upload = self._kind(upload_id, user, self._folder / f"{upload_id}.upload", now)
        self._uploads[upload_id] = upload
        return upload


def piece_of(data: str) -> bytes:
    """Base64. Raises InvalidValue."""
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error as error:
        raise InvalidValue(f"is no base64: {error}", field="data") from None


def _write(path: Path, piece: bytes, offset: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "r+b") as file:
        file.seek(offset)
        file.write(piece)


def delete_files(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("! %s cannot be removed: %s", path, error.strerror)
