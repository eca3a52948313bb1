"""sip/timers.py: order of lanes, cancelling and re-arming, lanes that go away, tables that forget and stay bounded.
Not here: which timer does what (test_transaction)."""

from hypothesis import given
from hypothesis import strategies as st

from sip.timers import Recent, Timed, TimerLanes, TransactionTimers


def test_values_of_table_4() -> None:
    timers = TransactionTimers()
    assert (timers.t1, timers.t2, timers.t4, timers.timeout) == (0.5, 4.0, 5.0, 32.0)
    assert TransactionTimers(t1=0.1).timeout == 6.4


def test_due_in_the_order_of_deadlines() -> None:
    lanes = TimerLanes()
    late, soon, later = Timed(), Timed(), Timed()
    lanes.arm(late, 0.0, 4.0)
    lanes.arm(soon, 0.0, 0.5)
    lanes.arm(later, 0.2, 4.0)
    assert lanes.deadline == 0.5
    assert lanes.poll(0.4) == []
    due = lanes.poll(10.0)
    assert [id(each) for each in due] == [id(soon), id(late), id(later)]
    assert lanes.deadline is None
    assert soon.deadline == 0.0


def test_cancelled_and_rearmed_fire_once_at_the_right_time() -> None:
    lanes = TimerLanes()
    cancelled, moved = Timed(), Timed()
    lanes.arm(cancelled, 0.0, 1.0)
    cancelled.deadline = 0.0
    lanes.arm(moved, 0.0, 1.0)
    lanes.arm(moved, 0.5, 1.0)
    assert lanes.deadline == 1.5
    assert lanes.poll(1.4) == []
    assert len(lanes.poll(1.5)) == 1
    assert len(lanes) == 0


def test_lanes_of_random_delays_do_not_pile_up() -> None:
    lanes = TimerLanes()
    for n in range(500):
        lanes.arm(Timed(), 0.0, 1.0 + n / 100)
    lanes.poll(100.0)
    assert lanes.deadline is None
    assert len(lanes._lanes) <= 24


@given(st.lists(st.tuples(st.floats(0.0, 2.0), st.sampled_from([0.5, 1.0, 2.0, 4.0]), st.booleans()), max_size=40))
def test_lanes_agree_with_a_sorted_list(steps: list[tuple[float, float, bool]]) -> None:
    lanes = TimerLanes()
    now = 0.0
    expected: list[float] = []
    for advance, delay, is_cancelled in steps:
        now += advance
        timed = Timed()
        lanes.arm(timed, now, delay)
        if is_cancelled:
            timed.deadline = 0.0
        else:
            expected.append(now + delay)
    assert lanes.deadline == (min(expected) if expected else None)
    assert len(lanes.poll(1000.0)) == len(expected)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["arm", "cancel", "poll"]),
            st.integers(0, 4),
            st.sampled_from([0.25, 0.5, 1.0, 4.0]),
            st.sampled_from([0.0, 0.25, 1.0]),
        ),
        max_size=60,
    )
)
def test_deadline_is_exact_after_every_step(steps: list[tuple[str, int, float, float]]) -> None:
    lanes = TimerLanes()
    timers = [Timed() for _ in range(5)]
    now = 0.0
    for what, index, delay, advance in steps:
        now += advance
        if what == "arm":
            lanes.arm(timers[index], now, delay)
        elif what == "cancel":
            timers[index].deadline = 0.0
        else:
            armed = [timed for timed in timers if timed.deadline]
            due = {id(timed) for timed in armed if timed.deadline <= now}
            assert {id(timed) for timed in lanes.poll(now)} == due
        assert lanes.deadline == min([timed.deadline for timed in timers if timed.deadline], default=None)


def test_recent_forgets_by_lifetime() -> None:
    recent: Recent[bytes] = Recent(10)
    recent.put("long", b"1", 0.0, 32.0)
    recent.put("short", b"2", 0.0, 5.0)
    assert recent.deadline == 5.0
    recent.poll(5.0)
    assert recent.get("short") is None
    assert recent.get("long") == b"1"
    recent.poll(32.0)
    assert len(recent) == 0
    assert recent.deadline is None


def test_recent_evicts_the_oldest_when_full() -> None:
    recent: Recent[str] = Recent(3)
    for n in range(5):
        recent.put(f"k{n}", f"v{n}", float(n), 32.0)
    assert len(recent) == 3
    assert "k0" not in recent
    assert recent.get("k4") == "v4"
    assert recent.n_evicted == 2


def test_recent_put_again_lives_as_long_as_the_second_time() -> None:
    recent: Recent[list[int]] = Recent(10)
    recent.put("k", [1], 0.0, 5.0)
    recent.put("k", [2], 4.0, 5.0)
    recent.poll(5.0)
    assert recent.get("k") == [2]
    assert recent.pop("k") == [2]
    recent.poll(9.0)
    assert len(recent) == 0
