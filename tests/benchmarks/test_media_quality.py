"""The benchmark of quality can fail: it finds gaps and delays where they are, and says in one line what is missing. Its
laboratory is an engine as it is: PCMU goes through the mix bit for bit, and each change of a session without a gap.

Not here: PESQ and STOI, which not every machine has.
"""

import sys

import numpy as np
import pytest

from benchmarks import media_quality, quality_gaps
from benchmarks.quality_lab import Lab, Path, Phone
from benchmarks.quality_speech import locate
from media import g711
from model.media import ConnectMatrix, Edge


def test_what_is_missing_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pesq", None)
    monkeypatch.setattr(sys, "argv", ["media_quality", "--quick"])
    assert media_quality.main() == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "scripts/setup-quality" in said.err


@pytest.mark.parametrize("gap", [0, 40, 160, 800])
def test_silence_is_found(gap):
    sound = 6000 * np.sin(2 * np.pi * 400 * np.arange(16000) / 8000)
    sound[8000 : 8000 + gap] = 0
    found = 8000 * quality_gaps._longest_silence_s(np.concatenate((np.zeros(999), sound)), 8000)
    assert gap - 16 <= found <= gap


def test_packets_that_come_late_are_a_gap():
    phone = Phone("a")
    try:
        for i in range(300):
            packet = bytes((0x80, 0, 0, i & 0xFF)) + (160 * i).to_bytes(4, "big") + bytes(164)
            phone.heard.append((0.02 * i + (0.07 if i > 200 else 0.0), packet))
        assert quality_gaps._latest_s(phone) == pytest.approx(0.05, abs=0.001)
    finally:
        phone.close()


@pytest.mark.parametrize("begin", [0, 317, 5000])
def test_utterance_is_found_where_it_is(begin):
    said = np.random.default_rng(1).normal(0, 1000, 8000)
    heard = np.concatenate((np.zeros(begin), said, np.zeros(900))) + np.random.default_rng(2).normal(
        0, 100, begin + 8900
    )
    assert np.abs(locate(said, heard, 8000) - said).max() < 1000


def test_speech_goes_through_the_mix_bit_for_bit_and_loss_is_loss():
    voice = np.rint(np.random.default_rng(3).normal(0, 2000, 4 * 8000))
    good, bad = Phone("a", voice=voice, session="1"), Phone("a", voice=voice, path=Path(loss=0.05), session="2", seed=1)
    ears = [Phone("b", session="1"), Phone("b", session="2")]
    others = [Phone("m", session="1"), Phone("m", session="2")]
    with Lab([good, bad, *ears, *others]) as lab:
        for session in "12":
            lab.do(ConnectMatrix(session, [Edge("a", "b"), Edge("m", "b")]))
        lab.run(3.9)
        lost = lab.engine.statistics(lab.engine.sessions["2"].legs["a"])
    sent = g711.ULAW_TO_LINEAR[g711.LINEAR_TO_ULAW[voice.astype(np.int16).view(np.uint16)]].astype(float)
    got = locate(sent[800:24000], ears[0].timeline(), 8000)
    assert (got == sent[800:24000]).all()
    assert 3 <= lost.packets_lost <= 20 and lost.concealed_ms >= 20 * lost.packets_lost
    assert not (locate(sent[800:24000], ears[1].timeline(), 8000) == sent[800:24000]).all()


@pytest.mark.parametrize("name", quality_gaps.SCENARIOS)
def test_no_change_of_a_session_makes_a_gap(name):
    assert quality_gaps.gap_ms(name, ("PCMU", "PCMU", "PCMA"), 0.0095) <= 20
