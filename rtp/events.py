"""RFC 4733 telephone-events of one leg, in and out. Pure.

The receiver reports every event exactly once, whatever was lost, repeated or reordered: an event is known by its RTP
timestamp. The sender makes one packet a tick, the last one three times.
"""

import struct
from collections import deque
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
TIMEOUT_S = 0.25
"""An event of which nothing more is heard for so long has ended: senders update it every 20 to 50 ms."""
MAX_QUEUED = 64
_LONGEST = 0xFFFF
_REMEMBERED = 16
_FORMAT = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True)
class Pressed:
    """A digit that ended. Duration in milliseconds, as far as it was seen."""

    digit: str
    duration_ms: int


class EventReceiver:
    """Input side of one leg. `deadline`: monotonic seconds at which a running event is given up, or None."""

    __slots__ = ("_before", "_duration", "_event", "_newest", "_reported", "_ts", "deadline")

    def __init__(self) -> None:
        self._event = -1
        self._ts = 0
        self._duration = 0
        self._before = 0
        self._newest: int | None = None
        self._reported: deque[int] = deque(maxlen=_REMEMBERED)
        self.deadline: float | None = None

    def receive(self, payload: bytes, ts: int, now: float) -> list[Pressed]:
        """One packet's payload; too short a payload or an event that is no DTMF digit is ignored."""
        if len(payload) < _FORMAT.size:
            return []
        event, flags, duration = _FORMAT.unpack_from(payload)
        if event >= len(DIGITS) or ts in self._reported:
            return []
        done: list[Pressed] = []
        if self._event >= 0 and ts != self._ts:
            if event == self._event and self._is_next_segment(ts):
                self._reported.append(self._ts)
                self._before += self._duration
                self._ts, self._newest, self._duration = ts, ts, 0
            elif self._is_older(ts):
                # All of an earlier event but this packet was lost or overtaken: it was pressed all the same.
                self._reported.append(ts)
                return [Pressed(DIGITS[event], duration // 8)]
            else:
                done += self._finish()
        if self._event < 0:
            if self._newest is not None and self._is_older(ts):
                self._reported.append(ts)
                return [*done, Pressed(DIGITS[event], duration // 8)]
            self._event, self._ts, self._newest = event, ts, ts
            self._duration = self._before = 0
        self._duration = max(self._duration, duration)
        self.deadline = now + TIMEOUT_S
        if flags & 0x80:
            done += self._finish()
        return done

    def handle_timeout(self, now: float) -> list[Pressed]:
        """Gives up the running event when its deadline has passed."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._finish()

    def _finish(self) -> list[Pressed]:
        event, self._event = self._event, -1
        self.deadline = None
        self._reported.append(self._ts)
        return [Pressed(DIGITS[event], (self._before + self._duration) // 8)]

    def _is_older(self, ts: int) -> bool:
        return self._newest is not None and ((ts - self._newest) & 0xFFFFFFFF) >= 1 << 31

    def _is_next_segment(self, ts: int) -> bool:
        """RFC 4733 §2.5.1.3: an event longer than the duration field goes on under a new timestamp."""
        return self._duration == _LONGEST and (ts - self._ts) & 0xFFFFFFFF == _LONGEST


@dataclass(frozen=True, slots=True)
class EventPacket:
    """One packet to be sent; `begins`: the first of its event (marker bit, new timestamp)."""

    payload: bytes
    begins: bool


class EventSender:
    """Output side of one leg: a queue of digits, stepped once a tick of 20 ms."""

    __slots__ = ("_elapsed", "_gap_left", "_queue", "_repeats", "_sending")

    FRAME = 160
    VOLUME = 10
    """-10 dBm0."""

    def __init__(self) -> None:
        self._queue: deque[tuple[int, int, int]] = deque()
        self._sending: tuple[int, int, int] | None = None
        self._elapsed = 0
        self._repeats = 0
        self._gap_left = 0

    def queue(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Appends digits (0-9 * # A-D). ValueError: another character, times out of range, the queue would be full."""
        events = [DIGITS.find(digit) for digit in digits.upper()]
        if -1 in events or not digits:
            raise ValueError(f"{digits!r} has characters that are no DTMF digits")
        if not 20 <= duration_ms <= 8000 or not 0 <= gap_ms <= 8000:
            raise ValueError("duration must be 20 to 8000 ms and the gap 0 to 8000 ms")
        if len(self._queue) + len(events) > MAX_QUEUED:
            raise ValueError(f"more than {MAX_QUEUED} digits are waiting")
        up = self.FRAME - 1
        for event in events:
            length = (duration_ms * 8 + up) // self.FRAME * self.FRAME
            self._queue.append((event, length, (gap_ms * 8 + up) // self.FRAME * self.FRAME))

    @property
    def is_busy(self) -> bool:
        return self._sending is not None or bool(self._queue) or self._gap_left > 0

    def step(self) -> EventPacket | None:
        """The packet of this tick; None in a gap between digits and when nothing is left."""
        begins = False
        if self._sending is None:
            if self._gap_left > 0:
                self._gap_left -= self.FRAME
                return None
            if not self._queue:
                return None
            self._sending = self._queue.popleft()
            self._elapsed = self._repeats = 0
            begins = True
        event, length, gap = self._sending
        self._elapsed = min(self._elapsed + self.FRAME, length)
        ended = self._elapsed >= length
        if ended:
            self._repeats += 1
            if self._repeats == 3:
                self._sending = None
                self._gap_left = max(0, gap - 2 * self.FRAME)
        return EventPacket(_FORMAT.pack(event, (0x80 if ended else 0) | self.VOLUME, self._elapsed), begins)
