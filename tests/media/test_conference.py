"""Who hears whom in a session, driven in virtual time, a tone for each leg: calls of two, mute, hold, conferences of
3, 20 and 200, mixed codecs and packet lengths, legs that leave, secure legs; the automatic gain at work.

Not here: what a supervisor does (test_supervision.py), lost and repeated audio at edits (test_gapless.py).
"""

import numpy as np
import pytest

from media.session import LOUDEST
from model.media import CommandRefused, Play, ReleaseLeg, Room, SecureLeg, StopPlay
from tests.media.virtual import Phone, Prepared, Silence, World

SETTLED_S = 0.2
"""After so long every edit has been heard and every filter's tail is over."""


def phones(n, *codecs, **more):
    return [
        Phone(
            f"p{i}",
            i,
            codecs[i % len(codecs)] if codecs else "PCMU",
            hz=300 + 90 * i,
            phase_s=i * 7 % 20 / 1000,
            **more,
        )
        for i in range(n)
    ]


def assert_heard(world, began, wanted, names=None):
    """`wanted`: listener -> {speaker: gain} of everybody who is heard at all."""
    for listener in names or world.phones:
        phone = world.phones[listener]
        for speaker, other in world.phones.items():
            if other.level < 1000:
                continue
            gain = wanted.get(listener, {}).get(speaker, 0.0)
            level = phone.hears(other, began + SETTLED_S) if phone.heard else 0.0
            assert level == pytest.approx(gain, abs=0.04), (listener, speaker)


def everybody(world):
    return {a: {b: 1.0 for b in world.phones if b != a} for a in world.phones}


def test_bridge_mute_hold_with_music_and_back():
    at = np.arange(8000) / 8000
    music = Prepared(np.sin(2 * np.pi * 2000 * at) * 5000)
    a, b = phones(2)
    world = World(a, b, prompts=Silence(moh_default=music))
    player = Phone("music", 9, hz=2000, level=5000)
    world.connect("p0-p1")
    assert_heard(world, world.run(0.6), everybody(world))
    world.connect("p1>p0")  # p0 is muted
    began = world.run(0.6)
    assert_heard(world, began, {"p0": {"p1": 1.0}})
    world.connect()
    world.do(Play(session="s", leg="p0", play_id="hold", sources=["moh:default"], is_looped=True))
    began = world.run(0.6)
    assert_heard(world, began, {})
    assert a.hears(player, began + SETTLED_S) == pytest.approx(1, abs=0.03)
    assert b.hears(player, began + SETTLED_S) < 0.01
    world.do(StopPlay(session="s", leg="p0"))
    world.connect("p0-p1")
    began = world.run(0.6)
    assert_heard(world, began, everybody(world))
    assert a.hears(player, began + SETTLED_S) < 0.01
    a.assert_continuous()
    assert len({each.ssrc for each in b.heard}) == 1


@pytest.mark.parametrize(
    "codecs",
    [("PCMU",), ("PCMU", "PCMA"), ("PCMA", "L16/16000", "PCMU"), ("L16/16000", "L16/8000")],
    ids=["one law", "both laws", "narrow and wide", "L16"],
)
@pytest.mark.parametrize("how", ["edges", "room"])
def test_three(codecs, how):
    world = World(*phones(3, *codecs))
    names = list(world.phones)
    if how == "edges":
        world.connect("p0-p1", "p1-p2", "p0-p2")
    else:
        world.connect(rooms=[Room(names, names)])
    assert_heard(world, world.run(0.8), everybody(world))
    for phone in world.phones.values():
        phone.assert_continuous()


@pytest.mark.parametrize("codec", ["PCMU", "L16/16000"])
def test_echo(codec):
    """Who hears himself is given back what he says, as he says it; another in the session hears nothing of it."""
    a, b = phones(2, codec)
    world = World(a, b)
    world.connect("p0>p0")
    world.run(0.6)
    got = [each.payload for each in a.heard]
    assert got == a.sent[: len(got)] and len(got) >= 29 and b.heard == []
    a.assert_continuous()
    world.connect("p0>p0*0.5")
    began = world.run(0.6)
    assert a.hears(a, began + SETTLED_S) == pytest.approx(0.5, abs=0.04)


def test_edges_and_rooms_add_up():
    world = World(*phones(4))
    world.connect("p3>p0*0.5", "p1>p0", rooms=[Room(["p0", "p1"], ["p0", "p1", "p2"]), Room(["p2"], ["p3"])])
    wanted = {
        "p0": {"p1": 2.0, "p3": 0.5},
        "p1": {"p0": 1.0},
        "p2": {"p0": 1.0, "p1": 1.0},
        "p3": {"p2": 1.0},
    }
    assert_heard(world, world.run(0.8), wanted)


