"""Sound files on their way into the prompt library: uploaded (`switch.uploads`), then converted by a process of its
own."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from media.conversion import MAX_DURATION_S as CONVERTED_S
from media.conversion import Converted
from model.commands_prompts import MAX_DURATION_S, MAX_UPLOAD
from model.errors import InvalidValue
from switch import uploads

log = logging.getLogger(__name__)

CONVERSION_S = 20.0
_MAX_SAID = 4096

Convert = Callable[[Path, Path], Awaitable[Converted]]

assert MAX_DURATION_S == CONVERTED_S


class Upload(uploads.Upload):
    converted: Converted | None = None

    @property
    def made(self) -> Path:
        """What it was converted to."""
        return self.path.with_suffix(".wav")

    @property
    def files(self) -> tuple[Path, ...]:
        return self.path, self.made


class Uploads(uploads.Uploads[Upload]):
    """A file that cannot be converted is forgotten."""

    def __init__(self, folder: Path, token: Callable[[int], str], convert: Convert | None = None) -> None:
        super().__init__(Upload, folder, token, MAX_UPLOAD)
        self._convert = convert or _convert
        self._one_at_a_time = asyncio.Lock()

    async def _finish(self, upload: Upload) -> None:
        async with self._one_at_a_time:
            result = await self._convert(upload.path, upload.made)
        if result.error:
            raise InvalidValue(f"the file {result.error}", field="data")
        await asyncio.to_thread(uploads.delete_files, upload.path)
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
