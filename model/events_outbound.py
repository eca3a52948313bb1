"""What happens to calls that the switch places."""

from model.declare import Event, event


@event("call.confirming")
class CallConfirming(Event, frozen=True, kw_only=True):
    """Somebody picked up and is asked whether to take the call; the others ring on until it accepts."""

    call_id: str
    leg_id: str


@event("call.emergency")
class CallEmergency(Event, frozen=True, kw_only=True):
    """Somebody calls an emergency number: for who must know at once where help is needed."""

    call_id: str
    caller: str
    dialed: str
