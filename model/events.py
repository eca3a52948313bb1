"""What happens in the switch, as told to subscribers. Each also carries event, seq, at and node (see control.hub).

Fields are only added, never renamed. Durations are seconds.
"""

from msgspec import field

from model.causes import HangupCause
from model.declare import Event, event


@event("call.created")
class CallCreated(Event, frozen=True, kw_only=True):
    """A call began: somebody called us, or the switch was asked to place it."""

    call_id: str
    direction: str
    """internal, inbound or outbound."""
    caller: str
    """Number of who calls."""
    dialed: str
    """Number that was dialed."""
    leg_id: str = ""
    """The first leg."""
    diverted_from: str = ""
    """Number that sent the call on to us, when its carrier told."""


@event("call.ringing")
class CallRinging(Event, frozen=True, kw_only=True):
    """A called leg rings: what a screen shows of it."""

    call_id: str
    leg_id: str
    number: str = ""
    """Extension or number that rings."""
    caller: str = ""
    """Who calls, as the phone was told."""
    caller_name: str = ""
    access_number: str = ""
    """Number of ours that was dialled from outside."""
    data: dict[str, str] = field(default_factory=dict)
    """The customer data of the call (`call.set_data`)."""


@event("call.answered")
class CallAnswered(Event, frozen=True, kw_only=True):
    """A leg was answered."""

    call_id: str
    leg_id: str


@event("call.connected")
class CallConnected(Event, frozen=True, kw_only=True):
    """Two legs hear each other."""

    call_id: str
    leg_id: str
    peer_leg_id: str


@event("call.held")
class CallHeld(Event, frozen=True, kw_only=True):
    """A leg was put on hold."""

    call_id: str
    leg_id: str
    """The leg that is on hold: it hears the music."""


@event("call.resumed")
class CallResumed(Event, frozen=True, kw_only=True):
    """A leg is back from hold."""

    call_id: str
    leg_id: str


@event("call.muted")
class CallMuted(Event, frozen=True, kw_only=True):
    """A leg was muted, or is heard again."""

    call_id: str
    leg_id: str
    is_muted: bool


@event("call.data_changed")
class CallDataChanged(Event, frozen=True, kw_only=True):
    """The customer data that travels with a call was changed."""

    call_id: str
    data: dict[str, str]
    """All of it, as it is now."""


@event("call.leg_ended")
class CallLegEnded(Event, frozen=True, kw_only=True):
    """A leg left a call that goes on without it."""

    call_id: str
    leg_id: str
    cause: HangupCause
    side: str
    """Who ended it: caller, agent, system or remote."""


@event("call.left_alone")
class CallLeftAlone(Event, frozen=True, kw_only=True):
    """The conversation is over; the leg hears busy tone until its user hangs up (`auto_release = false`)."""

    call_id: str
    leg_id: str
    cause: HangupCause
    side: str
    """Who ended the conversation."""


@event("call.hold_reminded")
class CallHoldReminded(Event, frozen=True, kw_only=True):
    """A party is on hold for long (`calls.hold_recall_s`); who holds it is reminded."""

    call_id: str
    leg_id: str
    """The leg that is on hold."""
    by_leg_id: str
    """The leg that is reminded; empty when nobody is there."""
    held_s: float


@event("call.transfer_started")
class CallTransferStarted(Event, frozen=True, kw_only=True):
    """A party is being transferred: it waits until `number` answers."""

    call_id: str
    by_leg_id: str
    """The leg that transfers."""
    number: str


@event("call.transferred")
class CallTransferred(Event, frozen=True, kw_only=True):
    """A party was handed over."""

    call_id: str
    kind: str
    """blind, attended, replaced (a leg took another one's place) or recalled (back to who had transferred)."""
    by_leg_id: str
    """The leg that transferred, or was replaced."""
    leg_id: str
    """The leg that talks from now on."""
    number: str
    """Extension or number of that leg."""
    data: dict[str, str]
    """The customer data of the call (`call.set_data`)."""


