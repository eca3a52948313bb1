"""Speech for `benchmarks.media_quality`, made by espeak-ng, and what is measured of it: PESQ and STOI.

Reference and test as ITU-T P.862 wants them: sentences of two men and two women with silence before and after, at
-26 dBov active level, limited to the band of the codec by resampling, 16-bit.
"""

import io
import shutil
import subprocess
import wave
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
MISSING = "media_quality: {what} is missing; run scripts/setup-quality"

_SENTENCES = (
    ("en-us", "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background."),
    ("en-us+f3", "Rice is often served in round bowls. The juice of lemons makes fine punch."),
    ("en-gb", "Four hours of steady work faced us. A large size in stockings is hard to sell."),
    ("en-gb+f2", "The boy was there when the sun rose. A rod is used to catch pink salmon."),
)
"""Harvard sentences (IEEE, 1969), lists 1 and 2, with the voice that says them."""
_LEVEL = 32768 * 10 ** (-26 / 20)
_PAUSE_S = 0.4
_NOISE = 3.0
"""RMS of a background that is never quite silent."""
MOST_DELAY_S = 1.5


class MissingError(RuntimeError):
    """Something that is needed to measure is not installed; the text says what to run."""


def check() -> None:
    """Raises `MissingError` when a measure or the speech cannot be had."""
    try:
        import pesq  # noqa: F401
        import pystoi  # noqa: F401
        import scipy  # noqa: F401
    except ImportError as error:
        raise MissingError(MISSING.format(what=error.name or "pesq")) from error
    if shutil.which("espeak-ng") is None:
        raise MissingError(MISSING.format(what="espeak-ng"))


@cache
def utterances(rate: int) -> tuple[Signal, ...]:
    """The four speakers at `rate`, in 16-bit scale."""
    from scipy.signal import resample_poly

    found = []
    for i, (voice, text) in enumerate(_SENTENCES):
        command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", text]
        made = subprocess.run(command, check=True, capture_output=True).stdout
        with wave.open(io.BytesIO(made)) as file:
            made_at = file.getframerate()
        # espeak-ng writes its header before it knows the length: all that follows is sound.
        speech = np.frombuffer(made[44:], "<i2").astype(np.float64)
        speech = resample_poly(speech, rate, made_at)
        active = np.abs(speech) > 0.02 * np.abs(speech).max()
        speech *= _LEVEL / np.sqrt(np.mean(speech[active] ** 2))
        pause = np.zeros(round(_PAUSE_S * rate))
        whole = np.concatenate((pause, speech, pause))
        whole += np.random.default_rng(i).normal(0.0, _NOISE, len(whole))
        found.append(np.clip(np.rint(whole), -32768, 32767))
    return tuple(found)


def conversation(rate: int, which: int, warm_s: float) -> tuple[Signal, int]:
    """What speaker `which` says: `warm_s` of the others, in which buffers settle, and then the utterance that is
    measured. Returns the signal and where that begins."""
    said = utterances(rate)
    others = np.concatenate([said[(which + k) % len(said)] for k in range(1, len(said))])
    warm = np.resize(others, round(warm_s * rate))
    return np.concatenate((warm, said[which])), len(warm)


def locate(reference: Signal, heard: Signal, rate: int) -> Signal:
    """The part of `heard` that says `reference`, and is as long; by cross-correlation."""
    n = 1 << (len(reference) + len(heard)).bit_length()
    found = np.fft.irfft(np.fft.rfft(heard, n) * np.conj(np.fft.rfft(reference, n)), n)
    begin = int(np.argmax(found[: max(1, round(MOST_DELAY_S * rate))]))
    part = heard[begin : begin + len(reference)]
    return np.concatenate((part, np.zeros(len(reference) - len(part))))


def measure(reference: Signal, heard: Signal, rate: int) -> dict[str, float]:
    """`pesq` (narrowband MOS-LQO at 8 kHz, P.862.1; wideband at 16 kHz, P.862.2) and `stoi` of `heard`, which may begin
    up to `MOST_DELAY_S` before what is to be compared."""
    from pesq import NoUtterancesError, pesq
    from pystoi import stoi

    part = locate(reference, heard, rate)
    said, got = (np.clip(np.rint(each), -32768, 32767).astype(np.int16) for each in (reference, part))
    try:
        value = float(cast(Any, pesq)(rate, said, got, "nb" if rate == 8000 else "wb"))
    except NoUtterancesError:
        value = 1.0
    return {"pesq": value, "stoi": float(cast(Any, stoi)(reference, part, rate))}
