"""How many calls may begin in a second."""

from collections import deque


class CallLimiter:
    """Never more than `per_s` in any second, however that lies; a rate that is no whole number is kept by distances."""

    __slots__ = ("_begun", "_n", "_window_s", "per_s")

    def __init__(self, per_s: float) -> None:
        self._begun: deque[float] = deque()
        self.set_rate(per_s)

    def set_rate(self, per_s: float) -> None:
        """What has begun counts on."""
        self.per_s = per_s
        self._n, self._window_s = (int(per_s), 1.0) if per_s >= 1.0 and per_s == int(per_s) else (1, 1.0 / per_s)

    def free(self, now: float) -> int:
        """So many may begin now."""
        while self._begun and self._begun[0] + self._window_s <= now:
            self._begun.popleft()
        return max(0, self._n - len(self._begun))

    def take(self, now: float) -> None:
        self._begun.append(now)

    def next_at(self, now: float) -> float:
        """When the next may begin; `now` when one may now."""
        return now if self.free(now) else self._begun[len(self._begun) - self._n] + self._window_s
