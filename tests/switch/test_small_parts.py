"""switch/causes.py, deadlines.py, info_digits.py, cdr.mask, lag.py: the small pure parts."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.signalling_core import Bench
from model.causes import HangupCause
from sip.actions import SessionEvent
from sip.flow import Flow
from switch.causes import FROM_STATUS, cause_of_reason, cause_of_status, reason_header, status_of_cause
from switch.cdr import mask
from switch.deadlines import Deadlines
from switch.info_digits import parse_info
from switch.lag import LagMeter


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (486, HangupCause.USER_BUSY),
        (600, HangupCause.USER_BUSY),
        (404, HangupCause.UNALLOCATED_NUMBER),
        (480, HangupCause.NO_USER_RESPONSE),
        (603, HangupCause.CALL_REJECTED),
        (408, HangupCause.RECOVERY_ON_TIMER_EXPIRE),
        (503, HangupCause.NORMAL_TEMPORARY_FAILURE),
        (488, HangupCause.INCOMPATIBLE_DESTINATION),
        (499, HangupCause.NORMAL_UNSPECIFIED),
    ],
)
def test_status_to_cause(status, cause):
    assert cause_of_status(status) is cause


def test_every_cause_has_a_final_status_that_refuses():
    for cause in HangupCause:
        status, reason = status_of_cause(cause)
        assert 400 <= status < 700
        assert reason


def test_every_mapped_status_is_a_refusal():
    assert all(400 <= status < 700 for status in FROM_STATUS)


def test_a_reason_header_comes_back_as_the_cause():
    for cause in HangupCause:
        header = reason_header(cause)
        if cause.q850 and cause is not HangupCause.ANSWERED_ELSEWHERE:
            assert cause_of_reason(header, HangupCause.NORMAL_UNSPECIFIED) is cause
    assert "Call completed elsewhere" in reason_header(HangupCause.ANSWERED_ELSEWHERE)
    assert cause_of_reason("SIP;cause=200", HangupCause.USER_BUSY) is HangupCause.ANSWERED_ELSEWHERE
    assert cause_of_reason("SIP;cause=299", HangupCause.USER_BUSY) is HangupCause.USER_BUSY
    assert cause_of_reason("SIP;cause=603, Q.850;cause=17", HangupCause.NO_ANSWER) is HangupCause.USER_BUSY
    assert cause_of_reason("Q.850;cause=999", HangupCause.USER_BUSY) is HangupCause.USER_BUSY


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.one_of(st.just(0.0), st.floats(1, 100)))), st.floats(0, 110))
def test_deadlines_behave_as_a_dictionary(steps, now):
    deadlines, model = Deadlines(), {}
    for call_id, when in steps:
        deadlines.arm(call_id, when)
        if when:
            model[call_id] = when
        else:
            model.pop(call_id, None)
        assert deadlines.next() == min(model.values(), default=None)
    due = deadlines.due(now)
    assert sorted(due) == sorted(c for c, when in model.items() if when <= now)
    assert deadlines.next() == min((when for when in model.values() if when > now), default=None)


def test_cancelled_deadlines_are_swept():
    deadlines = Deadlines()
    for n in range(10_000):
        deadlines.arm(f"c{n}", 14_400.0 + n)
        deadlines.arm(f"c{n}", 0.0)
    assert len(deadlines._heap) < 200


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        ("Application/DTMF-Relay; x=y", b"Signal= *\r\nDuration= 250", ("*", 250)),
        ("application/dtmf-relay", b"Signal=11\r\n", ("#", 100)),
        ("application/dtmf", b"7", ("7", 100)),
        ("application/dtmf", b"a", ("A", 100)),
        ("application/dtmf", b"77", None),
        ("application/dtmf-relay", b"", None),
        ("application/dtmf-relay", b"Signal=5\r\nDuration=9999999999", ("5", 100)),
        ("text/plain", b"5", None),
        ("application/dtmf", b"\xff", None),
    ],
)
def test_digits_in_info(content_type, body, expected):
    assert parse_info(content_type, body) == expected


@given(st.text())
def test_masked_text_has_no_control_characters(text):
    masked = mask(text)
    assert not any(ord(c) < 32 or ord(c) == 127 for c in masked)
    masked.encode("utf-8")


def test_lag():
    meter = LagMeter()
    meter.note(0.25)
    meter.note(0.001)
    assert meter.take() == (1.0, 250.0)
    assert meter.take() == (1.0, 0.0)


def test_every_fact_about_a_session_has_its_handler():
    bench = Bench("relay")
    assert set(bench.core.runtime.legs.handlers) == set(get_args(SessionEvent))
    bench.hub.close()


@pytest.mark.parametrize(
    ("flow", "is_trunk"),
    [
        (Flow("udp", "127.0.0.1", 6001), True),
        (Flow("udp", "127.0.0.1", 6003), False),
        (Flow("udp", "127.0.0.2", 6001), False),
        (Flow("tcp", "127.0.0.1", 6001), True),
        (Flow("tcp", "127.0.0.1", 6003), False),
    ],
)
def test_whether_a_datagram_is_a_trunks_agrees_with_whose_it_is(flow, is_trunk):
    bench = Bench("relay")
    directory = bench.core.env.directory
    assert directory.is_trunk(flow) is is_trunk
    assert (directory.trunk_of(flow) is not None) is is_trunk
    bench.hub.close()
