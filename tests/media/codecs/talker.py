"""Phones in virtual time that really speak their codec."""

import numpy as np

from media.codecs.registry import find_codec
from tests.media.virtual import TYPES, Phone

LOW, HIGH = 1000, 5500
"""What wide legs speak: the second is gone where one leg is narrow."""


class Talker(Phone):
    """A phone that really speaks its codec. `sound` is spoken once, then silence; packets numbered in `lost` get lost,
    those in `events` are telephone-events."""

    def __init__(self, name, row, codec, sound, *, ptime_ms=20, fmtp="", lost=(), events=(), phase_s=0.003,
                 is_lost_unsent=False):  # fmt: skip
        super().__init__(name, row, codec, ptime_ms=ptime_ms, phase_s=phase_s)
        self.kind = find_codec(codec)
        self.sound = sound
        self.lost = set(lost)
        self.events = set(events)
        self.event_type = 101
        self.ssrc = 1000 + row
        self.is_lost_unsent = is_lost_unsent
        """What is in `lost` was never sent: sequence numbers do not tell."""
        self.is_g711 = self.kind.make_encoder is None
        self._encoder = None if self.is_g711 else self.kind.make_encoder(fmtp, self.kind.ptime(ptime_ms))
        self.seq = 5000 * row
        self.n_sent = 0

    @property
    def rate(self):
        return self.kind.rate

    @property
    def clock_hz(self):
        return self.kind.clock_hz

    def make_packet(self):
        size = self.rate * self.ptime_ms // 1000
        part = np.zeros(size, np.int16)
        spoken = self.sound[self.n * size : (self.n + 1) * size]
        part[: len(spoken)] = spoken
        payload, kind = self.encode(part) if self.is_g711 else self._encoder.encode(part), TYPES[self.codec]
        if self.n in self.events:
            payload, kind = b"\x05\x0a\x00\xa0", self.event_type
        self.seq += bool(payload) and not (self.is_lost_unsent and self.n in self.lost)
        self.is_muted = self.n in self.lost or not payload
        self.n_sent += not self.is_muted
        ts = 77_777 * self.row + self.n * self.clock_hz * self.ptime_ms // 1000
        self.n += 1
        return (
            bytes((0x80, kind))
            + (self.seq & 0xFFFF).to_bytes(2, "big")
            + (ts & 0xFFFFFFFF).to_bytes(4, "big")
            + self.ssrc.to_bytes(4, "big")
            + payload
        )

    def ear(self):
        """All that was heard, at the codec's rate (16 kHz for L16/8000), packets that were not sent left out."""
        packets = [each.payload for each in self.heard if each.type == TYPES[self.codec]]
        if self.is_g711:
            return np.concatenate([self.decode(each) for each in packets])
        decoder = self.kind.make_decoder()
        return np.concatenate([decoder.decode(each) for each in packets])

    @property
    def ear_rate(self):
        return 8000 if self.is_g711 else 16000


def two_tones(codec, seconds=3.0):
    rate = find_codec(codec).rate
    at = np.arange(int(rate * seconds)) / rate
    sound = 6000 * np.sin(2 * np.pi * LOW * at)
    if rate == 16000:
        sound += 6000 * np.sin(2 * np.pi * HIGH * at)
    return sound.astype(np.int16)
