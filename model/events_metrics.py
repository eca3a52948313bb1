"""Figures that are told as they change; their formulas are in docs/metrics.md."""

from model.declare import Event, event


@event("metrics.queue_changed")
class QueueFiguresChanged(Event, frozen=True, kw_only=True):
    """A queue today, told at most every two seconds and only when something of it has changed (XSUP-01)."""

    queue: str
    waiting: int
    waiting_since_utc: float
    """When the one came who waits longest; 0 = nobody waits."""
    offered: int
    answered: int
    abandoned: int
    flowed_out: int
    service_level: float | None
    """sl3; null = nobody came."""
    asa_s: float | None
    available: int
    """Agents who are idle."""
    agents: dict[str, int]
    """State -> how many of those signed in who serve it."""