@event("call.transfer_failed")
class CallTransferFailed(Event, frozen=True, kw_only=True):
    """Nobody answered the transfer; the party is back, waits for the recall, or the call ends."""

    call_id: str
    by_leg_id: str
    number: str
    cause: HangupCause
    is_recalled: bool
    """Whether who had transferred is rung now."""


@event("call.consult_changed")
class CallConsultChanged(Event, frozen=True, kw_only=True):
    """A consultation began, went on or is over."""

    call_id: str
    consult_id: str
    state: str
    """ringing, consulting, completed, merged, cancelled or failed."""
    by_leg_id: str
    """The leg that consults."""
    number: str
    leg_id: str = ""
    """The leg that is consulted, once it has answered."""
    talks_with: str = ""
    """consulted or others: whom the consulting leg hears at present."""
    cause: str = ""
    """Why it failed, as a hangup cause."""


@event("call.absorbed")
class CallAbsorbed(Event, frozen=True, kw_only=True):
    """A call became part of another one, which has its legs, data and story from now on, also in the record."""

    call_id: str
    into_call_id: str


@event("call.digit")
class CallDigit(Event, frozen=True, kw_only=True):
    """A DTMF digit came in from a leg."""

    call_id: str
    leg_id: str
    digit: str
    """0-9, *, #, A-D."""
    duration_ms: int = 0


@event("call.secured")
class CallSecured(Event, frozen=True, kw_only=True):
    """A leg is secure from now on, or no longer: nobody hears it or gets its digits."""

    call_id: str
    leg_id: str
    is_secure: bool


@event("call.secure_digit")
class CallSecureDigit(Event, frozen=True, kw_only=True):
    """Another key was pressed on a secure leg; which one is nobody's business."""

    call_id: str
    leg_id: str
    n_digits: int
    """So far."""


@event("call.tone_detected")
class CallToneDetected(Event, frozen=True, kw_only=True):
    """A tone of the network or of a machine is heard from a leg (where that is listened for)."""

    call_id: str
    leg_id: str
    tone: str
    """busy, congestion, ringback, dial, special_info, fax_cng or fax_ced."""


@event("call.answer_detected")
class CallAnswerDetected(Event, frozen=True, kw_only=True):
    """Who answered, asked for by `call.detect_answer`."""

    call_id: str
    leg_id: str
    result: str
    """human, machine or not_sure."""
    after_s: float
    """Seconds of audio that were needed."""
    evidence: dict[str, float]
    """What was measured (ms and counts); `rule_NAME`: 1 names the rule that decided."""


@event("call.speech_changed")
class CallSpeechChanged(Event, frozen=True, kw_only=True):
    """A party begins or stops to speak (where that is listened for)."""

    call_id: str
    leg_id: str
    is_speaking: bool


@event("call.one_way_audio")
class CallOneWayAudio(Event, frozen=True, kw_only=True):
    """Two parties are connected and one of them is not heard."""

    call_id: str
    leg_id: str
    """Who is not heard."""
    why: str
    """no_rtp: no packets come from it; silent: nothing but silence, while the other side speaks."""
    silent_s: float


@event("call.quality_changed")
class CallQualityChanged(Event, frozen=True, kw_only=True):
    """What a party sends became too bad to talk with, or good again."""

    call_id: str
    leg_id: str
    mos: float
    """Estimated listening quality of the last seconds, 1 to 4.5 (ITU-T G.107)."""
    is_poor: bool


@event("call.play_finished")
class CallPlayFinished(Event, frozen=True, kw_only=True):
    """What was played to a leg has ended."""

    call_id: str
    leg_id: str
    play_id: str
    reason: str
    """finished, stopped, replaced, released or error."""


@event("call.ended")
class CallEnded(Event, frozen=True, kw_only=True):
    """A call is over; its record is in `call.history`."""

    call_id: str
    cause: HangupCause
    side: str
    """Who ended it: caller, agent, system or remote."""
    duration_s: float
    """From created to ended."""
    talk_s: float
    """From connected to ended, holds included; 0 when nobody answered."""
    caller: str
    dialed: str
    direction: str
    """internal, inbound or outbound."""


