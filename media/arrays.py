"""The state of all legs as arrays, one entry per leg row; what is touched for every packet lives here."""

import numpy as np

from media.codecs.registry import find_codec

PCMU = 0
PCMA = 1
DECODED = 2
"""Decoded and encoded by the codec desk, heard and hears at 16 kHz."""
LINEAR = 3
"""As DECODED, but hears at 8 kHz (L16/8000)."""
OPAQUE = 4
"""Not decoded here: relayed to a leg that speaks the same."""
LAWS = {"PCMU": PCMU, "PCMA": PCMA}
KINDS = LAWS | {"G722": DECODED, "opus": DECODED, "L16/16000": DECODED, "L16/8000": LINEAR}
BYTE_A_TICK = frozenset({"PCMU", "PCMA", "G722"})
"""Codecs whose packets are as many bytes long as their RTP clock ticks (RFC 3551 §4.5.2: even G.722)."""
SILENCE_BY_LAW = np.array([0xFF, 0xD5], np.uint8)

TICK_S = 0.02
FRAME = 160
"""Samples of one tick at 8 kHz."""
WIDE_FRAME = 320
"""Samples of one tick at 16 kHz."""
CHUNK = 80
"""Samples of one ring chunk (10 ms) at 8 kHz."""

_EVENT_BYTES = 4
"""Payload of a telephone-event (RFC 4733 §2.3): says nothing of how long it lasts."""


def kind_of(codec: str) -> int:
    """PCMU, PCMA, DECODED, LINEAR or OPAQUE."""
    return KINDS.get(codec, OPAQUE) if find_codec(codec).is_transcodable else OPAQUE


class LegTable:
    """Columns over leg rows. `reset(row)` before a leg is used."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self.capacity = n
        self.audio_type = np.full(n, -1, np.int16)
        """RTP payload type of the audio, both ways; -1 while the row is free."""
        self.event_type = np.full(n, -1, np.int16)
        """RTP payload type of telephone-event, both ways; -1 = none."""
        self.noise_type = np.full(n, -1, np.int16)
        """RTP payload type of comfort noise (RFC 3389), both ways; -1 = none."""
        self.law = np.zeros(n, np.uint8)
        """PCMU or PCMA; meaningless for other kinds."""
        self.kind = np.zeros(n, np.uint8)
        """PCMU, PCMA, DECODED, LINEAR or OPAQUE."""
        self.is_byte_a_tick = np.zeros(n, np.bool_)
        """The codec sends one byte a tick of its RTP clock."""
        self.step = np.full(n, CHUNK, np.int64)
        """RTP clock ticks of 10 ms, both ways."""
        self.ptime = np.full(n, 2, np.int64)
        """Length of the packets we make, in units of 10 ms."""
        self.may_receive = np.zeros(n, np.bool_)
        self.is_ringed = np.zeros(n, np.bool_)
        """Somebody needs the leg's audio (the tick, a recording): its packets are kept, or decoded."""
        self.relay_to = np.full(n, -1, np.int64)
        """Row that hears this leg by relay, -1 = none."""
        self.is_relay_set = np.zeros(n, np.bool_)
        """`relay_seq` and `relay_ts` fit the stream that comes in."""
        self.relay_seq = np.zeros(n, np.uint16)
        """What is added to the sequence numbers of this leg's packets on their way to `relay_to`."""
        self.relay_ts = np.zeros(n, np.uint32)
        self.out_ssrc = np.zeros(n, np.uint32)
        self.out_seq = np.zeros(n, np.uint16)
        """Highest sequence number sent to the leg."""
        self.out_ts = np.zeros(n, np.uint32)
        """Timestamp of the newest packet sent to the leg."""
        self.out_samples = np.zeros(n, np.int64)
        """Payload bytes of that packet: for G.711, its length in samples."""
        self.sent_at = np.full(n, -1.0, np.float64)
        """Monotonic seconds; -1 = nothing sent yet."""
        self.packets_sent = np.zeros(n, np.int64)
        self.bytes_sent = np.zeros(n, np.int64)
        self.received_at = np.zeros(n, np.float64)
        """When the last packet came (or the leg was allocated, or began to expect audio)."""
        self.rejected = np.zeros(n, np.int64)
        self.inactivity_s = np.zeros(n, np.float64)
        self.is_inactive = np.zeros(n, np.bool_)
        """`Inactivity` was sent for the silence that lasts."""

    def reset(self, row: int) -> None:
        """Forgets everything about the leg."""
        for name, column in vars(self).items():
            if name != "capacity":
                column[row] = 0
        for column in (self.audio_type, self.event_type, self.noise_type, self.relay_to, self.sent_at):
            column[row] = -1
        self.step[row], self.ptime[row] = CHUNK, 2

    def packet_ticks(self, row: int) -> int:
        """RTP ticks that the newest packet sent to the leg lasts."""
        if self.kind[row] <= PCMA:
            samples = int(self.out_samples[row])
            return samples if samples > _EVENT_BYTES else CHUNK
        return int(self.step[row] * self.ptime[row])
