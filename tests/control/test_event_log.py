"""Covers: numbering, encoding, the ring, filters and reading by cursor, against a plain list as the model.

Does not cover delivery (test_hub.py).
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.event_log import EventFilter, EventLog
from model import events
from model.declare import event_spec

ANSWERED = events.CallAnswered(call_id="c1", leg_id="l1")
REMOVED = events.RegistrationRemoved(extension="1001", address="udp:192.0.2.1:5060", why="expired")
EVERYTHING = EventFilter()


def sample(kind: int, call: int) -> events.Event:
    call_id = f"c{call}"
    match kind:
        case 0:
            return events.CallAnswered(call_id=call_id, leg_id="l")
        case 1:
            return events.CallRinging(call_id=call_id, leg_id="l")
        case 2:
            return events.RecordingStarted(call_id=call_id, recording_id="r", path="p")
        case _:
            return REMOVED


def params(data: bytes) -> list[dict]:
    return [msgspec.json.decode(line)["params"] for line in data.splitlines()]


def test_line_is_a_notification_with_envelope_and_fields() -> None:
    log = EventLog('no"de', 4, first_seq=100)
    log.publish(ANSWERED, 1795313130.6069)
    data, cursor = log.read(100, EVERYTHING)
    assert data.endswith(b"}\n")
    assert msgspec.json.decode(data) == {
        "jsonrpc": "2.0",
        "method": "event",
        "params": {
            "event": "call.answered",
            "node": 'no"de',
            "seq": 100,
            "at": "2026-11-22T02:05:30.606Z",
            "call_id": "c1",
            "leg_id": "l1",
        },
    }
    assert cursor == 101


@pytest.mark.parametrize(
    ("wall_s", "at"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (0.9999, "1970-01-01T00:00:00.999Z"),
        (951782400.0, "2000-02-29T00:00:00.000Z"),
        (1795313130.0, "2026-11-22T02:05:30.000Z"),
    ],
)
def test_instant_is_iso_8601_in_utc(wall_s, at) -> None:
    log = EventLog("n", 4)
    log.publish(ANSWERED, wall_s)
    assert params(log.read(1, EVERYTHING)[0])[0]["at"] == at


@pytest.mark.parametrize(
    ("names", "name", "wants"),
    [
        ((), "call.ended", True),
        (("*",), "call.ended", True),
        (("call.*",), "call.ended", True),
        (("call.*",), "recording.started", False),
        (("call.ended",), "call.ended", True),
        (("call.end",), "call.ended", False),
        (("call.ended",), "call.answered", False),
        (("recording.*", "call.ended"), "call.ended", True),
    ],
)
def test_filter_by_name(names, name, wants) -> None:
    assert EventFilter(names).wants_name(name) is wants


def test_filter_by_call_leaves_out_what_belongs_to_no_call() -> None:
    log = EventLog("n", 8)
    for event in (ANSWERED, REMOVED, events.CallRinging(call_id="c2", leg_id="l")):
        log.publish(event, 0.0)
    assert [p["seq"] for p in params(log.read(1, EventFilter((), frozenset({"c1"})))[0])] == [1]


def test_lost_line_carries_the_last_lost_number() -> None:
    line = params(EventLog("n", 4).lost(5, 9, 0.0))[0]
    assert (line["event"], line["seq"], line["from_seq"], line["to_seq"]) == ("events.lost", 9, 5, 9)


def test_new_log_is_empty() -> None:
    log = EventLog("n", 4, first_seq=7)
    assert (log.oldest_seq, log.next_seq, log.read(7, EVERYTHING)) == (7, 7, (b"", 7))


FILTERS = st.builds(
    EventFilter,
    st.lists(st.sampled_from(["*", "call.*", "call.answered", "recording.*", "registration.removed"]), max_size=2).map(
        tuple
    ),
    st.frozensets(st.sampled_from(["c0", "c1", "c2"]), max_size=2),
)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=40),
    st.integers(1, 12),
    st.integers(0, 1000),
    FILTERS,
    st.integers(1, 7),
)
def test_reading_gives_what_a_list_of_the_last_events_gives(kinds, size, first, wanted, limit) -> None:
    log = EventLog("n", size, first)
    told = [sample(kind, call) for kind, call in kinds]
    for event in told:
        log.publish(event, 1.0)
    assert (log.next_seq, log.oldest_seq) == (first + len(told), first + max(0, len(told) - size))
    expected = []
    for seq, event in list(enumerate(told, first))[-size:]:
        name = event_spec(type(event)).name
        in_call = not wanted.call_ids or getattr(event, "call_id", "") in wanted.call_ids
        if wanted.wants_name(name) and in_call:
            expected.append((seq, name))
    cursor, found = log.oldest_seq, []
    while cursor < log.next_seq:
        data, following = log.read(cursor, wanted, limit)
        assert cursor < following <= cursor + limit
        cursor = following
        found += [(p["seq"], p["event"]) for p in params(data)]
    assert found == expected
