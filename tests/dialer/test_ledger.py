"""Covers the ledger of abandoned calls: its windows, midnight in the campaign's zone; that nothing is taken back."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.ledger import HOUR_S, Ledger
from tests.dialer.floors import NOON_UTC

DAY_S = 24 * HOUR_S
told = st.lists(
    st.tuples(st.floats(0.0, 50.0 * DAY_S), st.sampled_from(("answered", "abandoned")), st.integers(1, 5)), max_size=60
)


def at(zone: str, text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def rates(ledger: Ledger, at_utc: float) -> dict[str, tuple[float, float]]:
    return {name: (counts.answered, counts.abandoned) for name, counts in ledger.windows(at_utc).items()}


def test_every_window_counts() -> None:
    ledger = Ledger("Asia/Shanghai")
    ledger.answered(NOON_UTC, 100)
    ledger.abandoned(NOON_UTC, 2)
    ledger.taken_for_machines(NOON_UTC, 50, 0.01)
    for counts in ledger.windows(NOON_UTC).values():
        assert (counts.answered, counts.abandoned, counts.by_machine) == (100, 2, 0.5)
        assert counts.rate == pytest.approx(0.025)
    assert ledger.credit(0.03, NOON_UTC) == pytest.approx(0.5)
    assert ledger.legal_excess(0.02, NOON_UTC) == pytest.approx(0.5)


def test_windows_roll_on_and_life_does_not() -> None:
    ledger = Ledger("UTC")
    ledger.answered(NOON_UTC, 100)
    ledger.abandoned(NOON_UTC, 10)
    assert rates(ledger, NOON_UTC + 13 * HOUR_S)["day"] == (0, 0)
    assert rates(ledger, NOON_UTC + 23 * HOUR_S)["hours_24"] == (100, 10)
    assert rates(ledger, NOON_UTC + 25 * HOUR_S)["hours_24"] == (0, 0)
    assert rates(ledger, NOON_UTC + 30 * DAY_S)["days_30"] == (100, 10)
    assert rates(ledger, NOON_UTC + 30 * DAY_S + HOUR_S)["days_30"] == (0, 0)
    assert rates(ledger, NOON_UTC + 400 * DAY_S)["life"] == (100, 10)


def test_credit_is_that_of_the_tightest_window() -> None:
    ledger = Ledger("UTC")
    ledger.answered(NOON_UTC, 1000)
    ledger.answered(NOON_UTC + DAY_S, 100)
    ledger.abandoned(NOON_UTC + DAY_S, 2)
    assert ledger.credit(0.03, NOON_UTC + DAY_S) == pytest.approx(1.0)
    ledger.abandoned(NOON_UTC + 3 * DAY_S, 25)
    assert ledger.credit(0.03, NOON_UTC + 5 * DAY_S) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Asia/Shanghai", "2026-03-01T23:59:59", "2026-03-02T00:00:00"),
        ("Asia/Kathmandu", "2026-03-01T23:59:59", "2026-03-02T00:00:00"),
        # The night in which clocks are put forward, and back.
        ("Europe/Berlin", "2026-03-28T23:59:59", "2026-03-29T00:00:00"),
        ("Europe/Berlin", "2026-03-29T23:59:59", "2026-03-30T00:00:00"),
        ("Europe/Berlin", "2026-10-25T23:59:59", "2026-10-26T00:00:00"),
        # Here midnight itself is left out: 23:59:59 is followed by 01:00.
        ("Africa/Cairo", "2026-04-23T23:59:59", "2026-04-24T01:00:00"),
        ("America/Santiago", "2026-09-05T23:59:59", "2026-09-06T01:00:00"),
    ],
)
def test_a_day_begins_at_midnight_of_the_campaign(zone: str, before: str, after: str) -> None:
    ledger = Ledger(zone)
    last, first = at(zone, before), at(zone, after)
    assert first - last == pytest.approx(1.0)
    ledger.answered(last, 10)
    assert rates(ledger, last)["day"] == (10, 0)
    assert rates(ledger, first)["day"] == (0, 0)
    assert rates(ledger, first)["hours_24"] == (10, 0)


def test_a_day_that_comes_back_over_midnight_does_not_begin_again() -> None:
    """In Cuba clocks go from 1:00 back to 0:00, within the new day; it goes on."""
    ledger = Ledger("America/Havana")
    ledger.answered(at("America/Havana", "2026-11-01T00:30:00"), 5)
    again = at("America/Havana", "2026-11-01T00:30:00", fold=1)
    assert again - at("America/Havana", "2026-11-01T00:30:00") == HOUR_S
    assert rates(ledger, again)["day"] == (5, 0)


def test_a_clock_that_is_put_back_forgets_nothing() -> None:
    ledger = Ledger("UTC")
    ledger.answered(NOON_UTC, 5)
    ledger.answered(NOON_UTC - 40 * DAY_S, 2)
    assert set(rates(ledger, NOON_UTC - 40 * DAY_S).values()) == {(7, 0)}


@given(told)
def test_nothing_that_is_told_ever_lessens_what_was_counted(events: list[tuple[float, str, int]]) -> None:
    ledger, counted = Ledger("Europe/Berlin"), {"answered": 0, "abandoned": 0}
    for at_s, what, n in events:
        getattr(ledger, what)(NOON_UTC + at_s, n)
        counted[what] += n
        life = ledger.windows(NOON_UTC + at_s)["life"]
        assert (life.answered, life.abandoned) == (counted["answered"], counted["abandoned"])
    with pytest.raises(ValueError, match="not taken back"):
        ledger.abandoned(NOON_UTC, -1)


@given(told, st.floats(0.0, 40 * DAY_S))
def test_a_shorter_window_never_holds_more(events: list[tuple[float, str, int]], later_s: float) -> None:
    ledger = Ledger("Asia/Shanghai")
    for at_s, what, n in sorted(events):
        getattr(ledger, what)(NOON_UTC + at_s, n)
    seen = rates(ledger, NOON_UTC + max([at_s for at_s, _, _ in events], default=0.0) + later_s)
    for of in (0, 1):
        assert seen["day"][of] <= seen["hours_24"][of] <= seen["days_30"][of] <= seen["life"][of]


@given(told)
def test_it_is_the_same_after_a_restart(events: list[tuple[float, str, int]]) -> None:
    ledger = Ledger("Asia/Shanghai")
    for at_s, what, n in sorted(events):
        getattr(ledger, what)(NOON_UTC + at_s, n)
    restored = Ledger.from_plain(json.loads(json.dumps(ledger.to_plain())))
    for later_s in (0.0, HOUR_S, 3 * DAY_S, 29.5 * DAY_S, 60 * DAY_S):
        at_utc = NOON_UTC + 50 * DAY_S + later_s
        assert rates(restored, at_utc) == rates(ledger, at_utc)


def test_it_keeps_hours_of_30_days_and_no_more() -> None:
    ledger = Ledger("UTC")
    for hour in range(2000):
        ledger.answered(NOON_UTC + hour * HOUR_S)
    assert len(ledger.to_plain()["hours"]) == 721


def test_what_is_no_ledger_and_no_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="Asia/Shanghai"):
        Ledger("Moon/Crater")
    with pytest.raises(ValueError, match="zone"):
        Ledger.from_plain({"day": 3})
