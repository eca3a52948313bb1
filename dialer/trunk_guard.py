"""When most dials fail at once it is the trunk and not the people dialled: dialling pauses, then tries a few."""

from collections import deque

AT_ONCE_S = 1.0
_LAST = 20
_PAUSE_S = 30.0
_TRIES = 3


class TrunkGuard:
    """Pure; `now` in monotonic seconds."""

    __slots__ = ("_last", "_paused_until", "is_doubted")

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=_LAST)
        self._paused_until = float("-inf")
        self.is_doubted = False
        """From a pause until a dial did not fail at once."""

    def ended(self, now: float, *, failed_at_once: bool) -> bool:
        """A dial was answered or failed; True when a pause begins."""
        if self.is_doubted and not failed_at_once:
            self.is_doubted = False
            self._last.clear()
        self._last.append(failed_at_once)
        wanted = _TRIES if self.is_doubted else _LAST
        if len(self._last) < wanted or 2 * sum(self._last) <= len(self._last):
            return False
        self._last.clear()
        self._paused_until = now + _PAUSE_S
        self.is_doubted = True
        return True

    def allowed(self, now: float, n_ringing: int) -> int | None:
        """So many dials more; None: as many as are wanted."""
        if now < self._paused_until:
            return 0
        return max(0, _TRIES - n_ringing) if self.is_doubted else None
