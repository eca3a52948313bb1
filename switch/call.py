"""A call and its legs as plain data: what is journalled, restored and shown. Pure; no behaviour but questions.

Texts that a peer chose are masked of control characters before they come here (switch.cdr.mask). Instants ending in
`_utc` are UTC seconds since 1970, 0.0 = did not happen. No value here refers back to another one: legs know their call
by id, so nothing needs the cycle collector.

A call is one conversation: its id stays the same over all legs, transfers and consultations. Who hears whom is not
stored: legs are in rooms and have a few properties (`room`, `is_muted`, `heard_by` …), and `switch.hearing` derives the
hear-matrix, the music and the segments of the record from them.
"""

import msgspec

from ivr.run import FlowRun
from ivr.speaking import Sound
from model import media
from model.causes import HangupCause
from model.media import Edge, LegStatistics, StartRecording
from sip.diversion import Diverted
from sip.flow import Flow
from sip.offer_answer import Capabilities, Negotiated
from sip.sdes import LocalKeys
from switch.conference import Room
from switch.dialing import Dialing
from switch.listening_to import Listening
from switch.monitor import SUPERVISOR, Monitor
from switch.ring_plan import OriginateOptions, Ringing, Target
from switch.voicemail import HearingMessages, LeavingMessage

MAIN = "main"
"""The room of the conversation; every consultation has a room of its own, called as its id."""


class Consult(msgspec.Struct, gc=False, kw_only=True):
    """A leg asks somebody else while the others wait (FEATURES XTEL-02). Over, it is forgotten: events told the end."""

    consult_id: str
    """Also the id of its `Ringing` and the name of its room."""
    by: str
    """Leg that consults."""
    number: str
    leg: str = ""
    """Leg that is consulted, once it has answered."""
    started_utc: float


class BrowserSide(msgspec.Struct, gc=False, kw_only=True):
    """What a browser's leg has over a phone's (switch.browsers)."""

    flow: Flow | None = None
    """Its WebSocket, as far as we know; None: it came through a proxy."""
    ufrag: str = ""
    """Ours, "" when the next description shall have new ones."""
    pwd: str = ""
    remote_ufrag: str = ""
    fingerprints: tuple[tuple[str, str], ...] = ()
    mids: tuple[str, ...] = ()
    """Of the m= sections agreed on."""
    association: int = 0
    """Counts the connections that the page made."""
    is_offering: bool = False
    """Our description was the last one."""
    plain: bytes = b""
    """The browser's last description without its coat."""
    is_configured: bool = False
    """The edge knows the leg."""
    is_renewing: bool = False
    """A re-INVITE of ours is under way; its answer concerns this leg alone."""

    def __repr__(self) -> str:
        return f"BrowserSide({self.ufrag})"


class Collecting(msgspec.Struct, gc=False, kw_only=True):
    """Digits that a leg is asked for (`switch.collecting`)."""

    collect_id: str
    sources: list[str]
    max_digits: int
    terminators: str
    first_digit_s: float
    next_digit_s: float
    max_prompt_s: float
    digits: str = ""


