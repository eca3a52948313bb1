"""The interface of whoever makes speech, and which one speaks for a voice of the configuration."""

from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from model.speech import SpeechVoice
from speech.audio import Samples
from speech.errors import SpeechError


class Provider(Protocol):
    """Made and asked by the threads of its voice. What takes long to load is loaded by the first `synth`."""

    n_threads: int
    """That may be in `synth` at the same time."""

    @property
    def version(self) -> str:
        """What else than text, language, voice and rate the sound depends on. Raises SpeechError."""
        ...

    def synth(self, text: str, language: str, voice: str, rate: float) -> tuple[Samples, int]:
        """(16-bit samples of one channel, Hz); blocks. Raises SpeechError."""
        ...


def make_provider(voice: SpeechVoice) -> Provider:
    match voice.provider:
        case "hibari":
            from speech.hibari_voice import HibariVoice

            return HibariVoice()
        case "espeak":
            from speech.espeak import Espeak

            return Espeak()
        case "piper":
            from speech.piper_voice import PiperVoiceFile

            return PiperVoiceFile(voice.file)
        case "http":
            from speech.http_service import HttpService

            return HttpService(voice)


def installed(package: str) -> str:
    """Name and version of a package. Raises SpeechError when it is not there."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        raise SpeechError(f"{package} is not installed: pip install {package}") from None
