"""The deadlines of calls: one heap, cancelled entries dropped lazily and swept when they outnumber the live ones."""

from heapq import heapify, heappop, heappush


class Deadlines:
    """Call id → monotonic instant. Arming costs O(log n); the heap never holds more than twice the armed entries."""

    __slots__ = ("_armed", "_heap")

    def __init__(self) -> None:
        self._armed: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def arm(self, call_id: str, when: float) -> None:
        """Replaces the call's deadline; 0.0 cancels it."""
        if self._armed.get(call_id, 0.0) == when:
            return
        if when:
            self._armed[call_id] = when
            heappush(self._heap, (when, call_id))
        else:
            del self._armed[call_id]
        if len(self._heap) > 2 * len(self._armed) + 64:
            self._heap = [(when, call_id) for call_id, when in self._armed.items()]
            heapify(self._heap)

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        heap, armed = self._heap, self._armed
        while heap and armed.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> list[str]:
        """Takes out the calls whose deadline has come."""
        due = []
        while (when := self.next()) is not None and when <= now:
            _, call_id = heappop(self._heap)
            del self._armed[call_id]
            due.append(call_id)
        return due