def test_conference_of_20():
    """Five speak, fifteen listen quietly: everybody hears the five, never himself."""
    n = 20
    world = World(*phones(n, "PCMU", "PCMA"))
    for i, phone in enumerate(world.phones.values()):
        phone.level = 3000.0 if i < 5 else 20.0
    names = list(world.phones)
    world.connect(rooms=[Room(names, names)])
    began = world.run(0.8)
    talkers = names[:5]
    for listener in names:
        for speaker in talkers:
            level = world.phones[listener].hears(world.phones[speaker], began + SETTLED_S)
            assert level == pytest.approx(float(speaker != listener), abs=0.04), (listener, speaker)
    for phone in world.phones.values():
        phone.assert_continuous()


def test_big_room_of_narrow_and_wide_legs():
    """Three of twelve speak, one of them above 4 kHz: that is for wide legs alone."""
    world = World(*phones(12, "PCMU", "L16/16000", "L16/8000"))
    for i, phone in enumerate(world.phones.values()):
        phone.level = 4000.0 if i < 3 else 20.0
    world.phones["p1"].hz = 6000.0
    names = list(world.phones)
    world.connect(rooms=[Room(names, names)])
    began = world.run(0.8)
    for listener in names:
        for speaker in names[:3]:
            is_heard = speaker != listener and (speaker != "p1" or world.phones[listener].rate == 16000)
            level = world.phones[listener].hears(world.phones[speaker], began + SETTLED_S)
            assert level == pytest.approx(float(is_heard), abs=0.04), (listener, speaker)
    for phone in world.phones.values():
        phone.assert_continuous()


def test_conference_of_200_lets_the_loudest_speak():
    n = 200
    world = World(*phones(n))
    names = list(world.phones)
    talkers = names[:12]
    for i, phone in enumerate(world.phones.values()):
        phone.hz = 200 + 250 * i if i < 12 else 3900.0
        phone.level = 5.0 if i >= 12 else 800.0 if i < 4 else 6000.0 + 100 * i
    world.connect(rooms=[Room(names, names)])
    began = world.run(0.5)
    loudest = set(talkers[-LOUDEST:])
    for listener in (names[0], talkers[-1], names[100], names[199]):
        heard = [world.phones[listener].hears(world.phones[speaker], began + SETTLED_S) for speaker in talkers]
        # What is heard is as loud for all: the automatic gain takes from everybody alike.
        gain = max(heard)
        assert gain > 0.4
        for speaker, level in zip(talkers, heard, strict=True):
            if speaker in loudest and speaker != listener:
                assert level == pytest.approx(gain, abs=0.06), (listener, speaker)
            else:
                assert level < gain / 4, (listener, speaker)
    for phone in world.phones.values():
        phone.assert_continuous()
    world.phones[talkers[-1]].is_muted = True
    world.run(1.5)
    began = world.run(0.4)
    levels = [world.phones[names[100]].hears(world.phones[name], began) for name in talkers[:4]]
    assert sum(level > 0.3 for level in levels) == 1, "one of the others moves up"


@pytest.mark.parametrize("n", [3, 12], ids=["edges", "big room"])
def test_volume_of_a_speaker(n):
    """One is heard half as loud, and later not at all, by everybody; the step makes no click."""
    world = World(*phones(n, level=100.0))
    names = list(world.phones)
    soft, other = world.phones["p1"], world.phones["p2"]
    soft.level = other.level = 4000.0
    world.connect(rooms=[Room(names, names)])
    world.run(0.4)
    for gain in (0.5, 0.0):
        world.connect(rooms=[Room(names, names, {"p1": gain})])
        began = world.run(0.6)
        heard = world.phones["p0"].hears(soft, began + SETTLED_S)
        assert heard == pytest.approx(gain * world.phones["p0"].hears(other, began + SETTLED_S), abs=0.04)
        assert soft.hears(other, began + SETTLED_S) == pytest.approx(1.0, abs=0.04)
    steps = np.abs(np.diff(world.phones["p0"].audio()))
    assert steps.max() <= 4000 * 2 * np.pi * (soft.hz + other.hz) / 8000 + 1200


def test_joining_and_leaving_a_big_room():
    world = World(*phones(12, level=1500.0))
    names = list(world.phones)
    world.connect(rooms=[Room(names[:8], names[:8])])
    assert_heard(world, world.run(0.6), {a: {b: 1.0 for b in names[:8] if a != b} for a in names[:8]}, names[:8])
    for phone in list(world.phones.values())[8:]:
        phone.level = 100.0
    world.connect(rooms=[Room(names, names)])
    began = world.run(0.6)
    assert_heard(world, began, {a: {b: 1.0 for b in names[:8] if a != b} for a in names[8:]}, names[8:10])
    world.do(ReleaseLeg(session="s", leg="p0"))
    world.connect(rooms=[Room(names[1:], names[1:])])
    began = world.run(0.6)
    assert world.phones["p11"].hears(world.phones["p0"], began) < 0.03
    assert world.phones["p11"].hears(world.phones["p1"], began + SETTLED_S) == pytest.approx(1, abs=0.04)
    for name in names[1:]:
        world.phones[name].assert_continuous()


