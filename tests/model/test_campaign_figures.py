"""model/campaign_figures.py: rates by hand, and what holds for all of them; the formulas stand in docs/campaigns.md."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.campaign_figures import (
    FORMULAS,
    CallingFigures,
    abandon_limit,
    add_up,
    faults_of,
    record_figures,
    zone_of_days,
)
from model.campaigns import Campaign


@st.composite
def counted(draw: st.DrawFn) -> dict[str, int]:
    """Each is a part of the one before."""
    n_records = draw(st.integers(0, 1000))
    n_called = draw(st.integers(0, n_records))
    n_connected = draw(st.integers(0, n_called))
    return {
        "n_records": n_records,
        "n_called": n_called,
        "n_connected": n_connected,
        "n_delivered": draw(st.integers(0, n_connected)),
        "n_open": draw(st.integers(0, n_records)),
    }


def test_rates_of_records_by_hand() -> None:
    figures = record_figures(
        n_records=200, n_called=80, n_connected=30, n_delivered=24, n_open=150, by_status={"new": 120}
    )
    assert (figures.n_not_called, figures.n_not_connected) == (120, 50)
    assert (figures.called_rate, figures.not_called_rate) == (0.4, 0.6)
    assert figures.answered_rate == 0.375
    assert figures.transferred_rate == 0.8


def test_a_share_of_nothing_is_none() -> None:
    figures = record_figures(n_records=0, n_called=0, n_connected=0, n_delivered=0, n_open=0, by_status={})
    assert figures.called_rate is figures.not_called_rate is figures.answered_rate is figures.transferred_rate is None
    assert record_figures(
        n_records=2, n_called=0, n_connected=0, n_delivered=0, n_open=2, by_status={}
    ).not_called_rate == pytest.approx(1.0)


@given(counted())
def test_parts_make_the_whole_and_rates_are_shares(counts: dict[str, int]) -> None:
    figures = record_figures(**counts, by_status={})
    assert figures.n_not_called + figures.n_connected + figures.n_not_connected == figures.n_records
    if figures.called_rate is not None and figures.not_called_rate is not None:
        assert figures.called_rate + figures.not_called_rate == pytest.approx(1.0)
    for name in ("called_rate", "not_called_rate", "answered_rate", "transferred_rate"):
        rate = getattr(figures, name)
        assert rate is None or 0.0 <= rate <= 1.0


def test_days_are_added_up_and_their_rate_is_that_of_the_sums() -> None:
    days = [
        CallingFigures(n_live=100, n_dropped=1, n_machines=10, n_machines_as_people=0.3, message_after_s=2.0),
        CallingFigures(n_live=10, n_dropped=1, n_short_rings=2, message_after_s=2.5),
    ]
    total = add_up(days)
    assert (total.n_live, total.n_dropped, total.n_machines, total.n_short_rings) == (110, 2, 10, 2)
    assert total.message_after_s == 2.5
    assert total.abandon_rate == pytest.approx(2.3 / 110)
    assert faults_of(total) == ["n_short_rings"]
    assert add_up([]).abandon_rate is None


def test_the_limit_is_the_lowest_of_goal_and_law() -> None:
    assert abandon_limit(Campaign(name="c", max_abandon_rate=0.02), 0.03) == 0.02
    assert abandon_limit(Campaign(name="c", hit_rate=0.99), 0.03) == pytest.approx(0.01)
    assert abandon_limit(Campaign(name="c", hit_rate=0.5), 0.03) == 0.03


def test_days_are_those_of_the_campaigns_own_clock() -> None:
    assert zone_of_days(Campaign(name="c", time_zone="Asia/Urumqi"), "Asia/Shanghai") == "Asia/Urumqi"
    assert zone_of_days(Campaign(name="c"), "Asia/Shanghai") == "Asia/Shanghai"
    assert zone_of_days(Campaign(name="c"), "") == "UTC"


def test_the_page_says_the_formulas() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "campaigns.md").read_text("utf-8").split())
    for name, formula in FORMULAS.items():
        assert f"`{name}` | {formula}" in page
