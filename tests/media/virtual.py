"""An engine in virtual time: no sockets, no threads, phones that speak tones and keep what they hear."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from media import g711
from media.engine import Engine
from model.media import ConfigureLeg, ConnectMatrix, Edge
from rtp.header import HEADER_BYTES, MAX_PACKET, header_view
from rtp.srtp import SrtpTable

POLL_S = 0.01
TICK_S = 0.02


class FakePorts:
    """What the engine needs of `rtp.net.ports.Ports`, without a network."""

    def __init__(self, n):
        self.batch = max(64, n)
        self.arena = np.zeros((self.batch, MAX_PACKET), np.uint8)
        self.headers = header_view(self.arena)
        self.legs = np.zeros(self.batch, np.int64)
        self.lengths = np.zeros(self.batch, np.int64)
        view = self.arena.reshape(-1).data
        self.rows = [view[i * MAX_PACKET : (i + 1) * MAX_PACKET] for i in range(self.batch)]
        self.ports = {10_000 + 2 * i: i for i in range(n)}
        self.capacity = n
        self.srtp = SrtpTable(n)
        self.strangers, self.reports, self.shared_reports, self.unknown = [], [], [], []
        self.has_doubles = False
        self.n_send_failures = 0
        self.inbox = [[] for _ in range(n)]
        self.deliver = lambda row, packet: None

    def choose_row(self, port, wanted=-1):
        return self.ports[port]

    def open(self, row, port, *, is_kept=False):
        self.inbox[row].clear()

    def connect(self, row, source, destination):
        pass

    def close(self, row):
        pass

    def poll(self, timeout_s=0.0):
        n = 0
        for row, waiting in enumerate(self.inbox):
            if waiting:
                packet = waiting.pop(0)
                self.rows[n][: len(packet)] = packet
                self.legs[n], self.lengths[n] = row, len(packet)
                n += 1
        return n

    def send_rows(self, rows, legs, lengths):
        for row, leg, length in zip(rows, legs, lengths, strict=True):
            self.deliver(leg, bytes(self.rows[row][:length]))

    def prepare(self, packets, which, legs):
        return Outgoing(self, packets, which, legs)

    def tell_ssrc(self, row, ssrc):
        pass

    def send(self, leg, packet):
        self.deliver(leg, bytes(packet))

    def read_report(self, row):
        return None

    def send_report(self, row, packet, destination):
        pass


@dataclass
class Outgoing:
    """Packets made in the same place again and again."""

    ports: FakePorts
    packets: np.ndarray
    which: np.ndarray
    legs: np.ndarray

    def send(self):
        for i, leg in zip(self.which.tolist(), self.legs.tolist(), strict=True):
            self.ports.send(leg, self.packets[i].tobytes())


@dataclass
class Heard:
    """One packet a phone got."""

    at: float
    type: int
    marker: bool
    seq: int
    ts: int
    ssrc: int
    payload: bytes


def parse(at, packet):
    return Heard(
        at,
        packet[1] & 0x7F,
        bool(packet[1] & 0x80),
        int.from_bytes(packet[2:4], "big"),
        int.from_bytes(packet[4:8], "big"),
        int.from_bytes(packet[8:12], "big"),
        bytes(packet[HEADER_BYTES:]),
    )


TYPES = {"PCMU": 0, "PCMA": 8, "L16/16000": 96, "L16/8000": 97, "G729": 18, "G722": 9, "opus": 111}


@dataclass
class Phone:
    """Speaks a tone of its own (`hz`, `level`), packets of `ptime_ms` at its own phase of the clock."""

    name: str
    row: int
    codec: str = "PCMU"
    hz: float = 0.0
    level: float = 8000.0
    ptime_ms: int = 20
    phase_s: float = 0.0
    voice: np.ndarray | None = None
    """Spoken instead of the tone, over and over."""
    is_muted: bool = False
    heard: list[Heard] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    n: int = 0
    spoken_ms: int = 0
    next_at: float = 0.0

    @property
    def rate(self):
        return 16000 if self.codec == "L16/16000" else 8000

    @property
    def clock_hz(self):
        return 48000 if self.codec == "opus" else self.rate

    def encode(self, samples):
        pcm = np.rint(np.clip(samples, -32768, 32767)).astype(np.int16)
        if self.codec.startswith("L16"):
            return pcm.astype(">i2").tobytes()
        if self.codec in ("PCMU", "PCMA"):
            return g711.encoder(self.codec)[pcm.view(np.uint16)].tobytes()
        return b"%s %s %d" % (self.name.encode(), self.codec.encode(), self.n)

    def decode(self, payload):
        if self.codec.startswith("L16"):
            return np.frombuffer(payload, ">i2").astype(float)
        return g711.decoder(self.codec)[np.frombuffer(payload, np.uint8)].astype(float)

    def make_packet(self):
        size = self.rate * self.ptime_ms // 1000
        place = self.spoken_ms * self.rate // 1000 + np.arange(size)
        if self.voice is not None:
            payload = self.encode(self.voice[place % len(self.voice)])
        else:
            payload = self.encode(self.level * np.sin(2 * np.pi * self.hz * place / self.rate))
        ts = self.spoken_ms * self.clock_hz // 1000
        self.sent.append(payload)
        self.n += 1
        self.spoken_ms += self.ptime_ms
        return (
            bytes((0x80, TYPES[self.codec]))
            + ((self.n + 5000 * self.row) & 0xFFFF).to_bytes(4, "big")[2:]
            + (ts + 77_777 * self.row & 0xFFFFFFFF).to_bytes(4, "big")
            + (1000 + self.row).to_bytes(4, "big")
            + payload
        )

    def audio(self, since=0.0):
        """Everything heard from virtual time `since` on, one packet after the other."""
        parts = [self.decode(each.payload) for each in self.heard if each.at >= since and each.type < 100]
        return np.concatenate(parts) if parts else np.zeros(0)

    def hears(self, other, since, until=None):
        """The level at which `other`'s tone is heard, as a part of what it speaks with."""
        parts = [
            self.decode(each.payload)
            for each in self.heard
            if each.at >= since and (until is None or each.at < until) and each.type < 100
        ]
        if not parts:
            return 0.0
        audio = np.concatenate(parts)
        at = np.arange(len(audio)) / self.rate
        window = np.hanning(len(audio))
        found = np.abs(np.sum(audio * window * np.exp(-2j * np.pi * other.hz * at))) / np.sum(window) * 2
        return float(found / other.level)

    def lag(self, other, since, until):
        """Where in `other`'s voice the first sample heard from `since` to `until` lies; -1 when it is not heard."""
        audio = np.concatenate([self.decode(each.payload) for each in self.heard if since <= each.at < until])
        voice = np.concatenate((other.voice, other.voice))
        n = 1 << (len(voice) + len(audio) - 1).bit_length()
        found = np.fft.irfft(np.fft.rfft(voice, n) * np.conj(np.fft.rfft(audio, n)), n)[: len(other.voice)]
        best = int(np.argmax(found))
        return best if found[best] > 0.5 * np.dot(audio, audio) else -1

    def assert_continuous(self, max_gap_s=0.0401):
        """One SSRC; every sequence number once and in order; timestamps that go on by whole packets; no gap in time."""
        assert len({each.ssrc for each in self.heard}) <= 1
        per_s = self.clock_hz
        for before, after in itertools.pairwise(self.heard):
            assert (after.seq - before.seq) & 0xFFFF == 1, (self.name, before.at, after.at)
            assert after.at - before.at <= max_gap_s, (self.name, before.at, after.at)
            if before.type < 100:
                scale = 2 if self.codec.startswith("L16") else 1
                step = (after.ts - before.ts) & 0xFFFFFFFF
                assert step == len(before.payload) // scale, (self.name, before.at, after.at, step, per_s)