class Leg(msgspec.Struct, gc=False, kw_only=True):
    """One SIP dialog and its audio."""

    leg_id: str
    call_id: str
    direction: str
    """in: they called us; out: we called them."""
    kind: str
    name: str
    caller: str
    dialed: str
    state: str = "trying"
    """trying, ringing, early_media, answered, ended (held is `hold` != 0)"""
    wants_early_media_line: bool = False
    """Its INVITE speaks of P-Early-Media (RFC 5009)."""
    max_breadth: int = 0
    """Its share of the call's, as its INVITE says it; 0 = nothing said (it is the only one)."""
    session: str = ""
    """Id of the SIP session; "" before the INVITE went out."""
    sip_call_id: str = ""
    address: str = ""
    user_agent: str = ""
    target: Target | None = None
    account: str = ""
    """The extension that pays for it (switch.outbound_policy)."""
    is_confirming: bool = False
    """It picked up and is asked whether it takes the call."""
    has_responded: bool = False
    """It rang, or refused: its address is alive."""
    other_ways: list[Target] = []
    """See Target."""
    failover: tuple[str, ...] = ()
    flow: Flow | None = None
    """Address of the trunk that it was sent to."""
    retry_after_s: float = 0.0
    """What its 503 asked for."""
    port: int = 0
    """Local RTP port, 0 = none (yet, or audio does not come by us)."""
    worker: int = 0
    is_configured: bool = False
    """The media worker knows the leg."""
    is_statistics_due: bool = False
    """The call is over and the worker's last figures of this leg have not come yet."""
    offer: bytes = b""
    """SDP of the peer that is not answered yet."""
    local_sdp: bytes = b""
    """Our SDP that may have to be sent again; dropped once the dialog is confirmed."""
    sdp_version: int = 0
    negotiated: Negotiated | None = None
    capabilities: Capabilities | None = None
    """What we offered or answered with, the last time."""
    dtmf: str = "auto"
    """auto, rfc4733, inband, info: how its digits come and are sent."""
    is_secure: bool = False
    """Nobody hears it or gets its digits."""
    secure_digits: str = ""
    """What was typed meanwhile."""
    detects_tones: bool = False
    last_digit: tuple[str, bool, float] = ("", False, 0.0)
    """Digit, whether it came by INFO, monotonic instant: the same in the other kind right after is the same key."""
    is_tls: bool = False
    """Its signalling cannot be read on the way."""
    browser: BrowserSide | None = None
    srtp_keys: LocalKeys | None = None
    is_insisting: bool = False
    """It refused an offer in which SRTP was optional, and gets another one with nothing else."""
    warning: str = ""
    """Value of a Warning header (RFC 3261 §20.43) for its refusal: why its SDP is of no use."""
    is_direct: bool = False
    is_moving: bool = False
    """It was offered another port of ours, and has not said yes yet."""
    is_recorded: bool = True
    role: str = ""
    """customer, agent, consulted, …: who it is in the conversation; "" before it is connected. A leg with the role
    supervisor is no party of it (`switch.supervision`)."""
    room: str = ""
    """Answered legs of one room hear each other; "" = it hears and is heard by nobody."""
    ringing: str = ""
    """Id of the `Ringing` it belongs to; "" once it was answered, or when it called us."""
    is_held: bool = False
    """Put on hold by API: it hears music and nobody hears it."""
    is_away: bool = False
    """Its phone holds: it wants to hear nobody for now."""
    is_muted: bool = False
    """Nobody hears it."""
    is_deaf: bool = False
    """It hears nobody."""
    heard_by: tuple[str, ...] | None = None
    """Legs of its room that hear it; None = all."""
    gain: float = 1.0
    """How loud others hear it; 1 = as it is."""
    detects_speech: bool = False
    """Its call is told when it begins and stops to speak."""
    keeps_digits: bool = False
    """Its digits are told to the switch alone, whoever hears it."""
    has_keys: bool = False
    """Its keys may be codes (switch.keys): its digits come to the switch alone, which passes on what is none."""
    keys: str = ""
    """Typed so far, of a code or of a number."""
    keys_for: str = ""
    """transfer, consult: what the number is for; "" = it is a code."""
    collecting: Collecting | None = None
    """What it is asked for."""
    keys_held: tuple[str, ...] = ()
    """Legs on hold while it is typed."""
    is_left_alone: bool = False
    """The conversation is over; its user has not hung up yet (`auto_release = false`)."""
    auto_answer: bool = False
    """Its phone was asked to answer by itself."""
    playing: str = ""
    """Play id of what it hears instead of its room (`switch.hearing`); "" = its room."""
    segment: int = -1
    """Index in `Call.segments` of what it does at present; -1 = nothing that is accounted for."""
    created_utc: float = 0.0
    ringing_utc: float = 0.0
    answered_utc: float = 0.0
    bridged_utc: float = 0.0
    ended_utc: float = 0.0
    leaves_because: str = ""
    """It was transferred away from and is about to end; whatever ends it, this is the cause."""
    hangup_cause: str = ""
    hangup_side: str = ""
    sip_status: int = 0
    statistics: LegStatistics | None = None
    """What the media worker last reported."""

    @property
    def is_up(self) -> bool:
        return self.state == "answered"

    @property
    def is_ended(self) -> bool:
        return self.state == "ended"


