"""When the appointments that are due are to be looked for. The appointments themselves are in the database, which says
who was reminded: here is only the time to ask it. Pure."""

LONGEST_S = 300.0
"""It is asked at least so often while there is an appointment: a wall clock may be set."""
AGAIN_S = 5.0
"""A database that could not be read is asked again after so long."""


class Reminders:
    """`deadline`: monotonic seconds; `wall`: UTC seconds."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._is_asking = False
        self._next_utc = 0.0
        """Of the soonest appointment that is known to be open; 0 = there is none."""

    def expect(self, at_utc: float, now: float, wall: float) -> None:
        """There is an appointment at that time."""
        self._next_utc = min(self._next_utc or at_utc, at_utc)
        if not self._is_asking:
            self._arm(now, wall)

    def handle_timeout(self, now: float) -> bool:
        """Whether the database is to be asked now; `asked` or `failed` says how that went."""
        if self._is_asking or self.deadline is None or now < self.deadline:
            return False
        self._is_asking, self.deadline, self._next_utc = True, None, 0.0
        return True

    def asked(self, next_utc: float, now: float, wall: float) -> None:
        """Everybody who was due is reminded. `next_utc`: of the soonest that is open now; 0 = there is none."""
        self._is_asking = False
        # One may have been made while the database was asked.
        known = [each for each in (next_utc, self._next_utc) if each]
        self._next_utc = min(known, default=0.0)
        self._arm(now, wall)

    def failed(self, now: float) -> None:
        self._is_asking = False
        self.deadline = now + AGAIN_S

    def _arm(self, now: float, wall: float) -> None:
        if not self._next_utc:
            self.deadline = None
            return
        at = now + min(max(self._next_utc - wall, 0.0), LONGEST_S)
        self.deadline = at if self.deadline is None else min(self.deadline, at)
