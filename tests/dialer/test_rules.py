"""dialer/rules.py, dialer/contact_hours.py: whom a campaign may call when, on which number (XOUT-04, 05, 06, 09).

What follows an attempt: test_retry.py. The whole engine under these rules: test_engine_properties.py.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dialer.contact_hours import ContactHours, closed_days
from dialer.dnc import DncBook
from dialer.rules import No, Yes, may_call
from model.calendars import Calendar, Holiday, SpecialDay
from model.campaigns import Campaign, RetryRule
from model.dialing import RecordNumber
from tests.dialer.records_of import DAY, NOON, book_of, campaign_of, record_of

ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", ""]
# Weeks in which clocks change in Europe, in America, in Chile and on Lord Howe Island, and an ordinary one.
WEEKS = [
    datetime(2026, month, day, tzinfo=ZoneInfo("UTC")).timestamp()
    for month, day in ((3, 6), (3, 27), (4, 3), (9, 4), (10, 2), (10, 23), (10, 30), (6, 1))
]
INSTANTS = st.builds(lambda week, hours: week + hours * 3600, st.sampled_from(WEEKS), st.floats(0, 100))
HOURS = st.sampled_from(
    ["mon-sun 08:00-21:00", "mon-fri 09:00-12:00; mon-fri 13:00-17:30", "sat-sun 22:00-02:30", "sun 01:30-02:15", ""]
)
NUMBERS = st.builds(
    RecordNumber,
    number=st.sampled_from(["1", "2", "3", "4"]),
    zone=st.sampled_from(ZONES),
    n_attempts=st.integers(0, 3),
    last_result=st.sampled_from(["", "busy", "no_answer", "dropped", "human", "failed"]),
    is_bad=st.booleans(),
)  # fmt: skip


def local(at_utc: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at_utc, ZoneInfo(zone or "Asia/Shanghai"))


def is_open(hours: str, at_utc: float, zone: str) -> bool:
    """Reckoned another way: a stretch of the week is looked for around the clock there."""
    at = local(at_utc, zone).replace(tzinfo=None)
    if not hours:
        return True
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    for part in hours.split("; "):
        span, times = part.split()
        first, _, last = span.partition("-")
        begin, end = (timedelta(hours=int(each[:2]), minutes=int(each[3:])) for each in times.split("-"))
        end += timedelta(1) if end <= begin else timedelta()
        for back in (0, 1):
            day = (at - timedelta(back)).replace(hour=0, minute=0, second=0, microsecond=0)
            if days.index(first) <= day.weekday() <= days.index(last or first) and day + begin <= at < day + end:
                return True
    return False


@given(INSTANTS, HOURS, st.sampled_from(ZONES))
def test_hours_are_those_of_the_customers_own_clock_also_when_it_is_changed(
    at_utc: float, hours: str, zone: str
) -> None:
    contact = ContactHours(campaign_of(contact_hours=hours), (), "Asia/Shanghai")
    opens = contact.next_open(zone, at_utc)
    assert contact.is_open(zone, at_utc) == (opens == at_utc)
    assert is_open(hours, opens, zone)
    if opens == at_utc:
        return
    assert not is_open(hours, at_utc, zone)
    # Nothing between is open: looked at every five minutes, and just before.
    steps = [at_utc + n * 300 for n in range(int((opens - at_utc) / 300))]
    assert not any(is_open(hours, at, zone) for at in [*steps, opens - 1])


def test_an_hour_that_comes_twice_is_open_twice_and_one_that_never_comes_opens_after_it() -> None:
    contact = ContactHours(campaign_of(contact_hours="sun 02:00-02:30"), (), "Europe/Berlin")
    autumn = datetime(2026, 10, 25, 2, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert contact.next_open("", autumn - 1) == autumn
    assert contact.next_open("", autumn + 1800) == autumn + 3600
    spring = datetime(2026, 3, 29, 1, 59, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() + 60
    assert contact.next_open("", spring - 60) > spring + 6 * DAY


def test_holidays_and_days_without_hours_are_kept_by_the_customers_clock() -> None:
    calendar = Calendar(
        name="feasts",
        holidays=(Holiday(first="2026-11-29"),),
        special_days=(SpecialDay(first="2026-11-30"), SpecialDay(first="2026-12-01", hours="10:00-11:00")),
    )
    contact = ContactHours(campaign_of(contact_hours="mon-sun 00:00-24:00"), closed_days(calendar), "Asia/Shanghai")
    assert contact.next_open("", NOON) == NOON
    begins = NOON + 12 * 3600
    assert contact.next_open("", begins - 1) == begins - 1
    assert contact.next_open("", begins) == begins + 2 * DAY
    # It is still the 28th in New York.
    assert contact.next_open("America/New_York", begins) == begins
    assert closed_days(None) == ()


def test_a_zone_that_makes_no_sense_is_that_of_the_campaign_then_of_the_company() -> None:
    campaign = campaign_of(contact_hours="mon-sun 08:00-09:00", time_zone="Europe/Berlin")
    contact = ContactHours(campaign, (), "Asia/Shanghai")
    at_8 = datetime(2026, 11, 28, 8, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    for zone in ("", "Mars/Olympus", "../etc/passwd"):
        assert contact.next_open(zone, at_8 - 60) == at_8
    company = ContactHours(msgspec.structs.replace(campaign, time_zone=""), (), "Asia/Shanghai")
    assert company.next_open("", at_8) == datetime(2026, 11, 29, 8, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()
    with pytest.raises(ValueError, match="no time zone"):
        ContactHours(msgspec.structs.replace(campaign, time_zone="Mars"), (), "")


@given(st.data(), INSTANTS, HOURS)
def test_a_refusal_says_exactly_when_he_may_be_called(data: st.DataObject, wall: float, hours: str) -> None:
    ago = st.floats(1, 5 * DAY)
    campaign = campaign_of(contact_hours=hours, time_zone=data.draw(st.sampled_from(ZONES)))
    numbers = data.draw(st.lists(NUMBERS, min_size=1, max_size=3, unique_by=lambda each: each.number))
    for number in numbers:
        number.last_utc = wall - data.draw(ago) if number.n_attempts else 0.0
    last = data.draw(st.sampled_from(numbers))
    record = record_of(
        *numbers,
        status=data.draw(st.sampled_from(["new", "retry_wait", "callback"])),
        n_attempts=sum(each.n_attempts for each in numbers),
        n_today=data.draw(st.integers(0, 3)),
        last_number=last.number if last.n_attempts else "",
        last_utc=last.last_utc,
        last_result=last.last_result,
        callback_utc=wall + data.draw(st.floats(-DAY, 3 * DAY)),
    )
    book = book_of(campaign)
    record.day = book.hours.day("", record.last_utc) if record.last_utc else ""
    answer = may_call(record, book, wall)
    if isinstance(answer, Yes):
        number = record.numbers[answer.position]
        assert is_open(hours, wall, number.zone or campaign.time_zone)
        assert not number.is_bad
        if record.status != "callback":
            assert record.n_attempts < campaign.max_attempts
            assert number.n_attempts < campaign.max_attempts_per_number
            assert record.last_utc <= wall - campaign.retry_min_s
        return
    assume(answer.retry_at_utc > 0)
    assert answer.retry_at_utc > wall
    assert isinstance(may_call(record, book_of(campaign), answer.retry_at_utc), Yes)
    for share in (0.3, 0.99999):
        before = wall + (answer.retry_at_utc - wall) * share
        assert isinstance(may_call(record, book_of(campaign), before), No)


def test_barred_numbers_are_passed_over_and_a_record_of_none_but_them_is_never_called() -> None:
    dnc = DncBook()
    dnc.add("1")
    book = book_of(dnc=dnc)
    assert may_call(record_of("1", "2"), book, NOON) == Yes(1)
    dnc.add("2", "spring")
    assert may_call(record_of("1", "2"), book, NOON) == No("dnc")
    assert may_call(record_of("1", "2", status="callback", callback_utc=NOON), book, NOON) == No("dnc")
    assert may_call(record_of("1", "2"), book, NOON, by_agent=True) == No("dnc")


def test_without_consent_nobody_is_called_where_it_is_needed() -> None:
    book = book_of(campaign_of(needs_consent=True))
    assert may_call(record_of(), book, NOON) == No("no_consent")
    assert may_call(record_of(status="callback", callback_utc=NOON), book, NOON) == No("no_consent")
    assert may_call(record_of(has_consent=True), book, NOON) == Yes(0)


def tried(number: str, result: str, ago_s: float, n: int = 1) -> RecordNumber:
    return RecordNumber(
        number=number,
        n_attempts=n,
        n_by_result={result: n},
        last_utc=NOON - ago_s,
        last_result=result,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("result", "ago_s", "expected"),
    [
        ("busy", 599.0, No("retry", NOON + 1.0)),
        ("busy", 600.0, Yes(0)),
        ("no_answer", 299.0, No("retry", NOON + 1.0)),
        ("no_answer", 300.0, Yes(1)),
        ("machine", 300.0, Yes(1)),
        ("invalid", 300.0, Yes(1)),
        ("failed", 300.0, No("retry", NOON + 3300.0)),
        ("cancelled", 300.0, Yes(0)),
    ],
)
def test_spacing_and_whose_turn_it_is_follow_the_last_result(result: str, ago_s: float, expected: Yes | No) -> None:
    first = tried("1", result, ago_s)
    record = record_of(
        first, "2", status="retry_wait", n_attempts=1, last_number="1", last_utc=first.last_utc, last_result=result
    )
    assert may_call(record, book_of(), NOON) == expected


def test_after_the_last_number_it_is_the_first_ones_turn_when_its_own_time_has_come() -> None:
    numbers = [tried("1", "no_answer", 7000.0), tried("2", "no_answer", 400.0)]
    record = record_of(*numbers, n_attempts=2, last_number="2", last_utc=NOON - 400, last_result="no_answer")
    assert may_call(record, book_of(), NOON) == No("retry", NOON + 200.0)
    assert may_call(record, book_of(), NOON + 200.0) == Yes(0)


def test_limits_of_a_number_of_an_outcome_of_a_record_and_of_a_day() -> None:
    used = tried("1", "no_answer", 20_000, n=3)
    known = {"last_number": "1", "last_utc": NOON - 20_000, "last_result": "no_answer"}
    assert may_call(record_of(used, "2", n_attempts=3, **known), book_of(), NOON) == Yes(1)
    assert may_call(record_of(used, n_attempts=3, **known), book_of(), NOON) == No("attempts_used")
    assert may_call(record_of(used, "2", n_attempts=6, **known), book_of(), NOON) == No("attempts_used")
    fax = tried("1", "fax", 20_000)
    assert may_call(record_of(fax, n_attempts=1, **known), book_of(), NOON) == No("attempts_used")
    no_matrix = campaign_of(retries=(RetryRule(outcome="fax", after_s=0.0),))
    assert may_call(record_of(fax, n_attempts=1, **known), book_of(no_matrix), NOON) == Yes(0)
    today = record_of(tried("1", "busy", 4000, n=2), "2", n_attempts=3, n_today=3, day="2026-11-28", **known)
    tomorrow_8 = NOON + 20 * 3600
    assert may_call(today, book_of(), NOON) == No("day_limit", tomorrow_8)
    assert may_call(today, book_of(), NOON, by_agent=True) == No("day_limit", tomorrow_8)
    # A clock that was set back gives nobody the same day twice.
    assert may_call(today, book_of(), NOON - DAY) == No("day_limit", tomorrow_8)
    today.callback_utc, today.status = NOON, "callback"
    assert isinstance(may_call(today, book_of(), NOON), Yes)


def test_days_are_counted_by_the_records_own_clock() -> None:
    campaign = campaign_of(contact_hours="")
    numbers = [RecordNumber(number="1", zone="America/New_York"), RecordNumber(number="2", zone="Asia/Shanghai")]
    record = record_of(*numbers, n_attempts=3, n_today=3, day="2026-11-27", last_utc=NOON - 3600)
    # Noon of the 28th in Shanghai is 23:00 of the 27th in New York.
    assert may_call(record, book_of(campaign), NOON) == No("day_limit", NOON + 3600)


def test_whom_nobody_was_there_for_is_left_alone_by_diallers_but_not_by_agents() -> None:
    campaign = campaign_of(retries=())
    dropped = tried("1", "dropped", 1000.0)
    record = record_of(dropped, n_attempts=1, last_number="1", last_utc=NOON - 1000, last_result="dropped")
    assert may_call(record, book_of(campaign), NOON) == No("redial_ban", NOON - 1000 + 3 * DAY)
    assert may_call(record, book_of(campaign), NOON, by_agent=True) == Yes(0)
    # Also for another campaign, which has called him never.
    other = book_of(campaign, dropped={"1": NOON - 1000})
    assert may_call(record_of("1"), other, NOON) == No("redial_ban", NOON - 1000 + 3 * DAY)
    record.status, record.callback_utc = "callback", NOON
    assert may_call(record, book_of(campaign), NOON) == Yes(0)


def test_a_promised_call_comes_at_its_time_whatever_the_spacing_but_not_at_night() -> None:
    number = tried("1", "human", 10.0, n=3)
    record = record_of(
        number, status="callback", callback_utc=NOON + 60, n_attempts=6, n_today=3, day="2026-11-28",
        last_number="1", last_utc=NOON - 10, last_result="human",
    )  # fmt: skip
    assert may_call(record, book_of(), NOON) == No("callback", NOON + 60)
    assert may_call(record, book_of(), NOON + 60) == Yes(0)
    record.callback_utc = NOON + 10 * 3600
    assert may_call(record, book_of(), NOON) == No("hours", NOON + 20 * 3600)
    record.callback_owner = "8001"
    assert may_call(record, book_of(), NOON) == No("owner", NOON + 11 * 3600)
    record.callback_utc = NOON
    assert may_call(record, book_of(), NOON, by_agent=True) == Yes(0)


def test_a_number_that_another_campaign_is_calling_waits() -> None:
    assert may_call(record_of("1"), book_of(in_flight={"1"}), NOON) == No("in_flight", NOON + 60.0)
    assert may_call(record_of("1", "2"), book_of(in_flight={"1"}), NOON) == Yes(1)
    assert may_call(record_of("1"), book_of(in_flight={"1"}), NOON, by_agent=True) == No("in_flight", NOON + 60.0)


def test_hours_that_never_come_and_numbers_that_are_all_wrong() -> None:
    never = Campaign(name="spring", contact_hours="mon 10:00-11:00")
    closed = book_of(never, holidays=(Holiday(first="01-01", last="12-31"),))
    assert may_call(record_of("1"), closed, NOON) == No("hours")
    assert may_call(record_of(RecordNumber(number="1", is_bad=True)), book_of(), NOON) == No("no_number")
    assert may_call(record_of(numbers=[]), book_of(), NOON) == No("no_number")


def test_what_a_wrong_clock_has_stored_bars_nobody_for_years() -> None:
    number = tried("1", "busy", -400 * DAY)
    known = {"last_number": "1", "last_utc": NOON + 400 * DAY, "last_result": "busy", "day": "2028-01-01", "n_today": 3}
    assert may_call(record_of(number, n_attempts=1, **known), book_of(), NOON) == Yes(0)