class Segment(msgspec.Struct, gc=False):
    """A stretch in which a leg did one thing (FEATURES 4.1). The segments of a leg do not overlap."""

    leg_id: str
    purpose: str
    """talk, hold, consult, conference, monitor, queue, ivr, ring (waiting for somebody who is rung)"""
    started_utc: float
    ended_utc: float = 0.0
    cause: str = ""
    """Why it ended, when the leg ended with it."""


class Parked(msgspec.Struct, frozen=True, gc=False):
    """The call waits in an orbit."""

    orbit: str
    leg_id: str
    """Who waits."""
    by: str
    """Extension that parked it."""
    since_utc: float


class FeatureState(msgspec.Struct, gc=False):
    """A feature code that is being carried out."""

    name: str
    number: str = ""
    stage: str = ""
    """collecting, pin, storing, saying"""
    pin: str = ""


class QueueStay(msgspec.Struct, gc=False, kw_only=True):
    """The call waits in a queue, or has come out of one."""

    queue: str
    entry_id: str
    language: str = ""
    """In which the caller is spoken to."""
    music_at: float = 0.0
    """Instant of the background audio's beginning, as if nothing had interrupted it."""
    saying: str = ""
    """Play id of what is said to him now; "" = nothing."""
    n_said: int = 0
    step: int = -1
    """Of the queue's program, in which he is."""
    target: str = ""
    """Where it was sent on; "" = it waits, or an agent has it."""
    answered: dict[str, str] = {}
    """Offer -> leg that has answered it, until the routing core says whose it is."""
    agents: dict[str, str] = {}
    """Offer -> agent."""
    agent_id: str = ""
    """Who serves it."""
    rating: str = ""
    """asked, asked_again, thanked: how far the caller is with rating the service; "" = he was not asked."""


class RunningRecording(msgspec.Struct, gc=False, kw_only=True):
    recording_id: str
    started_utc: float
    start: StartRecording
    """What the media worker was told last."""
    is_asked_for: bool = False
    """By API: whatever the parties' settings say."""
    is_paused: bool = False

    @property
    def path(self) -> str:
        return self.start.path