def test_loud_conference_is_not_clipped():
    """Four at full scale: what is heard is their sum, softer, without the harmonics that clipping makes."""
    world = World(*phones(5, "L16/8000", level=30000.0))
    for i, phone in enumerate(world.phones.values()):
        phone.hz = (410.0, 530.0, 670.0, 790.0, 0.0)[i]
    names = list(world.phones)
    world.connect(rooms=[Room(names, names)])
    began = world.run(1.5)
    listener = world.phones["p4"]
    audio = listener.audio(began + 0.7)
    assert np.abs(audio).max() < 32767
    levels = [listener.hears(world.phones[name], began + 0.7) for name in names[:4]]
    assert min(levels) > 0.2 and max(levels) - min(levels) < 0.02
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / 8000)
    is_tone = np.zeros(len(hz), bool)
    for phone in list(world.phones.values())[:4]:
        is_tone |= np.abs(hz - phone.hz) < 20
    assert spectrum[~is_tone].sum() < 1e-3 * spectrum[is_tone].sum()


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_packet_lengths(ptime):
    """A leg with packets of its own length in a call and in a conference."""
    a, b, c = phones(3)
    a.ptime_ms = ptime
    world = World(a, b, c)
    world.connect("p0-p1")
    assert_heard(world, world.run(0.8), {"p0": {"p1": 1.0}, "p1": {"p0": 1.0}})
    assert {len(each.payload) for each in a.heard} == {ptime * 8}
    assert {len(each.payload) for each in b.heard} == {160}
    world.connect("p0-p1", "p0-p2", "p1-p2")
    assert_heard(world, world.run(0.8), everybody(world))
    a.assert_continuous(max_gap_s=0.0201 + ptime / 1000)
    b.assert_continuous()
    assert {len(each.payload) for each in a.heard} == {ptime * 8}


def test_codec_that_is_not_decoded_is_relayed_and_heard_by_nobody_else():
    a, b = (Phone(f"p{i}", i, "G729", phase_s=i * 0.004) for i in range(2))
    c = Phone("p2", 2, hz=500)
    world = World(a, b, c)
    world.connect("p0-p1", "p1-p2", "p0-p2")
    world.run(0.5)
    assert [each.payload for each in a.heard] == b.sent[: len(a.heard)] and len(a.heard) >= 24
    assert [each.payload for each in b.heard] == a.sent[: len(b.heard)] and len(b.heard) >= 24
    assert max((np.abs(c.decode(each.payload)).max() for each in c.heard), default=0) <= 8
    world.do(Play(session="s", leg="p0", play_id="x", sources=["silence:100"]))
    refused = [event for event in world.events if isinstance(event, CommandRefused)]
    assert len(refused) == 1 and "G729" in refused[0].error


@pytest.mark.parametrize(
    ("speaker", "listener", "is_relayed"),
    [
        ("", "", True),
        ("annexb=no", "annexb=yes", True),
        ("annexb=yes", "annexb=no", False),
        ("", "annexb=no", False),
        ("octet-align=1", "octet-align=1; mode-set=0", False),
    ],
)
def test_formats_that_differ_in_their_parameters(speaker, listener, is_relayed):
    a, b = (Phone(f"p{i}", i, "G729") for i in range(2))
    world = World(a, b)
    world.configure(a, fmtp=speaker)
    world.configure(b, fmtp=listener)
    world.connect("p0>p1")
    world.run(0.2)
    assert bool(b.heard) == is_relayed


# -- secure legs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 12], ids=["relayed", "mixed", "big room"])
def test_secure_leg_is_heard_by_nobody_from_the_next_packet_on(n):
    world = World(*phones(n, level=2000.0))
    names = list(world.phones)
    secret = world.phones["p1"]
    secret.level = 8000.0
    world.connect(rooms=[Room(names, names)])
    began = world.run(0.6)
    assert world.phones["p0"].hears(secret, began + SETTLED_S) == pytest.approx(1, abs=0.04)
    world.do(SecureLeg(session="s", leg="p1", is_secure=True))
    began = world.run(0.6)
    for name in names:
        if name != "p1" and world.phones[name].heard[-1].at > began:
            assert world.phones[name].hears(secret, began) < 0.02, name
    assert secret.hears(world.phones["p0"], began + SETTLED_S) == pytest.approx(1, abs=0.04), "it still hears"
    world.do(SecureLeg(session="s", leg="p1", is_secure=False))
    began = world.run(0.6)
    assert world.phones["p0"].hears(secret, began + SETTLED_S) == pytest.approx(1, abs=0.04)


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_matrix_is_bounded():
    world = World(*phones(1))
    many = [str(i) for i in range(5000)]
    world.connect(rooms=[Room(["p0"], ["p0"])] * 65)
    world.connect(rooms=[Room(many, ["p0"])])
    world.connect(rooms=[Room(["nobody"], ["nobody", "p0"])])
    world.connect(rooms=[Room(["p0"], ["p0"], {"p0": 17.0})])
    assert [type(event) for event in world.events if not hasattr(event, "leg")] == [CommandRefused] * 3
