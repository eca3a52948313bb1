"""Covers what benchmarks/dialer.py judges by: its cells, and when a cell is at target."""

import pytest

from benchmarks.dialer_days import ADAPTIVE, Cell, Days, Row, all_cells, pacer_of, quick_cells
from dialer.simulation_pacers import Adaptive, Engine, Progressive


def days(occupancy: float, abandoned: float, spread: float = 0.1) -> Days:
    return Days((occupancy - spread, occupancy + spread), (abandoned, abandoned - 0.1), (28.0, 28.0), (70.0, 70.0))


def row(engine: Days, **others: Days) -> Row:
    rivals = {"progressive": days(66.0, 0.0), **{name: days(80.0, 2.9) for name in ADAPTIVE}}
    return Row(Cell("stationary", 20, 0.3, 87.7, 2), engine, {**rivals, **others})


def test_all_cells_and_those_of_a_minute() -> None:
    cells = all_cells()
    assert len(cells) == len({cell.name for cell in cells}) == 20 + 4 + 6
    assert {cell.name for cell in quick_cells()} <= {cell.name for cell in cells}
    assert {cell.n_agents for cell in quick_cells()} == {5, 20, 60}


@pytest.mark.parametrize(
    ("engine", "others", "misses"),
    [
        (days(87.0, 2.9), {}, []),
        (days(86.6, 2.9), {}, ["occupancy"]),
        (days(87.7, 3.01), {}, ["abandoned"]),
        (days(87.7, 2.9), {"progressive": days(87.5, 0.0)}, ["progressive"]),
        (days(87.7, 2.9), {"avg3": days(87.6, 2.0)}, ["avg3"]),
        # Better, but it broke the limit.
        (days(87.7, 2.9), {"tap10": days(95.0, 3.3)}, []),
        (days(87.7, 2.9, spread=3.0), {"hard10": days(85.0, 3.0)}, ["hard10"]),
    ],
)
def test_what_a_cell_misses(engine: Days, others: dict[str, Days], misses: list[str]) -> None:
    assert row(engine, **others).misses == misses


def test_the_best_setting_is_one_that_kept_the_limit() -> None:
    assert row(days(87.0, 2.9), hard3=days(84.0, 3.05), avg10=days(90.0, 3.5)).best_adaptive == "hard3"


def test_pacers_by_name() -> None:
    cell = quick_cells()[0]
    assert isinstance(pacer_of("engine", cell), Engine)
    assert isinstance(pacer_of("progressive", cell), Progressive)
    assert all(isinstance(pacer_of(name, cell), Adaptive) for name in ADAPTIVE)
    with pytest.raises(KeyError):
        pacer_of("another3", cell)
