"""dialer/dnc.py: do-not-call lists (XOUT-04). That barred numbers are never dialled: test_rules.py, test_engine.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.dnc import DncBook

SOME = st.text("12", min_size=1, max_size=4)
ENTRIES = st.lists(st.tuples(SOME, st.sampled_from(["", "a", "b"]), st.booleans(), st.sampled_from([0.0, 50.0])))


@given(ENTRIES, SOME, st.sampled_from(["a", "b"]), st.sampled_from([10.0, 60.0]))
def test_barred_is_what_an_entry_of_all_or_of_the_campaign_says(
    entries: list[tuple[str, str, bool, float]], number: str, campaign: str, wall: float
) -> None:
    book = DncBook()
    for entry, of, is_prefix, until in entries:
        book.add(entry, of, is_prefix=is_prefix, expires_utc=until)
    expected = any(
        of in ("", campaign)
        and (number.startswith(entry) if is_prefix else number == entry)
        and (not until or wall < until)
        for entry, of, is_prefix, until in entries
    )
    assert book.is_barred(number, campaign, wall) == expected
    assert len(book) == len({each[:3] for each in entries})
    for entry, of, is_prefix, _ in entries:
        book.remove(entry, of, is_prefix=is_prefix)
    assert len(book) == 0
    assert not book.is_barred(number, campaign, wall)


def test_of_two_ends_the_later_holds_and_none_is_the_latest() -> None:
    book = DncBook()
    book.add("1", expires_utc=100.0)
    book.add("1", expires_utc=50.0)
    assert book.is_barred("1", "a", 99.0)
    book.add("1")
    book.add("1", expires_utc=50.0)
    assert book.is_barred("1", "a", 1e12)


def test_a_campaign_that_is_gone_takes_its_own_entries_with_it() -> None:
    book = DncBook()
    book.add("1", "a")
    book.add("2")
    book.forget_campaign("a")
    book.forget_campaign("")
    assert not book.is_barred("1", "a")
    assert book.is_barred("2", "a")


def test_an_empty_beginning_would_bar_everybody() -> None:
    with pytest.raises(ValueError, match="needs a number"):
        DncBook().add("", is_prefix=True)
