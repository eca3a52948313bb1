"""Digits through a real worker: reported and relayed once, mapped, sent, and as tones where the peer has no events.

Not here: the event machines with loss and reordering of every kind (tests/rtp/test_events.py).
"""

import itertools

import numpy as np
import pytest

from media import g711
from model.media import CommandRefused, Digit, GetStatistics, SendDigits, Statistics
from rtp.events import EventReceiver
from tests.media.worker_process import Phone, Worker, bridge, configure, fields

KEYS = {"1": (697, 1209), "5": (770, 1336), "#": (941, 1477)}


def press(phone, event, payload_type=101, packets=5):
    """One digit of 100 ms as phones send it."""
    phone.ts = (phone.ts + 160) & 0xFFFFFFFF
    for k in range(packets):
        body = bytes((event, 10)) + (160 * (k + 1)).to_bytes(2, "big")
        phone.send(body, payload_type=payload_type, marker=k == 0, step=0)
    for _ in range(3):
        body = bytes((event, 0x8A)) + (160 * packets).to_bytes(2, "big")
        phone.send(body, payload_type=payload_type, step=0)
    phone.ts = (phone.ts + 160 * packets) & 0xFFFFFFFF


def digits_in(packets, payload_type):
    receiver = EventReceiver()
    found = []
    for packet in packets:
        kind, _, ts, _, body = fields(packet)
        if kind & 0x7F == payload_type:
            found += receiver.receive(body, ts, 0.0)
    return "".join(each.digit for each in found)


def wait_for_digits(phone, payload_type, n):
    while len(digits_in(phone.received, payload_type)) < n:
        phone.wait_for(len(phone.received) + 1)


def settle(worker):
    worker.switch.send(GetStatistics(session="s1"))
    worker.switch.wait(Statistics)


@pytest.mark.parametrize("codec_of_b", [0, 8], ids=["relay", "transcoding"])
def test_digit_is_reported_and_passed_on_once(codec_of_b):
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(codec_of_b, ssrc=2)
        worker.switch.send(
            configure(worker, a, "a", 0, dtmf_payload_type=101),
            configure(worker, b, "b", 1, dtmf_payload_type=96),
            bridge(("a", "b")),
        )
        settle(worker)
        for event in (1, 5, 5, 11):
            a.send(b"\xff" * 160)
            press(a, event)
            digit = worker.switch.wait(Digit)
            assert (digit.leg, digit.digit, digit.duration_ms) == ("a", "0123456789*#"[event], 100)
        wait_for_digits(b, 96, 4)
        settle(worker)
        b.collect()
        assert digits_in(b.received, 96) == "155#"
        assert not [event for event in worker.switch.events if isinstance(event, Digit)]
        got = [fields(packet) for packet in b.received]
        assert all((y[1] - x[1]) & 0xFFFF == 1 for x, y in itertools.pairwise(got))
        if codec_of_b == 0:
            events = [each for each in got if each[0] & 0x7F == 96]
            assert len(events) == 4 * 8
            # Every timestamp of ours keeps its distance to the peer's, and the duration is untouched.
            assert {int.from_bytes(body[2:4], "big") for *_, body in events} == {160, 320, 480, 640, 800}
            assert len({ts for _, _, ts, _, _ in events}) == 4
        a.close()
        b.close()


def test_digits_are_sent_one_after_the_other():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(
            configure(worker, a, "a", 0, dtmf_payload_type=101),
            configure(worker, b, "b", 1, dtmf_payload_type=101),
            bridge(("a", "b")),
            SendDigits(session="s1", leg="b", digits="1*#D"),
        )
        wait_for_digits(b, 101, 4)
        assert digits_in(b.received, 101) == "1*#D"
        events = [fields(packet) for packet in b.received]
        assert [kind & 0x80 for kind, *_ in events].count(0x80) == 4
        starts = sorted({(ts - events[0][2]) & 0xFFFFFFFF for _, _, ts, _, _ in events})
        assert all(1100 <= y - x <= 2400 for x, y in itertools.pairwise(starts)), starts
        b.received.clear()
        # Afterwards audio flows again, on the same row of numbers.
        last = events[-1]
        while not any(packet[1] & 0x7F == 0 for packet in b.collect()):
            a.send(b"\x55" * 160)
            settle(worker)
        first = next(fields(each) for each in b.received if each[1] & 0x7F == 0)
        assert first[4] == b"\x55" * 160
        assert 1 <= (first[1] - last[1]) & 0xFFFF <= 3 and 0 < (first[2] - last[2]) & 0xFFFFFFFF < 1 << 31
        a.close()
        b.close()


@pytest.mark.parametrize("b_type", [0, 8], ids=["same codec", "other codec"])
def test_peer_without_events_hears_tones(b_type):
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(b_type, ssrc=2)
        worker.switch.send(
            configure(worker, a, "a", 0, dtmf_payload_type=101), configure(worker, b, "b", 1), bridge(("a", "b"))
        )
        settle(worker)
        press(a, 5)
        assert worker.switch.wait(Digit).digit == "5"
        b.wait_for(4)
        assert {packet[1] & 0x7F for packet in b.received} == {b_type}
        codes = np.frombuffer(b"".join(packet[12:] for packet in b.received[:4]), np.uint8)
        assert strongest(g711.decoder("PCMA" if b_type else "PCMU")[codes]) == KEYS["5"]
        a.close()
        b.close()


def strongest(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8000))
    return tuple(
        min(keys, key=lambda f: abs(f - (low + int(spectrum[low:high].argmax()))))
        for low, high, keys in ((600, 1050, (697, 770, 852, 941)), (1100, 1700, (1209, 1336, 1477, 1633)))
    )


def test_nonsense_is_refused():
    with Worker(1) as worker:
        a = Phone()
        worker.switch.send(configure(worker, a, "a", 0), SendDigits(session="s1", leg="a", digits="1x"))
        assert "no DTMF digits" in worker.switch.wait(CommandRefused).error
        worker.switch.send(SendDigits(session="s1", leg="nobody", digits="1"))
        assert "nobody" in worker.switch.wait(CommandRefused).error
        a.close()
