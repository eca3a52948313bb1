"""From what legs said to the samples of a file: any mix of laws and rates into the file's one form. Pure; called by
`media.recorder`'s thread, so the tick hands over what it read and converts nothing."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.wav import WavFormat

RATES = (8000, 16000)

_HALF = 48
"""Filter taps of each phase: the transition is 3.4 to 4 kHz, the stop band below -60 dB."""


class Sound(NamedTuple):
    """What one leg said during a take. Sounds of one `source` in takes that follow each other are continuous."""

    source: str
    encoding: str
    """"PCMU", "PCMA" (uint8) or "pcm16" (int16)"""
    rate: int
    """8000 or 16000 Hz"""
    samples: NDArray[np.uint8] | NDArray[np.int16]


class Take:
    """A stretch of a recording: `channels[i]` are the sounds that are mixed on channel i; none is silence."""

    __slots__ = ("channels", "n_samples", "nbytes")

    def __init__(self, channels: Sequence[Sequence[Sound]], n_samples: int) -> None:
        self.channels = channels
        self.n_samples = n_samples
        """At the rate the recording was announced with."""
        self.nbytes = sum(sound.samples.nbytes for channel in channels for sound in channel)

    def __len__(self) -> int:
        return self.n_samples


Block = NDArray[np.uint8] | NDArray[np.int16] | Take
"""What a recording is made of: a `Take`, or (samples, channels) in the form the recording was announced with."""


class Renderer:
    """Renders blocks of a recording announced as `told` for a file that is `form`, in order."""

    def __init__(self, form: WavFormat, told: WavFormat) -> None:
        self._form = form
        self._told = told
        self._resamplers: dict[tuple[int, str], Resampler] = {}

    def render(self, block: Block) -> memoryview:
        """The bytes of `block` in the file."""
        if not isinstance(block, Take):
            if self._form == self._told:
                return np.ascontiguousarray(block).data.cast("B")
            block = self._as_take(block)
        form = self._form
        n = block.n_samples * form.sample_rate // self._told.sample_rate
        out = np.empty((n, form.channels), np.int16 if form.encoding == "pcm16" else np.uint8)
        before, self._resamplers = self._resamplers, {}
        for i in range(form.channels):
            sounds = block.channels[i] if i < len(block.channels) else ()
            out[:, i] = self._channel(i, sounds, before)
        return out.data.cast("B")

    def silence(self, n_samples: int) -> bytes:
        """`n_samples` of the announced rate, silent."""
        n = n_samples * self._form.sample_rate // self._told.sample_rate
        return bytes([g711.SILENCE.get(self._form.encoding, 0)]) * (n * self._form.frame_size)

    def _as_take(self, block: NDArray[np.uint8] | NDArray[np.int16]) -> Take:
        told = self._told
        channels = [[Sound("", told.encoding, told.sample_rate, block[:, i])] for i in range(block.shape[1])]
        return Take(channels, len(block))

    def _channel(
        self, i: int, sounds: Sequence[Sound], before: dict[tuple[int, str], "Resampler"]
    ) -> NDArray[np.uint8] | NDArray[np.int16] | int:
        encoding, rate = self._form.encoding, self._form.sample_rate
        if not sounds:
            return g711.SILENCE.get(encoding, 0)
        if len(sounds) == 1 and sounds[0].rate == rate:
            return _convert(sounds[0], encoding)
        total: NDArray[np.float32] | None = None
        for sound in sounds:
            linear = _linear(sound).astype(np.float32)
            if sound.rate != rate:
                key = (i, sound.source)
                # One that said nothing in the take before starts with a clean filter.
                resampler = before.get(key)
                if resampler is None or resampler.from_hz != sound.rate:
                    resampler = Resampler(sound.rate)
                self._resamplers[key] = resampler
                linear = resampler.run(linear)
            total = linear if total is None else total + linear
        assert total is not None
        mixed = np.clip(np.rint(total), -32768, 32767).astype(np.int16)
        return mixed if encoding == "pcm16" else g711.encoder(encoding)[mixed.view(np.uint16)]


class Resampler:
    """8 kHz to 16 kHz or back, block after block without a seam; late by 3 ms."""

    def __init__(self, from_hz: int) -> None:
        """Raises ValueError for a rate that is not one of `RATES`."""
        if from_hz not in RATES:
            raise ValueError(f"{from_hz} Hz is not one of {RATES}")
        self.from_hz = from_hz
        self._past = np.zeros(_HALF - 1 if from_hz == 8000 else 2 * _HALF, np.float32)

    def run(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Twice as many samples, or half as many: their number must be even then."""
        padded = np.concatenate([self._past, samples])
        self._past = padded[len(padded) - len(self._past) :]
        if self.from_hz == 8000:
            out = np.empty(2 * len(samples), np.float32)
            out[0::2] = np.convolve(padded, 2 * _LOW_PASS[0::2], "valid")
            out[1::2] = np.convolve(padded, 2 * _LOW_PASS[1::2], "valid")
            return out
        even = np.convolve(padded[0::2], _LOW_PASS[0::2], "valid")
        odd = np.convolve(padded[1::2], _LOW_PASS[1::2], "valid")
        return np.asarray(even[1:] + odd[:-1], np.float32)


def _convert(sound: Sound, encoding: str) -> NDArray[np.uint8] | NDArray[np.int16]:
    if sound.encoding == encoding:
        return sound.samples
    if encoding == "pcm16":
        return _linear(sound)
    if sound.encoding == "pcm16":
        return g711.encoder(encoding)[sound.samples.view(np.uint16)]
    return (g711.ULAW_TO_ALAW if sound.encoding == "PCMU" else g711.ALAW_TO_ULAW)[sound.samples]


def _linear(sound: Sound) -> NDArray[np.int16]:
    if sound.encoding == "pcm16":
        return sound.samples.view(np.int16)
    return g711.decoder(sound.encoding)[sound.samples]


def _low_pass() -> NDArray[np.float32]:
    # Windowed sinc at 16 kHz, -6 dB at 3.7 kHz; one zero at the end so that both phases are equally long.
    cutoff = 3700 / 8000
    offset = np.arange(2 * _HALF - 1) - (_HALF - 1)
    taps = cutoff * np.sinc(cutoff * offset) * np.kaiser(2 * _HALF - 1, 6.0)
    return np.append(taps / taps.sum(), 0.0).astype(np.float32)


_LOW_PASS = _low_pass()
