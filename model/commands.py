"""What the switch can be told over the control API. `switch/commands.py` handles all but auth, events and ping.

Limits stand in the types (`Meta`), so that every door refuses the same.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from model import views
from model.causes import HangupCause
from model.declare import RESULT, Command, command
from model.errors import (
    Congested,
    InvalidValue,
    NoSuchCall,
    NoSuchLeg,
    NoSuchRecording,
    NotAuthenticated,
    StorageUnavailable,
    TooManyRequests,
    WrongState,
)
from model.records import RecordingRecord

Id = Annotated[str, Meta(min_length=1, max_length=64)]
OptionalId = Annotated[str, Meta(max_length=64)]
Number = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
OptionalText = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
ExtensionNumber = Annotated[str, Meta(pattern=r"^[0-9A-Za-z._-]{1,32}$")]
Instant = Annotated[float, Meta(ge=0.0, le=253402300799.0)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Cursor = Annotated[str, Meta(max_length=256)]
RingTimeout = Annotated[float, Meta(ge=0.0, le=600.0)]
Direction = Literal["", "internal", "inbound", "outbound"]
VariableName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
VariableText = Annotated[str, Meta(max_length=1024)]


# -- calls ------------------------------------------------------------------------------------------------------------


@command("call.list", permission="call.view", own="agent.work", each="calls", result=views.CallList)
class ListCalls(Command, frozen=True, kw_only=True):
    """Live calls, oldest first."""

    number: OptionalText = ""
    """Only calls whose caller or dialed number contains this."""
    extension: OptionalText = ""
    """Only calls with a leg to this extension."""
    trunk: OptionalText = ""
    """Only calls with a leg over this trunk."""
    direction: Direction = ""
    """internal, inbound or outbound; empty = all."""
    limit: Limit = 100


@command(
    "call.get",
    permission="call.view",
    of=RESULT,
    own="agent.work",
    result=views.CallDetail,
    errors=(NoSuchCall, StorageUnavailable),
)
class GetCall(Command, frozen=True, kw_only=True):
    """One call: live, or from the records."""

    call_id: Id


@command(
    "call.hangup",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, NoSuchLeg),
)
class Hangup(Command, frozen=True, kw_only=True):
    """Ends every leg of a call, or one leg."""

    call_id: Id
    leg_id: OptionalId = ""
    """Only this leg; empty = the whole call."""
    cause: HangupCause = HangupCause.NORMAL_CLEARING
    """Goes to the peers as a Reason header and into the record."""


@command(
    "call.hold",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, NoSuchLeg, WrongState),
)
class Hold(Command, frozen=True, kw_only=True):
    """Puts a leg on hold: it hears music, its peer nothing."""

    call_id: Id
    leg_id: Id


@command(
    "call.resume",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.CallView,
    errors=(NoSuchCall, NoSuchLeg, WrongState),
)
class Resume(Command, frozen=True, kw_only=True):
    """Takes a leg back from hold."""

    call_id: Id
    leg_id: Id


@command(
    "call.dtmf",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.Done,
    errors=(NoSuchCall, NoSuchLeg, WrongState),
)
class SendDtmf(Command, frozen=True, kw_only=True):
    """Sends DTMF digits to a leg (RFC 4733, in-band where the peer has none)."""

    call_id: Id
    leg_id: Id
    digits: Annotated[str, Meta(pattern=r"^[0-9*#A-D]{1,64}$")]
    """0-9, *, #, A-D; at most 64."""
    duration_ms: Annotated[int, Meta(ge=40, le=6000)] = 100
    """Of each digit."""
    gap_ms: Annotated[int, Meta(ge=20, le=6000)] = 60
    """Between digits."""


@command(
    "call.secure",
    permission="call.secure",
    of="call_id",
    own="agent.work",
    result=views.SecureDigits,
    errors=(NoSuchCall, NoSuchLeg, WrongState),
)
class Secure(Command, frozen=True, kw_only=True):
    """Collects digits that nobody may hear or keep, such as a card number.

    While a leg is secure nobody hears it, no recording holds it, its digits are neither relayed nor told; the command
    that ends it returns them, once.
    """

    call_id: Id
    leg_id: Id
    is_secure: bool


