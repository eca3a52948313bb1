"""Header prediction changes nothing but the cost: an engine with it and one without it, fed the same packets, send the
same, keep the same and count the same. Covers loss, repetition, disorder, stalls, markers, other types and lengths,
jumps, new streams, numbers that go round, holds and recordings that come and go. Its cost: `benchmarks.media`.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.arrays import LegTable
from media.inputs import Inputs
from media.prediction import HeaderPrediction
from model.media import ConfigureLeg, GetStatistics, StartRecording, Statistics, StopRecording
from rtp.receiver import ReceiverTable
from rtp.ring import JitterRing
from tests.media.virtual import Phone, World

KINDS = st.sampled_from(
    ["next"] * 12
    + ["lost", "again", "swapped", "marked", "event", "noise", "short", "jump", "stream", "both", "far", "silence"]
    + ["stalled", "long stalled"]
)
EDITS = st.sampled_from([""] * 6 + ["bridge", "hold", "mute", "record", "stop recording", "refuse", "accept"])


def packet(row, seq, ts, payload, *, kind=0, ssrc=0, marker=False):
    return (
        bytes((0x80, kind | (0x80 if marker else 0)))
        + (seq & 0xFFFF).to_bytes(2, "big")
        + (ts & 0xFFFFFFFF).to_bytes(4, "big")
        + (ssrc or 1000 + row).to_bytes(4, "big")
        + payload
    )


class Sender:
    """Makes the packets of one leg as it is told."""

    def __init__(self, row, seq, ts):
        self.row, self.seq, self.ts, self.ssrc, self.n = row, seq, ts, 1000 + row, 0
        self.held = []
        self.n_stalled = 0

    def make(self, kind):
        self.n += 1
        payload = np.full(160, (self.n * 7 + self.row) & 0xFF, np.uint8).tobytes()
        if kind == "short":
            payload = payload[:80]
        elif kind == "jump":
            self.seq, self.ts = self.seq + 5000, self.ts + 123_456
        elif kind == "far":
            self.ts += 30 * 160
        elif kind == "stream":
            self.ssrc, self.seq, self.ts = self.ssrc + 10, self.seq * 3 + 1, self.ts * 5
        elif kind == "silence":
            self.ts += 5 * 160
        made = packet(self.row, self.seq, self.ts, payload, ssrc=self.ssrc, marker=kind in ("marked", "silence"))
        if kind == "event":
            made = packet(self.row, self.seq, self.ts, bytes((1, 10, 0, 160)), kind=101, ssrc=self.ssrc)
        elif kind == "noise":
            made = packet(self.row, self.seq, self.ts, b"\x30", kind=13, ssrc=self.ssrc)
        self.seq, self.ts = self.seq + 1, self.ts + len(payload)
        self.n_stalled = {"stalled": 6, "long stalled": 40}.get(kind, self.n_stalled)
        if kind == "swapped" or self.n_stalled:
            self.n_stalled = max(self.n_stalled - 1, 0)
            self.held.append(made)
            return []
        out = {"lost": [], "again": [made, made]}.get(kind, [made])
        if len(self.held) > 1:  # a network that stood still sends all of it at once, in order
            out, self.held = self.held + out, []
        out, self.held = out + self.held, []
        return out + (self.make("next") if kind == "both" else [])


def world(*, is_predicted):
    made = World(Phone("a", 0), Phone("b", 1), Phone("c", 2))
    for phone in made.phones.values():
        phone.next_at = float("inf")
        made.configure(phone, dtmf_payload_type=101, cn_payload_type=13)
    table = made.engine.table
    table.out_ssrc[:] = [71, 72, 73]
    table.out_seq[:] = [65_530, 20, 65_533]
    table.out_ts[:] = [4_294_966_000, 500, 7]
    if not is_predicted:
        made.engine.prediction.predict = lambda *_: None
    made.connect("a-b")
    return made


def edit(made, what):
    if what == "bridge":
        made.connect("a-b")
    elif what == "hold":
        made.connect("c>a", "a>c*0.5")
    elif what == "mute":
        made.connect("a>b")
    elif what == "record":
        made.do(StartRecording(session="s", recording="r", path="/nowhere", channels=[["a"], ["b"]]))
    elif what == "stop recording":
        made.do(StopRecording(session="s", recording="r"))
    elif what in ("refuse", "accept"):
        made.configure(made.phones["a"], dtmf_payload_type=101, cn_payload_type=13, may_receive=what == "accept")


def statistics(made):
    made.do(GetStatistics(session="s"))
    return next(event for event in reversed(made.events) if isinstance(event, Statistics)).legs


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(KINDS, KINDS, KINDS, EDITS), min_size=20, max_size=120),
    st.integers(0, 0xFFFF),
    st.sampled_from([0, 80, 160 * 40_000, 0xFFFFFFFF - 160 * 20]),
)
def test_nothing_changes(script, seq, ts):
    results = []
    for is_predicted in (True, False):
        made = world(is_predicted=is_predicted)
        senders = [Sender(row, seq + 7 * row, ts + 160 * row) for row in range(3)]
        for *kinds, what in script:
            edit(made, what)
            for sender, kind in zip(senders, kinds, strict=True):
                made.ports.inbox[sender.row] += sender.make(kind)
            made.run(0.02)
        made.run(0.3)
        heard = {name: phone.heard for name, phone in made.phones.items()}
        ring = made.engine.ring
        kept = [ring.read(row, made.engine.clock - 90, 90, 0)[0].tobytes() for row in range(3)]
        results.append((heard, statistics(made), kept, ring.late.tolist(), made.engine.inputs.delays.jitter.tolist()))
    assert results[0] == results[1]


def test_a_steady_stream_is_predicted_also_where_numbers_go_round():
    made = world(is_predicted=True)
    senders = [Sender(0, 0xFFF0, 0xFFFFFFFF - 160 * 8), Sender(1, 5, 5)]
    looked_at = []
    update = made.engine.receiver.update
    made.engine.receiver.update = lambda *args: looked_at.append(len(args[0])) or update(*args)
    for _ in range(60):
        for sender in senders:
            made.ports.inbox[sender.row] += sender.make("next")
        made.run(0.02)
    # The first packets, and what the sequence number's way round ends.
    assert sum(looked_at) <= 8
    found = statistics(made)
    assert [(found[name].packets_received, found[name].packets_lost) for name in "ab"] == [(60, 0), (60, 0)]
    made.phones["b"].assert_continuous()
    assert [int.from_bytes(each.payload[:1], "big") for each in made.phones["b"].heard[:3]] == [7, 14, 21]


def test_a_packet_that_came_twice_in_one_batch_is_counted_and_passed_on_as_such():
    """On shared ports a batch may hold several packets of one leg."""
    made = world(is_predicted=True)
    sender = Sender(0, 100, 0)
    for _ in range(5):
        made.ports.inbox[0] += sender.make("next")
        made.run(0.02)
    ports = made.ports
    again = sender.make("next")[0]
    for n in range(2):
        ports.rows[n][: len(again)] = again
        ports.legs[n], ports.lengths[n] = 0, len(again)
    ports.has_doubles = True
    polls = iter([2, 0])
    ports.poll = lambda timeout_s=0.0: next(polls, 0)
    made.engine.poll(made.now)
    heard = made.phones["b"].heard
    assert [each.payload[0] for each in heard] == [7, 14, 21, 28, 35, 42, 42]
    assert heard[-1].seq == heard[-2].seq == (heard[-3].seq + 1) & 0xFFFF
    assert statistics(made)["a"].packets_duplicate == 1


def test_what_a_dead_worker_had_pending_is_settled_by_its_successor():
    table, receiver = LegTable(2), ReceiverTable(2)
    prediction = HeaderPrediction(table, receiver, Inputs(table, JitterRing(2)))
    table.is_byte_a_tick[0] = table.may_receive[0] = table.is_relay_set[0] = receiver.is_timed[0] = True
    table.relay_to[0], table.out_seq[1], table.relay_seq[0], receiver.max_seq[0] = 1, 50, 40, 10
    legs, lengths = np.array([0]), np.array([172])
    prediction.predict(legs, np.array([10], np.uint16), np.array([1600], np.uint32), lengths)
    for _ in range(3):
        prediction.take(legs, prediction.expect(legs), 1.0)
    heir = HeaderPrediction(table, receiver, Inputs(table, JitterRing(2)))
    heir.words[:], heir.pending[:], heir.arrived[:] = prediction.words, prediction.pending, prediction.arrived
    heir.begin()
    assert (int(table.out_seq[1]), int(receiver.max_seq[0]), int(table.packets_sent[1])) == (53, 13, 3)
    assert not heir.words.any() and not heir.pending.any()


@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus", "L16/8000"])
def test_which_codecs_are_predicted(codec):
    made = World(Phone("a", 0, codec), Phone("b", 1, codec))
    made.connect("a-b")
    made.run(0.5)
    assert made.engine.prediction.words.any() == (codec in ("PCMU", "G722"))
    made.do(ConfigureLeg(session="s", leg="a", port=10_000, remote_host="192.0.2.1", remote_port=1))
    assert not made.engine.prediction.words[0].any()
