"""The command that places calls. `switch/originate_commands.py` handles it."""

from typing import Annotated, Literal

from msgspec import Meta, field

from model import views
from model.commands import Number, OptionalText, VariableName, VariableText
from model.declare import Command, command
from model.errors import Congested, Draining, InvalidValue, NoRoute

Others = Annotated[list[Number], Meta(max_length=20)]
Source = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


@command(
    "call.originate",
    permission="call.originate",
    of="from_",
    own="agent.work",
    result=views.CallView,
    errors=(NoRoute, InvalidValue, Draining, Congested),
)
class Originate(Command, frozen=True, kw_only=True):
    """Rings `from`; when it answers, calls `to` and connects the two. Answers at once; events tell how it goes.

    Either is an extension or number as one dials it (numbers go out by the routes), `trunk:NAME/NUMBER` (by that
    trunk), or `sip:user@host` where `outbound.sip_uri_hosts` allows the host.
    """

    from_: Number = field(name="from")
    """Extension or number to ring first."""
    to: Number
    """Extension or number to connect it with."""
    also_from: Others = field(default_factory=list)
    """Further parties of whom one shall be the first: who answers has the call, the others hear that it was answered
    elsewhere."""
    also_to: Others = field(default_factory=list)
    """Further parties of whom one shall be the second."""
    strategy: Literal["parallel", "serial"] = "parallel"
    """Whether several parties ring together or one after the other."""
    caller_id: OptionalText = ""
    """Number that `to` sees; empty = that of the campaign, route, extension or trunk, in this order."""
    caller_name: OptionalText = ""
    """Name that both see; empty = the campaign's."""
    from_caller_id: OptionalText = ""
    """Number that `from` sees; empty = `caller_id` by trunk, the number of `to` at an extension."""
    campaign: OptionalText = ""
    """Campaign of the configuration whose number is shown; kept as variable `campaign`."""
    timeout_s: Annotated[float, Meta(ge=1.0, le=600.0)] = 60.0
    """How long each of the two may ring, seconds."""
    max_duration_s: Annotated[float, Meta(ge=0.0, le=604800.0)] = 0.0
    """Longest conversation, seconds; 0 = as configured."""
    variables: Annotated[dict[VariableName, VariableText], Meta(max_length=64)] = field(default_factory=dict)
    """Kept with the call and shown in `call.get`."""
    record: bool | None = None
    """Whether to record; null = as configured for the extension."""
    play_ringback: bool = True
    """Whether `from` hears ringback until `to` answers; false is the same as progress = early_media."""
    progress: Literal["auto", "early_media", "ringback", "silence"] = "auto"
    """What `from` hears until `to` answers: our ringback and then what the network of `to` plays (auto), only what that
    plays, only our ringback, or nothing."""
    confirm: Literal["", "from", "to", "both"] = ""
    """Who must press `confirm_digit` to take the call; a mailbox that answers takes none."""
    confirm_digit: Annotated[str, Meta(pattern=r"^[0-9*#]$")] = "1"
    confirm_sources: Annotated[list[Source], Meta(max_length=16)] = field(default_factory=list)
    """What who must accept hears, over and over, as for `call.play`; empty = a tone."""
    confirm_timeout_s: Annotated[float, Meta(ge=1.0, le=120.0)] = 15.0
    """How long it may take to accept, seconds."""
