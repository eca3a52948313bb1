"""The waiting calls of one queue in order: one line for each set of demands, so that an agent looks at few heads."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice

from acd.state import Key

Demand = tuple[bool, tuple[tuple[str, int], ...]]
"""(outbound, skills by name): calls that ask for the same stand in one line."""
Ticket = tuple[int, float, int, str]
"""A `Key` and the entry's id."""


class Line:
    """A sorted list; who leaves at its head costs nothing."""

    __slots__ = ("_head", "_tickets")

    def __init__(self) -> None:
        self._tickets: list[Ticket] = []
        self._head = 0

    def __len__(self) -> int:
        return len(self._tickets) - self._head

    def add(self, ticket: Ticket) -> None:
        tickets = self._tickets
        if not tickets or ticket > tickets[-1]:
            tickets.append(ticket)
        else:
            insort(tickets, ticket, lo=self._head)

    def remove(self, ticket: Ticket) -> None:
        """Raises ValueError when it is not there."""
        tickets, head = self._tickets, self._head
        at = bisect_left(tickets, ticket, lo=head)
        if at == len(tickets) or tickets[at] != ticket:
            raise ValueError(f"{ticket[3]} is not in this line")
        if at == head:
            self._head = head = head + 1
            if head == len(tickets) or (head > 64 and head * 2 > len(tickets)):
                del tickets[:head]
                self._head = 0
        else:
            del tickets[at]

    def first(self) -> Ticket | None:
        return self._tickets[self._head] if self._head < len(self._tickets) else None

    def n_before(self, key: Key) -> int:
        """How many stand before whoever has this key."""
        return bisect_left(self._tickets, key, lo=self._head) - self._head

    def __iter__(self) -> Iterator[Ticket]:
        """In order; it must not change meanwhile."""
        return islice(self._tickets, self._head, None)

    def tickets(self) -> list[Ticket]:
        """All of them in order, a copy."""
        return self._tickets[self._head :]


class Lines:
    """All lines of one queue."""

    __slots__ = ("_places", "by_demand")

    def __init__(self) -> None:
        self.by_demand: dict[Demand, Line] = {}
        self._places: dict[str, tuple[Demand, Ticket]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._places

    def add(self, entry_id: str, demand: Demand, key: Key) -> None:
        line = self.by_demand.get(demand)
        if line is None:
            line = self.by_demand[demand] = Line()
        ticket = (*key, entry_id)
        line.add(ticket)
        self._places[entry_id] = (demand, ticket)

    def remove(self, entry_id: str) -> None:
        """Nothing when it is in no line."""
        place = self._places.pop(entry_id, None)
        if place is None:
            return
        demand, ticket = place
        line = self.by_demand[demand]
        line.remove(ticket)
        if not len(line):
            del self.by_demand[demand]

    def n_before(self, key: Key) -> int:
        if len(self.by_demand) == 1:
            (line,) = self.by_demand.values()
            return line.n_before(key)
        return sum(line.n_before(key) for line in self.by_demand.values())

    def in_order(self) -> list[Ticket]:
        """All tickets, the next one first."""
        if len(self.by_demand) == 1:
            return next(iter(self.by_demand.values())).tickets()
        return sorted(ticket for line in self.by_demand.values() for ticket in line.tickets())

    def head(self) -> Ticket | None:
        if len(self.by_demand) == 1:
            (line,) = self.by_demand.values()
            return line.first()
        heads = [first for line in self.by_demand.values() if (first := line.first()) is not None]
        return min(heads, default=None)
