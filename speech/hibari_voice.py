"""English by hibari (PyPI hibari-tts): a small neural model, a hundred times faster than it is heard."""

from typing import Any

import numpy as np

from speech.audio import Samples
from speech.errors import SpeechError
from speech.providers import installed

SEED = 1
"""The same text sounds the same every time."""


class HibariVoice:
    n_threads = 1

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    @property
    def version(self) -> str:
        return installed("hibari-tts")

    def synth(self, text: str, language: str, voice: str, rate: float) -> tuple[Samples, int]:
        if language != "en":
            raise SpeechError(f'hibari speaks "en", not "{language}"')
        model = self._loaded.get(voice) or self._load(voice)
        made = model(text, speed=rate, seed=SEED)
        return np.asarray(np.rint(np.clip(made, -1, 1) * 32767), np.int16), int(model.sample_rate)

    def _load(self, voice: str) -> Any:
        installed("hibari-tts")
        from hibari import Hibari
        from hibari.voices import DEFAULT, VOICES, voice_path

        name = voice or DEFAULT
        if name not in VOICES:
            raise SpeechError(f'hibari has no voice "{name}"; there are {", ".join(sorted(VOICES))}')
        try:
            # Never fetched in the middle of a call.
            voice_path(name, download_missing=False)
        except FileNotFoundError as error:
            raise SpeechError(f'the voice "{name}" of hibari is not on this machine: {error} is missing') from None
        self._loaded[voice] = model = Hibari(voice=name, threads=1)
        return model