@event("recording.started")
class RecordingStarted(Event, frozen=True, kw_only=True):
    """A recording began."""

    recording_id: str
    call_id: str
    path: str
    """File, absolute."""


@event("recording.paused")
class RecordingPaused(Event, frozen=True, kw_only=True):
    """A recording was paused: silence is written until it is resumed."""

    recording_id: str
    call_id: str
    path: str = ""


@event("recording.resumed")
class RecordingResumed(Event, frozen=True, kw_only=True):
    """A recording goes on after a pause."""

    recording_id: str
    call_id: str
    path: str = ""


@event("recording.finished")
class RecordingFinished(Event, frozen=True, kw_only=True):
    """A recording is closed and on disk."""

    recording_id: str
    call_id: str
    path: str
    duration_s: float
    size: int
    """Bytes."""
    sha256: str = ""
    format: str = "wav"
    """wav or mp3"""


@event("recording.failed")
class RecordingFailed(Event, frozen=True, kw_only=True):
    """A recording could not be written, wholly or in part; the call went on."""

    recording_id: str
    call_id: str
    path: str
    error: str
    duration_s: float = 0.0
    """What could be saved."""
    size: int = 0
    """Bytes."""


@event("registration.added")
class RegistrationAdded(Event, frozen=True, kw_only=True):
    """A phone registered (a refresh of the same binding is not told)."""

    extension: str
    address: str
    """Where it is reached: "transport:host:port"."""
    user_agent: str = ""
    expires_s: float = 0.0


@event("registration.removed")
class RegistrationRemoved(Event, frozen=True, kw_only=True):
    """A binding is gone."""

    extension: str
    address: str
    user_agent: str = ""
    why: str
    """unregistered, expired, replaced, connection_lost or removed."""


@event("trunk.state_changed")
class TrunkStateChanged(Event, frozen=True, kw_only=True):
    """A trunk came up or went down."""

    trunk: str
    state: str
    """up, down, registering or rejected."""
    reason: str = ""


@event("trunk.up")
class TrunkUp(Event, frozen=True, kw_only=True):
    """A trunk can be used: it is resolved, registered where it must be, and answers OPTIONS where it is asked."""

    trunk: str
    down_s: float = 0.0
    """How long it could not be; 0 = it was never seen before."""


@event("trunk.down")
class TrunkDown(Event, frozen=True, kw_only=True):
    """A trunk cannot be used any more; calls take the next one."""

    trunk: str
    reason: str = ""


@event("extension.changed")
class ExtensionChanged(Event, frozen=True, kw_only=True):
    """An extension was created, changed or deleted."""

    extension: str
    change: str
    """created, updated or deleted."""
    by: str = ""
    """The API user that did it."""


@event("media.worker_changed")
class MediaWorkerChanged(Event, frozen=True, kw_only=True):
    """A media worker started, failed, or was restarted."""

    worker: str
    state: str
    """starting, up, down or failing."""
    reason: str = ""


@event("storage.state_changed")
class StorageStateChanged(Event, frozen=True, kw_only=True):
    """The writer of records began to fail, or works again; nothing accepted is lost meanwhile."""

    is_failing: bool
    error: str = ""
    backlog: int = 0
    """Records waiting to be written."""


@event("system.draining")
class SystemDraining(Event, frozen=True, kw_only=True):
    """The switch takes no new calls any more and ends when the live ones have, or at the deadline."""

    n_calls: int
    deadline_s: float = 0.0
    """Seconds until it ends whatever is left; 0 = no limit."""


@event("events.lost")
class EventsLost(Event, frozen=True, kw_only=True):
    """Events of this subscription could not be delivered; read the present state again with the `list` commands."""

    from_seq: int
    """The first number that is missing."""
    to_seq: int
    """The last number that is missing."""
