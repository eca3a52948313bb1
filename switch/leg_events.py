"""What happens to a call, in the words of calls: every kind of leg emits these, whatever protocol it speaks."""

import msgspec

from acd.inputs import EntryPlace
from model.causes import HangupCause
from model.records import MessageRecord
from sip.refer import Replaces
from switch.call import Collecting


class _CallEvent(msgspec.Struct, frozen=True, gc=False):
    call_id: str
    leg_id: str


class LegRinging(_CallEvent, frozen=True):
    """It rings."""


class LegEarlyMedia(_CallEvent, frozen=True):
    """It sends audio before it answers; its media are configured."""


class LegAnswered(_CallEvent, frozen=True):
    """It answered; its media are configured (unless audio goes directly)."""


class LegFailed(_CallEvent, frozen=True):
    """It will not be answered."""

    cause: HangupCause
    status: int = 0


class LegHungUp(_CallEvent, frozen=True):
    """It left: BYE, CANCEL, or it is lost."""

    cause: HangupCause


class LegHolds(_CallEvent, frozen=True):
    """Its phone does not want to hear the other party for now."""


class LegResumes(_CallEvent, frozen=True):
    """Its phone wants the other party again."""


class LegOffers(_CallEvent, frozen=True):
    """A new offer of a leg whose audio goes directly to the other party."""

    body: bytes


class LegTakesOffer(_CallEvent, frozen=True):
    """The answer to an offer passed on to it."""

    body: bytes


class LegRefusesOffer(_CallEvent, frozen=True):
    status: int


class LegDigit(_CallEvent, frozen=True):
    """A DTMF digit; `by_info` when it came by SIP INFO, so that nobody relayed it in RTP; `is_secure` when nobody but
    who asked for it may know it. Its repr, which may be logged, does not tell which."""

    digit: str
    duration_ms: int
    by_info: bool = False
    is_secure: bool = False

    def __repr__(self) -> str:
        return f"LegDigit({self.call_id}, {self.leg_id})"


class LegRefers(_CallEvent, frozen=True):
    """Its phone wants the other party to call somebody (REFER). The phase answers at once, with TakeRefer or
    RefuseRefer; what no phase answers is refused with 403, and the call goes on."""

    refer: str
    """Names the request in TakeRefer, RefuseRefer and ReportRefer."""
    number: str
    """User part of Refer-To."""
    uri: str
    by: str = ""
    """Value of Referred-By, for the INVITE that comes of it."""
    replaces: Replaces | None = None
    """Attended transfer: the dialog at the target that the INVITE shall replace."""
    other_call_id: str = ""
    """That dialog is one of ours: this call and leg (the phone's second call). Then nobody need be called."""
    other_leg_id: str = ""


class LegReplaces(_CallEvent, frozen=True):
    """`leg_id`, new in the call, takes the place of leg `replaced` (INVITE with Replaces, RFC 3891). The phase answers
    `leg_id` and ends the other; a leg that is still `trying` afterwards is refused."""

    replaced: str


class LegPicksUp(_CallEvent, frozen=True):
    """`leg_id` was answered to take the call that rings at `extension`; its media are configured."""

    extension: str


class LegRetrieves(_CallEvent, frozen=True):
    """`leg_id`, new in the call, has dialled the orbit where it is parked; `is_ready`: it was answered."""

    is_ready: bool = False


class CollectDigits(_CallEvent, frozen=True):
    """API: ask the leg for digits; None = no longer."""

    wanted: Collecting | None


class ParkLeg(_CallEvent, frozen=True):
    """API: whoever `leg_id` talks with shall wait in an orbit ("" = any)."""

    orbit: str


class FetchParked(_CallEvent, frozen=True):
    """API: `number` shall take the parked party; leg_id is empty."""

    number: str


class LegReferProgress(_CallEvent, frozen=True):
    """How it goes with the transfer that SendRefer asked for: `status` 0: nobody said."""

    status: int
    is_final: bool


class LegSilent(_CallEvent, frozen=True):
    """No RTP for longer than media.inactivity_s."""

    silent_s: float


class LegStatisticsCame(_CallEvent, frozen=True):
    """The leg's last figures are noted in it."""


