"""docs/features.md: every row names a test that exists. That the test shows the feature is for readers to judge."""

import re
from pathlib import Path

import pytest

ROWS = re.findall(r"^\| ([A-Z0-9, -]+) \| .* \| `([^`]+)` \|$", Path("docs/features.md").read_text(), re.MULTILINE)


def test_there_are_rows() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize(("ids", "test"), ROWS, ids=[row[0] for row in ROWS])
def test_the_test_of_a_feature_exists(ids: str, test: str) -> None:
    path, _, name = test.partition("::")
    assert Path(path).is_file(), f"{ids}: there is no {path}"
    if name:
        assert re.search(rf"^(async )?def {name}\(", Path(path).read_text(), re.MULTILINE), (
            f"{ids}: no {name} in {path}"
        )