class Call(Ringing, msgspec.Struct, gc=False, kw_only=True):
    """The legs and the story that one CDR tells."""

    call_id: str
    phase: str = "route"
    direction: str = "internal"
    """internal, inbound, outbound"""
    access_number: str = ""
    is_vip: bool = False
    """It waits in queues with the VIPs."""
    queue_priority: int = 0
    queue_skills: tuple[tuple[str, int], ...] = ()
    """As the access number says."""
    extension: str = ""
    trunk: str = ""
    route: str = ""
    legs: dict[str, Leg] = {}
    a: str = ""
    """Leg id of who calls."""
    b: str = ""
    """Leg id of who answered."""
    is_private: bool = False
    """The caller does not want to be shown (RFC 3323); `caller` is the number that somebody we trust vouches for."""
    received_diversions: list[Diverted] = []
    """Who sent the call on before it came to us, the last one first."""
    max_breadth: int = 60
    """Legs that may ring at the same time on its behalf, everywhere (RFC 5393)."""
    ringings: dict[str, Ringing] = {}
    """What is rung while the call is up already."""
    consults: dict[str, Consult] = {}
    n_legs: int = 0
    max_forwards: int = 70
    worker: int = 0
    is_direct: bool = False
    deadline: float = 0.0
    """Monotonic instant at which the phase wants a Timeout; 0.0 = none."""
    timers: dict[str, float] = {}
    """Monotonic instants at which the phase wants a `TimerDue` of that name."""
    is_emergency: bool = False
    caller_id: str = ""
    """Number that trunks shall show, by whoever placed the call."""
    wants_recording: bool = True
    recording: RunningRecording | None = None
    n_recordings: int = 0
    edges: list[Edge] | None = None
    """The hear-matrix that the media worker was told; None = none yet."""
    crowds: list[media.Room] = []
    """The part of it that is told as rooms."""
    segments: list[Segment] = []
    stay: QueueStay | None = None
    """What it is while it waits in a queue, and of the last one afterwards."""
    n_stays: int = 0
    flow_name: str = ""
    """The flow that it goes to, or went to last."""
    n_flows: int = 0
    n_flows_at_once: int = 0
    """Flows entered since the instant `flow_at` (switch.phases.ivr)."""
    flow_at: float = 0.0
    flow: FlowRun | None = None
    """What it is while a flow talks with the caller."""
    box: str = ""
    """Where it leaves a message, or left one last."""
    is_greeted: bool = True
    """It hears the greeting of the box."""
    leaving: LeavingMessage | None = None
    """What it is while a message is left."""
    hearing: HearingMessages | None = None
    """What it is while messages are heard."""
    saying: tuple[Sound, ...] = ()
    """What the flow says now, when there are texts in it that were not made anew yet."""
    listening: Listening | None = None
    """What it is while a flow listens to what the caller says."""
    conference: Room | None = None
    """What it is when it is a conference."""
    monitors: dict[str, Monitor] = {}
    """Supervisors on it."""
    absorbed: list[str] = []
    """Ids of calls that became part of this one."""
    variables: dict[str, str] = {}
    feature: FeatureState | None = None
    parked: Parked | None = None
    dialing: Dialing | None = None
    """It was placed by a campaign."""
    originate_to: str = ""
    """The second number of a call placed by API."""
    options: OriginateOptions | None = None
    created_utc: float
    ringing_utc: float = 0.0
    answered_utc: float = 0.0
    bridged_utc: float = 0.0
    ended_utc: float = 0.0
    between_s: float = 0.0
    """Of a call with several conversations: seconds between them that were none and belong to no segment."""
    talk_ended_utc: float = 0.0
    """When the conversation was over, if a leg has stayed longer (`Leg.is_left_alone`)."""
    hangup_cause: HangupCause | None = None
    hangup_side: str = ""
    n_statistics_due: int = 0
    """Legs whose last statistics the media worker has not sent yet."""

    @property
    def agent_id(self) -> str:
        """Who had it by a queue, or dialled it in a campaign."""
        if self.stay is not None:
            return self.stay.agent_id
        return self.dialing.agent_id if self.dialing is not None else ""

    def other(self, leg_id: str) -> Leg | None:
        """The leg that `leg_id` is connected with; None when it is alone or there are several."""
        leg = self.legs.get(leg_id)
        if leg is None or not leg.room:
            other = self.b if leg_id == self.a else self.a if leg_id == self.b else ""
            return self.legs.get(other)
        others = self.company(leg)
        return others[0] if len(others) == 1 else None

    def company(self, leg: Leg) -> list[Leg]:
        """The answered legs in the leg's room but itself; supervisors are no company."""
        return [
            each
            for each in self.legs.values()
            if each.room == leg.room and each is not leg and each.is_up and each.role != SUPERVISOR
        ]

    def parties(self) -> list[Leg]:
        """The answered legs in any room, without supervisors."""
        return [leg for leg in self.legs.values() if leg.is_up and leg.room and leg.role != SUPERVISOR]

    def asked_by(self, leg: Leg) -> Leg | None:
        """Who the leg is rung for, or connected with."""
        if not leg.ringing:
            return self.other(leg.leg_id)
        ringing = self.ringings.get(leg.ringing)
        return self.legs.get(ringing.caller_leg if ringing is not None else self.a)

    @property
    def customer_number(self) -> str:
        """Of who called, or is called by a campaign or back."""
        if self.dialing is not None:
            return self.dialing.number
        return self.variables.get("callback_number", self.caller)

    def live_legs(self) -> list[Leg]:
        return [leg for leg in self.legs.values() if leg.state != "ended"]

    def in_room(self, room: str) -> list[Leg]:
        """The answered legs of a room, without supervisors."""
        return [leg for leg in self.legs.values() if leg.room == room and leg.is_up and leg.role != SUPERVISOR]
