"""A phone's audio: RTP and RTCP of one call in plain Python, with a clock that paces all calls of the process.

Written apart from `rtp/` and `media/` on purpose: what the switch does wrong must not be done wrong here as well, or
nobody would notice. What is sent and what is heard is counted (RFC 3550 A.1, A.3, A.8; RFC 4733).
"""

import asyncio
import random
import struct
from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np

from media.g711 import decoder
from sip.offer_answer import Negotiated
from switch.demo.rtp_sockets import open_pair, receive, send

TICK_S = 0.020
SAMPLES = 160
_LATE_BEHIND_S = 0.080
"""A phone's jitter buffer: what comes later than this behind the earliest packet is too late to be played."""
_EVENTS = "0123456789*#ABCD"
_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
_MAX_CATCH_UP = 10
_VOICE_LEVEL = 200.0
"""Mean magnitude, 16-bit, above which a packet holds voice: some -38 dBm0."""
_RTCP_EVERY_TICKS = 250
_GAP_TICKS = 4
"""Voice between two digits, as long as a finger takes at the least."""
_NTP_EPOCH_S = 2_208_988_800


class LineStatistics(msgspec.Struct):
    """What one call's audio amounted to, as this phone saw it."""

    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    """Missing in the sequence numbers; the end of a stream cannot be missed."""
    packets_late: int = 0
    packets_duplicate: int = 0
    packets_foreign: int = 0
    """Of a payload type that was not negotiated, or no RTP."""
    rtcp_received: int = 0
    voice_s: float = 0.0
    """Seconds of received audio that were no silence."""
    jitter_ms: float = 0.0
    remote_lost: int = 0
    """What the peer last reported as lost of what we sent."""
    digits_sent: str = ""
    digits_received: str = ""


