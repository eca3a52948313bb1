"""switch/sheet_files.py: tables as CSV and XLSX; no text of them is a formula where it is opened."""

import csv
from pathlib import Path

import pytest
from openpyxl import load_workbook

from switch.sheet_files import write_csv, write_xlsx

TABLE = [["name", "n", "rate"], ["=1+2", 3, None], ["春季", 0, 0.25], ["+8613800000001", -1, 1.0], ["@a", 0, 0.0]]


def test_csv_is_read_as_it_was_written_and_has_no_formulas(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", TABLE)
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["name", "n", "rate"],
        ["'=1+2", "3", ""],
        ["春季", "0", "0.25"],
        ["'+8613800000001", "-1", "1.0"],
        ["'@a", "0", "0.0"],
    ]


@pytest.mark.parametrize("text", ["-2+3", "\tx", "\rx", "\n=1"])
def test_other_beginnings_of_formulas(tmp_path: Path, text: str) -> None:
    write_csv(tmp_path / "a.csv", [[text]])
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.reader(file))[0] == f"'{text}"


def test_xlsx_has_numbers_as_numbers_and_texts_as_texts(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "a.xlsx", {"days": TABLE, "more": [["x"]]})
    book = load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["days", "more"]
    cells = [[(cell.value, cell.data_type) for cell in row] for row in book["days"].iter_rows()]
    assert cells[1] == [("=1+2", "s"), (3, "n"), (None, "n")]
    assert cells[2] == [("春季", "s"), (0, "n"), (0.25, "n")]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_csv(tmp_path / "none" / "a.csv", TABLE)
