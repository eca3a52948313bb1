"""Reads a list in a process of its own: `python -m switch.list_reader FILE`, with `ListOptions` as JSON on standard
input. Batches of rows come on standard output, each after its length, as fast as they are taken; the last one is a
`ListEnd`.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from switch.list_cells import CellError, numbers_of, text_of
from switch.list_columns import Column, ColumnError, columns_of, letter
from switch.list_files import ListFault, Row, rows_of
from switch.list_rows import LENGTH, ListBatch, ListEnd, ListOptions, RowReader, make_area_of

BATCH = 250
MAX_MEMORY = 3 << 30
"""Address space: libraries take most of it."""
MAX_CPU_S = 900
_PR_SET_PDEATHSIG = 1


def read_list(path: str, options: ListOptions, area_of: Callable[[str], str]) -> Iterator[ListBatch | ListEnd]:
    """Raises nothing: what is wrong with the file is the end's `problem`."""
    try:
        rows = rows_of(path, options.sheet)
        columns, first = _columns(rows, options)
        yield from _batches(rows, first, RowReader(options, columns, area_of))
        yield ListEnd(columns=[[column.title, column.field] for column in columns])
    except (ListFault, ColumnError) as fault:
        yield ListEnd(problem=str(fault))
    except OSError as error:
        yield ListEnd(problem=f"the file cannot be read: {error.strerror}")
    except MemoryError:
        yield ListEnd(problem="the file needs too much memory")


def _columns(rows: Iterator[Row], options: ListOptions) -> tuple[list[Column], list[Row]]:
    """The columns, and the rows that were read to know them and are no titles."""
    first = next(rows, None)
    if first is None:
        raise ListFault("the list has no rows")
    titles = [text_of(cell) for cell in first[1]]
    if options.has_titles:
        return columns_of(titles, options.kind, options.mapping), []
    letters = [letter(index) for index in range(len(titles))]
    # Without titles the column of numbers is the first whose cell is one.
    mapping = options.mapping or {letters[k]: "number" for k, cell in enumerate(first[1]) if _is_number(cell, options)}
    return columns_of(letters, options.kind, mapping), [first]


def _is_number(cell: object, options: ListOptions) -> bool:
    try:
        return bool(numbers_of(cell, options.region, may_be_internal=options.may_be_internal))  # type: ignore[arg-type]
    except CellError:
        return False


def _batches(rows: Iterator[Row], first: list[Row], reader: RowReader) -> Iterator[ListBatch]:
    batch = ListBatch([], [], 0, 0)
    for row, cells in _chained(first, rows):
        ready, rejected = reader.read(row, cells)
        batch.n_rows += 1
        batch.rejected += rejected
        if ready is None:
            batch.n_refused += 1
        else:
            batch.ready.append(ready)
        if batch.n_rows >= BATCH:
            yield batch
            batch = ListBatch([], [], 0, 0)
    if batch.n_rows:
        yield batch


def _chained(first: list[Row], rows: Iterator[Row]) -> Iterator[Row]:
    yield from first
    yield from rows


def lay_bounds() -> None:
    """Upon this process, before anything is read. It ends with whoever started it, too."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.nice(15)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    lay_bounds()
    options = msgspec.json.decode(sys.stdin.buffer.read(), type=ListOptions)
    for message in read_list(sys.argv[1], options, make_area_of(options.region)):
        _write(sys.stdout.buffer, message)


def _write(stream: BinaryIO, message: ListBatch | ListEnd) -> None:
    data = msgspec.msgpack.encode(message)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


if __name__ == "__main__":
    main()
