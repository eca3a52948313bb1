"""The media worker's kernels at 400 calls, without sockets: what one poll and one tick cost.

`python -m pytest benchmarks/micro/test_tick.py --benchmark-only`
"""

from typing import Any

import numpy as np
import pytest

from media import g711, relay
from media.arrays import PCMA, LegTable
from media.inputs import Inputs
from media.mixer import Listener, Mixer
from media.planes import Planes
from media.session import LOUDEST, SILENT, Column, Session
from media.taps import TURNS, Taps
from model.media import StartRecording
from rtp.header import header_view
from rtp.receiver import ReceiverTable
from rtp.ring import JitterRing

N = 800
BATCH = 400
"""Packets of one poll: half of the legs, every 10 ms."""


class _NoWriter:
    def start(self, recording_id: str, path: str, channels: int, encoding: str, **more: Any) -> None:
        pass

    def write(self, recording_id: str, block: Any) -> None:
        pass

    def finish(self, recording_id: str, ending: Any) -> None:
        pass


def _filled_ring() -> JitterRing:
    ring = JitterRing(N)
    legs = np.arange(N)
    payload = np.random.default_rng(1).integers(0, 256, (N, 160)).astype(np.uint8)
    for clock in range(0, 200, 2):
        ring.put(legs, np.full(N, clock * 80, np.uint32), None, payload, np.full(N, 160), clock)
    return ring


def test_receiver_statistics(benchmark: Any) -> None:
    table = ReceiverTable(N)
    legs, sizes, audio = np.arange(BATCH), np.full(BATCH, 160), np.ones(BATCH, np.bool_)
    ssrc = np.arange(BATCH, dtype=np.int64)
    state = [0]

    def run() -> None:
        state[0] += 1
        seq = np.full(BATCH, state[0] & 0xFFFF, np.uint16)
        ts = np.full(BATCH, state[0] * 160 & 0xFFFFFFFF, np.uint32)
        table.update(legs, seq, ts, ssrc, sizes, audio, state[0] * 0.02)

    benchmark(run)


def test_relay_rewrite(benchmark: Any) -> None:
    table = LegTable(N)
    table.relay_to[:] = np.arange(N) ^ 1
    table.audio_type[:] = 0
    arena = np.zeros((BATCH, 768), np.uint8)
    arena[:, 0] = 0x80
    headers = header_view(arena)
    rows, legs, audio = np.arange(BATCH), np.arange(BATCH), np.ones(BATCH, np.bool_)
    lengths = np.full(BATCH, 172)
    benchmark(relay.rewrite, table, headers, rows, legs, lengths, audio, 1.0)


def test_ring_put(benchmark: Any) -> None:
    ring = JitterRing(N)
    legs, sizes = np.arange(BATCH), np.full(BATCH, 160)
    payload = np.zeros((BATCH, 160), np.uint8)
    state = [0]

    def run() -> None:
        state[0] += 2
        ring.put(legs, np.full(BATCH, state[0] * 80 & 0xFFFFFFFF, np.uint32), None, payload, sizes, state[0])

    benchmark(run)


def _talking(table: LegTable) -> tuple[Inputs, Planes]:
    """All legs speak, at a level at which nothing is limited."""
    ring = JitterRing(N)
    inputs = Inputs(table, ring)
    samples = np.random.default_rng(1).normal(0, 800, (N, 160)).astype(np.int16).view(np.uint16)
    payload = np.where(table.law[:, None] == PCMA, g711.LINEAR_TO_ALAW[samples], g711.LINEAR_TO_ULAW[samples])
    legs = np.arange(N)
    for row in range(N):
        inputs.start(row)
    for k in range(100):
        inputs.put(legs, np.full(N, k * 160, np.uint32), None, payload, np.full(N, 160), 2 * k, early_s=0.01)
        if k:
            inputs.read(legs, 2 * k)
    return inputs, Planes(table, inputs, Inputs(table, JitterRing(N, 160, np.int16)))


@pytest.mark.parametrize("n_legs", [2, 4, 16, 200], ids=["transcode", "conference of 4", "room of 16", "room of 200"])
def test_mix(benchmark: Any, n_legs: int) -> None:
    """What is read once is mixed again and again."""
    table = LegTable(N)
    table.law[1::2] = table.kind[1::2] = PCMA
    _, planes = _talking(table)
    mixer = Mixer(table, planes)
    rooms = {("s", first): dict.fromkeys(range(first, first + n_legs), 1.0) for first in range(0, N, n_legs)}
    listeners = []
    for key, rows in rooms.items():
        for row in rows:
            others = tuple((other, 1.0) for other in rows if other != row)
            listeners.append(Listener(row, Column(others) if n_legs <= LOUDEST else Column(rooms=(key,)), SILENT))
    mixer.build(listeners, rooms, lambda room: set(), ())
    planes.read(200, set())
    benchmark(mixer.run, set())


def test_put_and_read(benchmark: Any) -> None:
    """One packet of each leg into the ring, one frame of each out of it."""
    table = LegTable(N)
    inputs, _ = _talking(table)
    legs, sizes, payload = np.arange(N), np.full(N, 160), np.full((N, 160), 0xFF, np.uint8)
    state = [99]

    def run() -> None:
        state[0] += 1
        k = state[0]
        inputs.put(legs, np.full(N, k * 160, np.uint32), None, payload, sizes, 2 * k, early_s=0.01)
        inputs.read(legs, 2 * k)

    benchmark(run)


def test_recording_turn(benchmark: Any) -> None:
    """The ten recordings whose turn it is in one tick, 0.76 s of each."""
    table, ring = LegTable(N), _filled_ring()
    taps = Taps(table, ring, JitterRing(1, 160, np.int16), _NoWriter())
    for i in range(N // 2):
        session = Session(str(i))
        for k, name in enumerate("ab"):
            session.legs[name] = _leg(2 * i + k)
        taps.start(session, StartRecording(session=str(i), recording=str(i), path="/r", channels=[["a"], ["b"]]))

    def run() -> None:
        taps.clock = 120
        for turn in taps._turns:
            for tap in turn:
                tap.next = 0
        taps.run()

    benchmark(run)
    assert N // 2 // TURNS == 10


def _leg(row: int) -> Any:
    class Leg:
        class settings:
            codec = "PCMU"

    leg: Any = Leg()
    leg.row = row
    leg.session, leg.id = str(row), str(row)
    return leg
