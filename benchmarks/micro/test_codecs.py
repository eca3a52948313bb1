"""Codecs and rate conversion: what 20 ms of one stream costs in a codec thread, and what the tick pays besides.

`python -m pytest benchmarks/micro/test_codecs.py --benchmark-only`. Goals on the reference machine: rate conversion of
1000 streams 1.0 to 1.8 ms (0.05 to 0.09 ms a stream-second), Opus encode 140 µs and decode 32 µs, G.722 16 µs each way.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import media  # first: it keeps BLAS from starting threads  # noqa: F401  # isort: skip
import numpy as np
import pytest

from media.codecs.base import Pcm
from media.codecs.desk import CodecDesk
from media.codecs.registry import find_codec
from media.rates import RateConverter

N = 1000
LEGS = 200
NAMES = ["opus", "G722", "L16/16000", "L16/8000"]


def voice(rate: int, seconds: float = 2.0) -> Pcm:
    at = np.arange(int(rate * seconds)) / rate
    sound = sum(np.sin(2 * np.pi * 140 * k * at + k) / k for k in range(1, 25)) * (1 + np.sin(2 * np.pi * 3 * at))
    noise = np.random.default_rng(1).normal(0, 150, len(at))
    pcm: Pcm = (1500 * sound + noise).astype(np.int16)
    return pcm


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 16000), (16000, 8000), (16000, 48000), (48000, 16000)])
def test_convert_rates(benchmark: Any, from_hz: int, to_hz: int) -> None:
    converter, rows = RateConverter(N, from_hz, to_hz), np.arange(N)
    frames = np.random.default_rng(1).normal(0, 3000, (N, from_hz // 50)).astype(np.float32)
    benchmark(converter.run, rows, frames)


def in_turn(work: Callable[[Any], object], items: list[Any]) -> Callable[[], None]:
    waiting = deque(items)

    def step() -> None:
        work(waiting[0])
        waiting.rotate(-1)

    return step


def coded(name: str, fmtp: str) -> tuple[list[Pcm], list[bytes]]:
    codec = find_codec(name)
    assert codec.make_encoder is not None
    pcm, size = voice(codec.rate), codec.rate // 50
    frames = [pcm[i : i + size] for i in range(0, len(pcm) - size + 1, size)]
    encoder = codec.make_encoder(fmtp, 20)
    return frames, [encoder.encode(frame) for frame in frames]


@pytest.mark.parametrize("name", NAMES)
def test_encode(benchmark: Any, name: str) -> None:
    frames, _ = coded(name, "useinbandfec=1")
    make_encoder = find_codec(name).make_encoder
    assert make_encoder is not None
    benchmark(in_turn(make_encoder("useinbandfec=1", 20).encode, frames))


@pytest.mark.parametrize("name", NAMES)
def test_decode(benchmark: Any, name: str) -> None:
    _, packets = coded(name, "useinbandfec=1")
    make_decoder = find_codec(name).make_decoder
    assert make_decoder is not None
    benchmark(in_turn(make_decoder().decode, packets))


def test_desk_for_a_tick(benchmark: Any) -> None:
    """One packet and one frame of each of 200 legs, all of it (L16 costs next to nothing): the desk's own overhead."""
    desk, rows = CodecDesk(0), np.arange(LEGS)
    for row in rows.tolist():
        desk.start(row, "L16/16000")
    frames, payload, count = np.zeros((LEGS, 320), np.float32), bytes(640), iter(range(10**9))

    def tick() -> None:
        i = next(count)
        for row in range(LEGS):
            desk.receive(row, i & 0xFFFF, (i * 320) & 0xFFFFFFFF, payload, 0.0)
        desk.flush(0.0)
        assert len(desk.collect()) == 1
        desk.encode(rows, frames, 0.0)
        assert len(desk.collect_packets()) == LEGS

    benchmark(tick)
