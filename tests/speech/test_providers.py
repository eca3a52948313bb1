"""The providers themselves: eSpeak NG and hibari as they are installed, any service over HTTP, and Piper by a stand-in,
since no voice file of it is here."""

import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from model.speech import SpeechVoice
from speech import http_service, piper_voice
from speech.audio import RATE, finish, to_wav
from speech.errors import SpeechError
from speech.providers import make_provider

SPOKEN = np.asarray(np.sin(np.arange(RATE) / 3) * 9000, np.int16)


def made_by(provider: str, text: str, language: str, voice: str = "", rate: float = 1.0) -> np.ndarray:
    return finish(*make_provider(SpeechVoice(language=language, provider=provider)).synth(text, language, voice, rate))


def test_ivr_13_chinese_is_spoken():
    made = made_by("espeak", "您好，欢迎致电客服中心。", "zh")
    assert 1.5 < len(made) / RATE < 5
    # Read as syllables, not spelt: twice the text takes twice as long.
    longer = made_by("espeak", "您好，欢迎致电客服中心。您好，欢迎致电客服中心。", "zh")
    assert len(longer) / len(made) == pytest.approx(2.1, abs=0.3)
    assert len(made_by("espeak", "您好，欢迎致电客服中心。", "zh", rate=2.0)) < 0.7 * len(made)


def test_one_library_speaks_several_languages_in_turn():
    text = "one hundred and twelve"
    english = len(made_by("espeak", text, "en"))
    assert len(made_by("espeak", "一百一十二", "zh")) != pytest.approx(english, rel=0.02)
    assert len(made_by("espeak", text, "en")) == pytest.approx(english, rel=0.02)
    with pytest.raises(SpeechError, match='no voice "qq"'):
        made_by("espeak", text, "qq")


def test_markup_is_text():
    assert len(made_by("espeak", "a <break time='5s'/> b", "en")) < 5 * RATE
    assert len(made_by("espeak", "a\0b", "en")) > 0


def test_ivr_13_english_is_spoken():
    made = made_by("hibari", "Welcome. If you know the extension, press one.", "en")
    assert 2.5 < len(made) / RATE < 5
    assert len(made_by("hibari", "Welcome. If you know the extension, press one.", "en", rate=1.6)) < 0.8 * len(made)


@pytest.mark.parametrize(
    ("text", "language", "voice", "why"),
    [
        ("hello", "zh", "", 'speaks "en"'),
        ("hello", "en", "nobody", 'no voice "nobody"; there are '),
        ("hello", "en", "emma", 'voice "emma" of hibari is not on this machine'),
    ],
)
def test_hibari_says_what_it_cannot(text, language, voice, why, tmp_path, monkeypatch):
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path))
    with pytest.raises(SpeechError, match=why):
        made_by("hibari", text, language, voice)


# -- Piper -------------------------------------------------------------------------------------------------------------


def test_piper_that_is_not_installed_says_so(tmp_path):
    voice = make_provider(SpeechVoice(language="zh", provider="piper", file=str(tmp_path / "a.onnx")))
    with pytest.raises(SpeechError, match="piper-tts is not installed: pip install piper-tts"):
        voice.synth("您好", "zh", "", 1.0)


