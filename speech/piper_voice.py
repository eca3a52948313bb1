"""A voice file of Piper (PyPI piper-tts, which is for whoever configures it to install)."""

import os
from typing import Any

import numpy as np

from speech.audio import Samples
from speech.errors import SpeechError
from speech.providers import installed

PACKAGE = "piper-tts"


class PiperVoiceFile:
    n_threads = 1

    def __init__(self, file: str) -> None:
        self._file = file
        self._voice: Any = None

    @property
    def version(self) -> str:
        package = installed(PACKAGE)
        try:
            found = os.stat(self._file)
        except OSError as error:
            raise SpeechError(f"{self._file}: {error.strerror}") from None
        return f"{package} {self._file} {found.st_size} {found.st_mtime_ns}"

    def synth(self, text: str, language: str, voice: str, rate: float) -> tuple[Samples, int]:
        del language
        installed(PACKAGE)
        from piper import PiperVoice, SynthesisConfig

        if self._voice is None:
            try:
                self._voice = PiperVoice.load(self._file)
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                raise SpeechError(f"{self._file} is no voice of Piper: {error}") from None
        if voice and not voice.isdecimal():
            raise SpeechError(f'a voice of Piper is the number of a speaker in its file, not "{voice}"')
        how = SynthesisConfig(speaker_id=int(voice) if voice else None, length_scale=1 / rate)
        chunks = list(self._voice.synthesize(text, how))
        made = [chunk.audio_int16_array for chunk in chunks]
        return (np.concatenate(made) if made else np.zeros(0, np.int16)), int(self._voice.config.sample_rate)
