"""Which orbit holds which parked call. Pure."""

from collections.abc import Sequence

from model.causes import HangupCause


class Orbits:
    """The numbers of the configuration, in order."""

    def __init__(self, numbers: Sequence[str]) -> None:
        self._calls: dict[str, str] = dict.fromkeys(numbers, "")

    def __contains__(self, number: str) -> bool:
        return number in self._calls

    def refusal(self, orbit: str) -> HangupCause | None:
        """Why nothing can be parked there ("" = in any)."""
        if orbit:
            if orbit not in self._calls:
                return HangupCause.UNALLOCATED_NUMBER
            return HangupCause.USER_BUSY if self._calls[orbit] else None
        if not self._calls:
            return HangupCause.NO_ROUTE_DESTINATION
        return None if self._first_free() else HangupCause.SWITCH_CONGESTION

    def take(self, orbit: str, call_id: str) -> str:
        """The orbit that holds the call from now on. KeyError when `refusal` would have said no."""
        orbit = orbit or self._first_free()
        if self._calls[orbit]:
            raise KeyError(orbit)
        self._calls[orbit] = call_id
        return orbit

    def free(self, call_id: str) -> None:
        """The call is parked no longer."""
        for orbit, held in self._calls.items():
            if held == call_id:
                self._calls[orbit] = ""

    @property
    def n_taken(self) -> int:
        return sum(1 for held in self._calls.values() if held)

    def _first_free(self) -> str:
        return next((orbit for orbit, held in self._calls.items() if not held), "")
