"""What a listener misses or hears twice when the path of his audio changes: nothing, sample by sample, whenever in the
20 ms the change comes; and how long his packets stay away: one packet at the most.

Everybody speaks noise of his own, so that any place in what was heard can be found in what was said. Not here: who
hears whom (test_conference.py, test_supervision.py).
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.media import Play, Room, SendDigits, StartRecording, StopPlay, StopRecording
from tests.media.virtual import NoWriter, Phone, Prepared, Silence, World

WINDOW_S = 0.03
"""Stretch of what was heard that is looked for at a time."""


def voice(seed, rate=8000):
    """Eight seconds of noise from 100 to 1000 Hz."""
    n = 8 * rate
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, n))
    hz = np.fft.rfftfreq(n, 1 / rate)
    spectrum[(hz > 1000) | (hz < 100)] = 0
    sound = np.fft.irfft(spectrum)
    return sound / np.abs(sound).max() * 6000


VOICES = [voice(seed) for seed in range(3)]
WIDE_VOICES = [voice(seed, 16000) for seed in range(3)]


def phones(phases=(0.003, 0.011, 0.017), codec="PCMU", ptime_ms=20):
    voices = WIDE_VOICES if codec == "L16/16000" else VOICES
    return [
        Phone(name, i, codec, voice=voices[i], phase_s=phases[i], ptime_ms=ptime_ms) for i, name in enumerate("abc")
    ]


def shifts(listener, speaker, since=0.0, until=1e9):
    """Where in the speaker's voice what was heard lies: (sample heard, how far ahead of it in the voice), whenever that
    changes. One entry means that not a sample was lost or repeated."""
    window = int(WINDOW_S * speaker.rate)
    audio = np.concatenate([listener.decode(each.payload) for each in listener.heard if since <= each.at < until])
    n = 1 << (len(speaker.voice) + window).bit_length()
    spectrum = np.fft.rfft(speaker.voice, n)
    found = []
    for at in range(0, len(audio) - window, window):
        part = audio[at : at + window]
        match = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, n)), n)[: len(speaker.voice)]
        place = int(np.argmax(match))
        if match[place] > 0.7 * np.dot(part, part) and (not found or found[-1][1] != place - at):
            found.append((at, place - at))
    return found


def longest_gap_s(phone, since=0.0):
    return max(b.at - a.at for a, b in itertools.pairwise(phone.heard) if b.at > since)


def soften(world, *names):
    """These speak softly, so that the others can still be found in the mix."""
    for name in names:
        world.phones[name].voice = world.phones[name].voice * 0.1


@given(
    phases=st.tuples(*[st.integers(0, 19)] * 3),
    edits=st.lists(st.integers(0, 39), min_size=1, max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_from_relay_to_mix_and_back_whenever_it_comes(phases, edits):
    world = World(*phones([phase / 1000 + 0.0003 for phase in phases]))
    soften(world, "c")
    world.connect("a-b")
    world.run(0.3)
    for offset in edits:
        world.connect("a-b", "a-c", "b-c")
        world.run(0.3 + offset / 1000)
        world.connect("a-b")
        world.run(0.3)
    for one, other in ("ab", "ba"):
        listener = world.phones[one]
        listener.assert_continuous()
        assert len(shifts(listener, world.phones[other])) == 1, one
    assert world.engine.table.relay_to[:2].tolist() == [1, 0], "it is a relay again"


@pytest.mark.parametrize("n_ms", [10, 20, 30, 40, 60])
def test_packets_of_every_length(n_ms):
    """Packets that are no 20 ms need a little more delay in the mix: that is made by lengthening some periods of the
    voice, not by a gap."""
    world = World(*phones(ptime_ms=n_ms))
    soften(world, "c")
    world.connect("a-b")
    world.run(0.6)
    world.connect("a-b", "a-c", "b-c")
    world.run(0.6)
    world.connect("a-b")
    world.run(0.6)
    for one, other in ("ab", "ba"):
        world.phones[one].assert_continuous(max_gap_s=0.0201 + 2 * n_ms / 1000)
        places = [place for _, place in shifts(world.phones[one], world.phones[other])]
        assert -240 <= min(places) <= max(places) == 0 and (n_ms != 20 or places == [0])


def test_while_a_recording_reads_the_same_ring():
    writer = NoWriter()
    world = World(*phones(), writer=writer)
    soften(world, "c")
    world.connect("a-b")
    world.run(0.3)
    world.do(StartRecording(session="s", recording="r", path="/r.wav", channels=[["a"], ["b"]]))
    world.run(0.4)
    world.connect("a-b", "a-c", "b-c")
    world.run(0.5)
    world.connect("a-b")
    world.run(0.5)
    world.do(StopRecording(session="s", recording="r"))
    world.run(0.3)
    for i, (one, other) in enumerate(("ba", "ab")):
        world.phones[one].assert_continuous()
        assert len(shifts(world.phones[one], world.phones[other])) == 1
        kept = b"".join(bytes(sound.samples) for take in writer.takes for sound in take.channels[i])
        said = b"".join(world.phones[other].sent)
        assert kept.strip(b"\xff") in said, "and the recording is whole"


def test_while_a_third_listens_all_the_time():
    world = World(*phones())
    soften(world, "c")
    world.connect("a-b", "a>c", "b>c*0.1")
    world.run(0.4)
    world.connect("a-b", "a-c", "b-c")
    world.run(0.4)
    world.connect("a-b", "a>c", "b>c*0.1")
    world.run(0.4)
    for one, other in ("ab", "ba"):
        world.phones[one].assert_continuous()
        assert len(shifts(world.phones[one], world.phones[other])) == 1
    world.phones["c"].assert_continuous()


def test_music_comes_and_goes():
    """Relay, music, relay: the music may take the place of what was said, no packet may be missing or doubled."""
    at = np.arange(8000) / 8000
    world = World(*phones(), prompts=Silence(moh_default=Prepared(np.sin(2 * np.pi * 2500 * at) * 3000)))
    world.connect("a-b")
    for _ in range(3):
        world.run(0.313)
        world.do(Play(session="s", leg="b", play_id="p", sources=["moh:default"], is_looped=True))
        world.run(0.307)
        world.do(StopPlay(session="s", leg="b"))
    world.run(0.3)
    a, b = world.phones["a"], world.phones["b"]
    b.assert_continuous()
    a.assert_continuous()
    assert len(shifts(a, b)) == 1, "the other one hears on"
    # What b hears after the music is what a says then, at once: as far on as the time that has passed.
    jumps = [after - before for (_, before), (_, after) in itertools.pairwise(shifts(b, a))]
    assert all(abs(jump) <= 2 * 160 for jump in jumps)


def test_digits_come_and_go():
    """Telephone-events in the middle of a relay: numbers go on, and what is said afterwards is whole."""
    world = World(*phones())
    for phone in world.phones.values():
        world.configure(phone, dtmf_payload_type=101)
    world.connect("a-b")
    world.run(0.3)
    world.do(SendDigits(session="s", leg="b", digits="5", duration_ms=100))
    began = world.run(0.6)
    b = world.phones["b"]
    assert {each.type for each in b.heard} == {0, 101}
    assert all((y.seq - x.seq) & 0xFFFF == 1 for x, y in itertools.pairwise(b.heard))
    assert longest_gap_s(b, began) <= 0.0401
    assert len(shifts(b, world.phones["a"], began + 0.35)) == 1


@pytest.mark.parametrize("codec", ["PCMA", "L16/16000", "L16/8000"])
def test_other_codecs(codec):
    """Codecs of the desk go through it when they are mixed, and lose no more than what does not fill a packet."""
    world = World(*phones(codec=codec))
    soften(world, "c")
    world.connect("a-b")
    world.run(0.4)
    world.connect("a-b", "a-c", "b-c")
    world.run(0.5)
    world.connect("a-b")
    world.run(0.4)
    for one, other in ("ab", "ba"):
        phone = world.phones[one]
        phone.assert_continuous(max_gap_s=0.0501)
        found = shifts(phone, world.phones[other])
        assert max(place for _, place in found) - min(place for _, place in found) <= 0.02 * phone.rate, found


def test_call_grows_to_a_conference_and_shrinks():
    """From two to twelve and back, in a room that is edges first and mixed as a whole later."""
    others = [Phone(f"x{i}", 3 + i, hz=300.0, level=30.0, phase_s=i / 1000) for i in range(9)]
    world = World(*phones(), *others)
    soften(world, "c")
    world.connect("a-b")
    world.run(0.3)
    for names in (["a", "b", "c"], [*world.phones], ["a", "b", "c"]):
        world.connect(rooms=[Room(names, names)])
        world.run(0.4)
    world.connect("a-b")
    world.run(0.3)
    for one, other in ("ab", "ba"):
        world.phones[one].assert_continuous()
        assert len(shifts(world.phones[one], world.phones[other])) == 1
