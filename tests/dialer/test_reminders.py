"""When the database is asked for appointments that are due (OUT-27)."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.reminders import AGAIN_S, LONGEST_S, Reminders

WALL = 1_800_000_000.0


def test_it_is_asked_when_the_soonest_appointment_is_due():
    reminders = Reminders()
    reminders.expect(WALL + 90.0, 10.0, WALL)
    reminders.expect(WALL + 60.0, 10.0, WALL)
    reminders.expect(WALL + 120.0, 10.0, WALL)
    assert reminders.deadline == 70.0
    assert not reminders.handle_timeout(69.9)
    assert reminders.handle_timeout(70.0)
    assert reminders.deadline is None
    reminders.asked(WALL + 90.0, 70.0, WALL + 60.0)
    assert reminders.deadline == 100.0


def test_one_made_while_the_database_is_asked_is_not_missed():
    reminders = Reminders()
    reminders.expect(WALL, 10.0, WALL)
    assert reminders.handle_timeout(10.0)
    reminders.expect(WALL + 5.0, 10.5, WALL + 0.5)
    # One question at a time.
    assert reminders.deadline is None
    reminders.asked(0.0, 11.0, WALL + 1.0)
    assert reminders.deadline == 15.0


def test_a_database_that_is_away_is_asked_again():
    reminders = Reminders()
    reminders.expect(WALL, 10.0, WALL)
    assert reminders.handle_timeout(10.0)
    reminders.failed(12.0)
    assert reminders.deadline == 12.0 + AGAIN_S
    assert reminders.handle_timeout(12.0 + AGAIN_S)


def test_without_appointments_nothing_is_asked():
    reminders = Reminders()
    reminders.asked(0.0, 10.0, WALL)
    assert reminders.deadline is None


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 20_000)), min_size=1, max_size=30), st.floats(-3000, 3000))
def test_nothing_is_looked_at_too_late_even_when_the_clock_is_set(made, leap_s):
    """Appointments are made at instants; at some moment the wall clock leaps."""
    reminders, open_utc, wall_of = Reminders(), [], WALL
    told: dict[float, float] = {}
    now = 0.0
    for at, ahead_s in sorted(made):
        while reminders.deadline is not None and reminders.deadline <= at:
            now = reminders.deadline
            assert reminders.handle_timeout(now)
            due = [each for each in open_utc if each <= wall_of + now]
            told |= dict.fromkeys(due, now)
            open_utc = [each for each in open_utc if each not in due]
            reminders.asked(min(open_utc, default=0.0), now, wall_of + now)
        now = at
        open_utc.append(wall_of + at + ahead_s)
        reminders.expect(open_utc[-1], at, wall_of + at)
    wall_of += leap_s
    while reminders.deadline is not None:
        now = reminders.deadline
        assert reminders.handle_timeout(now)
        due = [each for each in open_utc if each <= wall_of + now]
        # None is due longer than the longest time between two looks.
        assert all(wall_of + now - each <= LONGEST_S + max(leap_s, 0.0) + 1e-3 for each in due)
        open_utc = [each for each in open_utc if each not in due]
        reminders.asked(min(open_utc, default=0.0), now, wall_of + now)
    assert not open_utc
