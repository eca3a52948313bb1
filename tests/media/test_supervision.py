"""Every edit of the hear-matrix that a contact centre makes, in virtual time: who hears whom before and after, and that
nobody's audio breaks at it. The customer is c, the agent a, the supervisor s, another agent b.

Not here: rooms (test_conference.py), audio lost or repeated (test_gapless.py).
"""

import numpy as np
import pytest

from model.media import Play, StartRecording, StopPlay, StopRecording
from tests.media.virtual import NoWriter, Phone, Prepared, Silence, World

NAMES = "casb"
SETTLED_S = 0.2

CALL = ("c-a",)
LISTEN = ("c-a", "c>s", "a>s")
WHISPER = ("c-a", "c>s", "a>s", "s>a")
BARGE = ("c-a", "c-s", "a-s")
TAKEOVER = ("c-s",)
LISTEN_ONLY_AGENT = ("c>a",)
AGENT_MUTED = ("c>a", "c>s")
CONSULT = ("a-b",)
TRANSFER = ("c-b",)
ALL = ("c-a", "c-b", "c-s", "a-b", "a-s", "b-s")
SOFTER = ("c>a*0.5", "a>c")
NOTHING = ()

EDITS = {
    "a supervisor listens": (CALL, LISTEN),
    "stops to listen": (LISTEN, CALL),
    "whispers": (LISTEN, WHISPER),
    "whispers at once": (CALL, WHISPER),
    "stops to whisper": (WHISPER, LISTEN),
    "barges in": (LISTEN, BARGE),
    "barges in at once": (CALL, BARGE),
    "leaves": (BARGE, CALL),
    "takes over": (BARGE, TAKEOVER),
    "takes over at once": (CALL, TAKEOVER),
    "gives back": (TAKEOVER, CALL),
    "agent only listens": (CALL, LISTEN_ONLY_AGENT),
    "agent is muted while a supervisor listens": (LISTEN, AGENT_MUTED),
    "agent speaks again": (LISTEN_ONLY_AGENT, CALL),
    "consults": (CALL, CONSULT),
    "back from consulting": (CONSULT, CALL),
    "transfers": (CONSULT, TRANSFER),
    "all four": (WHISPER, ALL),
    "back to two": (ALL, CALL),
    "softer": (CALL, SOFTER),
    "as before": (SOFTER, CALL),
    "hold": (CALL, NOTHING),
    "resume": (NOTHING, CALL),
}


def wanted(edges):
    """listener -> {speaker: gain}"""
    heard = {name: {} for name in NAMES}
    for text in edges:
        names, _, gain = text.partition("*")
        g = float(gain) if gain else 1.0
        if ">" in names:
            speaker, listener = names.split(">")
            heard[listener][speaker] = g
        else:
            one, other = names.split("-")
            heard[one][other] = heard[other][one] = g
    return heard


def phones(codecs):
    return [
        Phone(name, i, codecs[i % len(codecs)], hz=410 + 230 * i, level=4000, phase_s=(0.003, 0.0171, 0.009, 0.0131)[i])
        for i, name in enumerate(NAMES)
    ]


def assert_heard(world, began, edges, until=None):
    for listener, gains in wanted(edges).items():
        phone = world.phones[listener]
        for speaker, other in world.phones.items():
            level = phone.hears(other, began + SETTLED_S, until)
            assert level == pytest.approx(gains.get(speaker, 0.0), abs=0.04), (listener, speaker)


def steepest(*hz):
    """The steepest step between two samples of tones of level 4000, plus what quantisation and a ramp add."""
    return sum(4000 * 2 * np.pi * each / 8000 for each in hz) + 600


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("codecs", [("PCMU",), ("PCMU", "PCMA")], ids=["one law", "both laws"])
def test_edit(edit, codecs):
    before, after = EDITS[edit]
    world = World(*phones(codecs))
    world.connect(*before)
    began = world.run(0.5)
    assert_heard(world, began, before)
    world.connect(*after)
    edited = world.run(0.5)
    assert_heard(world, edited, after)
    old, new = wanted(before), wanted(after)
    for name, phone in world.phones.items():
        if old[name] and new[name]:
            phone.assert_continuous()
            audio = phone.audio(began + SETTLED_S)
            tones = [world.phones[speaker].hz for speaker in {*old[name], *new[name]}]
            assert np.abs(np.diff(audio)).max() <= steepest(*tones), name
        elif old[name]:
            # Whoever hears nothing any more is sent nothing; the last packet fades.
            last = phone.decode(phone.heard[-1].payload)
            assert phone.heard[-1].at < edited + 0.05
            assert np.abs(last[-8:]).max() < 0.2 * np.abs(last).max() < 4000


