"""What a phase asks the runtime to do, dispatched by class.

Beside these, phases return media commands, events to publish and records to keep.
"""

import msgspec

from acd.desk_inputs import DeskInput
from acd.inputs import AcdInput
from ivr.run import Ask, AskBack, CheckMember, LookUp
from ivr.speaking import Sound
from model import media
from model.causes import HangupCause
from model.declare import Event
from model.records import CallRecord, MessageRecord, RecordingRecord
from sip.refer import Replaces
from switch.leg_events import CallEvent


class _LegAction(msgspec.Struct, frozen=True, gc=False):
    call_id: str
    leg_id: str


class StartLeg(_LegAction, frozen=True):
    """Send the INVITE to the leg's target."""


class AdoptLeg(_LegAction, frozen=True):
    """Its session belongs to this call now."""


class RingLeg(_LegAction, frozen=True):
    """Tell the caller that it rings (180)."""


class ProgressLeg(_LegAction, frozen=True):
    """Open the caller's audio before the answer (183 with SDP)."""


class AnswerLeg(_LegAction, frozen=True):
    """Answer the caller (200)."""


class EndLeg(_LegAction, frozen=True):
    """Reject, cancel or BYE, whichever fits."""

    cause: HangupCause


class LeaveIfSilent(_LegAction, frozen=True):
    """Fail the leg if nothing came back for its INVITE so far."""


class ReofferLeg(_LegAction, frozen=True):
    """Pass an offer on (audio goes directly)."""

    body: bytes


class TakeOffer(_LegAction, frozen=True):
    body: bytes


class RefuseOffer(_LegAction, frozen=True):
    status: int


class SendInfoDigits(_LegAction, frozen=True):
    """Tell the leg digits by SIP INFO, one after the other."""

    digits: str
    duration_ms: int


class TakeRefer(_LegAction, frozen=True):
    """202: the transfer is under way; ReportRefer tells the phone how it goes."""

    refer: str


class RefuseRefer(_LegAction, frozen=True):
    refer: str
    cause: HangupCause


class ReportRefer(_LegAction, frozen=True):
    """NOTIFY; a `status` of 200 or more is the last one. Also after the leg has left, while its call lives."""

    refer: str
    status: int


class SendRefer(_LegAction, frozen=True):
    """Ask the leg's own switch to call `uri` (trunks that transfer by themselves); LegReferProgress follows."""

    uri: str
    replaces: Replaces | None = None
    by: str = ""


class ChangeServices(_LegAction, frozen=True):
    """The user wants it so from now on; FeatureDone tells how it went."""

    extension: str
    field: str
    """As in storage.directory.ExtensionServices."""
    value: str


class AgentByPhone(_LegAction, frozen=True):
    """Who sits at the phone is an agent, and wants this; FeatureDone tells how it went. Its repr, which may be logged,
    does not tell the PIN."""

    feature: str
    """agent_sign_in, agent_sign_out, agent_ready, agent_not_ready."""
    extension: str
    number: str = ""
    """The agent's, or the place of a reason."""
    pin: str = ""
    host: str = ""
    """Where the phone is."""

    def __repr__(self) -> str:
        return f"AgentByPhone({self.call_id!r}, {self.feature!r}, {self.extension!r}, {self.number!r})"


class AskCallback(_LegAction, frozen=True):
    """Who waits in a queue wants to be called back; CallbackTaken tells whether he will."""


class PreemptTrunk(_LegAction, frozen=True):
    """End another call of a full trunk: an emergency call needs its channel. leg_id is empty."""

    trunk: str


class TellCentre(msgspec.Struct, frozen=True, gc=False):
    """Tell the contact centre; what it decides comes as events of calls."""

    call_id: str
    told: AcdInput | DeskInput


class TellCall(msgspec.Struct, frozen=True, gc=False):
    """Tell the call this once what is before it is done."""

    event: CallEvent


class DoubtTrunk(_LegAction, frozen=True):
    """A call failed as if the trunk, or an address of it, were gone: find out now. leg_id is empty."""

    trunk: str


class RelocateLeg(_LegAction, frozen=True):
    """Offer the leg a port of ours at its call's worker (re-INVITE). LegHolds, LegResumes or LegFailed follows."""


