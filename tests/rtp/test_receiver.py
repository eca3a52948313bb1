"""Receiver statistics of RFC 3550 (A.1, A.3, A.8), many legs at once.

Not here: how they are put into RTCP reports (tests/media/test_rtcp.py).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.receiver import ReceiverTable


def feed(table, seqs, *, leg=0, ssrc=7, ts=None, now=None, audio=True):
    results = []
    for i, seq in enumerate(seqs):
        results.append(
            table.update(
                np.array([leg]),
                np.array([seq & 0xFFFF], np.uint16),
                np.array([(ts[i] if ts else seq * 160) & 0xFFFFFFFF], np.uint32),
                np.array([ssrc], np.int64),
                np.array([160]),
                np.array([audio]),
                now[i] if now else i * 0.02,
            )
        )
    return results


@pytest.mark.parametrize(
    ("seqs", "lost", "duplicates"),
    [
        (range(100), 0, 0),
        (range(65500, 65600), 0, 0),
        ([1, 2, 3, 5, 6, 9], 3, 0),
        ([1, 2, 2, 3, 3, 3], 0, 3),
        ([1, 3, 2, 4], 0, 0),
        ([65535, 1, 0, 2], 0, 0),
        ([5, 4, 3, 6], 0, 0),
        ([1, 50, 2], 47, 0),
        ([1, 70, 70, 1], 68, 2),
    ],
    ids=[
        "in order",
        "wrap",
        "lost",
        "twice",
        "swapped",
        "swapped at wrap",
        "before the first",
        "far",
        "older than the window",
    ],
)
def test_counting(seqs, lost, duplicates):
    table = ReceiverTable(1)
    seqs = list(seqs)
    feed(table, seqs)
    assert (table.lost(0), int(table.duplicates[0]), int(table.packets[0])) == (lost, duplicates, len(seqs))


@given(
    st.integers(0, 65535),
    st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 5)), min_size=1, max_size=200),
)
def test_loss_is_what_was_lost(start, fates):
    """Any pattern of loss, duplication and near reordering: lost = packets of the stream that never came."""
    arriving = []
    for i, (copies, again, delay) in enumerate(fates):
        arriving += [(i + delay, i)] * (copies + (copies and again))
    arriving.sort(key=lambda each: each[0])
    table = ReceiverTable(1)
    feed(table, [start + i for _, i in arriving])
    came = {i for _, i in arriving}
    first = arriving[0][1] if arriving else 0
    # A.3 counts from the packet that arrived first.
    assert table.lost(0) == max(0, max(came) - first + 1 - len(came) if came else 0)
    assert int(table.duplicates[0]) == len(arriving) - len(came)


def test_new_ssrc_begins_anew_and_keeps_the_loss():
    table = ReceiverTable(1)
    assert feed(table, [10, 12])[0][1].tolist() == [True]
    valid, fresh = feed(table, [500], ssrc=8)[0]
    assert valid is None and fresh.tolist() == [True]
    feed(table, [501, 503], ssrc=8)
    assert table.lost(0) == 2 and table.packets[0] == 5


def test_far_jump_needs_two_packets():
    """A.1: one packet far off is noise, two in a row are a restarted sender."""
    table = ReceiverTable(1)
    feed(table, [1, 2, 3])
    valid, _ = feed(table, [30_000])[0]
    assert valid.tolist() == [False]
    assert feed(table, [4])[0] == (None, None)
    feed(table, [30_000])
    valid, fresh = feed(table, [30_001])[0]
    assert valid is None and fresh.tolist() == [True]
    assert table.lost(0) == 0 and table.packets[0] == 5


def test_jitter_of_a_steady_stream_is_nothing_and_of_an_alternating_one_known():
    steady, uneven = ReceiverTable(1), ReceiverTable(1)
    seqs = list(range(2000))
    feed(steady, seqs, now=[1000 + i * 0.02 for i in seqs])
    feed(uneven, seqs, now=[1000 + i * 0.02 + (i % 2) * 0.004 for i in seqs])
    assert steady.jitter[0] < 1
    assert uneven.jitter[0] == pytest.approx(32, abs=1.5)  # |D| is 4 ms = 32 units in every step
    assert uneven.max_jitter[0] >= uneven.jitter[0]


def test_jitter_survives_the_wrap_of_the_timestamp():
    table = ReceiverTable(1)
    ts = [(1 << 32) - 800 + i * 160 for i in range(50)]
    feed(table, list(range(50)), ts=ts, now=[5 + i * 0.02 for i in range(50)])
    assert table.jitter[0] < 1


def test_events_do_not_count_as_jitter():
    table = ReceiverTable(1)
    feed(table, list(range(20)), ts=[100] * 20, audio=False)
    assert table.jitter[0] == 0


def test_fraction_lost_by_interval():
    table = ReceiverTable(1)
    feed(table, [0, 1, 2, 3])
    assert table.take_fraction_lost(0) == 0
    feed(table, [4, 6, 8])
    assert table.take_fraction_lost(0) == 2 * 256 // 5
    assert table.take_fraction_lost(0) == 0


def test_many_legs_in_one_batch():
    table = ReceiverTable(4)
    legs = np.array([3, 0, 2])
    for step in range(10):
        table.update(
            legs,
            np.array([step, 2 * step, 65530 + step]).astype(np.uint16),
            np.full(3, step * 160, np.uint32),
            np.array([1, 2, 3], np.int64),
            np.full(3, 160),
            np.ones(3, np.bool_),
            step * 0.02,
        )
    assert [table.lost(row) for row in range(4)] == [9, 0, 0, 0]
    assert table.packets.tolist() == [10, 0, 10, 10]


def test_reset():
    table = ReceiverTable(1)
    feed(table, [1, 5])
    table.reset(0)
    assert (table.lost(0), int(table.packets[0]), int(table.ssrc[0])) == (0, 0, -1)


def test_many_are_reported_as_each_alone():
    rng = np.random.default_rng(3)
    one, many = ReceiverTable(8), ReceiverTable(8)
    rows = np.arange(8)
    for k in range(300):
        came = rows[rng.random(8) > 0.1]
        if len(came):
            for table in (one, many):
                n = len(came)
                seq = ((k + came * 9000) & 0xFFFF).astype(np.uint16)
                table.update(
                    came,
                    seq,
                    np.full(n, k * 160, np.uint32),
                    came + 1,
                    np.full(n, 160),
                    np.ones(n, np.bool_),
                    k * 0.02,
                )
        if k % 50 == 49:
            fraction, lost = many.report(rows)
            assert fraction.tolist() == [one.take_fraction_lost(row) for row in range(8)]
            assert lost.tolist() == [one.lost(row) for row in range(8)]