@command(
    "call.detect_answer",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.Done,
    errors=(NoSuchCall, NoSuchLeg, WrongState),
)
class DetectAnswer(Command, frozen=True, kw_only=True):
    """Finds out whether a human or a machine speaks on a leg; `call.answer_detected` follows once."""

    call_id: Id
    leg_id: Id
    max_s: Annotated[float, Meta(ge=0.5, le=30)] = 4.0
    """After this time the answer is "not_sure" at the latest."""


@command(
    "call.play",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.PlayStarted,
    errors=(NoSuchCall, NoSuchLeg, WrongState, InvalidValue),
)
class Play(Command, frozen=True, kw_only=True):
    """Plays to one leg or to all; the conversation is not heard meanwhile."""

    call_id: Id
    leg_id: OptionalId = ""
    """Empty = every answered leg."""
    sources: Annotated[list[Annotated[str, Meta(min_length=1, max_length=512)]], Meta(min_length=1, max_length=64)]
    """Played one after the other: "tone:NAME/PLAN", "moh:NAME", "voice:LANGUAGE/NAME" (built in),
    "prompt:NAME" (of the library), "file:PATH" within the prompts folder, "silence:MS"."""
    loop: bool = False
    """Whether to start again at the end, until `call.stop_play`."""


@command(
    "call.stop_play",
    permission="call.control",
    of="call_id",
    own="agent.work",
    result=views.Done,
    errors=(NoSuchCall, NoSuchLeg),
)
class StopPlay(Command, frozen=True, kw_only=True):
    """Stops what is played to one leg or to all."""

    call_id: Id
    leg_id: OptionalId = ""
    """Empty = every leg."""
    play_id: OptionalId = ""
    """Only this one; empty = whatever is playing."""


@command(
    "call.history",
    permission="call.history",
    own="agent.work",
    each="calls",
    result=views.CallHistory,
    errors=(StorageUnavailable, InvalidValue),
)
class SearchHistory(Command, frozen=True, kw_only=True):
    """Call records, latest first; filters are combined."""

    start_utc: Instant = 0.0
    """Created at this instant or later."""
    end_utc: Instant = 0.0
    """Created before this instant; 0 = no end."""
    number: OptionalText = ""
    """Caller or dialed."""
    caller: OptionalText = ""
    dialed: OptionalText = ""
    is_suffix: bool = False
    """`number`, `caller` and `dialed` give the end of the number, not all of it."""
    access_number: OptionalText = ""
    extension: OptionalText = ""
    agent_id: OptionalText = ""
    trunk: OptionalText = ""
    direction: Direction = ""
    """internal, inbound or outbound; empty = all."""
    hangup_cause: HangupCause | None = None
    is_answered: bool | None = None
    """null = both."""
    min_duration_s: Annotated[float, Meta(ge=0.0)] = 0.0
    max_duration_s: Annotated[float, Meta(ge=0.0)] = 0.0
    """0 = no limit."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


# -- recordings -------------------------------------------------------------------------------------------------------


@command(
    "recording.list",
    permission="recording.view",
    own="agent.work",
    each="recordings",
    result=views.RecordingList,
    errors=(StorageUnavailable, InvalidValue),
)
class ListRecordings(Command, frozen=True, kw_only=True):
    """Recordings, latest first; filters are combined."""

    start_utc: Instant = 0.0
    """Started at this instant or later."""
    end_utc: Instant = 0.0
    """Started before this instant; 0 = no end."""
    call_id: OptionalId = ""
    number: OptionalText = ""
    """Caller or dialed."""
    caller: OptionalText = ""
    dialed: OptionalText = ""
    is_suffix: bool = False
    """`number`, `caller` and `dialed` give the end of the number, not all of it."""
    extension: OptionalText = ""
    agent_id: OptionalText = ""
    min_duration_s: Annotated[float, Meta(ge=0.0)] = 0.0
    max_duration_s: Annotated[float, Meta(ge=0.0)] = 0.0
    """0 = no limit."""
    state: Literal["", "recording", "encoding", "finished", "failed", "recovered"] = ""
    """Empty = all."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


@command(
    "recording.get",
    permission="recording.play",
    of=RESULT,
    own="agent.work",
    result=RecordingRecord,
    errors=(NoSuchRecording, StorageUnavailable),
)
class GetRecording(Command, frozen=True, kw_only=True):
    """One recording: path, size, checksum, duration, pauses."""

    recording_id: Id


