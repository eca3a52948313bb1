"""The voice menu of `benchmarks.ivr`: three levels of three keys, and in each prompt its level's signal.

The signal is a loud square wave, its period that of the level: ten samples tell it, and no prompt is followed by one of
its own level.
"""

import itertools
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.g711 import ULAW_TO_LINEAR

KEYS = "123"
LEVELS = 3
FLOW = "bench"
_SIGNAL_S = 0.3
_PERIODS = (8, 10, 16, 20)
"""Samples, by level; each fits into a packet, so all packets of a signal are the same."""
_PACKET = 160
_LOUD = int(ULAW_TO_LINEAR[~104 & 0xFF])
_SPOKEN = {0: "10010", 1: "-25.5", 2: "1003", 3: "2048"}


def paths() -> list[str]:
    """The keys that lead to each prompt; "" = the first menu."""
    return ["".join(keys) for level in range(LEVELS + 1) for keys in itertools.product(KEYS, repeat=level)]


def signals() -> list[NDArray[np.int16]]:
    """A packet of each level's signal."""
    return [np.tile(np.repeat(np.array([_LOUD, -_LOUD], np.int16), n // 2), _PACKET // n) for n in _PERIODS]


def node_of(path: str) -> str:
    return f"leaf{path}" if len(path) == LEVELS else f"menu{path}"


def write_flow(flows: Path, prompts: Path) -> None:
    """The document, and the sounds it plays."""
    flows.mkdir(parents=True)
    prompts.mkdir(parents=True)
    (flows / f"{FLOW}.json").write_text(json.dumps(document()))
    for level, packet in enumerate(signals()):
        _write_signal(prompts / f"signal{level}.wav", packet)


def document() -> dict[str, Any]:
    """A leaf leads to the first menu again; a key ends it, and counts there."""
    nodes = [_menu(path) if len(path) < LEVELS else _leaf(path) for path in paths()]
    return {"name": FLOW, "start": node_of(""), "nodes": nodes, "max_steps": 10_000, "max_s": 3600.0}


def _menu(path: str) -> dict[str, Any]:
    choices = {key: node_of(path + key) for key in KEYS}
    return {"id": node_of(path), "type": "menu", "say": _say(path), "choices": choices, "retries": 9}


def _leaf(path: str) -> dict[str, Any]:
    return {"id": node_of(path), "type": "play", "say": _say(path), "next": node_of("")}


def _say(path: str) -> list[dict[str, str]]:
    signal = {"kind": "sound", "source": f"file:signal{len(path)}.wav"}
    return [signal, {"kind": "number", "value": _SPOKEN[len(path)]}]


def _write_signal(file: Path, packet: NDArray[np.int16]) -> None:
    with wave.open(str(file), "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        made.writeframes(np.tile(packet.astype("<i2"), round(_SIGNAL_S * 8000 / _PACKET)).tobytes())
