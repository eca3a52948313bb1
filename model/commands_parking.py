"""Commands of parked calls. `switch/parking_commands.py` handles them."""

from typing import Annotated

from msgspec import Meta

from model import views
from model.commands import Id, Number
from model.declare import Command, command
from model.errors import InvalidValue, NoRoute, NoSuchCall, NoSuchLeg, WrongState

Orbit = Annotated[str, Meta(max_length=8, pattern=r"^[0-9]*$")]


class ParkedCall(views.View, frozen=True, kw_only=True):
    """A party that waits in an orbit."""

    orbit: str
    """What is dialled to take it."""
    call_id: str
    leg_id: str
    number: str
    """Of who waits."""
    by: str
    """Extension that parked it."""
    since_utc: float


class ParkedCalls(views.View, frozen=True, kw_only=True):
    """All that is parked, by orbit."""

    parked: list[ParkedCall]


@command(
    "call.park",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=ParkedCall,
    errors=(NoSuchCall, NoSuchLeg, WrongState, InvalidValue, NoRoute),
)
class Park(Command, frozen=True, kw_only=True):
    """Parks whoever the leg, an extension's, talks with; the leg leaves."""

    call_id: Id
    leg_id: Id
    """The leg that parks and leaves."""
    orbit: Orbit = ""
    """Where; empty = in the first free one."""


@command(
    "call.retrieve",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, WrongState, NoRoute),
)
class Retrieve(Command, frozen=True, kw_only=True):
    """Rings `to`, and connects it with the parked party when it answers; that hears music until then."""

    call_id: Id
    to: Number
    """Extension or number."""


@command("parking.list", permission="call.view", own="agent.work", each="parked", result=ParkedCalls)
class ListParked(Command, frozen=True, kw_only=True):
    """Parked calls, by orbit."""
