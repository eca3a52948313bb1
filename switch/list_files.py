"""Rows of a list in a file: CSV in any of the usual encodings and separators, or Excel (.xlsx). One row at a time.

The file may be anything, made to be too big when it is unpacked, too: `MAX_…` bound what is looked at, and
`switch.list_reader`, whose process reads it, bounds memory and time.
"""

import codecs
import csv
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from switch.list_cells import Cell

MAX_ROWS = 500_000
MAX_COLUMNS = 100
MAX_CELL = 32_767
"""Characters, as in Excel."""
MAX_UNPACKED = 1 << 30
MAX_PART = 256 << 20
"""Of an Excel file what is read as a whole: its texts, its styles."""
_MAX_PARTS = 2000
_PIECE = 1 << 20
_SNIFFED = 65_536
_SEPARATORS = (",", ";", "\t", "，")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_OTHERS = (b"%PDF", b"{\\rtf", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")
"""What files begin with that are sent by mistake."""

Row = tuple[int, Sequence[Cell]]


class ListFault(ValueError):
    """The file is no list; the text says why."""


def rows_of(path: str, sheet: str = "") -> Iterator[Row]:
    """(row, cells) of those that are not empty, the first row is 1. Raises ListFault, OSError."""
    with open(path, "rb") as file:
        head = file.read(8)
    if not head:
        raise ListFault("the file is empty")
    if head.startswith(b"PK"):
        rows = _excel_rows(path, sheet)
    elif head.startswith(b"\xd0\xcf\x11\xe0"):
        raise ListFault("the file is an old Excel file (.xls) or has a password: save it as .xlsx without one")
    elif head.startswith(
        (b"%PDF", b"{\\rtf", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")
    ):
        raise ListFault("the file is neither CSV nor Excel (.xlsx)")
    else:
        rows = _csv_rows(path)
    n = 0
    for row, cells in rows:
        width = len(cells)
        while width and _is_empty(cells[width - 1]):
            width -= 1
        if not width:
            continue
        if width > MAX_COLUMNS:
            raise ListFault(f"row {row} has {width} columns, at most {MAX_COLUMNS} may be")
        n += 1
        if n > MAX_ROWS:
            raise ListFault(f"the list has more than {MAX_ROWS:,} rows")
        if any(isinstance(cell, str) and len(cell) > MAX_CELL for cell in cells):
            raise ListFault(f"a cell of row {row} has more than {MAX_CELL:,} characters")
        yield row, cells[:width]


def _is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _csv_rows(path: str) -> Iterator[Row]:
    encoding = _encoding_of(path)
    with open(path, encoding=encoding, newline="") as file:
        separator = _separator_of(file.read(_SNIFFED))
        file.seek(0)
        csv.field_size_limit(4 * MAX_CELL)
        lines: Iterator[str] = file
        if separator not in ",;\t":
            lines, separator = (line.replace("，", ",") for line in file), ","
        reader = csv.reader(lines, delimiter=separator)
        row = 0
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise ListFault(f"row {row + 1} cannot be read: {error}; is a quotation mark missing?") from None
            row += 1
            yield row, cells


def _encoding_of(path: str) -> str:
    """By its first bytes, else UTF-8 if all of it is, else GB18030. Raises ListFault."""
    with open(path, "rb") as file:
        head = file.read(4)
        for bom, name in _BOMS:
            if head.startswith(bom):
                if not _is_text(path, name):
                    raise ListFault(f"the file begins as {name} text and is none")
                return name
    for name in ("utf-8", "gb18030"):
        if _is_text(path, name):
            return name
    raise ListFault("the file is no text in UTF-8 or GB18030, and no Excel file (.xlsx)")


def _is_text(path: str, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with open(path, "rb") as file:
        try:
            while piece := file.read(_PIECE):
                if "\x00" in decoder.decode(piece):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _separator_of(text: str) -> str:
    """What stands most often in the first line, outside of quotation marks."""
    line: list[str] = []
    is_quoted = False
    for c in text:
        if c == '"':
            is_quoted = not is_quoted
        elif not is_quoted and c in "\r\n":
            if line:
                break
        elif not is_quoted:
            line.append(c)
    counts = {separator: line.count(separator) for separator in _SEPARATORS}
    best = max(counts, key=lambda separator: counts[separator])
    return best if counts[best] else ","


# -- Excel -------------------------------------------------------------------------------------------------------------


def _excel_rows(path: str, sheet: str) -> Iterator[Row]:
    _check_parts(path)
    try:
        # As an open file: of a path openpyxl wants a name that it knows.
        with open(path, "rb") as file:
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            table = _sheet_of(book, sheet)
            # What the file says of its size may be wrong, or made to be a million empty columns.
            table.reset_dimensions()
            yield from enumerate(table.iter_rows(values_only=True), 1)
    except ListFault:
        raise
    except (InvalidFileException, ParseError, zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
        why = str(error)[:200] or type(error).__name__
        raise ListFault(f"the Excel file is damaged: {why}") from None
    except (AttributeError, IndexError, OverflowError, NotImplementedError) as error:
        raise ListFault(f"the Excel file cannot be read: {type(error).__name__}") from None


def _check_parts(path: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as error:
        raise ListFault(f"the file is no Excel file: {error}") from None
    if not any(part.filename == "xl/workbook.xml" for part in parts):
        raise ListFault("the file is a ZIP archive, but no Excel file (.xlsx)")
    if len(parts) > _MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise ListFault(f"the Excel file is too big: unpacked it has more than {MAX_UNPACKED >> 20} MiB")
    for part in parts:
        if part.file_size > MAX_PART and not part.filename.startswith("xl/worksheets/"):
            raise ListFault(f"the Excel file is too big: {part.filename} has more than {MAX_PART >> 20} MiB")
        if part.flag_bits & 1:
            raise ListFault("the Excel file has a password: save it without one")


def _sheet_of(book: Any, name: str) -> Any:
    names = [table.title for table in book.worksheets]
    if name:
        if name not in names:
            raise ListFault(f'there is no sheet "{name}"; there are: {", ".join(names)[:300]}')
        return book[name]
    visible = [table for table in book.worksheets if table.sheet_state == "visible"]
    if not visible:
        raise ListFault("the Excel file has no sheet with cells")
    return visible[0]
