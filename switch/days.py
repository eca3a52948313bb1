"""Days where the company is. Pure."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


def zone_of(name: str) -> ZoneInfo | None:
    """The zone of a name; None = the system's, for ""."""
    return ZoneInfo(name) if name else None


def midnight(at_utc: float, zone: ZoneInfo | None, days: int) -> float:
    """Beginning of the day of an instant, or of one `days` later, in the zone (None = the system's)."""
    here = datetime.fromtimestamp(at_utc, zone) + timedelta(days=days)
    day = here.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    return (day.replace(tzinfo=zone) if zone is not None else day.astimezone()).timestamp()
