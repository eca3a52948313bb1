"""The folder of the prompt library. Every function blocks: they are for a thread.

A file is there whole before a record names it, and goes after no record names it any more: whenever the machine stops,
at worst there is a file too many.
"""

import logging
import os
from collections.abc import Iterable, Set
from pathlib import Path

log = logging.getLogger(__name__)


def file_name(prompt: str, language: str, sha256: str) -> str:
    """Other audio has another name, so that nobody goes on hearing what is kept of the old one."""
    return f"{prompt}.{language}.{sha256[:16]}.wav"


def take_in(made: Path, folder: Path, name: str) -> None:
    """A converted file becomes one of the library, for good on return."""
    folder.mkdir(parents=True, exist_ok=True)
    os.replace(made, folder / name)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_piece(path: Path, offset: int, n: int) -> tuple[bytes, int]:
    """(piece, size of the file)"""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(offset)
        return file.read(n), size


def remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            log.warning("! %s cannot be removed: %s", folder / name, error.strerror)


def missing(folder: Path, names: Set[str], uploads: Path) -> list[str]:
    """At the start: uploads of before go. Returns what is named and is not there.

    What nothing names stays: the record of it may be in a database that this one was mistaken for.
    """
    if uploads.is_dir():
        remove(uploads, [path.name for path in uploads.iterdir()])
    return sorted(name for name in names if not (folder / name).is_file())
