"""`ringback say`."""

import pytest
from typer.testing import CliRunner

from media.wav import read_samples
from switch.cli import app


def say(*arguments: object):
    return CliRunner().invoke(app, ["say", *map(str, arguments)])


@pytest.mark.parametrize(("text", "language", "provider"), [("您好，再见。", "zh", "espeak"), ("Bye.", "en", "hibari")])
def test_a_text_becomes_a_file(tmp_path, text, language, provider):
    out = tmp_path / "a.wav"
    done = say(text, "--language", language, "--out", out)
    assert done.exit_code == 0 and provider in done.stdout
    samples, rate = read_samples(out.read_bytes())
    assert rate == 8000 and len(samples) > 2000


def test_the_voices_of_a_configuration(tmp_path):
    (tmp_path / "r.toml").write_text('[[speech.voice]]\nlanguage = "en"\nprovider = "espeak"\nvoice = "de"\n')
    done = say("Hallo", "--language", "en", "--out", tmp_path / "a.wav", "--config", tmp_path / "r.toml")
    assert done.exit_code == 0 and "espeak" in done.stdout


def test_what_cannot_be_said(tmp_path):
    for arguments, why in (
        (("x" * 2001, "--out", tmp_path / "a.wav"), "this one has 2001"),
        (("hello", "--language", "qq", "--out", tmp_path / "a.wav"), 'no voice "qq"'),
        (("hello", "--out", tmp_path / "no" / "a.wav"), "No such file"),
        (("hello", "--config", tmp_path / "none.toml"), "cannot be read"),
    ):
        done = say(*arguments)
        assert done.exit_code == 2 and why in done.stderr