def test_a_voice_file_of_piper(tmp_path, monkeypatch):
    file = tmp_path / "a.onnx"
    asked = []

    class PiperVoice:
        config = types.SimpleNamespace(sample_rate=16_000)

        @classmethod
        def load(cls, path):
            if not file.exists():
                raise FileNotFoundError(path)
            return cls()

        def synthesize(self, text, how):
            asked.append((text, how))
            return [types.SimpleNamespace(audio_int16_array=SPOKEN), types.SimpleNamespace(audio_int16_array=SPOKEN)]

    module = types.SimpleNamespace(PiperVoice=PiperVoice, SynthesisConfig=lambda **given: given)
    monkeypatch.setitem(sys.modules, "piper", module)
    monkeypatch.setattr(piper_voice, "installed", lambda package: f"{package} 1.8")
    voice = make_provider(SpeechVoice(language="zh", provider="piper", file=str(file)))
    for step in (lambda: voice.version, lambda: voice.synth("您好", "zh", "", 1.0)):
        with pytest.raises(SpeechError, match=r"a\.onnx"):
            step()
    file.write_bytes(b"1")
    before = voice.version
    samples, rate = voice.synth("您好", "zh", "3", 2.0)
    assert (len(samples), rate) == (2 * RATE, 16_000)
    assert asked == [("您好", {"speaker_id": 3, "length_scale": 0.5})]
    file.write_bytes(b"another")
    assert voice.version != before
    with pytest.raises(SpeechError, match="number of a speaker"):
        voice.synth("您好", "zh", "anna", 1.0)


# -- HTTP --------------------------------------------------------------------------------------------------------------


class _Service(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, dict[str, str], str]]
    answer: tuple[int, bytes]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, dict(self.headers), body.decode()))
        status, data = self.answer
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        try:
            self.wfile.write(data)
        except ConnectionError:
            pass

    do_GET = do_POST = _serve

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def service():
    kind = type("Service", (_Service,), {"asked": [], "answer": (200, to_wav(SPOKEN))})
    server = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    kind.at = f"http://127.0.0.1:{server.server_port}"
    yield kind
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_is_asked_by_get(service):
    url = service.at + "/speak?q={text}&l={language}&v={voice}&r={rate}"
    voice = make_provider(SpeechVoice(language="zh", provider="http", url=url, headers={"X-Key": "k {voice}"}))
    samples, rate = voice.synth("您好&{voice}", "zh", "anna", 1.2)
    assert rate == RATE and (samples == SPOKEN).all()
    method, path, headers, _ = service.asked[0]
    assert (method, path) == ("GET", "/speak?q=%E6%82%A8%E5%A5%BD%26%7Bvoice%7D&l=zh&v=anna&r=1.2")
    assert headers["X-Key"] == "k anna"


def test_a_service_is_asked_by_post(service):
    plain = SpeechVoice(language="zh", provider="http", url=service.at, method="POST")
    make_provider(plain).synth("您好", "zh", "", 1.0)
    assert json.loads(service.asked[0][3]) == {"text": "您好", "language": "zh", "voice": "", "rate": "1"}
    own = SpeechVoice(
        language="zh", provider="http", url=service.at, method="POST", body={"input": "{text}", "format": "wav"}
    )
    make_provider(own).synth('"您好"', "zh", "", 1.0)
    assert json.loads(service.asked[1][3]) == {"input": '"您好"', "format": "wav"}
    assert make_provider(own).version != make_provider(plain).version


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, b""), "status 500"),
        ((302, b""), "status 302"),
        ((200, b"<html>"), "no WAV file"),
        ((200, b"\0" * 3000), "an answer of more than 2000 bytes"),
    ],
)
def test_what_a_service_must_not_answer(service, answer, why, monkeypatch):
    monkeypatch.setattr(http_service, "MAX_ANSWER", 2000)
    service.answer = answer
    voice = make_provider(SpeechVoice(language="zh", provider="http", url=service.at + "/{text}"))
    with pytest.raises(SpeechError, match=why):
        voice.synth("a", "zh", "", 1.0)
    assert len(service.asked) == 1


def test_a_service_that_never_ends_or_is_not_there(monkeypatch):
    monkeypatch.setattr(http_service, "MAX_S", 0.3)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        voice = make_provider(SpeechVoice(language="zh", provider="http", url=f"http://127.0.0.1:{port}/{{text}}"))
        with pytest.raises(SpeechError, match=r"no answer within|cannot be asked"):
            voice.synth("a", "zh", "", 1.0)
    with pytest.raises(SpeechError, match="cannot be asked"):
        voice.synth("a", "zh", "", 1.0)
