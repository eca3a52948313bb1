"""The jitter ring: what is played equals a plain model for any order, duplication, loss and packet length.

Not here: what the ring is read for (tests/media/test_mixer.py, test_recording.py).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.ring import CHUNK, DEPTH, HISTORY, IDLE, MAX_DEPTH, SLOTS, JitterRing

SILENCE = 0xFF


def put(ring, ts, payload, clock, leg=0, fresh=False):
    data = np.frombuffer(payload, np.uint8).reshape(1, -1)
    ring.put(
        np.array([leg]),
        np.array([ts & 0xFFFFFFFF], np.uint32),
        np.array([True]) if fresh else None,
        data,
        np.array([len(payload)]),
        clock,
    )


def chunk_of(n, tag=0):
    return bytes((n * 7 + i + tag * 31) % 251 for i in range(CHUNK))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_played_equals_model(data):
    """Within the jitter allowed, any order, duplicates and loss play exactly what was sent, and silence where it is
    lost, for every packet length and across the wrap of the timestamp."""
    n_chunks = data.draw(st.sampled_from([1, 2, 3, 4, 6]), "chunks a packet")
    n_packets = data.draw(st.integers(1, 25), "packets")
    base = data.draw(st.sampled_from([0, 12345 * CHUNK, (1 << 32) - 5 * CHUNK, (1 << 31) - 3 * CHUNK + 40]), "ts")
    delays = data.draw(st.lists(st.integers(0, DEPTH - 1), min_size=n_packets, max_size=n_packets), "delays")
    lost = data.draw(st.sets(st.integers(1, n_packets)), "lost")
    twice = data.draw(st.sets(st.integers(0, n_packets - 1)), "twice")
    ring = JitterRing(2)
    start = data.draw(st.integers(0, 3 * SLOTS), "clock")
    arrivals = []
    for i in range(n_packets):
        if i in lost:
            continue
        at = i * n_chunks + (delays[i] if i else 0)
        arrivals.append((at, i))
        if i in twice:
            arrivals.append((at + data.draw(st.integers(0, DEPTH - 1)), i))
    # Among those that arrive together any order is possible; only the very first packet sets the mapping.
    order = data.draw(st.permutations(range(len(arrivals))))
    arrivals = [arrivals[0], *sorted((arrivals[k] for k in order if k), key=lambda each: each[0])]
    model = {}
    played = {}
    queue = list(arrivals)
    for step in range(n_packets * n_chunks + 2 * DEPTH):
        clock = start + step
        while queue and queue[0][0] <= step:
            _, i = queue.pop(0)
            payload = b"".join(chunk_of(i * n_chunks + k) for k in range(n_chunks))
            put(ring, base + i * n_chunks * CHUNK, payload, clock)
            for k in range(n_chunks):
                model[start + DEPTH + i * n_chunks + k] = chunk_of(i * n_chunks + k)
        codes, came = ring.read(0, clock, 1, SILENCE)
        played[clock] = codes.tobytes() if came else None
    for clock, got in played.items():
        assert got == model.get(clock), clock - start
    assert ring.late[0] == sum(1 for at, i in arrivals if i * n_chunks + DEPTH < at)
    # The history holds the same, for a recorder that comes later.
    for clock in range(max(start, start + len(played) - SLOTS + MAX_DEPTH), start + len(played)):
        codes, came = ring.read(0, clock, 1, SILENCE)
        assert (codes.tobytes() if came else None) == model.get(clock)


@settings(max_examples=200, deadline=None)
@given(
    packets=st.lists(
        st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, 768), st.booleans(), st.integers(0, 40)), max_size=40
    )
)
def test_anything_is_survived(packets):
    """Whatever timestamps and lengths come: what is read is stamped right, and never further ahead than the bound."""
    ring = JitterRing(1)
    clock = 0
    for ts, length, fresh, pause in packets:
        clock += pause
        put(ring, ts, bytes(length), clock, fresh=fresh)
        assert ring.end[0] <= clock + MAX_DEPTH + 9 or length < CHUNK or ring.stamp[0].max() <= clock + MAX_DEPTH + 9
        stamps = ring.stamp[0]
        used = np.flatnonzero(stamps >= 0)
        assert ((stamps[used] & (SLOTS - 1)) == used).all()
        assert stamps.max() <= clock + MAX_DEPTH + 9


def test_late_packet_is_counted_and_still_in_the_history():
    ring = JitterRing(1)
    for i in (0, 1, 3):
        put(ring, i * CHUNK, chunk_of(i), clock=i)
    put(ring, 2 * CHUNK, chunk_of(2), clock=2 + DEPTH + 1)
    assert ring.late[0] == 1
    codes, came = ring.read(0, DEPTH, 4, SILENCE)
    assert came == 4 and codes.tobytes() == b"".join(map(chunk_of, range(4)))


def test_packet_beyond_the_history_is_dropped():
    ring = JitterRing(1)
    for i in range(HISTORY + 2 * DEPTH):
        put(ring, i * CHUNK, chunk_of(i), clock=i)
    before = ring.stamp.copy()
    put(ring, 0, chunk_of(99), clock=HISTORY + 2 * DEPTH)
    assert (ring.stamp == before).all() and ring.late[0] == 1


@pytest.mark.parametrize(
    ("ts_step", "fresh"),
    [(80_000_000, False), (-80_000, False), (MAX_DEPTH * CHUNK * 2, False), (5, True)],
    ids=["far ahead", "far back after silence", "too deep", "new SSRC"],
)
def test_jump_restarts_the_mapping(ts_step, fresh):
    ring = JitterRing(1)
    put(ring, 1_000_000, chunk_of(1), clock=0)
    later = DEPTH + IDLE + 5
    put(ring, 1_000_000 + ts_step, chunk_of(2), clock=later, fresh=fresh)
    codes, came = ring.read(0, later + DEPTH, 1, SILENCE)
    assert came == 1 and codes.tobytes() == chunk_of(2)
    assert ring.late[0] == 0 and ring.n_restarts[0] == 2


def test_stream_that_is_always_late_restarts():
    """The path became slower by 100 ms for good: a few packets are lost, then it plays again."""
    ring = JitterRing(1)
    heard = 0
    for clock in range(0, 100, 2):
        delay = 0 if clock < 20 else 10
        put(ring, (clock - delay) * CHUNK, chunk_of(1) * 2, clock=clock)
        _, came = ring.read(0, clock, 2, SILENCE)
        heard += came == 2
    assert ring.n_restarts[0] == 2
    assert heard > 30


def test_silence_then_speech_on_the_same_clock_is_not_a_restart():
    """A peer that sends nothing while silent (VAD) goes on with timestamps that counted the silence."""
    ring = JitterRing(1)
    put(ring, 0, chunk_of(0), clock=0)
    put(ring, 500 * CHUNK, chunk_of(1), clock=500)
    codes, came = ring.read(0, 500 + DEPTH, 1, SILENCE)
    assert came == 1 and codes.tobytes() == chunk_of(1) and ring.n_restarts[0] == 1


def test_legs_do_not_mix():
    ring = JitterRing(3)
    ring.put(
        np.array([2, 0]),
        np.array([800, 70_000], np.uint32),
        None,
        np.frombuffer(chunk_of(1) * 2 + chunk_of(2) * 2, np.uint8).reshape(2, -1),
        np.array([160, 80]),
        10,
    )
    assert ring.read(2, 10 + DEPTH, 2, SILENCE)[0].tobytes() == chunk_of(1) * 2
    assert ring.read(0, 10 + DEPTH, 2, SILENCE)[0].tobytes() == chunk_of(2) + bytes([SILENCE]) * CHUNK
    assert ring.read(1, 10 + DEPTH, 2, SILENCE)[1] == 0


def test_reset_forgets_the_audio():
    ring = JitterRing(1)
    put(ring, 0, chunk_of(0), clock=0)
    ring.reset(0)
    assert ring.read(0, DEPTH, 1, SILENCE)[1] == 0
