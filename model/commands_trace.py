"""Commands that show the SIP messages of chosen calls. `switch/trace_commands.py` handles them."""

from typing import Annotated

from msgspec import Meta

from model import views
from model.commands import Id, OptionalId, OptionalText
from model.declare import Command, command
from model.errors import Congested, InvalidValue, NoSuchCall, NoSuchTrace, PermissionDenied


class TraceMessage(views.View, frozen=True, kw_only=True):
    """One SIP message as it came or went."""

    at_utc: float
    is_sent: bool
    """True: the switch sent it."""
    transport: str
    local: str
    """Address of the switch, "host:port"."""
    remote: str
    """Address of the peer, "host:port"."""
    call_id: str = ""
    """The call of the switch it belongs to; empty when it belongs to none (yet)."""
    data: bytes
    """The message; base64 in JSON."""


class TraceStarted(views.View, frozen=True, kw_only=True):
    """A trace runs."""

    trace_id: str
    node: str


class TraceMessages(views.View, frozen=True, kw_only=True):
    """What a trace caught since it was last asked, in order."""

    messages: list[TraceMessage]
    n_lost: int = 0
    """Messages that were not fetched in time and are gone, since the start."""


@command(
    "trace.start",
    permission="trace.use",
    also=("is_unmasked", {True: "trace.unmask"}),
    result=TraceStarted,
    errors=(NoSuchCall, InvalidValue, Congested, PermissionDenied),
)
class StartTrace(Command, frozen=True, kw_only=True):
    """Begins to collect the SIP messages of chosen calls; every criterion that is given must hold. A call is
    traced with all its legs as soon as one of them fits. A trace that nobody reads for a minute ends."""

    call_id: OptionalId = ""
    """Only this live call."""
    number: OptionalText = ""
    """Only dialogs with this number as caller, called or in the request URI; also its last digits (at least 3)."""
    extension: OptionalText = ""
    """Only dialogs of this extension, its registrations included."""
    peer: OptionalText = ""
    """Only with this peer: "host", "host:port" or the name of a trunk."""
    is_unmasked: bool = False
    """Digest responses, SRTP keys and DTMF are shown too; needs the permission trace.unmask."""


@command("trace.read", permission="trace.use", is_audited=False, result=TraceMessages, errors=(NoSuchTrace,))
class ReadTrace(Command, frozen=True, kw_only=True):
    """Fetches what a trace has caught; each message is told once."""

    trace_id: Id
    wait_s: Annotated[float, Meta(ge=0.0, le=20.0)] = 0.0
    """When there is nothing: wait so long for something."""
    limit: Annotated[int, Meta(ge=1, le=500)] = 200


@command("trace.stop", permission="trace.use", result=views.Done, errors=(NoSuchTrace,))
class StopTrace(Command, frozen=True, kw_only=True):
    """Ends a trace and forgets what it holds."""

    trace_id: Id
