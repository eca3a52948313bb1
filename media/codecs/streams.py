"""One leg's way through a codec, either direction: order, gaps, packet lengths. Pure; a desk's thread calls it.

Packets are decoded in the order of their sequence numbers. A missing one is not waited for, it would delay all that
follow: what came is decoded at once, and the missing one recovered from it (Opus repeats the last packet in the next
one) or made up. Only a leg whose packets have been seen to overtake each other gets a window in which they are waited
for, for as long as that goes on.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from media.codecs.base import WIDE_HZ, Codec, CodecError, Decoder, Encoder, Pcm, to_pcm
from media.rates import RateConverter

CHUNK = WIDE_HZ // 100
"""Samples of 10 ms: decoded audio leaves in multiples of it."""
MAX_LENGTH = 6 * CHUNK
"""Decoded audio leaves in pieces no longer than this: a ring takes no more at a time."""
MAX_WINDOW = 3
"""Packets that are held back at most while one before them is missing."""
HOLD_S = 0.06
"""How long at most."""
WINDOW_KEPT_S = 20.0
"""How long a leg keeps its window after packets overtook each other the last time."""
MAX_JUMP = 100
"""Sequence numbers further away begin a new stream."""
MAX_CONCEALED = WIDE_HZ * 120 // 1000
"""Samples made up for one gap; a longer one is silence."""
_N_GIVEN_UP = 16
_ROW = np.zeros(1, np.int64)


class Packet(NamedTuple):
    """What arrived. An empty payload stands for a packet that is no audio of the codec (a telephone-event, say)."""

    seq: int
    ts: int
    payload: bytes
    at: float
    """Monotonic seconds."""


class Decoded(NamedTuple):
    """int16[k * 160] at 16 kHz that belongs to RTP timestamp `ts`."""

    stream: "DecodeStream"
    ts: int
    pcm: Pcm
    is_made_up: bool
    """Recovered or concealed: no packet of its own."""
    number: int
    """Counts what comes out, 16 bits; one is left out where something is missing. So a timestamp that jumps although
    the number does not is silence that was not sent."""


class Encoded(NamedTuple):
    """A packet to send, `ticks` of the RTP clock long; without payload it is silence that need not be sent."""

    stream: "EncodeStream"
    ticks: int
    payload: bytes


@dataclass(slots=True)
class CodecCounters:
    """What happened on one leg. Written by its thread alone, but for `dropped`."""

    late: int = 0
    """Packets that came after their place had been filled."""
    recovered: int = 0
    """Lost packets whose audio was in the next one."""
    concealed: int = 0
    """Lost packets that were made up."""
    concealed_samples: int = 0
    """Their length at 16 kHz."""
    errors: int = 0
    """Packets that are none of the codec, or frames that could not be encoded."""
    behind: int = 0
    """Packets and frames finished more than a tick late because their thread had too much to do."""
    dropped: int = 0
    """Packets and frames that found the queue full."""


class DecodeStream:
    """One RTP stream's decoder."""

    def __init__(self, row: int, codec: Codec, counters: CodecCounters) -> None:
        self.row = row
        self.counters = counters
        self.has_come_out = False
        """Some of it was collected (the collector's own note)."""
        self._codec = codec
        self._decoder: Decoder | None = None
        self._next_seq = -1
        self._next_ts = 0
        self._samples = WIDE_HZ // 50
        """Length of the newest packet at 16 kHz."""
        self._held: dict[int, Packet] = {}
        self._window = 0
        self._window_until = 0.0
        self._given_up: deque[int] = deque(maxlen=_N_GIVEN_UP)
        self._rest: Pcm | None = None
        self._rest_ts = 0
        self._number = 0

    @property
    def is_holding(self) -> bool:
        """Packets wait for one before them: `take` must be called again soon, with nothing if need be."""
        return bool(self._held)

    def take(self, packets: list[Packet], now: float, out: list[Decoded]) -> None:
        """Decodes what is due; `packets` in any order."""
        for packet in packets:
            self._place(packet)
        while self._held:
            first = min(self._held, key=lambda seq: (seq - self._next_seq) & 0xFFFF)
            packet = self._held[first]
            if first != self._next_seq:
                if len(self._held) <= self._window and now - packet.at < HOLD_S:
                    return
                self._fill_gap(packet, out)
            del self._held[first]
            self._next_seq = (packet.seq + 1) & 0xFFFF
            if packet.payload:
                self._decode(packet, out)

    def _place(self, packet: Packet) -> None:
        if self._window and packet.at > self._window_until:
            self._window = 0
        ahead = _signed(packet.seq - self._next_seq, 16)
        if self._next_seq < 0 or not -MAX_JUMP < ahead < MAX_JUMP:
            self._decoder = None
            self._held.clear()
            self._rest = None
            self._next_seq = packet.seq
            self._next_ts = packet.ts
        elif ahead < 0:
            if packet.seq in self._given_up:  # it was not lost but overtaken
                self._given_up.remove(packet.seq)
                self.counters.late += 1
                self._window = min(MAX_WINDOW, max(self._window, 1, -ahead - 1))
                self._window_until = packet.at + WINDOW_KEPT_S
            return
        elif ahead > 0 and self._window and packet.at <= self._window_until:
            self._window_until = packet.at + WINDOW_KEPT_S
        self._held[packet.seq] = packet

    def _fill_gap(self, following: Packet, out: list[Decoded]) -> None:
        """Packets before `following` are missing: their audio, as far as it can be had."""
        n_lost = (following.seq - self._next_seq) & 0xFFFF
        self._given_up.extend((self._next_seq + i) & 0xFFFF for i in range(max(0, n_lost - _N_GIVEN_UP), n_lost))
        samples = self._to_samples(_signed(following.ts - self._next_ts, 32))
        if self._decoder is None or not following.payload or not 0 < samples <= MAX_CONCEALED:
            self._number += 1
            return
        last = min(self._samples, samples)
        if samples > last:
            self._make_up(self._decoder, self._next_ts, samples - last, n_lost - 1, out)
        ts = following.ts - self._to_ticks(last)
        try:
            recovered = self._decoder.recover(following.payload, last)
        except CodecError:  # `following` is broken, and counted when it is decoded
            recovered = None
        if recovered is None:
            self._make_up(self._decoder, ts, last, 1, out)
        else:
            self.counters.recovered += 1
            self._put(ts, recovered, out, is_made_up=True)

    def _make_up(self, decoder: Decoder, ts: int, samples: int, n_packets: int, out: list[Decoded]) -> None:
        made = decoder.conceal(samples)
        if made is None:
            self._number += 1
            return
        self.counters.concealed += n_packets
        self.counters.concealed_samples += len(made)
        self._put(ts, made, out, is_made_up=True)

    def _decode(self, packet: Packet, out: list[Decoded]) -> None:
        if self._decoder is None:
            assert self._codec.make_decoder is not None
            self._decoder = self._codec.make_decoder()
        try:
            pcm = self._decoder.decode(packet.payload)
        except CodecError:
            self.counters.errors += 1
            self._number += 1
            return
        self._samples = len(pcm)
        self._next_ts = packet.ts + self._to_ticks(len(pcm))
        self._put(packet.ts, pcm, out, is_made_up=False)

    def _put(self, ts: int, pcm: Pcm, out: list[Decoded], *, is_made_up: bool) -> None:
        """Hands out whole chunks; the rest waits for what follows it."""
        if self._rest is not None:
            if _signed(ts - self._rest_ts - self._to_ticks(len(self._rest)), 32) == 0:
                ts = self._rest_ts
                pcm = np.concatenate([self._rest, pcm])
            self._rest = None
        n = len(pcm) // CHUNK * CHUNK
        if n < len(pcm):
            self._rest = pcm[n:]
            self._rest_ts = ts + self._to_ticks(n)
        for begin in range(0, n, MAX_LENGTH):
            self._number += 1
            part = pcm[begin : min(begin + MAX_LENGTH, n)]
            place = (ts + self._to_ticks(begin)) & 0xFFFFFFFF
            out.append(Decoded(self, place, part, is_made_up, self._number & 0xFFFF))

    def _to_ticks(self, samples: int) -> int:
        return samples * self._codec.clock_hz // WIDE_HZ

    def _to_samples(self, ticks: int) -> int:
        return ticks * WIDE_HZ // self._codec.clock_hz


