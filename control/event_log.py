"""The stream of events: one ring of encoded lines; a subscriber is a cursor into it. Pure: the instant is an argument.

So publishing costs the same for any number of subscribers, nothing is queued per subscriber, and memory is bounded by
the ring. Who falls behind by more than the ring is told which numbers are gone.
"""

import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from control.gate import NOBODY, Reach
from model.declare import EVENTS, Event, EventSpec, event_spec
from model.events import EventsLost


class Watcher(Protocol):
    """What a subscriber may see (`control.gate.Viewer`)."""

    def sees_everything(self) -> bool: ...
    def sees_all(self, spec: EventSpec) -> bool: ...
    def sees(self, spec: EventSpec, reach: Reach) -> bool: ...


class EventFilter(msgspec.Struct, frozen=True):
    """Which events a subscriber wants. `names`: "call.ended", "call.*" or "*"; both empty = everything."""

    names: tuple[str, ...] = ()
    call_ids: frozenset[str] = frozenset()
    watcher: Watcher | None = None
    """None: may see everything."""

    def wants_name(self, name: str) -> bool:
        """Whether events of this name pass."""
        return not self.names or any(
            pattern in ("*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-1]))
            for pattern in self.names
        )


class EventLog:
    """Numbers, encodes and keeps the last `size` events.

    `first_seq` should grow from one start of the switch to the next (the switch uses microseconds since 1970), so that
    a number read before a restart is never mistaken for a later event.
    """

    __slots__ = (
        "_call_ids",
        "_encode",
        "_heads",
        "_lines",
        "_names",
        "_reaches",
        "_second",
        "_second_text",
        "first_seq",
        "next_seq",
        "node",
        "reach_of",
        "size",
    )

    def __init__(self, node: str, size: int = 10_000, first_seq: int = 1) -> None:
        self.node = node
        self.size = size
        self.first_seq = first_seq
        self.next_seq = first_seq
        self._lines: list[bytes] = [b""] * size
        self._names: list[str] = [""] * size
        self._call_ids: list[str] = [""] * size
        self._reaches: list[Reach] = [NOBODY] * size
        self.reach_of: Callable[[Event, EventSpec], Reach] | None = None
        """Whom an event concerns; None while there is no subscriber of whom it would be asked."""
        self._heads: dict[type[Event], tuple[bytes, EventSpec]] = {}
        self._encode = msgspec.json.Encoder().encode
        self._second = -1
        self._second_text = b""

    @property
    def oldest_seq(self) -> int:
        """The oldest number that is kept; equals `next_seq` when there is none."""
        return max(self.first_seq, self.next_seq - self.size)

    def publish(self, event: Event, wall_s: float) -> int:
        """Keeps the event under the next number and returns how many bytes its line has. `wall_s`: UTC since 1970."""
        seq = self.next_seq
        cls = type(event)
        head, spec = self._heads.get(cls) or self._prepare(cls)
        line = self._render(head, seq, wall_s, event)
        at = seq % self.size
        self._lines[at] = line
        self._names[at] = spec.name
        self._call_ids[at] = event.call_id if spec.has_call_id else ""  # type: ignore[attr-defined]
        # Now, not when it is read: a call that has ended is nobody's any more.
        self._reaches[at] = NOBODY if self.reach_of is None or not spec.of else self.reach_of(event, spec)
        self.next_seq = seq + 1
        return len(line)

    def read(self, cursor: int, wanted: EventFilter, limit: int = 512) -> tuple[bytes, int]:
        """Up to `limit` events from `cursor` on that pass the filter, and the cursor after them.

        `cursor` must lie between `oldest_seq` and `next_seq`.
        """
        end = min(self.next_seq, cursor + limit)
        if end <= cursor:
            return b"", cursor
        start, stop = cursor % self.size, (end - 1) % self.size + 1
        spans = [slice(start, stop)] if start < stop else [slice(start, self.size), slice(0, stop)]
        watcher = wanted.watcher
        is_free = watcher is None or watcher.sees_everything()
        if is_free and not wanted.names and not wanted.call_ids:
            return b"".join([line for span in spans for line in self._lines[span]]), end
        passing = {name for name in {n for span in spans for n in self._names[span]} if wanted.wants_name(name)}
        call_ids = wanted.call_ids
        found = [
            at
            for span in spans
            for at, name, call_id in zip(
                range(span.start, span.stop), self._names[span], self._call_ids[span], strict=True
            )
            if name in passing and (not call_ids or call_id in call_ids)
        ]
        if watcher is not None and not is_free:
            found = self._visible(found, passing, watcher)
        return b"".join([self._lines[at] for at in found]), end

    def _visible(self, places: list[int], names: set[str], watcher: Watcher) -> list[int]:
        """Those of the places in the ring that the watcher may see."""
        judged = {name for name in names if not watcher.sees_all(EVENTS[name])}
        return [
            at
            for at in places
            if (name := self._names[at]) not in judged or watcher.sees(EVENTS[name], self._reaches[at])
        ]

    def lost(self, from_seq: int, to_seq: int, wall_s: float) -> bytes:
        """The line that tells one subscriber what it will not get; its own number is `to_seq`."""
        head, _ = self._heads.get(EventsLost) or self._prepare(EventsLost)
        return self._render(head, to_seq, wall_s, EventsLost(from_seq=from_seq, to_seq=to_seq))

    def _render(self, head: bytes, seq: int, wall_s: float, event: Event) -> bytes:
        second = int(wall_s)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        at_ms = int((wall_s - second) * 1000)
        return b'%b%d,"at":"%b.%03dZ",%b}\n' % (head, seq, self._second_text, at_ms, self._encode(event)[1:])

    def _prepare(self, cls: type[Event]) -> tuple[bytes, EventSpec]:
        spec = event_spec(cls)
        head = b'{"jsonrpc":"2.0","method":"event","params":{"event":"%b","node":%b,"seq":' % (
            spec.name.encode(),
            msgspec.json.encode(self.node),
        )
        self._heads[cls] = head, spec
        return self._heads[cls]
