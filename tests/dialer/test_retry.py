"""dialer/retry.py: what becomes of a record after every result of an attempt and every word of an agent (XOUT-06, 09,
XAGT-02). When it may be called next: test_rules.py."""

from typing import get_args

import pytest

from dialer import retry
from dialer.retry import begin_attempt, copy_of, dispose, end_attempt, find_disposition, put_aside
from dialer.rules import SAME_NUMBER
from model.calendars import Holiday
from model.campaigns import AttemptResult, Campaign, Disposition, Effect
from model.dialing import Attempt, CampaignRecord
from model.errors import InvalidValue
from tests.dialer.records_of import DAY, NOON, book_of, campaign_of, record_of

ENDED = NOON + 30.0
SAYS = tuple(Disposition(code=effect, effect=effect) for effect in get_args(Effect))
WITH_WORDS = campaign_of(dispositions=SAYS)


def ended(
    record: CampaignRecord, result: AttemptResult, *, campaign: Campaign | None = None, position: int = 0,
    is_connected: bool = False, is_ours: bool = False, cause: str = "",
) -> CampaignRecord:  # fmt: skip
    """The record after one attempt."""
    book = book_of(campaign)
    before = copy_of(record)
    begin_attempt(record, position, book, NOON)
    attempt = Attempt(
        attempt_id="a1", campaign="spring", record_id="r1", number=record.numbers[position].number, mode="progressive",
        position=position, agent_id="8001" if is_connected else "", started_utc=NOON, result=result,
        connected_utc=NOON + 20 if is_connected else 0.0, ended_utc=ENDED, cause=cause,
    )  # fmt: skip
    end_attempt(record, before, attempt, book, ENDED, is_ours=is_ours)
    return record


@pytest.mark.parametrize(
    ("result", "status", "reason", "deferred", "next_utc"),
    [
        # One number: the matrix says when it is tried again.
        ("human", "retry_wait", "", "retry", ENDED + 300),
        ("machine", "retry_wait", "", "retry", ENDED + 14_400),
        ("fax", "failed", "attempts_used", "", 0.0),
        ("busy", "retry_wait", "", "retry", ENDED + 600),
        ("no_answer", "retry_wait", "", "retry", ENDED + 7200),
        ("invalid", "failed", "no_number", "", 0.0),
        ("dropped", "retry_wait", "", "redial_ban", ENDED + 3 * DAY),
        ("dnc_blocked", "dnc", "dnc", "", 0.0),
        ("failed", "retry_wait", "", "retry", ENDED + 3600),
        ("congestion", "retry_wait", "", "retry", ENDED + 300),
        ("cancelled", "retry_wait", "", "retry", ENDED + 300),
        ("interrupted", "retry_wait", "", "retry", ENDED + 300),
        ("", "retry_wait", "", "retry", ENDED + 300),
    ],
)
def test_every_result_has_its_consequence(
    result: AttemptResult, status: str, reason: str, deferred: str, next_utc: float
) -> None:
    record = ended(record_of("1"), result)
    assert (record.status, record.reason, record.deferred, record.next_utc) == (status, reason, deferred, next_utc)
    assert (record.n_attempts, record.n_today, record.day) == (1, 1, "2026-11-28")
    assert record.numbers[0].n_by_result == {result: 1}
    assert (record.last_result, record.last_number, record.last_utc) == (result, "1", ENDED)


def test_the_table_names_every_result() -> None:
    for result in get_args(AttemptResult):
        assert retry.follow(result, is_connected=False, is_ours=False) in get_args(retry.Follow)
        assert retry.follow(result, is_connected=False, is_ours=True) == "not_counted"
        again = retry.follow(result, is_connected=False, is_ours=False) == "again"
        assert again == (result in SAME_NUMBER or result == "")


@pytest.mark.parametrize(("result", "position"), [("busy", 0), ("no_answer", 1), ("invalid", 1), ("machine", 1)])
def test_the_next_attempt_is_for_the_number_whose_turn_it_is(result: AttemptResult, position: int) -> None:
    record = ended(record_of("1", "2"), result)
    assert record.status == "retry_wait"
    assert record.next_utc == ENDED + (600 if result == "busy" else 300)
    answer = retry.may_call(record, book_of(), record.next_utc)
    assert answer == retry.Yes(position)


def test_a_conversation_waits_for_an_agents_word_where_there_are_words_for_it() -> None:
    assert ended(record_of("1"), "human", is_connected=True, campaign=WITH_WORDS).status == "connected"
    done = ended(record_of("1"), "human", is_connected=True)
    assert (done.status, done.reason, done.agent_id) == ("done", "connected", "8001")


