"""Commands that hand a live call on: transfers, consultations, mute, customer data.

`switch/transfer_commands.py` handles them.
"""

from typing import Annotated

from msgspec import Meta, field

from model import views
from model.commands import Id, Number, RingTimeout, VariableName, VariableText
from model.declare import Command, command
from model.errors import InvalidValue, NoRoute, NoSuchCall, NoSuchConsult, NoSuchLeg, WrongState


@command(
    "call.transfer",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, NoSuchLeg, WrongState, NoRoute, InvalidValue),
)
class Transfer(Command, frozen=True, kw_only=True):
    """Blind transfer: the leg leaves, and whoever it talks with hears ringback until `to` answers.

    The rights of the leg's extension decide where it may go.
    """

    call_id: Id
    leg_id: Id
    """The leg that transfers and leaves."""
    to: Number
    """Number or extension; also "extension:NUMBER", "agent:NUMBER", "queue:NAME", "ivr:FLOW" and "voicemail:BOX"."""
    timeout_s: RingTimeout = 0.0
    """How long `to` may ring; 0 = as configured."""
    recall: bool = True
    """Whether the extension that transfers is rung when nobody answers (`calls.recall_timeout_s`)."""


@command(
    "call.redirect",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, WrongState, NoRoute, InvalidValue),
)
class RedirectCall(Command, frozen=True, kw_only=True):
    """Moves a call that nobody has answered yet: what rings stops, and `to` rings.

    What is done by itself after a time-out is `no_answer_to` of the extension.
    """

    call_id: Id
    to: Number
    """As in `call.transfer`."""
    timeout_s: RingTimeout = 0.0
    """How long `to` may ring; 0 = as configured."""


@command(
    "call.mute",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, NoSuchLeg, WrongState),
)
class Mute(Command, frozen=True, kw_only=True):
    """Nobody hears the leg, which goes on hearing the others; or all hear it again."""

    call_id: Id
    leg_id: Id
    is_muted: bool = True


@command(
    "call.set_data",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, InvalidValue),
)
class SetCallData(Command, frozen=True, kw_only=True):
    """Attaches customer data to a call, which goes wherever the call goes: `call.get` and the events of transfers have
    it, and so has the record."""

    call_id: Id
    data: Annotated[dict[VariableName, VariableText | None], Meta(min_length=1, max_length=64)] = field()
    """Values to set; null takes one away."""


@command(
    "consult.start",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.ConsultView,
    errors=(NoSuchCall, NoSuchLeg, WrongState, NoRoute, InvalidValue),
)
class ConsultStart(Command, frozen=True, kw_only=True):
    """Consultation: the leg calls `to` while the others hear music. When nobody answers it is back with them.

    A leg that hangs up meanwhile hands them over, as `consult.complete` does.
    """

    call_id: Id
    leg_id: Id
    """The leg that consults."""
    to: Number
    """As in `call.transfer`."""
    timeout_s: RingTimeout = 0.0
    """How long `to` may ring; 0 = as configured."""


@command(
    "consult.cancel",
    permission="call.control",
    of="consult_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchConsult,),
)
class ConsultCancel(Command, frozen=True, kw_only=True):
    """Ends the consultation: the consulted leg is dropped, the others are back."""

    consult_id: Id


@command(
    "consult.complete",
    permission="call.control",
    of="consult_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchConsult, WrongState),
)
class ConsultComplete(Command, frozen=True, kw_only=True):
    """Attended transfer: the consulting leg leaves, the consulted one takes its place. One that still rings goes on
    ringing, and the others hear ringback."""

    consult_id: Id


@command(
    "consult.swap",
    permission="call.control",
    of="consult_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchConsult, WrongState),
)
class ConsultSwap(Command, frozen=True, kw_only=True):
    """Changes between the others and who is consulted; whoever is left hears music."""

    consult_id: Id


@command(
    "consult.merge",
    permission="call.control",
    of="consult_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchConsult, WrongState),
)
class ConsultMerge(Command, frozen=True, kw_only=True):
    """Brings all together: everybody hears everybody. A party is dropped with `call.hangup`."""

    consult_id: Id
