"""Timestamps of packets made in the tick when their kind changes (RFC 4733 §2.5.1.1: an event's time is that of its
beginning). Not here: what is in the packets (test_mixer, test_dtmf)."""

from itertools import pairwise

import pytest

from model.media import ConnectMatrix, Edge, SendDigits
from tests.media.virtual import Phone, World

EVENT_TYPE = 101


@pytest.mark.parametrize("n_edits", [0, 1, 3])
def test_audio_after_digits_has_the_time_that_has_passed(n_edits: int) -> None:
    """The mix is laid out anew, more than once, between the last packet of a digit and the first of audio."""
    a, b, c = Phone("a", 0, "PCMU"), Phone("b", 1, "PCMA"), Phone("c", 2, "PCMA")
    world = World(a, b, c)
    world.configure(b, dtmf_payload_type=EVENT_TYPE)
    edges = [Edge("a", "b"), Edge("a", "c")]
    world.do(ConnectMatrix(session="s", edges=edges))
    world.run(1.0)
    world.do(SendDigits(session="s", leg="b", digits="1", duration_ms=100, gap_ms=60))
    world.run(0.02)
    while world.engine.digits.senders:
        world.run(0.02)
    for n in range(n_edits):
        world.do(ConnectMatrix(session="s", edges=edges[: 1 + n % 2]))
        world.engine.planner.plan(world.now)
    world.run(1.0)
    events = [packet for packet in b.heard if packet.type == EVENT_TYPE]
    [after] = [k for k in range(1, len(b.heard)) if b.heard[k - 1] is events[-1]]
    first, began = b.heard[after], events[0]
    assert len({packet.ts for packet in events}) == 1
    passed_ms = ((first.ts - began.ts) & 0xFFFFFFFF) / 8
    assert passed_ms == pytest.approx((first.at - began.at) * 1000, abs=20)
    assert passed_ms >= 100


@pytest.mark.parametrize("late_s", [0.06, 0.2])
@pytest.mark.parametrize("ptime_ms", [10, 40, 60])
def test_a_process_that_was_late_does_not_move_the_time_of_audio_that_goes_on(ptime_ms: int, late_s: float) -> None:
    """Packets of another length than the tick's, whose audio has no gap: neither have their timestamps."""
    a, b, c = Phone("a", 0, "PCMU"), Phone("b", 1, "PCMA"), Phone("c", 2, "PCMA")
    world = World(a, b, c)
    world.configure(b, ptime_ms=ptime_ms)
    world.do(ConnectMatrix(session="s", edges=[Edge("a", "b"), Edge("c", "b")]))
    world.run(1.0)
    n_before = len(b.heard)
    assert n_before > 10
    # What was due meanwhile is done one after the other, all of it late.
    world.delay(late_s)
    world.run(1.0)
    steps = {(after.ts - before.ts) & 0xFFFFFFFF for before, after in pairwise(b.heard[n_before - 5 :])}
    assert steps == {8 * ptime_ms}