@pytest.mark.parametrize("codecs", [("L16/16000",), ("PCMU", "L16/16000", "L16/8000", "PCMA")], ids=["wide", "mixed"])
@pytest.mark.parametrize("edit", ["barges in at once", "takes over at once", "transfers", "back to two"])
def test_edit_with_other_codecs(edit, codecs):
    before, after = EDITS[edit]
    world = World(*phones(codecs))
    world.connect(*before)
    assert_heard(world, world.run(0.6), before)
    world.connect(*after)
    assert_heard(world, world.run(0.6), after)
    for name, phone in world.phones.items():
        if wanted(before)[name] and wanted(after)[name]:
            phone.assert_continuous()


def test_listening_does_not_disturb_the_call():
    """The relay of the two stays what it was, bit by bit, while a third listens."""
    world = World(*phones(("PCMU",)))
    world.connect(*CALL)
    world.run(0.4)
    world.connect(*LISTEN)
    world.run(0.4)
    world.connect(*CALL)
    world.run(0.4)
    for one, other in ("ca", "ac"):
        got = [each.payload for each in world.phones[one].heard]
        assert got == world.phones[other].sent[: len(got)] and len(got) >= 59


def test_play_to_one_party():
    """The agent hears a prompt, the customer goes on hearing the agent; afterwards all is as before."""
    at = np.arange(8000) / 8000
    beep = Prepared(np.sin(2 * np.pi * 3000 * at) * 4000, is_looped=False)
    world = World(*phones(("PCMU",)), prompts=Silence(file_beep=beep))
    prompt = Phone("prompt", 9, hz=3000, level=4000)
    world.connect(*CALL)
    world.run(0.4)
    world.do(Play(session="s", leg="a", play_id="p", sources=["file:beep"]))
    began = world.run(1.0)
    agent, customer = world.phones["a"], world.phones["c"]
    assert agent.hears(prompt, began + 0.1, began + 0.9) == pytest.approx(1, abs=0.05)
    assert agent.hears(customer, began + 0.1, began + 0.9) < 0.02
    assert customer.hears(agent, began) == pytest.approx(1, abs=0.05)
    assert customer.hears(prompt, began) < 0.02
    world.run(0.2)
    began = world.run(0.5)
    assert_heard(world, began, CALL)
    agent.assert_continuous()
    customer.assert_continuous()


def test_prompt_is_stopped_within_a_packet():
    at = np.arange(8000) / 8000
    music = Prepared(np.sin(2 * np.pi * 2500 * at) * 4000)
    world = World(*phones(("PCMU",)), prompts=Silence(moh_default=music))
    prompt = Phone("prompt", 9, hz=2500, level=4000)
    world.connect(*CALL)
    world.do(Play(session="s", leg="c", play_id="p", sources=["moh:default"], is_looped=True))
    began = world.run(0.5)
    customer = world.phones["c"]
    assert customer.hears(prompt, began + 0.1) == pytest.approx(1, abs=0.05)
    world.do(StopPlay(session="s", leg="c"))
    stopped = world.run(0.5)
    assert customer.hears(prompt, stopped + 0.0401) < 0.02
    assert_heard(world, stopped, CALL)
    customer.assert_continuous()


def test_supervisor_is_on_a_track_of_his_own():
    """What each channel of the recording holds, through a whisper; the customer's relay goes on beside it."""
    writer = NoWriter()
    world = World(*phones(("PCMU",)), writer=writer)
    world.connect(*WHISPER)
    channels = [["c"], ["a"], ["s"]]
    world.do(StartRecording(session="s", recording="r", path="/r.wav", channels=channels))
    world.run(1.5)
    world.do(StopRecording(session="s", recording="r"))
    for i, (name,) in enumerate(channels):
        sounds = [sound for take in writer.takes for sound in take.channels[i]]
        assert {sound.source for sound in sounds} == {name}
        audio = np.concatenate([world.phones[name].decode(bytes(sound.samples)) for sound in sounds])
        level = [
            np.abs(np.mean(audio * np.exp(-2j * np.pi * other.hz * np.arange(len(audio)) / 8000))) * 2
            for other in world.phones.values()
        ]
        assert NAMES[int(np.argmax(level))] == name and max(level) > 3500 and sorted(level)[-2] < 100
    assert_heard(world, world.run(0.5), WHISPER)