class World:
    """`phones` in one session "s", each on its row."""

    def __init__(self, *phones, prompts=None, writer=None):
        self.phones = {phone.name: phone for phone in phones}
        self.by_row = {phone.row: phone for phone in phones}
        self.ports = FakePorts(max(self.by_row) + 1)
        self.ports.deliver = self._deliver
        self.events = []
        self.now = 100.0
        self._next_tick = self.now + 0.005
        self.engine = Engine(
            self.ports,
            self.events.append,
            prompts=prompts or Silence(),
            writer=writer or NoWriter(),
            cname="x",
            wall=lambda: 0.0,
            codec_threads=0,
        )
        for phone in phones:
            phone.next_at = self.now + phone.phase_s
            self.configure(phone)

    def _deliver(self, row, packet):
        self.by_row[row].heard.append(parse(self.now, packet))

    def do(self, *commands):
        for command in commands:
            self.engine.apply(command, self.now)

    def configure(self, phone, **more):
        settings = {
            "session": "s",
            "leg": phone.name,
            "port": 10_000 + 2 * phone.row,
            "codec": phone.codec,
            "clock_hz": phone.clock_hz,
            "payload_type": TYPES[phone.codec],
            "ptime_ms": phone.ptime_ms,
            "remote_host": "192.0.2.1",
            "remote_port": 20_000 + 2 * phone.row,
        }
        self.do(ConfigureLeg(**(settings | more)))

    def connect(self, *edges, rooms=()):
        """Edges as "speaker>listener" or "a-b" (both ways), with "*gain" behind."""
        found = []
        for text in edges:
            names, _, gain = text.partition("*")
            g = float(gain) if gain else 1.0
            if ">" in names:
                found.append(Edge(*names.split(">"), g))
            else:
                a, b = names.split("-")
                found += [Edge(a, b, g), Edge(b, a, g)]
        self.do(ConnectMatrix(session="s", edges=found, rooms=list(rooms)))

    def delay(self, seconds):
        """The process gets no time for so long; then the ticks that were due come at once."""
        n_ticks = round(seconds / TICK_S)
        self.now += n_ticks * TICK_S
        for phone in self.phones.values():
            phone.next_at += n_ticks * TICK_S
        self._next_tick += n_ticks * TICK_S
        for _ in range(n_ticks):
            self.engine.tick(self.now)

    def run(self, seconds):
        """Time goes on: phones send, sockets are read every 10 ms, a tick every 20 ms. Returns the time it began."""
        began = self.now
        end = self.now + seconds - 1e-9
        while True:
            following = min([phone.next_at for phone in self.phones.values()] + [self._next_poll(), self._next_tick])
            if following > end:
                self.now = end + 1e-9
                return began
            self.now = following
            for phone in self.phones.values():
                if phone.next_at <= self.now + 1e-9:
                    packet = phone.make_packet()
                    phone.next_at += phone.ptime_ms / 1000
                    if not phone.is_muted:
                        self.ports.inbox[phone.row].append(packet)
            self.engine.poll(self.now)
            if self._next_tick <= self.now + 1e-9:
                self.engine.tick(self.now)
                self._next_tick += TICK_S

    def _next_poll(self):
        return (int((self.now + 1e-6) / POLL_S) + 1) * POLL_S


class Silence:
    """Prompts that are never there, unless put in."""

    def __init__(self, **sources):
        self.sources = sources

    def get(self, source):
        return self.sources.get(source.replace(":", "_"))

    def request(self, source):
        pass


class Prepared:
    def __init__(self, samples, is_looped=True):
        self.samples = np.asarray(samples, np.int16)
        self.is_looped = is_looped


class NoWriter:
    """A writer that keeps what it gets."""

    def __init__(self):
        self.takes = []

    def start(self, *_, **__):
        pass

    def write(self, recording_id, block):
        self.takes.append(block)

    def finish(self, recording_id, ending):
        self.ending = ending
