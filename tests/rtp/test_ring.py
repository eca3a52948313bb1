"""The jitter ring: what it holds equals a plain model for any order, duplication, loss, packet length and phase; bytes
and samples at any RTP clock; jumps; slips of recordings.

Not here: what the ring is read for (tests/media/test_inputs.py, test_recording.py).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.ring import CHUNK, DEPTH, HISTORY, IDLE, MAX_AHEAD, MAX_BEHIND, MAX_CHUNKS, SLOTS, JitterRing

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
    # The history holds the same, for a recorder that comes later.
    assert ring.n_restarts[0] == 1
    for clock in range(max(start, start + len(played) - SLOTS + MAX_AHEAD + DEPTH), start + len(played)):
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
        assert (
            ring.end[0] <= clock + DEPTH + MAX_AHEAD + MAX_CHUNKS
            or length < CHUNK
            or ring.stamp[0].max() <= clock + DEPTH + MAX_AHEAD + MAX_CHUNKS
        )
        stamps = ring.stamp[0]
        used = np.flatnonzero(stamps >= 0)
        assert ((stamps[used] & (SLOTS - 1)) == used).all()
        assert stamps.max() <= clock + DEPTH + MAX_AHEAD + MAX_CHUNKS


def test_late_packet_is_still_in_the_history():
    ring = JitterRing(1)
    for i in (0, 1, 3):
        put(ring, i * CHUNK, chunk_of(i), clock=i)
    put(ring, 2 * CHUNK, chunk_of(2), clock=2 + DEPTH + 1)
    codes, came = ring.read(0, DEPTH, 4, SILENCE)
    assert came == 4 and codes.tobytes() == b"".join(map(chunk_of, range(4)))


def test_packet_beyond_the_history_is_dropped():
    ring = JitterRing(1)
    for i in range(HISTORY + 2 * DEPTH):
        put(ring, i * CHUNK, chunk_of(i), clock=i)
    before = ring.stamp.copy()
    put(ring, 0, chunk_of(99), clock=HISTORY + 2 * DEPTH)
    assert (ring.stamp == before).all()


@pytest.mark.parametrize(
    ("ts_step", "fresh"),
    [(80_000_000, False), (-80_000, False), (MAX_AHEAD * CHUNK * 3, False), (5, True)],
    ids=["far ahead", "far back after silence", "too deep", "new SSRC"],
)
def test_jump_restarts_the_mapping(ts_step, fresh):
    ring = JitterRing(1)
    put(ring, 1_000_000, chunk_of(1), clock=0)
    later = 2 * IDLE + 5
    put(ring, 1_000_000 + ts_step, chunk_of(2), clock=later, fresh=fresh)
    codes, came = ring.read(0, later + DEPTH, 1, SILENCE)
    assert came == 1 and codes.tobytes() == chunk_of(2)
    assert ring.n_restarts[0] == 2


@pytest.mark.parametrize(("behind", "restarts"), [(10, 1), (MAX_BEHIND + 4, 2)], ids=["100 ms", "540 ms"])
def test_path_that_becomes_slower_for_good(behind, restarts):
    """A somewhat slower network is a matter of delay; timestamps far back are another stream of time."""
    ring = JitterRing(1)
    for clock in range(0, 400, 2):
        delay = 0 if clock < 200 else behind
        put(ring, (clock - delay) * CHUNK, chunk_of(1) * 2, clock=clock)
    assert ring.n_restarts[0] == restarts
    assert ring.end[0] == 398 + DEPTH + 2 - (behind if restarts == 1 else 0)


def test_burst_after_a_stall_is_kept_whole():
    """Nothing for 200 ms, then all of it at once, in order."""
    ring = JitterRing(1)
    for i in range(10):
        put(ring, 2 * i * CHUNK, chunk_of(2 * i) + chunk_of(2 * i + 1), clock=2 * i)
    for i in range(10, 20):
        put(ring, 2 * i * CHUNK, chunk_of(2 * i) + chunk_of(2 * i + 1), clock=38)
    end = int(ring.end[0])
    codes, came = ring.read(0, end - 20, 20, SILENCE)
    assert came == 20 and codes.tobytes() == b"".join(map(chunk_of, range(20, 40)))


@pytest.mark.parametrize("size", [160, 100, 33, 80, 240, 480])
@pytest.mark.parametrize("phase", [0, 37, 79])
def test_stream_of_any_phase_and_packet_size_is_kept_bit_for_bit(size, phase):
    ring = JitterRing(1)
    sent = np.random.default_rng(size + phase).integers(0, 255, 40 * 480).astype(np.uint8)
    n = min(len(sent) // size, 100 * CHUNK // size)
    for i in range(n):
        clock = i * size // CHUNK
        put(ring, 7 * CHUNK + phase + i * size, sent[i * size : (i + 1) * size].tobytes(), clock=clock)
    whole = n * size // CHUNK
    codes, came = ring.read(0, DEPTH, whole, SILENCE)
    assert came == whole and (codes == sent[: whole * CHUNK]).all()


def test_silence_that_is_no_whole_number_of_chunks_moves_nothing():
    """Silence suppression: the talkspurt begins at any sample."""
    ring = JitterRing(1)
    put(ring, 0, chunk_of(0) * 2, clock=0)
    put(ring, 160 + 1203, chunk_of(1) * 2, clock=17)
    codes, _ = ring.read(0, DEPTH, 20, SILENCE)
    assert codes[1363 : 1363 + 160].tobytes() == chunk_of(1) * 2
    assert ring.n_restarts[0] == 1


@pytest.mark.parametrize("ticks", [80, 160, 480])
def test_samples_at_any_rtp_clock(ticks):
    """16 kHz samples of a codec with an RTP clock of 8, 16 or 48 kHz; its packets may hold half a chunk."""
    ring = JitterRing(2, 160, np.int16)
    ring.reset(1, ticks)
    sent = np.arange(1, 160 * 12 + 1).astype(np.int16)
    for i in range(24):
        part = sent[i * 80 : (i + 1) * 80].reshape(1, -1)
        ts = np.array([0xFFFFFF00 + i * ticks // 2], np.uint64).astype(np.uint32)
        ring.put(np.array([1]), ts, None, part, np.array([80]), i // 2)
    samples, came = ring.read(1, DEPTH, 12, 0)
    assert came == 12 and samples.dtype == np.int16 and (samples == sent).all()


def test_slip_of_a_recording_is_passed_once_by_a_crossfade():
    ring = JitterRing(1)
    ring.blend = lambda row, before, after: (before // 2 + after // 2).astype(np.uint8)
    sent = np.arange(60 * CHUNK) % 199
    for i in range(60):
        put(ring, i * CHUNK, sent[i * CHUNK : (i + 1) * CHUNK].astype(np.uint8).tobytes(), clock=i)
    ring.slip(0, DEPTH + 20, 50)
    whole, came = ring.read(0, DEPTH, 40, SILENCE)
    parts = np.concatenate([ring.read(0, DEPTH + k, n, SILENCE)[0] for k, n in ((0, 7), (7, 13), (20, 1), (21, 19))])
    assert came == 40 and (whole == parts).all()
    assert (whole[: 20 * CHUNK] == sent[: 20 * CHUNK]).all()
    assert (whole[21 * CHUNK :] == sent[21 * CHUNK + 50 : 40 * CHUNK + 50]).all()
    ring.slip(0, DEPTH + 45, -50)
    assert (ring.read(0, DEPTH + 50, 5, SILENCE)[0] == sent[50 * CHUNK : 55 * CHUNK]).all()


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
