"""What becomes of a record and its number after an attempt, and after an agent's word (XOUT-06, XOUT-09, XAGT-02).

Attempts are counted when they begin, so that a crash in the middle of one is not forgotten; what turns out not to have
been the customer's is taken back.
"""

from typing import Literal, assert_never

import msgspec

from dialer.rules import No, RuleBook, Yes, may_call, status_when_refused, status_when_waiting, zone_of_record
from model.campaigns import NOT_SAID, AttemptResult, Campaign, Disposition
from model.dialing import NOT_DIALLED, Attempt, CampaignRecord, RecordNumber
from model.errors import InvalidValue

Follow = Literal["spoken", "again", "next_number", "bad_number", "barred", "not_counted"]
"""spoken: an agent or a flow had him; again: the same number; next_number: the next one's turn; bad_number: the same,
and this one is never tried again; barred: never called; not_counted: as though it had not been, but not at once."""


_NOTHING_SAID = Disposition(code=NOT_SAID)


def follow(result: AttemptResult, *, is_connected: bool, is_ours: bool) -> Follow:
    """`is_ours`: it came to nothing by ours, not by the customer's: no trunk, not even dialled."""
    if is_ours:
        return "not_counted"
    match result:
        case "human":
            # Who hung up before an agent could speak may be tried again.
            return "spoken" if is_connected else "again"
        case "interrupted":
            return "spoken" if is_connected else "again"
        case "busy" | "failed" | "congestion" | "dropped" | "cancelled" | "":
            return "again"
        case "no_answer" | "machine" | "fax":
            return "next_number"
        case "invalid":
            return "bad_number"
        case "dnc_blocked":
            return "barred"
        case _:
            assert_never(result)


def copy_of(record: CampaignRecord) -> CampaignRecord:
    """As it is now, whatever is counted in it later."""
    numbers = [msgspec.structs.replace(each, n_by_result=dict(each.n_by_result)) for each in record.numbers]
    return msgspec.structs.replace(record, numbers=numbers)


def begin_attempt(record: CampaignRecord, position: int, book: RuleBook, wall: float) -> None:
    """It is being called: counted in the record, by its own clock, and in the number."""
    today = book.hours.day(zone_of_record(record), wall)
    if record.day < today or record.last_utc > wall + 86_400.0:
        record.day, record.n_today = today, 0
    number = record.numbers[position]
    record.n_today += 1
    record.n_attempts += 1
    number.n_attempts += 1
    record.last_number = number.number
    record.last_utc = number.last_utc = wall
    record.last_result = number.last_result = ""
    record.status, record.next_utc, record.deferred = "dialing", 0.0, ""
    # A promise is kept by calling, whoever answers.
    record.callback_utc, record.callback_owner = 0.0, ""


def end_attempt(
    record: CampaignRecord, before: CampaignRecord, attempt: Attempt, book: RuleBook, wall: float, *, is_ours: bool
) -> None:
    """What follows for the record from the end of its attempt. `before`: the record as it was when that began."""
    what = follow(attempt.result, is_connected=attempt.connected_utc > 0, is_ours=is_ours)
    record.updated_utc = wall
    if what == "not_counted":
        _take_back(record, before, attempt, book, wall)
        return
    record.last_utc, record.last_result = wall, attempt.result
    record.n_connected += attempt.connected_utc > 0
    number = _number(record, attempt)
    if number is not None:
        number.last_utc, number.last_result = wall, attempt.result
        number.n_by_result[attempt.result] = number.n_by_result.get(attempt.result, 0) + 1
    match what:
        case "spoken":
            record.agent_id = attempt.agent_id
            is_done = not book.campaign.dispositions
            record.status, record.reason = ("done", "connected") if is_done else ("connected", "")
        case "bad_number":
            if number is not None:
                number.is_bad = True
            put_aside(record, book, wall)
        case "barred":
            record.status, record.reason = "dnc", "dnc"
        case "again" | "next_number":
            put_aside(record, book, wall)
        case _:
            assert_never(what)


def put_aside(record: CampaignRecord, book: RuleBook, wall: float) -> None:
    """It is not being called: when it may be next, or that it may not at all."""
    record.next_utc, record.deferred, record.reason = 0.0, "", ""
    if record.status != "callback":
        record.status = status_when_waiting(record)
    refuse(record, may_call(record, book, wall), wall)


