"""Delivers the event stream to subscribers: at most one write each per 50 ms, one timer for all, none when idle."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from control.event_log import EventFilter, EventLog
from control.gate import Reach
from model.declare import Event, EventSpec

FLUSH_AFTER_S = 0.050
"""Nobody sees the difference to less, and every wake-up of a quiet loop costs as much as half a call."""
FLUSH_AT_BYTES = 65_536
MAX_SUBSCRIBERS = 1000


class Sink(Protocol):
    """Where a subscriber's lines go: a connection."""

    def write_events(self, data: bytes) -> bool:
        """Takes the lines; False = take none for now, `EventHub.ready` will be called."""

    def drop_subscriber(self, data: bytes) -> None:
        """It fell too far behind: `data` is the last it gets."""


class HubStats:
    """Counters since the start."""

    __slots__ = ("published", "subscribers", "subscribers_dropped", "writes")

    def __init__(self) -> None:
        self.published = 0
        self.writes = 0
        self.subscribers = 0
        self.subscribers_dropped = 0


class _Subscriber:
    __slots__ = ("cursor", "is_blocked", "wanted")

    def __init__(self, wanted: EventFilter, cursor: int) -> None:
        self.wanted = wanted
        self.cursor = cursor
        self.is_blocked = False


class EventHub:
    """`publish` from anywhere on the loop's thread; it never waits and never fails for a subscriber's sake.

    `history`: how many events are kept, for resuming and for subscribers that read slowly.
    """

    def __init__(
        self,
        node: str = "ringback",
        *,
        history: int = 10_000,
        first_seq: int | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._wall = wall
        self._log = EventLog(node, history, int(wall() * 1e6) if first_seq is None else first_seq)
        self._subscribers: dict[Sink, _Subscriber] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unflushed = 0
        self._kept: frozenset[type[Event]] = frozenset()
        self._keep: Callable[[Event, int, float], None] = lambda event, seq, at_utc: None
        self.stats = HubStats()

    def track(self, reach_of: Callable[[Event, EventSpec], Reach] | None) -> None:
        """From now on it is noted of each event whom it concerns; None: there is nobody who may not see all."""
        self._log.reach_of = reach_of

    def keep(self, kinds: frozenset[type[Event]], keep: Callable[[Event, int, float], None]) -> None:
        """Hands each event of these kinds over with its number and instant (UTC), before anybody is told."""
        self._kept, self._keep = kinds, keep

    @property
    def node(self) -> str:
        return self._log.node

    @property
    def oldest_seq(self) -> int:
        """The oldest event that is kept."""
        return self._log.oldest_seq

    @property
    def next_seq(self) -> int:
        """The number the next event gets."""
        return self._log.next_seq

    def publish(self, event: Event) -> None:
        """Numbers and keeps the event; subscribers get it within 50 ms."""
        at_utc = self._wall()
        if type(event) in self._kept:
            self._keep(event, self._log.next_seq, at_utc)
        self._unflushed += self._log.publish(event, at_utc)
        self.stats.published += 1
        if self._subscribers:
            if self._unflushed >= FLUSH_AT_BYTES:
                self.flush()
            elif self._timer is None:
                self._arm()

    def subscribe(self, sink: Sink, wanted: EventFilter, from_seq: int | None = None) -> bool:
        """Begins, or replaces, the subscription of `sink`. False: events from `from_seq` on are no longer all there.

        Raises OverflowError when there are too many subscribers.
        """
        if sink not in self._subscribers and len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise OverflowError(f"{MAX_SUBSCRIBERS} subscribers are the limit")
        oldest, following = self._log.oldest_seq, self._log.next_seq
        start = following if from_seq is None else from_seq
        is_complete = oldest <= start <= following
        self._subscribers[sink] = _Subscriber(wanted, start)
        self.stats.subscribers = len(self._subscribers)
        if start != following and self._timer is None:
            self._arm()
        return is_complete

    def unsubscribe(self, sink: Sink) -> None:
        """Ends the subscription of `sink`, if it has one."""
        self._subscribers.pop(sink, None)
        self.stats.subscribers = len(self._subscribers)

    def ready(self, sink: Sink) -> None:
        """`sink` takes lines again."""
        subscriber = self._subscribers.get(sink)
        if subscriber is not None and subscriber.is_blocked:
            subscriber.is_blocked = False
            if self._timer is None and subscriber.cursor != self._log.next_seq:
                self._arm()

    def flush(self) -> None:
        """Writes to everybody what is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._unflushed = 0
        has_more = False
        for sink, subscriber in list(self._subscribers.items()):
            has_more |= self._deliver(sink, subscriber)
        if has_more and self._timer is None:
            self._arm()

    def close(self) -> None:
        """Delivers what is due and lets go of timer and subscribers."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._subscribers.clear()
        self.stats.subscribers = 0

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER_S, self.flush)

    def _deliver(self, sink: Sink, subscriber: _Subscriber) -> bool:
        """Writes one portion; True when the subscriber could take more at once."""
        log = self._log
        cursor = subscriber.cursor
        if subscriber.is_blocked:
            if cursor < log.oldest_seq:
                self.unsubscribe(sink)
                self.stats.subscribers_dropped += 1
                sink.drop_subscriber(log.lost(cursor, log.next_seq - 1, self._wall()))
            return False
        head = b""
        if not log.oldest_seq <= cursor <= log.next_seq:
            to_seq = log.oldest_seq - 1
            head = log.lost(min(cursor, to_seq), to_seq, self._wall())
            cursor = log.oldest_seq
        data, subscriber.cursor = log.read(cursor, subscriber.wanted)
        if head or data:
            self.stats.writes += 1
            subscriber.is_blocked = not sink.write_events(head + data)
        return not subscriber.is_blocked and subscriber.cursor != log.next_seq