class PlayEnded(_CallEvent, frozen=True):
    play_id: str
    reason: str


class Timeout(_CallEvent, frozen=True):
    """The call's deadline is due; leg_id is empty."""


class TimerDue(_CallEvent, frozen=True):
    """A timer of the call (`Call.timers`) is due; leg_id is empty."""

    name: str


class Release(_CallEvent, frozen=True):
    """Somebody who may ends the call: API, shutdown."""

    cause: HangupCause
    side: str = "system"


class DropLeg(_CallEvent, frozen=True):
    """API: end this leg alone."""

    cause: HangupCause


class SecureLeg(_CallEvent, frozen=True):
    """API: nobody shall hear the leg or get its digits, or all may again."""

    is_secure: bool


class HoldLeg(_CallEvent, frozen=True):
    """API: the leg shall hear music."""


class ResumeLeg(_CallEvent, frozen=True):
    pass


class TransferLeg(_CallEvent, frozen=True):
    """API: `leg_id` leaves, and whoever it talks with is connected with `number`."""

    number: str
    ring_timeout_s: float = 0.0
    is_recalled: bool = True
    """Whether the leg's extension is rung when nobody answers."""


class StartConsult(_CallEvent, frozen=True):
    """API: `leg_id` wants to talk with `number` while the others wait."""

    consult_id: str
    number: str
    ring_timeout_s: float = 0.0


class ChangeConsult(_CallEvent, frozen=True):
    """API: cancel, complete, swap or merge a consultation. leg_id is empty."""

    consult_id: str
    what: str


class Redirect(_CallEvent, frozen=True):
    """API: a call that nobody has answered yet shall ring somewhere else. leg_id is empty."""

    number: str
    ring_timeout_s: float = 0.0


class MuteLeg(_CallEvent, frozen=True):
    """API: nobody shall hear the leg, or all again."""

    is_muted: bool


class RecordingClosed(_CallEvent, frozen=True):
    """The file of a recording is whole; leg_id is empty."""

    recording_id: str
    duration_s: float
    error: str = ""


class CallerHeard(_CallEvent, frozen=True):
    """What the caller said, of the HearCaller with this token; leg_id is empty. Its repr does not tell it."""

    token: int
    text: str
    error: str = ""

    def __repr__(self) -> str:
        return f"CallerHeard({self.call_id!r}, {self.token}, {self.error!r})"


class MessagesCame(_CallEvent, frozen=True):
    """What is in the box that was asked for, newest last; or why it stays shut."""

    box: str
    messages: list[MessageRecord]
    error: str = ""


class SetData(_CallEvent, frozen=True):
    """API: customer data of the call; None takes a value away. leg_id is empty."""

    data: dict[str, str | None]


class FlowReplied(_CallEvent, frozen=True):
    """The answer of an AskHttp or its like: variable -> text, or what went wrong. Its repr, which may be logged, tells
    no answer."""

    token: int
    found: dict[str, str]
    error: str = ""
    outcome: str = ""

    def __repr__(self) -> str:
        return f"FlowReplied({self.call_id}, {self.error!r})"


class AnswererFound(_CallEvent, frozen=True):
    """Who has answered (AMD)."""

    result: str
    """human, machine, not_sure"""
    evidence: str = ""
    """The rule that decided."""


class LegTone(_CallEvent, frozen=True):
    """It sends a tone of the network or of a machine (`media.ToneDetected`)."""

    tone: str


class SpeechMade(_CallEvent, frozen=True):
    """Of a MakeSpeech: its sounds in order, as the media worker takes them; "" for a text that could not be made, and
    `error` says why."""

    token: str
    sources: tuple[str, ...]
    error: str = ""


class FeatureDone(_CallEvent, frozen=True):
    """What a feature code asked for is done, or `error` says why not."""

    error: str = ""


class LegJoins(_CallEvent, frozen=True):
    """`leg_id`, new in the call, has dialled the conference that it is."""


class LegSpeaks(_CallEvent, frozen=True):
    """It begins or stops to speak (only where that is listened for)."""

    is_speaking: bool


