"""A call and its legs as plain data: what is journalled, restored and shown. Pure; no behaviour but questions.

Texts that a peer chose are masked of control characters before they come here (switch.cdr.mask). Instants ending in
`_utc` are UTC seconds since 1970, 0.0 = did not happen. No value here refers back to another one: legs know their call
by id, so nothing needs the cycle collector.
"""

import msgspec

from model.causes import HangupCause
from model.media import LegStatistics
from sip.flow import Flow
from sip.offer_answer import Capabilities, Negotiated
from sip.refer import Replaces
from sip.sdes import LocalKeys

HELD_BY_PEER = 1
"""The other party's phone put this leg on hold (its re-INVITE said so)."""
HELD_BY_API = 2


class Target(msgspec.Struct, gc=False, kw_only=True):
    """One address to ring: a binding of an extension, or a trunk."""

    kind: str
    """extension, trunk"""
    name: str
    number: str
    """What it is called as."""
    caller: str
    caller_name: str = ""
    uri: str
    flow: Flow
    route: tuple[str, ...] = ()
    """Path of the binding (RFC 3327), as Route values."""
    account: str = ""
    """The extension that pays for a call by trunk (switch.outbound_policy); "" = none does."""
    replaces: Replaces | None = None
    """The dialog at the target that this leg takes the place of (RFC 3891)."""
    referred_by: str = ""
    """Value of Referred-By (RFC 3892)."""


class Step(msgspec.Struct, gc=False, kw_only=True):
    """Targets that ring at the same time, and what comes if none answers."""

    targets: list[Target]
    ring_timeout_s: float
    failover: tuple[str, ...] = ()
    """Causes after which the next step is tried; empty: any."""
    extension: str = ""
    route: str = ""


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
    session: str = ""
    """Id of the SIP session; "" before the INVITE went out."""
    sip_call_id: str = ""
    address: str = ""
    user_agent: str = ""
    target: Target | None = None
    account: str = ""
    """The extension that pays for it (switch.outbound_policy)."""
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
    srtp_keys: LocalKeys | None = None
    is_insisting: bool = False
    """It refused an offer in which SRTP was optional, and gets another one with nothing else."""
    warning: str = ""
    """Value of a Warning header (RFC 3261 §20.43) for its refusal: why its SDP is of no use."""
    is_direct: bool = False
    is_recorded: bool = True
    hold: int = 0
    """HELD_BY_PEER | HELD_BY_API: this leg hears music."""
    created_utc: float = 0.0
    ringing_utc: float = 0.0
    answered_utc: float = 0.0
    bridged_utc: float = 0.0
    ended_utc: float = 0.0
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


class Hold(msgspec.Struct, gc=False):
    """One stretch of hold."""

    leg_id: str
    started_utc: float
    ended_utc: float = 0.0


class RunningRecording(msgspec.Struct, gc=False, kw_only=True):
    recording_id: str
    path: str
    started_utc: float
    is_paused: bool = False


class Call(msgspec.Struct, gc=False, kw_only=True):
    """The legs and the story that one CDR tells."""

    call_id: str
    phase: str = "route"
    direction: str = "internal"
    """internal, inbound, outbound"""
    caller: str
    caller_name: str = ""
    dialed: str
    access_number: str = ""
    extension: str = ""
    trunk: str = ""
    route: str = ""
    legs: dict[str, Leg] = {}
    a: str = ""
    """Leg id of who calls."""
    b: str = ""
    """Leg id of who answered."""
    plan: list[Step] = []
    step: int = -1
    n_forwards: int = 0
    n_legs: int = 0
    max_forwards: int = 70
    worker: int = 0
    is_direct: bool = False
    deadline: float = 0.0
    """Monotonic instant at which the phase wants a Timeout; 0.0 = none."""
    failure: str = ""
    """Most telling cause of the legs that failed so far."""
    wants_recording: bool = True
    recording: RunningRecording | None = None
    n_recordings: int = 0
    holds: list[Hold] = []
    variables: dict[str, str] = {}
    originate_to: str = ""
    """The second number of a call placed by API."""
    has_ringback: bool = False
    ring_timeout_s: float = 0.0
    created_utc: float
    ringing_utc: float = 0.0
    answered_utc: float = 0.0
    bridged_utc: float = 0.0
    ended_utc: float = 0.0
    hangup_cause: HangupCause | None = None
    hangup_side: str = ""
    n_statistics_due: int = 0
    """Legs whose last statistics the media worker has not sent yet."""

    def other(self, leg_id: str) -> Leg | None:
        """The leg that `leg_id` is connected with."""
        other = self.b if leg_id == self.a else self.a if leg_id == self.b else ""
        return self.legs.get(other)

    def live_legs(self) -> list[Leg]:
        return [leg for leg in self.legs.values() if leg.state != "ended"]
