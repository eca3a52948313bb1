"""Events of digits that the API asked for."""

from model.declare import Event, event


@event("call.digits_collected")
class CallDigitsCollected(Event, frozen=True, kw_only=True):
    """What a party typed when it was asked by `call.collect`."""

    call_id: str
    leg_id: str
    collect_id: str
    digits: str
    reason: str
    """complete (as many as wanted), terminator, timeout, hangup, stopped or replaced (by another collection)."""
