"""A media engine in virtual time for `benchmarks.media_quality`: the real engine on real sockets, but the clock is a
number, so an hour of calls through a bad network takes seconds and every run gives the same figures.

Packets go over loopback, which delivers before `sendto` returns: what is sent at a virtual instant is there in the poll
of that instant. The network between phone and engine is `Path`.
"""

import heapq
import itertools
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.codecs.registry import find_codec
from media.engine import Engine
from model.media import Command, CommandRefused, ConfigureLeg, Event
from rtp.net.ports import Ports

Signal = NDArray[np.float64]
HOST = "127.0.0.1"
POLL_S = 0.01
TICK_S = 0.02
MUSIC_HZ = (500.0, 630.0)
TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "L16/8000": 96, "L16/16000": 97, "opus": 111}


@dataclass(frozen=True)
class Path:
    """The network from a phone to the engine, and the phone's clock."""

    loss: float = 0.0
    """Probability of each packet, independent."""
    jitter_s: float = 0.0
    """Delay is uniform from nothing to this, so packets overtake each other."""
    drift_ppm: float = 0.0
    """How much slower the phone's clock runs."""
    loses: tuple[int, ...] = ()
    """Packets that are lost by number."""


class Phone:
    """Says `voice` (at its codec's rate) in packets, and keeps what it hears."""

    def __init__(
        self,
        name: str,
        codec: str = "PCMU",
        voice: Signal | None = None,
        *,
        path: Path | None = None,
        ptime_ms: int = 20,
        phase_s: float = 0.0,
        seed: int = 0,
        session: str = "s",
    ) -> None:
        self.name, self.codec, self.session, self.ptime_ms = name, codec, session, ptime_ms
        self.known = find_codec(codec)
        self.rate = self.known.rate
        self.voice = voice
        self.path = path or Path()
        self.phase_s = phase_s
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.port = 0
        self.random = np.random.default_rng(seed)
        self.heard: list[tuple[float, bytes]] = []
        """When each packet came, and the packet."""
        self.sent: list[bytes] = []
        self._begin = int(self.random.integers(1 << 31))
        self._encode = self._make_encoder()

    def _make_encoder(self) -> Callable[[NDArray[np.int16]], bytes]:
        if self.codec in ("PCMU", "PCMA"):
            table = g711.encoder(self.codec)
            return lambda pcm: table[pcm.view(np.uint16)].tobytes()
        assert self.known.make_encoder is not None
        return self.known.make_encoder("useinbandfec=1", self.ptime_ms).encode

    def packets(self) -> list[tuple[float, bytes]]:
        """All packets of the voice with the virtual times at which they arrive; what is lost is not among them."""
        if self.voice is None:
            return []
        size = self.rate * self.ptime_ms // 1000
        step = self.known.clock_hz * self.ptime_ms // 1000
        found = []
        pcm = np.clip(np.rint(self.voice), -32768, 32767).astype(np.int16)
        for i in range(len(pcm) // size):
            payload = self._encode(pcm[i * size : (i + 1) * size])
            header = bytes((0x80, TYPES[self.codec] | (0x80 if i == 0 else 0))) + ((i + 1) & 0xFFFF).to_bytes(2, "big")
            ts = (self._begin + i * step) & 0xFFFFFFFF
            packet = header + ts.to_bytes(4, "big") + (self._begin & 0xFFFFFF).to_bytes(4, "big") + payload
            self.sent.append(payload)
            at = self.phase_s + i * self.ptime_ms / 1000 * (1 + self.path.drift_ppm * 1e-6)
            at += self.random.random() * self.path.jitter_s
            is_lost = (self.random.random() < self.path.loss and i > 0) or i in self.path.loses
            if payload and not is_lost:
                found.append((at, packet))
        return found

    def collect(self, now: float) -> None:
        while True:
            try:
                packet = self.socket.recv(2048)
            except BlockingIOError:
                return
            if packet[1] & 0x7F == TYPES[self.codec]:
                self.heard.append((now, packet))

    def timeline(self) -> Signal:
        """What was heard by RTP timestamp, at the codec's rate, silence where there was no packet; the first sample is
        that of the first packet."""
        if not self.heard:
            return np.zeros(0)
        parts = []
        decoder = self.known.make_decoder() if self.known.make_decoder is not None else None
        begin = int.from_bytes(self.heard[0][1][4:8], "big")
        for _, packet in self.heard:
            ticks = (int.from_bytes(packet[4:8], "big") - begin) & 0xFFFFFFFF
            if decoder is not None:
                pcm = decoder.decode(packet[12:]).astype(np.float64)
                at = ticks * 16000 // self.known.clock_hz
            else:
                pcm = g711.decoder(self.codec)[np.frombuffer(packet[12:], np.uint8)].astype(np.float64)
                at = ticks
            parts.append((at, pcm))
        whole = np.zeros(max(at + len(pcm) for at, pcm in parts))
        for at, pcm in parts:
            whole[at : at + len(pcm)] = pcm
        return whole

    @property
    def heard_rate(self) -> int:
        """Rate of `timeline`."""
        return 16000 if self.known.make_decoder is not None else 8000

    def close(self) -> None:
        self.socket.close()


class Prompts:
    """Hold music, ready at once."""

    def __init__(self) -> None:
        at = np.arange(80_000) / 8000
        chord = np.sum([np.sin(2 * np.pi * hz * at) for hz in MUSIC_HZ], axis=0)
        self._music = Music((3000 * chord).astype(np.int16))

    def get(self, source: str) -> "Music | None":
        return self._music if source.startswith("moh:") else None

    def request(self, source: str) -> None:
        """Nothing: what there is is there."""


@dataclass(frozen=True)
class Music:
    samples: NDArray[np.int16]
    is_looped: bool = True


@dataclass
class Writer:
    """Keeps what is recorded."""

    blocks: dict[str, list[object]] = field(default_factory=dict)

    def start(self, recording_id: str, *_: object, **__: object) -> None:
        self.blocks[recording_id] = []

    def write(self, recording_id: str, block: object) -> None:
        self.blocks[recording_id].append(block)

    def finish(self, recording_id: str, *_: object, **__: object) -> None:
        pass


class Lab:
    """`phones` on an engine. Virtual time begins at 0."""

    def __init__(self, phones: list[Phone], *, tick_phase_s: float = 0.0) -> None:
        self.phones = phones
        self.events: list[Event] = []
        self._sockets = [bound_pair() for _ in phones]
        self._ports = Ports(self._sockets)
        self.engine = Engine(
            self._ports,
            self.events.append,
            prompts=Prompts(),
            writer=Writer(),
            cname="lab",
            wall=lambda: 0.0,
            codec_threads=0,
        )
        self.now = 0.0
        self._n = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._next_poll = tick_phase_s
        self._next_tick = tick_phase_s
        for phone, (first, _) in zip(phones, self._sockets, strict=True):
            phone.port = first.getsockname()[1]
            self.do(
                ConfigureLeg(
                    phone.session,
                    phone.name,
                    phone.port,
                    codec=phone.codec,
                    clock_hz=phone.known.clock_hz,
                    payload_type=TYPES[phone.codec],
                    ptime_ms=phone.ptime_ms,
                    remote_host=HOST,
                    remote_port=phone.socket.getsockname()[1],
                    learn_from=HOST,
                )
            )
            for at, packet in phone.packets():
                self.at(at, partial(phone.socket.sendto, packet, (HOST, phone.port)))

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        for session in list(self.engine.sessions.values()):
            self.engine.finish_session(session, self.now)
        self.engine.close()
        self._ports.close_all()
        for phone in self.phones:
            phone.close()

    def do(self, *commands: Command) -> None:
        """At once; RuntimeError when one is refused."""
        for command in commands:
            self.engine.apply(command, self.now)
        refused = [event for event in self.events if isinstance(event, CommandRefused)]
        if refused:
            raise RuntimeError(str(refused))

    def at(self, when: float, action: Callable[[], object]) -> None:
        """`action` at that time."""
        heapq.heappush(self._due, (when, next(self._n), action))

    def run(self, until: float) -> None:
        """Time goes on to `until`: packets arrive, sockets are read every 10 ms, a tick every 20 ms."""
        while self.now < until:
            self.now = self._next_poll
            while self._due and self._due[0][0] <= self.now + 1e-9:
                heapq.heappop(self._due)[2]()
            self.engine.poll(self.now)
            self._next_poll += POLL_S
            if self._next_tick <= self.now + 1e-9:
                self.engine.tick(self.now)
                self._next_tick += TICK_S
                for phone in self.phones:
                    phone.collect(self.now)


def bound_pair() -> tuple[socket.socket, socket.socket]:
    """An even port and the odd one above it."""
    while True:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.bind((HOST, 0))
        port = first.getsockname()[1]
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            second.bind((HOST, port ^ 1))
        except OSError:
            first.close()
            second.close()
            continue
        return (first, second) if port % 2 == 0 else (second, first)
