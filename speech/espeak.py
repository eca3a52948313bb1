"""Nearly every language by eSpeak NG (PyPI espeakng-loader): understandable, as a robot, and at once.

The shared library is driven by ctypes; it holds one voice at a time for the whole process.
"""

import ctypes
import threading
from pathlib import Path
from typing import Any

import numpy as np

from speech.audio import MAX_S, Samples
from speech.errors import SpeechError
from speech.providers import installed

PACKAGE = "espeakng-loader"
WORDS_PER_MINUTE = 165
_NAMES = {"zh": "cmn"}
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE_PARAMETER = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _Library:
    """Raises SpeechError when it cannot be loaded."""

    def __init__(self) -> None:
        installed(PACKAGE)
        import espeakng_loader

        try:
            self._lib: Any = ctypes.CDLL(espeakng_loader.get_library_path())
            data = Path(espeakng_loader.get_data_path())
        except (OSError, RuntimeError) as error:
            raise SpeechError(f"eSpeak NG cannot be loaded: {error}") from None
        self.rate = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), _DO_NOT_EXIT)
        if self.rate <= 0:
            raise SpeechError(f"eSpeak NG cannot use its data in {data}")
        self._made: list[Samples] = []
        self._n_made = 0
        self._callback = _CALLBACK(self._take)
        self._lib.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, rate: float) -> Samples:
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechError(f'eSpeak NG has no voice "{voice}"')
        self._lib.espeak_SetParameter(_RATE_PARAMETER, round(WORDS_PER_MINUTE * rate), 0)
        self._made, self._n_made = [], 0
        told = text.replace("\0", " ").encode()
        status = self._lib.espeak_Synth(told, ctypes.c_size_t(len(told) + 1), 0, 1, 0, _UTF8, None, None)
        if status != 0:
            raise SpeechError(f"eSpeak NG failed with {status}")
        made, self._made = self._made, []
        return np.concatenate(made) if made else np.zeros(0, np.int16)

    def _take(self, samples: Any, n: int, events: Any) -> int:
        del events
        if samples and n > 0:
            self._made.append(np.ctypeslib.as_array(samples, (n,)).copy())
            self._n_made += n
        # 1: enough.
        return int(self._n_made > MAX_S * self.rate)


_lock = threading.Lock()
_library: _Library | None = None


class Espeak:
    n_threads = 1

    @property
    def version(self) -> str:
        return installed(PACKAGE)

    def synth(self, text: str, language: str, voice: str, rate: float) -> tuple[Samples, int]:
        global _library
        with _lock:
            if _library is None:
                _library = _Library()
            return _library.speak(text, voice or _NAMES.get(language, language), rate), _library.rate