def refuse(record: CampaignRecord, answer: Yes | No, wall: float) -> None:
    """Writes into the record what the rules say of it."""
    record.updated_utc = wall
    if isinstance(answer, Yes):
        record.next_utc, record.deferred = wall, ""
        return
    final = status_when_refused(answer.reason)
    if final is not None:
        record.status, record.reason = final, answer.reason
        record.next_utc, record.deferred = 0.0, ""
    elif answer.retry_at_utc:
        record.status = status_when_waiting(record)
        record.next_utc, record.deferred = answer.retry_at_utc, answer.reason
    else:
        # Hours that never come: for as long as the campaign has them.
        record.status, record.reason = "failed", answer.reason
        record.next_utc, record.deferred = 0.0, ""


def find_disposition(campaign: Campaign, code: str) -> Disposition:
    """Raises InvalidValue."""
    if code == NOT_SAID:
        return _NOTHING_SAID
    found = next((each for each in campaign.dispositions if each.code == code), None)
    if found is None:
        known = ", ".join(each.code for each in campaign.dispositions) or "none"
        raise InvalidValue(f'campaign {campaign.name} has no disposition "{code}"; there are: {known}', field="code")
    return found


def dispose(
    record: CampaignRecord,
    said: Disposition,
    book: RuleBook,
    wall: float,
    *,
    callback_utc: float = 0.0,
    callback_owner: str = "",
    note: str = "",
) -> list[str]:
    """What becomes of a record by an agent's word; numbers that are to be barred. Raises InvalidValue, and then nothing
    has changed."""
    if said.effect == "callback" and callback_utc <= 0:
        raise InvalidValue(
            f'disposition "{said.code}" promises a call: say when, by callback_utc', field="callback_utc"
        )
    record.disposition, record.updated_utc = said.code, wall
    if note:
        record.note = note
    record.callback_utc, record.callback_owner = 0.0, ""
    record.next_utc, record.deferred, record.reason = 0.0, "", ""
    match said.effect:
        case "done" | "success":
            record.status, record.reason = "done", said.code
        case "retry":
            record.status = "retry_wait"
            put_aside(record, book, wall)
        case "callback":
            record.status, record.deferred = "callback", "callback"
            record.callback_utc = record.next_utc = callback_utc
            record.callback_owner, record.callback_note = callback_owner, note
        case "dnc":
            record.status, record.reason = "dnc", said.code
            return [each.number for each in record.numbers]
        case "wrong_number":
            _mark_wrong(record)
            record.status = "retry_wait"
            put_aside(record, book, wall)
            if record.reason == "no_number":
                record.reason = "wrong_number"
        case _:
            assert_never(said.effect)
    return []


def _mark_wrong(record: CampaignRecord) -> None:
    for number in record.numbers:
        if number.number == record.last_number:
            number.is_bad = True


def _number(record: CampaignRecord, attempt: Attempt) -> RecordNumber | None:
    """By what it is: a list may have been changed meanwhile."""
    at = attempt.position
    if at < len(record.numbers) and record.numbers[at].number == attempt.number:
        return record.numbers[at]
    return next((each for each in record.numbers if each.number == attempt.number), None)


def _take_back(record: CampaignRecord, before: CampaignRecord, attempt: Attempt, book: RuleBook, wall: float) -> None:
    """Counts and promise are as they were; if it was dialled he is not called again before what the matrix says of
    congestion."""
    record.n_attempts, record.n_today, record.day = before.n_attempts, before.n_today, before.day
    record.last_utc, record.last_number, record.last_result = before.last_utc, before.last_number, before.last_result
    record.callback_utc, record.callback_owner = before.callback_utc, before.callback_owner
    # An agent who calls may have stored it as dialing before he did.
    record.status = "callback" if before.callback_utc else before.status
    number, old = _number(record, attempt), _number(before, attempt)
    if number is not None and old is not None:
        number.n_attempts, number.last_utc, number.last_result = old.n_attempts, old.last_utc, old.last_result
    put_aside(record, book, wall)
    if attempt.cause not in NOT_DIALLED:
        soonest = wall + max(book.after_s.get("congestion", 0.0), book.campaign.retry_min_s)
        if record.status in ("new", "retry_wait", "callback") and record.next_utc < soonest:
            record.next_utc, record.deferred = soonest, "retry"
