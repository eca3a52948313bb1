"""model/almanac.py, switch/office.py: what a calendar says at an instant and until when; daylight saving on both
hemispheres. By API and in calls: tests/scenarios/test_access_numbers.py."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.access_numbers import AccessNumber
from model.almanac import Almanac
from model.calendars import Calendar, Closure, Holiday, SpecialDay
from switch.config_file import ConfigError, parse_config
from switch.office import Choice, Office

SHANGHAI = Calendar(
    name="office",
    time_zone="Asia/Shanghai",
    hours="mon-fri 08:30-12:00; mon-fri 13:30-18:00; sat 22:00-02:00",
    holidays=(Holiday(first="10-01", last="10-07", name="National Day"), Holiday(first="12-31", last="01-01")),
    special_days=(SpecialDay(first="2026-10-10", hours="09:00-17:00", name="make-up"), SpecialDay(first="2026-11-02")),
)


def utc(text: str, zone: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("at", "which", "until"),
    [
        ("2026-11-23T08:29", "closed", "2026-11-23T08:30"),
        ("2026-11-23T08:30", "open", "2026-11-23T12:00"),
        ("2026-11-23T12:00", "closed", "2026-11-23T13:30"),
        ("2026-11-20T18:00", "closed", "2026-11-21T22:00"),
        ("2026-11-21T23:00", "open", "2026-11-22T02:00"),
        ("2026-11-22T01:59", "open", "2026-11-22T02:00"),
        ("2026-10-01T10:00", "holiday", "2026-10-08T00:00"),
        ("2027-10-07T23:59", "holiday", "2027-10-08T00:00"),
        ("2026-10-10T10:00", "open", "2026-10-10T17:00"),
        ("2026-10-10T23:00", "closed", "2026-10-12T08:30"),
        ("2026-10-11T01:00", "closed", "2026-10-12T08:30"),
        ("2026-11-02T10:00", "closed", "2026-11-03T08:30"),
        ("2026-12-31T10:00", "holiday", "2027-01-02T00:00"),
    ],
)
def test_acc_05_hours_holidays_and_special_days(at, which, until):
    moment = Almanac(SHANGHAI).evaluate(utc(at, "Asia/Shanghai"))
    assert (moment.which, moment.until_utc) == (which, utc(until, "Asia/Shanghai"))


@pytest.mark.parametrize(
    ("zone", "hours", "at", "fold", "which", "until", "until_fold"),
    [
        # 02:00 to 03:00 does not exist on 2026-03-29 in Berlin: 02:30 is when the clock has jumped.
        ("Europe/Berlin", "sun 02:30-05:00", "2026-03-29T01:59", 0, "closed", "2026-03-29T03:00", 0),
        ("Europe/Berlin", "sun 01:00-02:30", "2026-03-29T01:59", 0, "open", "2026-03-29T03:00", 0),
        # 02:00 to 03:00 comes twice on 2026-10-25.
        ("Europe/Berlin", "sun 02:30-05:00", "2026-10-25T02:45", 0, "open", "2026-10-25T02:00", 1),
        ("Europe/Berlin", "sun 02:30-05:00", "2026-10-25T02:15", 1, "closed", "2026-10-25T02:30", 1),
        ("Europe/Berlin", "sun 04:00-05:00", "2026-10-25T02:15", 0, "closed", "2026-10-25T04:00", 0),
        # The southern hemisphere: forward in October, back in April.
        ("Australia/Sydney", "sun 02:30-05:00", "2026-10-04T01:59", 0, "closed", "2026-10-04T03:00", 0),
        ("Australia/Sydney", "sun 02:30-05:00", "2026-04-05T02:45", 0, "open", "2026-04-05T02:00", 1),
        ("Asia/Shanghai", "sun 02:30-05:00", "2026-03-29T01:59", 0, "closed", "2026-03-29T02:30", 0),
    ],
)
def test_xacc_01_the_clock_that_jumps(zone, hours, at, fold, which, until, until_fold):
    moment = Almanac(Calendar(name="c", time_zone=zone, hours=hours)).evaluate(utc(at, zone, fold))
    assert (moment.which, moment.until_utc) == (which, utc(until, zone, until_fold))


@given(
    st.sampled_from(["Europe/Berlin", "Australia/Sydney", "America/New_York", "Asia/Shanghai", "Asia/Kathmandu"]),
    st.integers(0, 365 * 24 * 60),
)
def test_until_is_the_first_minute_that_differs(zone, minute):
    almanac = Almanac(
        Calendar(
            name="c",
            time_zone=zone,
            hours="mon-sun 01:30-02:15; fri 20:00-03:00",
            holidays=(Holiday(first="03-29"), Holiday(first="10-04")),
        )
    )
    at = 1767225600.0 + 60 * minute
    moment = almanac.evaluate(at)
    assert almanac.say(moment.until_utc)[0] != moment.which
    step = at
    while step < moment.until_utc:
        assert almanac.say(step)[0] == moment.which
        step += 60.0


def test_what_never_changes_says_so():
    assert Almanac(Calendar(name="c", time_zone="Asia/Shanghai")).evaluate(1.8e9).until_utc == 0.0


@pytest.mark.parametrize(
    ("calendar", "what"),
    [
        (Calendar(name="c", time_zone="Asia/Beijing"), "no time zone"),
        (Calendar(name="c", hours="monday 8-12"), "no time of the week"),
        (Calendar(name="c", holidays=(Holiday(first="2026-02-29"),)), "no day of the calendar"),
        (Calendar(name="c", holidays=(Holiday(first="2026-02-05", last="2026-02-01"),)), "at most a year"),
        (Calendar(name="c", holidays=(Holiday(first="2026-02-05", last="02-06"),)), "both have a year"),
        (Calendar(name="c", special_days=(SpecialDay(first="02-05", hours="9-12"),)), "no time of the week"),
    ],
)
def test_nonsense_is_named(calendar, what):
    with pytest.raises(ValueError, match=what):
        Almanac(calendar)


def test_acc_04_each_time_has_its_target_and_an_emergency_goes_before_all():
    office = Office((SHANGHAI,), "Asia/Shanghai")
    number = AccessNumber(
        number="4001", to="1", calendar="office", off_to="2", holiday_to="3", emergency_to="queue:late"
    )
    work, late, feast = (
        utc(text, "Asia/Shanghai") for text in ("2026-11-23T09:00", "2026-11-23T20:00", "2026-10-01T09:00")
    )
    assert [office.choose(number, at) for at in (work, late, feast)] == [
        Choice("open", "1"),
        Choice("closed", "2"),
        Choice("holiday", "3"),
    ]
    office.closures["office"] = Closure(calendar="office", since_utc=work, until_utc=work + 60.0)
    assert office.choose(number, work) == Choice("emergency", "queue:late")
    assert office.evaluate("office", work).until_utc == work + 60.0
    assert office.choose(number, work + 60.0).which == "open"
    office.closures[""] = Closure(calendar="", since_utc=work)
    assert office.choose(AccessNumber(number="4002", to="1"), work) == Choice("emergency", "")
    assert office.evaluate("office", work).until_utc == 0.0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[[access_number]]\nnumber="1"\nto="2"\ncalendar="x"', 'no calendar "x"'),
        ('[[access_number]]\nnumber="1"\nto="2"\nholiday_to="3"', "need a calendar"),
        ('[[calendar]]\nname="c"\n[[access_number]]\nnumber="1"\nto="2"\ncalendar="c"\noff_to="queue:x"', "no queue"),
        ('[[access_number]]\nnumber="1"\nto="ivr:welcome"', "there is no flow"),
        ('[[calendar]]\nname="c"\n[[calendar]]\nname="c"', "twice"),
        ('[[calendar]]\nname="c"\ntime_zone="Mars/Olympus"', "no time zone"),
        ('[[calendar]]\nname="c"\nholidays=[{first="13-01"}]', "first"),
    ],
)
def test_the_file_is_checked(text, what):
    with pytest.raises(ConfigError, match=what):
        parse_config(text)
