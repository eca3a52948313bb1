"""Time inside the SIP stack: the RFC 3261 timer values, timers in FIFO lanes, and tables that forget.

A SIP stack arms many timers of few distinct delays (0.5, 1, 2, 4, 5, 32 s). Timers of one delay fall due in the order
they were armed, so a deque per delay replaces the heap (measured: 0.47 µs for arm and cancel, a heap 1.5). Pure: `now`
is monotonic seconds and always an argument, and never goes backwards.
"""

import math
from collections import deque
from typing import ClassVar, Generic, TypeVar

import msgspec

V = TypeVar("V")


class TransactionTimers(msgspec.Struct, frozen=True):
    """RFC 3261 table 4 and RFC 6026; all in seconds. A, B, E, F, G, H, J, L and M follow from T1, T2 and 64*T1."""

    t1: float = 0.5
    """Estimate of the round trip: first retransmission (timers A, E, G)."""
    t2: float = 4.0
    """Longest gap between retransmissions of non-INVITE requests and INVITE responses (timers E, G, the TU's 2xx)."""
    t4: float = 5.0
    """How long a message may stay in the network (timers I and K)."""
    timer_d: float = 32.0
    """How long a failed INVITE client transaction answers retransmitted responses with ACK (> 32 s for UDP)."""
    trying_s: float = 0.2
    """After this time without a response of ours, 100 Trying goes out (§17.2.1). 0: at once."""
    provisional_s: float = 60.0
    """A ringing INVITE repeats its provisional response this often, so that no proxy cancels it (§13.3.1.1)."""
    tidy_s: float = 5.0
    """How much longer than needed finished transactions may be kept, to save wake-ups."""

    @property
    def timeout(self) -> float:
        """64*T1: timers B, F, H, J, L and M, and the wait for an ACK."""
        return 64 * self.t1


class Timed(msgspec.Struct, gc=False):
    """Base of what a timer can be armed for. `deadline` 0.0: no timer; assigning 0.0 cancels."""

    deadline: float = 0.0


_KEEP_LANES = 24
_NEVER = (math.inf, Timed(math.inf))


class TimerLanes:
    """One timer per `Timed`. A cancelled or re-armed one leaves a stale entry, dropped when it gets to the head."""

    __slots__ = ("_first", "_lanes")

    def __init__(self) -> None:
        self._lanes: dict[float, deque[tuple[float, Timed]]] = {}
        self._first: tuple[float, Timed] = _NEVER
        """The earliest entry armed; while its timer is, no other one is due earlier."""

    def arm(self, timed: Timed, now: float, delay: float) -> None:
        when = now + delay
        timed.deadline = when
        entry = (when, timed)
        try:
            self._lanes[delay].append(entry)
        except KeyError:
            self._lanes[delay] = deque((entry,))
        if when < self._first[0]:
            self._first = entry

    def poll(self, now: float) -> list[Timed]:
        """What is due, disarmed, in the order of its deadlines."""
        due: list[tuple[float, Timed]] = []
        n_lanes_due = 0
        for lane in self._lanes.values():
            n_before = len(due)
            while lane:
                when, timed = lane[0]
                if timed.deadline != when:
                    lane.popleft()
                elif when <= now:
                    lane.popleft()
                    timed.deadline = 0.0
                    due.append((when, timed))
                else:
                    break
            n_lanes_due += len(due) > n_before
        if n_lanes_due > 1:
            due.sort(key=_when)
        return [timed for _, timed in due]

    @property
    def deadline(self) -> float | None:
        """When the first timer is due; None when none is armed."""
        earliest = self.earliest()
        return None if earliest == math.inf else earliest

    def earliest(self) -> float:
        """The same; infinity when none is armed."""
        when, timed = self._first
        return when if timed.deadline == when else self._find_first()

    def _find_first(self) -> float:
        first = _NEVER
        is_any_empty = False
        for lane in self._lanes.values():
            while lane:
                entry = lane[0]
                if entry[1].deadline == entry[0]:
                    if entry[0] < first[0]:
                        first = entry
                    break
                lane.popleft()
            else:
                is_any_empty = True
        # Random delays (glare) would otherwise leave a lane each behind.
        if is_any_empty and len(self._lanes) > _KEEP_LANES:
            self._lanes = {delay: lane for delay, lane in self._lanes.items() if lane}
        self._first = first
        return first[0]

    def __len__(self) -> int:
        """Timers armed. Walks all lanes: for tests and status pages."""
        return sum(1 for lane in self._lanes.values() for when, timed in lane if timed.deadline == when)


