"""docs/features.md and docs/rfc.md: every row names a test that exists, and every file is there; each id of telephony
is in a row or named as not built. That the test shows it is for readers to judge."""

import re
from pathlib import Path

import pytest

TEXT = Path("docs/features.md").read_text()
ROWS = re.findall(r"^\| ([A-Z0-9, -]+) \| .* \| `([^`]+)` \|$", TEXT, re.MULTILINE)
MISSING = TEXT.partition("Not built yet, of the telephony chapter:")[2].partition("\n\n")[0]

RFC_ROWS = re.findall(r"^\| ([0-9][^|]*) \| .* \| (.*) \| `([^`]+)` \|$", Path("docs/rfc.md").read_text(), re.MULTILINE)


def test_there_are_rows() -> None:
    assert len(ROWS) > 20


def test_each_telephony_id_is_shown_or_named_as_not_built() -> None:
    shown = {each for ids, _ in ROWS for each in ids.split(", ")}
    missing = set(re.findall(r"X?TEL-\d\d", MISSING))
    wanted = {f"TEL-{n:02d}" for n in range(1, 38)} | {f"XTEL-{n:02d}" for n in (1, 2, 6, 7, 14)}
    assert wanted <= shown | missing
    assert not shown & missing, "shown and not built at the same time"


@pytest.mark.parametrize(("ids", "test"), ROWS, ids=[row[0] for row in ROWS])
def test_the_test_of_a_feature_exists(ids: str, test: str) -> None:
    path, _, name = test.partition("::")
    assert Path(path).is_file(), f"{ids}: there is no {path}"
    if name:
        assert re.search(rf"^(async )?def {name}\(", Path(path).read_text(), re.MULTILINE), (
            f"{ids}: no {name} in {path}"
        )


@pytest.mark.parametrize(("rfc", "files", "test"), RFC_ROWS, ids=[row[0] for row in RFC_ROWS])
def test_the_files_and_the_test_of_an_rfc_exist(rfc: str, files: str, test: str) -> None:
    for name in re.findall(r"`([^`]+)`", files):
        assert list(Path().glob(name)), f"{rfc}: there is no {name}"
    test_the_test_of_a_feature_exists(rfc, test)


def test_every_rfc_is_told() -> None:
    assert len(RFC_ROWS) > 40
