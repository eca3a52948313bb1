"""Any sequence of commands, in virtual time: nothing breaks inside, nobody's sequence numbers do, no timestamp goes
back, and no sample is out of range.

Not here: what is heard (test_conference.py, test_supervision.py, test_gapless.py).
"""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.media import (
    CommandRefused,
    Play,
    ReleaseLeg,
    Room,
    SecureLeg,
    SendDigits,
    StartRecording,
    StopPlay,
    StopRecording,
)
from tests.media.virtual import Phone, Prepared, Silence, World

NAMES = [f"p{i}" for i in range(5)]
CODECS = ("PCMU", "PCMA", "L16/16000", "L16/8000", "G729")
leg = st.sampled_from(NAMES)
edge = st.tuples(leg, leg, st.sampled_from(("", "*0.5", "*2"))).filter(lambda pair: pair[0] != pair[1])
edits = st.one_of(
    st.tuples(st.just("connect"), st.lists(edge, max_size=6), st.lists(st.lists(leg, max_size=5), max_size=2)),
    st.tuples(st.just("call"), leg, leg),
    st.tuples(st.just("play"), leg),
    st.tuples(st.just("stop"), leg),
    st.tuples(st.just("digits"), leg),
    st.tuples(st.just("secure"), leg, st.booleans()),
    st.tuples(st.just("configure"), leg, st.sampled_from((10, 20, 30)), st.booleans()),
    st.tuples(st.just("release"), leg),
    st.tuples(st.just("record"), st.booleans()),
)


def carry_out(world, edit):
    match edit:
        case ("connect", edges, rooms):
            world.connect(*(f"{a}>{b}{gain}" for a, b, gain in edges), rooms=[Room(each, each) for each in rooms])
        case ("call", one, other):
            world.connect(*([f"{one}-{other}"] if one != other else []))
        case ("play", name):
            world.do(Play(session="s", leg=name, play_id="p", sources=["moh:x", "silence:50"], is_looped=True))
        case ("stop", name):
            world.do(StopPlay(session="s", leg=name))
        case ("digits", name):
            world.do(SendDigits(session="s", leg=name, digits="12", duration_ms=60))
        case ("secure", name, is_secure):
            world.do(SecureLeg(session="s", leg=name, is_secure=is_secure))
        case ("configure", name, ptime_ms, may_send):
            phone = world.phones[name]
            phone.ptime_ms = ptime_ms if phone.rate == 8000 else min(ptime_ms, 20)  # more does not fit into a packet
            world.configure(phone, may_send=may_send, dtmf_payload_type=101 if ptime_ms == 20 else -1)
        case ("release", name):
            world.do(ReleaseLeg(session="s", leg=name))
        case ("record", True):
            world.do(StartRecording(session="s", recording="r", path="/r.wav", channels=[NAMES[:2], NAMES[2:]]))
        case ("record", False):
            world.do(StopRecording(session="s", recording="r"))


def assert_sane(phone):
    for stream in [list(each) for _, each in itertools.groupby(phone.heard, key=lambda packet: packet.ssrc)]:
        for before, after in itertools.pairwise(stream):
            assert (after.seq - before.seq) & 0xFFFF == 1, (phone.name, before, after)
            assert (after.ts - before.ts) & 0xFFFFFFFF < 1 << 31, (phone.name, before, after)
    if phone.codec.startswith("L16"):
        audio = phone.audio()
        assert np.isfinite(audio).all() and np.abs(audio).max(initial=0) <= 32767


@given(
    codecs=st.lists(st.sampled_from(CODECS), min_size=5, max_size=5),
    story=st.lists(st.tuples(edits, st.integers(0, 90)), min_size=1, max_size=14),
)
@settings(max_examples=60, deadline=None)
def test_any_edits(codecs, story):
    phones = [
        Phone(name, i, codec, hz=300 + 200 * i, phase_s=0.0037 * i)
        for i, (name, codec) in enumerate(zip(NAMES, codecs, strict=True))
    ]
    music = Prepared(np.sin(np.arange(8000) * 0.7) * 9000)
    world = World(*phones, prompts=Silence(moh_x=music))
    for edit, wait_ms in story:
        carry_out(world, edit)
        world.run(wait_ms / 1000)
    world.run(0.1)
    for phone in phones:
        assert_sane(phone)
    bugs = [event for event in world.events if isinstance(event, CommandRefused) and event.error.startswith("bug")]
    assert not bugs, bugs