def _when(entry: tuple[float, Timed]) -> float:
    return entry[0]


class Calendar(Timed):
    """Names in slots of five seconds, for timers of many minutes that are nearly always cancelled: a lane would keep
    each of them until its time. One timer, this one, is armed while anything is in it."""

    SLOT_S: ClassVar[float] = 5.0

    slots: dict[int, dict[str, None]] = msgspec.field(default_factory=dict)

    def add(self, name: str, when: float) -> int:
        """The slot it lies in, for `remove`; it comes up to a slot earlier than `when`, or late by one."""
        slot = int(when / self.SLOT_S)
        self.slots.setdefault(slot, {})[name] = None
        return slot

    def remove(self, name: str, slot: int) -> None:
        names = self.slots.get(slot)
        if names is not None:
            names.pop(name, None)
            if not names:
                del self.slots[slot]

    def due(self, now: float) -> list[str]:
        """What lies in slots that have begun, taken out."""
        present = int(now / self.SLOT_S)
        return [
            name for slot in sorted(slot for slot in self.slots if slot <= present) for name in self.slots.pop(slot)
        ]


class Recent(Generic[V]):
    """A bounded dict whose entries are forgotten some time after they were put; the oldest go first when it is full.

    Few distinct lifetimes are expected: each is a FIFO of its own.
    """

    __slots__ = ("_lanes", "earliest", "entries", "limit", "n_evicted")

    def __init__(self, limit: int) -> None:
        self.entries: dict[str, V] = {}
        """To read; `put` and `pop` change it."""
        self._lanes: dict[float, deque[tuple[float, str, V]]] = {}
        self.earliest = math.inf
        """Not later than the first entry is due; infinity when it is empty."""
        self.limit = limit
        self.n_evicted = 0

    def put(self, key: str, value: V, now: float, lifetime: float) -> None:
        entries = self.entries
        if len(entries) >= self.limit and key not in entries:
            self._evict()
        entries[key] = value
        due = now + lifetime
        try:
            lane = self._lanes[lifetime]
        except KeyError:
            lane = self._lanes[lifetime] = deque()
        if not lane:
            self.earliest = min(self.earliest, due)
        lane.append((due, key, value))

    @property
    def deadline(self) -> float | None:
        """`earliest`, but None when it is empty."""
        return None if self.earliest == math.inf else self.earliest

    def get(self, key: str) -> V | None:
        return self.entries.get(key)

    def pop(self, key: str) -> V | None:
        return self.entries.pop(key, None)

    def poll(self, now: float) -> None:
        """Forget what is due."""
        if self.earliest > now:
            return
        entries = self.entries
        for lane in self._lanes.values():
            while lane and lane[0][0] <= now:
                _, key, value = lane.popleft()
                # The key may have been put again meanwhile; its newer entry stays.
                if entries.get(key) is value:
                    del entries[key]
        self.earliest = min([lane[0][0] for lane in self._lanes.values() if lane], default=math.inf)

    def _evict(self) -> None:
        while len(self.entries) >= self.limit:
            lane = min((lane for lane in self._lanes.values() if lane), key=_head_time, default=None)
            if lane is None:
                break
            _, key, value = lane.popleft()
            if self.entries.get(key) is value:
                del self.entries[key]
        self.n_evicted += 1

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, key: str) -> bool:
        return key in self.entries


def _head_time(lane: "deque[tuple[float, str, V]]") -> float:
    return lane[0][0]