class EncodeStream:
    """One leg's encoder: frames of 20 ms in, packets of the leg's length out."""

    def __init__(self, row: int, codec: Codec, fmtp: str, ptime_ms: int, counters: CodecCounters) -> None:
        self.row = row
        self.counters = counters
        self.ptime_ms = codec.ptime(ptime_ms)
        self.loss_percent = -1
        """What the peer loses, -1 while it has not said; any thread may set it."""
        self._codec = codec
        self._fmtp = fmtp
        self._encoder: Encoder | None = None
        self._told_percent = -1
        self._samples = codec.rate * self.ptime_ms // 1000
        self._ticks = codec.clock_hz * self.ptime_ms // 1000
        self._waiting = np.zeros(self._samples + codec.rate // 50, np.int16)
        self._n_waiting = 0
        self._converter: RateConverter | None = None

    def take(self, pcm: Pcm, out: list[Encoded]) -> None:
        """The next frame, at the codec's rate or at 16 kHz."""
        if self._encoder is None:
            assert self._codec.make_encoder is not None
            self._encoder = self._codec.make_encoder(self._fmtp, self.ptime_ms)
        if self.loss_percent != self._told_percent and self.loss_percent >= 0:
            self._told_percent = self.loss_percent
            self._encoder.expect_loss(self._told_percent)
        if self._codec.rate != WIDE_HZ and len(pcm) == WIDE_HZ // 50:
            if self._converter is None:
                self._converter = RateConverter(1, WIDE_HZ, self._codec.rate)
            pcm = to_pcm(self._converter.run(_ROW, pcm.astype(np.float32)[None])[0])
        waiting, size = self._waiting, self._samples
        waiting[self._n_waiting : self._n_waiting + len(pcm)] = pcm
        self._n_waiting += len(pcm)
        while self._n_waiting >= size:
            out.append(Encoded(self, self._ticks, self._encode(self._encoder, waiting[:size])))
            self._n_waiting -= size
            waiting[: self._n_waiting] = waiting[size : size + self._n_waiting].copy()

    def skip(self) -> Encoded:
        """A frame that could not be taken: time goes on all the same."""
        return Encoded(self, self._codec.clock_hz // 50, b"")

    def _encode(self, encoder: Encoder, pcm: Pcm) -> bytes:
        try:
            return encoder.encode(pcm)
        except CodecError:
            self.counters.errors += 1
            return b""


def _signed(difference: int, bits: int) -> int:
    """`difference` modulo 2**bits, the nearest to 0."""
    half = 1 << (bits - 1)
    return ((difference + half) & ((1 << bits) - 1)) - half