class _Source:
    """What comes from one SSRC: sequence and timing (RFC 3550 A.1, A.3, A.8)."""

    __slots__ = ("base", "base_transit", "cycles", "highest", "jitter", "received", "seen", "ssrc", "transit")

    def __init__(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self.base = self.highest = sequence
        self.cycles = 0
        self.received = 0
        self.seen: deque[int] = deque(maxlen=512)
        self.transit = self.base_transit = float("nan")
        self.jitter = 0.0

    def extend(self, sequence: int) -> int:
        """The extended sequence number (RFC 3550 A.1)."""
        delta = (sequence - self.highest) & 0xFFFF
        if delta >= 0x8000:
            return self.highest + delta - 0x10000
        return self.highest + delta

    @property
    def lost(self) -> int:
        return max(0, self.highest - self.base + 1 - self.received)


class RtpClock:
    """Calls `tick` of every line each 20 ms from one loop timer, which only runs while there are lines."""

    def __init__(self) -> None:
        self._lines: dict[RtpLine, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self.late_s_max = 0.0
        """Worst lateness of a tick: what the machine did to us."""

    def add(self, line: "RtpLine") -> None:
        self._lines[line] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._next = loop.time() + TICK_S
            self._timer = loop.call_at(self._next, self._tick)

    def remove(self, line: "RtpLine") -> None:
        self._lines.pop(line, None)
        if not self._lines and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.late_s_max = max(self.late_s_max, now - self._next)
        due = 1 + min(_MAX_CATCH_UP, int((now - self._next) / TICK_S))
        for line in list(self._lines):
            for _ in range(due):
                line.tick()
        self._next += due * TICK_S
        if self._next < now:
            self._next = now + TICK_S
        self._timer = loop.call_at(self._next, self._tick) if self._lines else None


class RtpLine:
    """One call's RTP and RTCP sockets. Make it inside the running loop; `close` when the call is over.

    `voice` is looped audio by codec. `on_digit(digit, duration_ms)` is called once for each digit that came in.
    Raises OSError when no pair of ports is free.
    """

    def __init__(
        self,
        host: str,
        clock: RtpClock,
        voice: dict[str, bytes],
        *,
        randomness: random.Random,
        on_digit: Callable[[str, int], None] = lambda digit, duration_ms: None,
    ) -> None:
        self._sockets = open_pair(host)
        self.address: tuple[str, int] = self._sockets[0].getsockname()[:2]
        self.statistics = LineStatistics()
        self._clock = clock
        self._voice = voice
        self._on_digit = on_digit
        self._media: Negotiated | None = None
        self._may_send = False
        self._ssrc = randomness.getrandbits(32)
        self._sequence = randomness.getrandbits(16)
        self._timestamp = randomness.getrandbits(32)
        self._spoken = randomness.randrange(20) * SAMPLES
        self._is_marked = True
        self._ticks = randomness.randrange(_RTCP_EVERY_TICKS)
        self._octets = 0
        self._digits: deque[tuple[str, int]] = deque()
        self._event: _SentEvent | None = None
        self._gap_ticks = 0
        self._source: _Source | None = None
        self._lost_before = 0
        self._event_heard = -1
        self._pending: tuple[int, str, int] | None = None
        self._decode = decoder("PCMU")
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sockets[0], self._read_rtp)
        loop.add_reader(self._sockets[1], self._read_rtcp)

    # -- as the call's media -------------------------------------------------------------------------------------------

    def configure(self, media: Negotiated) -> None:
        """Takes what was negotiated; sending starts or stops with its direction."""
        self._media = media
        self._decode = decoder(media.codec)
        may_send = media.direction in ("sendrecv", "sendonly") and media.remote_host not in ("", "0.0.0.0", "::")
        if may_send and not self._may_send:
            self._is_marked = True
        self._may_send = may_send
        self._clock.add(self)

    def send_digits(self, digits: str, duration_ms: int = 100) -> None:
        """Queues RFC 4733 events. Raises ValueError for what is no digit, or when the peer takes none."""
        if self._media is None or self._media.dtmf_payload_type < 0:
            raise ValueError("telephone-event was not negotiated")
        for digit in digits:
            if digit not in _EVENTS:
                raise ValueError(f"not a digit: {digit!r}")
        self._digits.extend((digit, duration_ms) for digit in digits)

    @property
    def is_sending_digits(self) -> bool:
        return bool(self._digits) or self._event is not None

    def close(self) -> None:
        """Frees the ports and settles the statistics."""
        self._clock.remove(self)
        loop = asyncio.get_running_loop()
        for each, read in zip(self._sockets, (self._read_rtp, self._read_rtcp), strict=True):
            if each.fileno() >= 0:
                loop.remove_reader(each)
                read()
                each.close()
        self._settle_digit()
        if self._source is not None:
            self.statistics.packets_lost = self._lost_before + self._source.lost

    # -- sending -------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Sends what is due in this 20 ms."""
        media = self._media
        if media is None:
            return
        self._ticks += 1
        if self._ticks % _RTCP_EVERY_TICKS == 0 and self.statistics.packets_sent:
            self._send_report(media)
        if not self._may_send:
            self._timestamp = (self._timestamp + SAMPLES) & 0xFFFFFFFF
            return
        self._gap_ticks -= self._event is None and self._gap_ticks > 0
        if self._event is None and self._digits and not self._gap_ticks:
            digit, duration_ms = self._digits.popleft()
            self._event = _SentEvent(digit, self._timestamp, duration_ms * 8)
        if self._event is not None:
            self._send_event(media, self._event)
        else:
            voice = self._voice[media.codec]
            at = self._spoken % (len(voice) - SAMPLES + 1)
            self._send_rtp(media, media.payload_type, self._timestamp, voice[at : at + SAMPLES], self._is_marked)
            self._is_marked = False
            self._spoken = at + SAMPLES
        self._timestamp = (self._timestamp + SAMPLES) & 0xFFFFFFFF

    def _send_event(self, media: Negotiated, event: "_SentEvent") -> None:
        event.sent_for = min(event.sent_for + SAMPLES, event.length)
        is_over = event.sent_for >= event.length
        payload = _EVENT.pack(_EVENTS.index(event.digit), (0x80 if is_over else 0) | 10, event.sent_for)
        self._send_rtp(media, media.dtmf_payload_type, event.timestamp, payload, event.is_first)
        event.is_first = False
        if is_over:
            event.ends_sent += 1
            if event.ends_sent == 1:
                self.statistics.digits_sent += event.digit
            if event.ends_sent == 3:
                self._event = None
                self._gap_ticks = _GAP_TICKS

    def _send_rtp(self, media: Negotiated, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> None:
        header = _HEADER.pack(0x80, payload_type | (0x80 if marker else 0), self._sequence, timestamp, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.statistics.packets_sent += 1
        self._octets += len(payload)
        send(self._sockets[0], header + payload, (media.remote_host, media.remote_port))

    def _send_report(self, media: Negotiated) -> None:
        """RTCP sender report with one report block (RFC 3550 §6.4.1) and the mandatory CNAME (§6.5.1)."""
        now = asyncio.get_running_loop().time() + _NTP_EPOCH_S
        source = self._source
        head = struct.pack(
            "!IIIIII",
            self._ssrc,
            int(now) & 0xFFFFFFFF,
            int(now % 1 * 2**32),
            self._timestamp,
            self.statistics.packets_sent,
            self._octets & 0xFFFFFFFF,
        )
        block = b""
        if source is not None:
            lost = min(source.lost, 0x7FFFFF)
            jitter = int(source.jitter * 8000)
            block = struct.pack("!IIIIII", source.ssrc, lost, source.highest & 0xFFFFFFFF, jitter, 0, 0)
        report = struct.pack("!BBH", 0x80 | bool(block), 200, (4 + len(head) + len(block)) // 4 - 1) + head + block
        name = b"phone@demo"
        chunk = struct.pack("!IBB", self._ssrc, 1, len(name)) + name
        chunk += bytes(4 - len(chunk) % 4)
        description = struct.pack("!BBH", 0x81, 202, (4 + len(chunk)) // 4 - 1) + chunk
        send(self._sockets[1], report + description, (media.remote_host, media.remote_rtcp_port))

    # -- receiving -----------------------------------------------------------------------------------------------------

    def _read_rtp(self) -> None:
        now = asyncio.get_running_loop().time()
        while (data := receive(self._sockets[0])) is not None:
            self._on_rtp(data, now)

    def _read_rtcp(self) -> None:
        while (data := receive(self._sockets[1])) is not None:
            if len(data) >= 8 and data[0] >> 6 == 2:
                self.statistics.rtcp_received += 1
                block = {200: 28, 201: 8}.get(data[1], 0)
                if block and data[0] & 31 and len(data) >= block + 24:
                    (lost,) = struct.unpack_from("!I", data, block + 4)
                    self.statistics.remote_lost = lost & 0xFFFFFF

    def _on_rtp(self, data: bytes, now: float) -> None:
        media = self._media
        if len(data) <= 12 or data[0] & 0xF0 != 0x80 or media is None:
            # Before the answer is read nothing can be said of a packet; RFC 3264 §5.1 lets it come.
            self.statistics.packets_foreign += media is not None
            return
        _, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        payload = data[12 + 4 * (data[0] & 15) :]
        kind &= 0x7F
        if kind not in (media.payload_type, media.dtmf_payload_type):
            self.statistics.packets_foreign += 1
            return
        source = self._source
        if source is None or source.ssrc != ssrc:
            self._lost_before += source.lost if source is not None else 0
            source = self._source = _Source(ssrc, sequence)
        extended = source.extend(sequence)
        if extended in source.seen:
            self.statistics.packets_duplicate += 1
            return
        source.seen.append(extended)
        source.received += 1
        source.base = min(source.base, extended)
        source.highest = max(source.highest, extended)
        self.statistics.packets_received += 1
        if kind == media.dtmf_payload_type:
            self._on_event(timestamp, payload)
        else:
            self._on_audio(source, timestamp, payload, now)

    def _on_audio(self, source: _Source, timestamp: int, payload: bytes, now: float) -> None:
        transit = now - timestamp / 8000
        if source.transit != source.transit or abs(transit - source.transit) > 5.0:
            source.transit = source.base_transit = transit
        source.jitter += (abs(transit - source.transit) - source.jitter) / 16
        source.transit = transit
        source.base_transit = min(source.base_transit, transit)
        self.statistics.jitter_ms = max(self.statistics.jitter_ms, source.jitter * 1000)
        if transit - source.base_transit > _LATE_BEHIND_S:
            self.statistics.packets_late += 1
        samples = self._decode[np.frombuffer(payload, np.uint8)]
        if float(np.abs(samples.astype(np.int32)).mean()) > _VOICE_LEVEL:
            self.statistics.voice_s += len(payload) / 8000

    def _on_event(self, timestamp: int, payload: bytes) -> None:
        if len(payload) < 4:
            return
        event, flags, duration = _EVENT.unpack_from(payload)
        if event >= len(_EVENTS) or timestamp == self._event_heard:
            return
        if self._pending is not None and self._pending[0] != timestamp:
            self._settle_digit()
        self._pending = (timestamp, _EVENTS[event], duration // 8)
        if flags & 0x80:
            self._settle_digit()

    def _settle_digit(self) -> None:
        """The digit under way is over: by its end packet, by the next one, or with the call."""
        if self._pending is None:
            return
        self._event_heard, digit, duration_ms = self._pending
        self._pending = None
        self.statistics.digits_received += digit
        self._on_digit(digit, duration_ms)


class _SentEvent:
    """A digit being sent (RFC 4733 §2.5.1)."""

    __slots__ = ("digit", "ends_sent", "is_first", "length", "sent_for", "timestamp")

    def __init__(self, digit: str, timestamp: int, length: int) -> None:
        self.digit = digit
        self.timestamp = timestamp
        self.length = length
        self.sent_for = 0
        self.ends_sent = 0
        self.is_first = True
