"""Which call gives its channel to an emergency call. Pure."""

from collections.abc import Iterable

from switch.call import Call


def choose_victim(calls: Iterable[Call], trunk: str) -> Call | None:
    """The call by `trunk` whose end harms least: one that nobody has answered before one where people talk, one of
    ours before one that came in, the youngest first; never an emergency call. None when there is none."""
    taking = [
        call
        for call in calls
        if not call.is_emergency
        and call.phase != "releasing"
        and any(leg.kind == "trunk" and leg.name == trunk for leg in call.live_legs())
    ]
    return min(taking, key=_harm, default=None)


def _harm(call: Call) -> tuple[bool, bool, float]:
    return bool(call.bridged_utc), call.direction == "inbound", -call.created_utc
