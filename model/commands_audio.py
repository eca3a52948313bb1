"""Commands that ask a party for digits. `switch/audio_commands.py` handles them."""

from typing import Annotated

from msgspec import Meta, field

from model import views
from model.commands import Id
from model.declare import Command, command
from model.errors import InvalidValue, NoSuchCall, NoSuchLeg, WrongState

Source = Annotated[str, Meta(min_length=1, max_length=512)]


class CollectStarted(views.View, frozen=True, kw_only=True):
    """A party is being asked."""

    collect_id: str
    """To be found in `call.digits_collected`, once."""


@command(
    "call.collect",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=CollectStarted,
    errors=(NoSuchCall, NoSuchLeg, WrongState, InvalidValue),
)
class Collect(Command, frozen=True, kw_only=True):
    """Asks a leg of a conversation for digits: plays `sources` until the first key, then takes keys; the others hear
    them as always (`call.secure` keeps them from everybody). A collection that runs already ends."""

    call_id: Id
    leg_id: Id
    sources: Annotated[list[Source], Meta(max_length=64)] = field(default_factory=list)
    """As in `call.play`; empty = nothing is played."""
    max_digits: Annotated[int, Meta(ge=1, le=64)] = 32
    """So many are enough."""
    terminators: Annotated[str, Meta(max_length=4, pattern=r"^[0-9*#A-D]*$")] = "#"
    """Keys that end it and are no part of the digits."""
    first_digit_s: Annotated[float, Meta(ge=0.5, le=120.0)] = 10.0
    """Wait for the first key, after what is played."""
    next_digit_s: Annotated[float, Meta(ge=0.5, le=60.0)] = 4.0
    """Wait for each key after that."""


@command(
    "call.stop_collect",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.Done,
    errors=(NoSuchCall, NoSuchLeg),
)
class StopCollect(Command, frozen=True, kw_only=True):
    """Ends a collection; `call.digits_collected` tells what was typed."""

    call_id: Id
    leg_id: Id