@command(
    "recording.start",
    permission="recording.control",
    of="call_id",
    own="agent.work",
    result=views.RecordingState,
    errors=(NoSuchCall, WrongState, Congested),
)
class StartRecording(Command, frozen=True, kw_only=True):
    """Begins to record a call that is not being recorded. What is empty is as the call's extension, trunk or the
    configuration say."""

    call_id: Id
    format: Literal["", "wav", "mp3"] = ""
    channels: Literal["", "stereo", "mono"] = ""
    """stereo: customer left, agent right; mono: both on one channel."""


@command(
    "recording.pause",
    permission="recording.control",
    of="call_id",
    own="agent.work",
    result=views.RecordingState,
    errors=(NoSuchCall, NoSuchRecording),
)
class PauseRecording(Command, frozen=True, kw_only=True):
    """Writes silence from now on, e.g. while a card number is said; the pause is noted in the record."""

    call_id: Id


@command(
    "recording.resume",
    permission="recording.control",
    of="call_id",
    own="agent.work",
    result=views.RecordingState,
    errors=(NoSuchCall, NoSuchRecording),
)
class ResumeRecording(Command, frozen=True, kw_only=True):
    """Goes on recording after a pause."""

    call_id: Id


@command(
    "recording.stop",
    permission="recording.control",
    of="call_id",
    own="agent.work",
    result=views.RecordingState,
    errors=(NoSuchCall, NoSuchRecording),
)
class StopRecording(Command, frozen=True, kw_only=True):
    """Ends the recording of a call that goes on."""

    call_id: Id


# -- registrations, trunks --------------------------------------------------------------------------------------------


@command(
    "registration.list",
    permission="extension.view",
    own="agent.work",
    each="registrations",
    result=views.RegistrationList,
)
class ListRegistrations(Command, frozen=True, kw_only=True):
    """Which phones are registered, and where."""

    extension: OptionalText = ""
    """Only this extension; empty = all."""


@command("trunk.list", permission="switch.view", result=views.TrunkList)
class ListTrunks(Command, frozen=True, kw_only=True):
    """All trunks and their state."""


# -- the connection and the switch ------------------------------------------------------------------------------------


@command("auth.login", permission="", result=views.LoggedIn, errors=(NotAuthenticated, TooManyRequests))
class Login(Command, frozen=True, kw_only=True):
    """Says who this connection is. Nothing else is answered before."""

    token: Annotated[str, Meta(max_length=256)]
    """The API token, as `ringback init` wrote it."""


EventPattern = Annotated[str, Meta(pattern=r"^(\*|[a-z_]+\.(\*|[a-z_]+))$")]


@command("events.subscribe", permission="", result=views.Subscription)
class Subscribe(Command, frozen=True, kw_only=True):
    """Sends events over this connection from now on, in place of an earlier subscription of it."""

    names: Annotated[list[EventPattern], Meta(max_length=64)] = field(default_factory=list)
    """"call.ended", "call.*" or "*"; empty = all."""
    call_ids: Annotated[list[Id], Meta(max_length=1000)] = field(default_factory=list)
    """Only events of these calls; empty = all, also those that belong to no call."""
    from_seq: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None
    """Begin with this number, from what is kept; null = with the next event."""


@command("events.unsubscribe", permission="", result=views.Done)
class Unsubscribe(Command, frozen=True, kw_only=True):
    """Ends the subscription of this connection."""


@command("system.status", permission="switch.view", result=views.SystemStatus)
class GetStatus(Command, frozen=True, kw_only=True):
    """The whole switch in one answer: calls, workers, storage, counters."""


@command("system.ping", permission="", result=views.Pong)
class Ping(Command, frozen=True, kw_only=True):
    """Answers at once."""


@command("system.drain", permission="switch.manage", result=views.DrainState)
class Drain(Command, frozen=True, kw_only=True):
    """Takes no new calls, waits for the live ones, then ends the switch."""

    timeout_s: Annotated[float, Meta(ge=0.0, le=86400.0)] | None = None
    """After this many seconds the calls that are left are ended; 0 = wait for ever, null = as configured."""
