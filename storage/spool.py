"""Records as JSON lines beside the database: those it never takes (dead letters), those it could not take in time."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from storage.rows import RECORD_TYPES, Record


def append_lines(path: Path, records: Iterable[Record], *, at_utc: float, error: str) -> None:
    """Adds a line for each record; durable on return. OSError when the disk does not take them."""
    lines = [
        json.dumps({"at_utc": at_utc, "error": error, "kind": type(r).__name__, "record": _builtins(r)})
        for r in records
    ]
    is_new = not path.exists()
    with path.open("a", encoding="ascii") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def read_lines(path: Path) -> tuple[list[Record], list[str]]:
    """The records of a file that `append_lines` wrote, and the lines that are none (cut off by a crash)."""
    records: list[Record] = []
    unreadable: list[str] = []
    for line in path.read_text("ascii", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            records.append(msgspec.convert(entry["record"], RECORD_TYPES[entry["kind"]]))
        except (ValueError, KeyError, TypeError):
            unreadable.append(line)
    return records, unreadable


def _builtins(record: Record) -> object:
    # A dead letter may hold anything at all, also what JSON cannot say: its repr is better than nothing.
    return msgspec.to_builtins(record, enc_hook=repr)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
