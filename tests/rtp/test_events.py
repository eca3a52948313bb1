"""RFC 4733 events: reported once whatever is lost, repeated or reordered; sent with three end packets.

Not here: relaying and sending by a worker (tests/media/test_dtmf.py).
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.events import DIGITS, EventReceiver, EventSender, Pressed


def payload(digit, duration, *, end=False):
    return bytes((DIGITS.index(digit), (0x80 if end else 0) | 10)) + duration.to_bytes(2, "big")


def event(digit, ts, packets=5, step=160):
    made = [(payload(digit, step * (k + 1)), ts) for k in range(packets)]
    return made + [(payload(digit, step * (packets + 1), end=True), ts)] * 3


def run(packets, receiver=None, at=0.0):
    receiver = receiver or EventReceiver()
    got = []
    for data, ts in packets:
        got += receiver.receive(data, ts & 0xFFFFFFFF, at)
    return got, receiver


def test_one_event_is_reported_at_its_end():
    got, receiver = run(event("5", 1000))
    assert got == [Pressed("5", 120)] and receiver.deadline is None


@given(st.text(DIGITS, min_size=1, max_size=8), st.integers(0, (1 << 32) - 1), st.randoms(use_true_random=False))
def test_once_each_whatever_is_lost_and_repeated(digits, start, rng):
    """Of each event any packets may be lost but one, any may come twice: each digit exactly once, in order."""
    packets = []
    for i, digit in enumerate(digits):
        made = event(digit, start + i * 2000)
        kept = sorted(rng.sample(range(len(made)), rng.randint(1, len(made))))
        for k in kept:
            packets += [made[k]] * rng.choice((1, 1, 2))
    got, receiver = run(packets)
    got += receiver.handle_timeout(10.0)
    assert [each.digit for each in got] == list(digits)


@given(st.text(DIGITS, min_size=1, max_size=6), st.integers(0, (1 << 32) - 1), st.randoms(use_true_random=False))
def test_once_each_whatever_is_reordered(digits, start, rng):
    packets = [packet for i, digit in enumerate(digits) for packet in event(digit, start + i * 1600)]
    keyed = sorted((k + rng.uniform(0, 9), packet) for k, packet in enumerate(packets))
    got, receiver = run([packet for _, packet in keyed])
    got += receiver.handle_timeout(10.0)
    assert sorted(each.digit for each in got) == sorted(digits)


def test_same_digit_twice_is_two():
    got, _ = run(event("7", 0) + event("7", 3200))
    assert [each.digit for each in got] == ["7", "7"]


def test_event_without_end_ends_with_the_next_or_by_time():
    receiver = EventReceiver()
    assert run(event("1", 0)[:3], receiver, at=1.0)[0] == []
    assert run(event("2", 1600)[:2], receiver, at=1.1)[0] == [Pressed("1", 60)]
    assert receiver.handle_timeout(1.2) == []
    assert receiver.deadline is not None
    assert receiver.handle_timeout(receiver.deadline) == [Pressed("2", 40)]
    # Its end comes at last: known already.
    assert run(event("2", 1600)[-3:], receiver, at=2.0)[0] == []


def test_event_longer_than_its_field_is_one():
    """RFC 4733 §2.5.1.3."""
    first = [(payload("9", 0xFFFF), 0)]
    second = [(payload("9", 800), 0xFFFF), (payload("9", 1600, end=True), 0xFFFF)]
    got, _ = run(first + second)
    assert got == [Pressed("9", (0xFFFF + 1600) // 8)]


@pytest.mark.parametrize("lost", [(), (0,), (2, 3), (5, 6), (0, 1, 2, 3, 4)], ids=str)
def test_sender_whose_timestamps_move_within_an_event(lost):
    """Some gateways give every packet of an event a timestamp of its own."""
    moving = [(data, ts + 160 * k) for k, (data, ts) in enumerate(event("4", 0))]
    again = [(data, ts + 160 * k) for k, (data, ts) in enumerate(event("4", 3200))]
    kept = [packet for k, packet in enumerate(moving) if k not in lost]
    got, _ = run(kept + again)
    assert [each.digit for each in got] == ["4", "4"]


def test_same_digit_at_once_again_is_two():
    """A gateway without pauses: timestamps that follow each other are two digits all the same."""
    got, _ = run(event("3", 0) + event("3", 960))
    assert [each.digit for each in got] == ["3", "3"]


def test_stream_that_ends_in_an_event():
    receiver = EventReceiver()
    assert run(event("8", 0)[:4], receiver)[0] == []
    assert receiver.finish() == [Pressed("8", 80)] and receiver.finish() == []


def test_clock_of_48_khz():
    """RFC 7587: beside Opus the events run at 48 kHz; their duration field is full after 1.4 s."""
    sender = EventSender(48000)
    sender.queue("6", 3000, 60)
    packets, ts = [], 77
    while sender.is_busy:
        packet = sender.step()
        if packet is None:
            continue
        assert packet.begins == (not packets)
        ts = (ts + packet.advance) & 0xFFFFFFFF
        packets.append((packet.payload, ts))
    assert len({ts for _, ts in packets}) == 3
    for lost in (set(), {0, 1}, {2 * 68, 2 * 68 + 1}, {len(packets) - 1, len(packets) - 2}):
        got, _ = run([packet for k, packet in enumerate(packets) if k not in lost], EventReceiver(48000))
        assert [each.digit for each in got] == ["6"]
        assert got[0].duration_ms == 3000


def test_reported_is_remembered():
    receiver = EventReceiver()
    run(event("2", 500), receiver)
    assert receiver.is_reported(500) and not receiver.is_reported(2500)


@pytest.mark.parametrize("data", [b"", b"\1\2\3", bytes((16, 0x80, 1, 1)), bytes((255, 0x80, 1, 1))])
def test_no_digit(data):
    assert run([(data, 5)])[0] == []


def test_sender_makes_events_that_a_receiver_reads():
    sender = EventSender()
    sender.queue("19#d", 90, 50)
    packets = []
    ts = random.Random(3).randrange(1 << 32)
    n_ticks = 0
    while sender.is_busy:
        packet = sender.step()
        n_ticks += 1
        if packet is None:
            continue
        if packet.begins:
            ts += 5000
        packets.append((packet.payload, ts))
    ends = [data for data, _ in packets if data[1] & 0x80]
    assert len(ends) == 12
    assert packets[0][0] == bytes((1, 10, 0, 160))
    got, _ = run(packets)
    assert got == [Pressed(digit, 100) for digit in "19#D"]
    # 5 updates (the last is the first end), 2 more ends, and what remains of a gap of 60 ms.
    assert n_ticks == 4 * (5 + 2 + 1)


@pytest.mark.parametrize(
    ("digits", "duration", "gap"),
    [("", 100, 60), ("12x", 100, 60), ("1", 10, 60), ("1", 9000, 60), ("1", 100, -1), ("1" * 65, 100, 60)],
    ids=["none", "letter", "short", "long", "gap", "too many"],
)
def test_sender_refuses(digits, duration, gap):
    sender = EventSender()
    with pytest.raises(ValueError, match=r"digit|duration"):
        sender.queue(digits, duration, gap)
    assert not sender.is_busy