def test_what_came_to_nothing_by_ours_is_not_counted() -> None:
    fresh = ended(record_of("1"), "failed", is_ours=True)
    assert (fresh.status, fresh.n_attempts, fresh.n_today, fresh.last_utc) == ("new", 0, 0, 0.0)
    assert (fresh.next_utc, fresh.deferred) == (ENDED + 300, "retry")
    assert fresh.numbers[0].n_by_result == {}
    assert fresh.numbers[0].n_attempts == 0
    promised = ended(record_of("1", status="callback", callback_utc=NOON - 60), "failed", is_ours=True)
    assert (promised.status, promised.callback_utc, promised.next_utc) == ("callback", NOON - 60, ENDED + 300)
    # Not even dialled: he may be called at once.
    not_dialled = ended(record_of("1"), "cancelled", is_ours=True, cause="no_agents")
    assert (not_dialled.status, not_dialled.next_utc, not_dialled.deferred) == ("new", ENDED, "")


def test_a_promise_is_kept_by_one_call() -> None:
    record = ended(record_of("1", status="callback", callback_utc=NOON - 60, callback_owner="8001"), "no_answer")
    assert (record.status, record.callback_utc, record.callback_owner) == ("retry_wait", 0.0, "")
    assert record.next_utc == ENDED + 7200


def talked(**known: object) -> CampaignRecord:
    record = ended(record_of("1", "2", **known), "human", is_connected=True, campaign=WITH_WORDS)
    assert record.status == "connected"
    return record


@pytest.mark.parametrize(
    ("effect", "status", "reason", "next_utc", "barred"),
    [
        ("done", "done", "done", 0.0, []),
        ("success", "done", "success", 0.0, []),
        ("retry", "retry_wait", "", ENDED + 300, []),
        ("callback", "callback", "", NOON + DAY, []),
        ("dnc", "dnc", "dnc", 0.0, ["1", "2"]),
        ("wrong_number", "retry_wait", "", ENDED + 300, []),
    ],
)
def test_every_word_has_its_effect(
    effect: Effect, status: str, reason: str, next_utc: float, barred: list[str]
) -> None:
    record = talked()
    said = find_disposition(WITH_WORDS, effect)
    found = dispose(
        record, said, book_of(WITH_WORDS), ENDED, callback_utc=NOON + DAY, callback_owner="8001", note="later"
    )
    assert found == barred
    assert (record.status, record.reason, record.next_utc) == (status, reason, next_utc)
    assert (record.disposition, record.note) == (effect, "later")
    assert record.numbers[0].is_bad == (effect == "wrong_number")
    assert (record.callback_utc, record.callback_owner) == ((NOON + DAY, "8001") if effect == "callback" else (0.0, ""))


def test_a_wrong_number_without_another_one_is_the_end_of_it() -> None:
    record = ended(record_of("1"), "human", is_connected=True, campaign=WITH_WORDS)
    dispose(record, find_disposition(WITH_WORDS, "wrong_number"), book_of(WITH_WORDS), ENDED)
    assert (record.status, record.reason) == ("failed", "wrong_number")


def test_a_word_that_is_none_or_promises_no_time_changes_nothing() -> None:
    record = talked()
    before = copy_of(record)
    with pytest.raises(InvalidValue, match="there are: done, success"):
        find_disposition(WITH_WORDS, "sold")
    with pytest.raises(InvalidValue, match="say when"):
        dispose(record, find_disposition(WITH_WORDS, "callback"), book_of(WITH_WORDS), ENDED)
    assert record == before


def test_who_may_never_be_called_is_not_kept_for_later() -> None:
    record = record_of("1")
    put_aside(record, book_of(campaign_of(needs_consent=True)), NOON)
    assert (record.status, record.reason) == ("failed", "no_consent")
    never = book_of(campaign_of(contact_hours="mon 10:00-11:00"), holidays=(Holiday(first="01-01", last="12-31"),))
    record = record_of("1")
    put_aside(record, never, NOON)
    assert (record.status, record.reason, record.next_utc) == ("failed", "hours", 0.0)


def test_a_list_that_was_changed_meanwhile_does_not_mix_up_numbers() -> None:
    record = record_of("1", "2")
    book = book_of()
    before = copy_of(record)
    begin_attempt(record, 0, book, NOON)
    record.numbers.reverse()
    attempt = Attempt(
        attempt_id="a1", campaign="spring", record_id="r1", number="1", mode="power", started_utc=NOON, result="invalid"
    )
    end_attempt(record, before, attempt, book, ENDED, is_ours=False)
    assert [each.is_bad for each in record.numbers] == [False, True]