class JoinCalls(_LegAction, frozen=True):
    """The parties of `leg_id` and of another call's `other_leg_id` are connected; these two legs, which are of one
    phone, end. `refer`: the REFER that asks for it."""

    other_call_id: str
    other_leg_id: str
    refer: str


class LetGoAbsorbed(_LegAction, frozen=True):
    """A call became part of another: what it held at its worker is free. leg_id is empty."""

    into_call_id: str
    worker: int
    ports: tuple[tuple[int, int], ...]


class AskHttp(_LegAction, frozen=True):
    """Ask another system for a flow; FlowReplied with the same token follows."""

    token: int
    ask: Ask


class AskDatabase(_LegAction, frozen=True):
    """Look something up for a flow; FlowReplied with the same token follows."""

    token: int
    asked: LookUp


class AskFlowCallback(_LegAction, frozen=True):
    """A flow's caller wants to be called back by a queue; FlowReplied with the same token follows."""

    token: int
    asked: AskBack


class AskMember(_LegAction, frozen=True):
    """Check a member's password for a flow; FlowReplied with the same token follows."""

    token: int
    asked: CheckMember


class NoteMessage(msgspec.Struct, frozen=True, gc=False):
    """A message has begun; keep what is known of it from now on."""

    message: MessageRecord


class SettleMessage(_LegAction, frozen=True):
    """The caller is done with a message: it goes into its box, or is thrown away. leg_id is empty."""

    message_id: str
    is_kept: bool


class AskMessages(_LegAction, frozen=True):
    """Whoever has this phone wants to hear a box; MessagesCame follows. Its repr does not tell the PIN."""

    extension: str
    number: str
    """Of the box; empty: the phone's own."""
    pin: str = ""
    host: str = ""
    """Where the phone is."""

    def __repr__(self) -> str:
        return f"AskMessages({self.call_id!r}, {self.extension!r}, {self.number!r})"


class ChangeMessage(_LegAction, frozen=True):
    """From the phone: heard, deleted, called_back."""

    message_id: str
    what: str
    by: str


class HearCaller(_LegAction, frozen=True):
    """Understand what comes to stand in a file; CallerHeard with the same token follows."""

    token: int
    path: str
    language: str
    hints: tuple[str, ...]
    max_s: float


class StopHearing(_LegAction, frozen=True):
    """He has finished: nothing more comes to the file. Not `is_wanted`: nobody wants to know any more."""

    token: int
    is_wanted: bool


class ReconfigureLeg(_LegAction, frozen=True):
    """What the media worker listens for has changed."""


class MakeSpeech(_LegAction, frozen=True):
    """Make the texts among `sounds` playable; SpeechMade with the same token follows, at once when they were spoken
    lately. Its repr, which may be logged, tells no text."""

    token: str
    sounds: tuple[Sound, ...]
    is_anew: bool = False
    """What was made before could not be played."""

    def __repr__(self) -> str:
        return f"MakeSpeech({self.call_id!r}, {self.leg_id!r}, {self.token!r})"


class ForgetCall(_LegAction, frozen=True):
    """Everything is written; leg_id is empty. `ports` are (worker, RTP port) to be freed."""

    ports: tuple[tuple[int, int], ...] = ()


Action = (
    StartLeg
    | AdoptLeg
    | RingLeg
    | ProgressLeg
    | AnswerLeg
    | EndLeg
    | LeaveIfSilent
    | ReofferLeg
    | TakeOffer
    | RefuseOffer
    | SendInfoDigits
    | TakeRefer
    | RefuseRefer
    | ReportRefer
    | SendRefer
    | ChangeServices
    | AgentByPhone
    | AskCallback
    | PreemptTrunk
    | TellCentre
    | TellCall
    | DoubtTrunk
    | RelocateLeg
    | JoinCalls
    | LetGoAbsorbed
    | AskHttp
    | AskDatabase
    | AskFlowCallback
    | AskMember
    | NoteMessage
    | SettleMessage
    | AskMessages
    | ChangeMessage
    | HearCaller
    | StopHearing
    | ReconfigureLeg
    | MakeSpeech
    | ForgetCall
    | media.Command
    | Event
    | CallRecord
    | RecordingRecord
)
