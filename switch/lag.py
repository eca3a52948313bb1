"""How late the event loop wakes up."""


class LagMeter:
    """Fed once a second, read by `system.status`."""

    def __init__(self) -> None:
        self._last_s = 0.0
        self._worst_s = 0.0

    def note(self, late_s: float) -> None:
        self._last_s = max(late_s, 0.0)
        self._worst_s = max(self._worst_s, late_s)

    def take(self) -> tuple[float, float]:
        """(last, worst since the last `take`), milliseconds."""
        result = (self._last_s * 1000, self._worst_s * 1000)
        self._worst_s = 0.0
        return result