class ChangeMember(_CallEvent, frozen=True):
    """API, keys: what a member of a conference may do; None: as it is."""

    role: str | None = None
    is_muted: bool | None = None
    is_deaf: bool | None = None
    volume: float | None = None


class ChangeRoom(_CallEvent, frozen=True):
    """API, keys: of a conference as a whole; leg_id is empty; None: as it is."""

    is_locked: bool | None = None
    is_everybody_muted: bool | None = None


class InviteMember(_CallEvent, frozen=True):
    """API: ring somebody for a conference; leg_id is empty."""

    ringing_id: str
    number: str
    role: str
    caller_id: str = ""
    ring_timeout_s: float = 0.0


class SetMonitor(_CallEvent, frozen=True):
    """API: a supervisor shall be heard by others; leg_id is empty."""

    monitor_id: str
    mode: str
    agent_audio: str = "full"


class EndMonitor(_CallEvent, frozen=True):
    """API: a supervisor shall leave, or step in for good; leg_id is empty."""

    monitor_id: str
    how: str
    """stop, takeover or disconnect."""


class BeginWaiting(_CallEvent, frozen=True):
    """The queue has taken the call; leg_id is empty."""


class RingAgent(_CallEvent, frozen=True):
    """The routing core offers the call to an agent; leg_id is empty."""

    offer_id: str
    agent_id: str
    extension: str
    ring_timeout_s: float
    auto_answer: bool


class WithdrawAgent(_CallEvent, frozen=True):
    """He shall not have it; leg_id is empty."""

    offer_id: str
    reason: str


class ConnectAgent(_CallEvent, frozen=True):
    """It is his; leg_id is empty."""

    offer_id: str
    agent_id: str


class SentOn(_CallEvent, frozen=True):
    """The queue sends the call on; leg_id is empty."""

    entry_id: str
    reason: str
    target: str
    enter_time: float
    n_hops: int


class CallbackTaken(_CallEvent, frozen=True):
    """The caller will be called back, or `error` says why not; leg_id is empty."""

    error: str = ""


class CustomerTurn(_CallEvent, frozen=True):
    """The customer of a callback shall be rung; leg_id is empty."""


class CallbackOver(_CallEvent, frozen=True):
    """The core has given the callback up; leg_id is empty."""

    cause: HangupCause


class MoveToQueue(_CallEvent, frozen=True):
    """A supervisor moves the waiting call to another queue; leg_id is empty."""

    queue: str
    place: EntryPlace


class TellPlace(_CallEvent, frozen=True):
    """The caller shall hear his place; leg_id is empty."""

    entry_id: str
    position: int
    is_more_than: bool
    ewt_s: float | None


class RecordCall(_CallEvent, frozen=True):
    """API: start, pause, resume or stop the recording; leg_id is empty."""

    what: str
    format: str = ""
    channels: str = ""
    """For start; empty: as configured."""


CallEvent = (
    LegRinging
    | LegEarlyMedia
    | LegAnswered
    | LegFailed
    | LegHungUp
    | LegHolds
    | LegResumes
    | LegOffers
    | LegTakesOffer
    | LegRefusesOffer
    | LegDigit
    | LegRefers
    | LegReplaces
    | LegPicksUp
    | LegRetrieves
    | CollectDigits
    | ParkLeg
    | FetchParked
    | LegReferProgress
    | LegSilent
    | LegStatisticsCame
    | PlayEnded
    | Timeout
    | TimerDue
    | Release
    | DropLeg
    | SecureLeg
    | HoldLeg
    | ResumeLeg
    | TransferLeg
    | StartConsult
    | ChangeConsult
    | Redirect
    | MuteLeg
    | SetData
    | BeginWaiting
    | RingAgent
    | WithdrawAgent
    | ConnectAgent
    | SentOn
    | CallbackTaken
    | CustomerTurn
    | CallbackOver
    | MoveToQueue
    | TellPlace
    | RecordCall
    | FlowReplied
    | RecordingClosed
    | MessagesCame
    | SpeechMade
    | AnswererFound
    | LegTone
    | CallerHeard
    | FeatureDone
    | LegJoins
    | LegSpeaks
    | ChangeMember
    | ChangeRoom
    | InviteMember
    | SetMonitor
    | EndMonitor
)
