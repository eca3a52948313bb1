"""RFC 4733 telephone-events of one leg, in and out. Pure.

The receiver reports every event exactly once, whatever was lost, repeated or reordered: an event is known by its RTP
timestamp, and of two that would overlap the second is the first (senders that give each packet of an event a timestamp
of its own). The sender makes one packet a tick, the last one three times; an event longer than the duration field goes
on in segments (§2.5.1.3), which at 48 kHz is after 1.4 s.

Not supported, since hardly anybody sends it: several events in one packet, redundant events of RFC 2198.
"""

import struct
from collections import deque
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
TIMEOUT_S = 0.25
"""An event of which nothing more is heard for so long has ended: senders update it every 20 to 50 ms."""
MAX_QUEUED = 64
_END_SLACK_MS = 50
"""How late the repeated end packets of a sender with moving timestamps lie."""
_LONGEST = 0xFFFF
_MAX_SEGMENTS_LOST = 4
_REMEMBERED = 16
_FORMAT = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True)
class Pressed:
    """A digit that ended. Duration in milliseconds, as far as it was seen."""

    digit: str
    duration_ms: int


class EventReceiver:
    """Input side of one leg. `clock_hz` is the clock of the payload type, that of the audio beside it."""

    __slots__ = (
        "_before",
        "_duration",
        "_event",
        "_last",
        "_newest",
        "_per_ms",
        "_reported",
        "_ts",
        "began",
        "deadline",
    )

    def __init__(self, clock_hz: int = 8000) -> None:
        self._per_ms = clock_hz // 1000
        self._event = -1
        self._ts = 0
        self._duration = 0
        self._before = 0
        self._newest: int | None = None
        self._last = (-1, 0, 0)
        """The event reported last: event, timestamp, duration."""
        self._reported: deque[int] = deque(maxlen=_REMEMBERED)
        self.began = 0.0
        """When the first packet of the event that runs, or was reported last, came: monotonic seconds."""
        self.deadline: float | None = None
        """Monotonic seconds at which a running event is given up, or None."""

    def is_reported(self, ts: int) -> bool:
        """The event of this timestamp is over."""
        return ts in self._reported

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
                self._before += (ts - self._ts) & 0xFFFFFFFF
                self._ts, self._newest, self._duration = ts, ts, 0
            elif self._overlaps(event, flags, ts, duration, (self._event, self._ts, self._duration)):
                ts = self._ts
            elif self._is_older(ts):
                # All of an earlier event but this packet was lost or overtaken: it was pressed all the same.
                self._reported.append(ts)
                return [Pressed(DIGITS[event], duration // self._per_ms)]
            else:
                done += self._finish()
        if self._event < 0:
            if self._overlaps(event, flags, ts, 0 if not flags & 0x80 else duration, self._last):
                return done
            if self._newest is not None and self._is_older(ts):
                self._reported.append(ts)
                return [*done, Pressed(DIGITS[event], duration // self._per_ms)]
            self._event, self._ts, self._newest = event, ts, ts
            self._duration = self._before = 0
            self.began = now
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

    def finish(self) -> list[Pressed]:
        """The stream is over: what runs has ended with it."""
        return self._finish() if self._event >= 0 else []

    def _finish(self) -> list[Pressed]:
        event, self._event = self._event, -1
        self.deadline = None
        self._reported.append(self._ts)
        self._last = (event, self._ts, self._duration)
        return [Pressed(DIGITS[event], (self._before + self._duration) // self._per_ms)]

    def _is_older(self, ts: int) -> bool:
        return self._newest is not None and ((ts - self._newest) & 0xFFFFFFFF) >= 1 << 31

    def _is_next_segment(self, ts: int) -> bool:
        """RFC 4733 §2.5.1.3: an event longer than the duration field goes on under a new timestamp."""
        distance = (ts - self._ts) & 0xFFFFFFFF
        return 0 < distance <= _MAX_SEGMENTS_LOST * _LONGEST and distance % _LONGEST == 0

    def _overlaps(self, event: int, flags: int, ts: int, duration: int, known: tuple[int, int, int]) -> bool:
        """A digit cannot begin while it sounds, nor end again right after."""
        known_event, known_ts, known_duration = known
        if event != known_event:
            return False
        slack = _END_SLACK_MS * self._per_ms if flags & 0x80 and duration >= known_duration else 0
        return 0 < (ts - known_ts) & 0xFFFFFFFF < max(known_duration, duration) + slack


@dataclass(frozen=True, slots=True)
class EventPacket:
    """One packet to be sent; `begins`: the first of its event (marker bit, new timestamp)."""

    payload: bytes
    begins: bool
    advance: int = 0
    """Not 0: the first packet of a further segment; its timestamp is so much later than the one before."""


SenderState = tuple[list[tuple[int, int, int]], tuple[int, int, int] | None, int, int, int, int]
"""Queue, event that is being sent, how much of it was and in earlier segments, repetitions of its end, pause left."""


class EventSender:
    """Output side of one leg: a queue of digits, stepped once a tick of 20 ms. `clock_hz` as `EventReceiver`."""

    __slots__ = ("_before", "_elapsed", "_frame", "_gap_left", "_queue", "_repeats", "_sending")

    VOLUME = 10
    """-10 dBm0."""

    def __init__(self, clock_hz: int = 8000) -> None:
        self._frame = clock_hz // 50
        self._queue: deque[tuple[int, int, int]] = deque()
        self._sending: tuple[int, int, int] | None = None
        self._elapsed = 0
        self._before = 0
        """Duration of the segments before this one."""
        self._repeats = 0
        self._gap_left = 0

    def queue(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Appends digits (0-9 * # A-D). ValueError: another character, times out of range, the queue would be full."""
        events = [DIGITS.find(digit) for digit in digits.upper()]
        if -1 in events or not digits:
            raise ValueError("there are characters that are no DTMF digits")
        if not 20 <= duration_ms <= 8000 or not 0 <= gap_ms <= 8000:
            raise ValueError("duration must be 20 to 8000 ms and the gap 0 to 8000 ms")
        if len(self._queue) + len(events) > MAX_QUEUED:
            raise ValueError(f"more than {MAX_QUEUED} digits are waiting")
        for event in events:
            self._queue.append((event, -(-duration_ms // 20) * self._frame, -(-gap_ms // 20) * self._frame))

    @property
    def state(self) -> "SenderState":
        """Everything about it, for `go_on` of another one."""
        return list(self._queue), self._sending, self._elapsed, self._before, self._repeats, self._gap_left

    def go_on(self, state: "SenderState") -> None:
        """Continues what another sender did not finish: an event that had begun keeps its timestamp."""
        queue, self._sending, self._elapsed, self._before, self._repeats, self._gap_left = state
        self._queue = deque(queue)

    @property
    def is_busy(self) -> bool:
        return self._sending is not None or bool(self._queue) or self._gap_left > 0

    def step(self) -> EventPacket | None:
        """The packet of this tick; None in a gap between digits and when nothing is left."""
        begins, advance = False, 0
        if self._sending is None:
            if self._gap_left > 0:
                self._gap_left -= self._frame
                return None
            if not self._queue:
                return None
            self._sending = self._queue.popleft()
            self._elapsed = self._before = self._repeats = 0
            begins = True
        event, length, gap = self._sending
        if self._elapsed - self._before == _LONGEST:
            self._before, advance = self._elapsed, _LONGEST
        self._elapsed = min(self._elapsed + self._frame, length, self._before + _LONGEST)
        ended = self._elapsed >= length
        if ended:
            self._repeats += 1
            if self._repeats == 3:
                self._sending = None
                self._gap_left = max(0, gap - 2 * self._frame)
        payload = _FORMAT.pack(event, (0x80 if ended else 0) | self.VOLUME, self._elapsed - self._before)
        return EventPacket(payload, begins, advance)
