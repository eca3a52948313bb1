"""Gaps in what people hear while a session is changed, for `benchmarks.media_quality`: hold and resume, a third party
that joins and leaves, a supervisor who whispers, a transfer. In virtual time, for several codecs and phases of the
packets against the tick.

Everybody speaks a tone all the time, so wherever a listener should hear somebody and hears nothing, there is a gap.
What a listener hears is put together by RTP timestamp, as a phone does; a packet that comes later than its timestamp
says counts as well.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_lab import Lab, Phone
from model.media import ConnectMatrix, Edge, Play, StopPlay

Signal = NDArray[np.float64]
_TONES = {"a": 400.0, "b": 560.0, "c": 710.0}
_LEVEL = 6000.0
_LASTS_S = 6.0
_SILENT = 0.05
_WINDOW_S = 0.004
PHASES = (0.0005, 0.0045, 0.0095, 0.0135, 0.0195)


def _both(*pairs: str) -> list[Edge]:
    return [Edge(x, y) for pair in pairs for x, y in ((pair[0], pair[1]), (pair[1], pair[0]))]


def _matrix(lab: Lab, edges: list[Edge]) -> None:
    lab.do(ConnectMatrix("s", edges))


def _hold(lab: Lab) -> None:
    lab.do(ConnectMatrix("s", []), Play("s", "a", "moh", ["moh:default"], is_looped=True))


def _resume(lab: Lab) -> None:
    lab.do(StopPlay("s", "a"), ConnectMatrix("s", _both("ab")))


SCENARIOS: dict[str, tuple[str, list[tuple[float, Callable[[Lab], None]]]]] = {
    "hold": ("a", [(2.0, _hold), (3.4137, _resume)]),
    "join": (
        "a",
        [
            (2.0, lambda lab: _matrix(lab, _both("ab", "ac", "bc"))),
            (3.4137, lambda lab: _matrix(lab, _both("ab"))),
        ],
    ),
    "whisper": (
        "b",
        [
            (2.0, lambda lab: _matrix(lab, [*_both("ab"), Edge("a", "c"), Edge("b", "c")])),
            (2.9041, lambda lab: _matrix(lab, [*_both("ab"), Edge("a", "c"), Edge("b", "c"), Edge("c", "b")])),
            (4.1303, lambda lab: _matrix(lab, _both("ab"))),
        ],
    ),
    "transfer": ("a", [(2.0, lambda lab: _matrix(lab, _both("ac"))), (3.4137, lambda lab: _matrix(lab, _both("ab")))]),
}
"""By name: who listens, and what is done when. Everything begins with a and b joined."""


def gap_ms(name: str, codecs: tuple[str, str, str], phase_s: float) -> float:
    """The longest time, while `name` is carried out, in which the listener hears nothing."""
    listener, steps = SCENARIOS[name]
    phones: list[Phone] = []
    for (leg, hz), codec in zip(_TONES.items(), codecs, strict=True):
        phone = Phone(leg, codec, phase_s=(phase_s + 0.0037 * len(phones)) % 0.02, seed=len(phones))
        phone.voice = _LEVEL * np.sin(2 * np.pi * hz * np.arange(round(_LASTS_S * phone.rate)) / phone.rate)
        phones.append(phone)
    with Lab(phones) as lab:
        _matrix(lab, _both("ab"))
        for when, step in steps:
            lab.at(when, partial(step, lab))
        lab.run(_LASTS_S - 0.2)
        heard = next(phone for phone in phones if phone.name == listener)
        return 1000 * max(_longest_silence_s(heard.timeline(), heard.heard_rate), _latest_s(heard))


def _longest_silence_s(signal: Signal, rate: int) -> float:
    """Of all that comes after the first sound."""
    size = round(_WINDOW_S * rate / 4)
    n = len(signal) // size
    loud = np.abs(signal[: n * size]).reshape(n, size).max(axis=1) > _SILENT * _LEVEL
    at = np.flatnonzero(loud)
    # One window is as good as none: the tones of two speakers cancel each other for that long.
    return float((np.diff(at) - 1).max(initial=0) * size / rate) if len(at) else _LASTS_S


def _latest_s(phone: Phone) -> float:
    """How much later than by its timestamp a packet came, beyond what the path had done before the first change."""
    clock = phone.known.clock_hz
    first = int.from_bytes(phone.heard[0][1][4:8], "big")
    late = [at - ((int.from_bytes(packet[4:8], "big") - first) & 0xFFFFFFFF) / clock for at, packet in phone.heard]
    before = max(value for value, (at, _) in zip(late, phone.heard, strict=True) if at < 2.0)
    # A tick of 20 ms makes packets in step with itself: up to one packet more of delay is no gap to a jitter buffer.
    return max(0.0, max(late) - before - phone.ptime_ms / 1000)


def measure_gaps(codec_sets: list[tuple[str, str, str]], phases: tuple[float, ...] = PHASES) -> dict[str, float]:
    """The longest gap of each scenario in ms, over all codecs and phases."""
    return {
        name: round(max(gap_ms(name, codecs, phase) for codecs in codec_sets for phase in phases), 1)
        for name in SCENARIOS
    }
