"""Tables as files for spreadsheet programs: CSV, and XLSX with several sheets."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Cell = str | int | float | None
Table = Sequence[Sequence[Cell]]
"""Heads first."""


def write_csv(path: Path, table: Table) -> None:
    """With a mark by which spreadsheet programs know that it is UTF-8. OSError when it cannot be written."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([safe(cell) for cell in row] for row in table)


def write_xlsx(path: Path, sheets: Mapping[str, Table]) -> None:
    """OSError when it cannot be written."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    for name, table in sheets.items():
        sheet = book.create_sheet(name)
        for row in table:
            made = []
            for cell in row:
                one = WriteOnlyCell(sheet, cell)
                if isinstance(cell, str):
                    # A text stays one, also where it looks like a formula.
                    one.data_type = "s"
                made.append(one)
            sheet.append(made)
    book.save(path)


def safe(cell: Cell) -> Cell:
    """What no spreadsheet program takes for a formula."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return f"'{cell}"
    return cell
