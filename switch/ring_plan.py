"""Whom a call rings: targets, the steps in which they are rung, and the conditions under which. Plain data of the call.

The machine that rings them is `switch.ringing`.
"""

import msgspec

from sip.flow import Flow
from sip.refer import Replaces


class Target(msgspec.Struct, gc=False, kw_only=True):
    """One address to ring: a binding of an extension, or a trunk."""

    kind: str
    """extension, trunk, uri"""
    name: str
    number: str
    """What it is called as."""
    caller: str
    caller_name: str = ""
    uri: str
    flow: Flow
    route: tuple[str, ...] = ()
    """Path of the binding (RFC 3327), or Service-Route of the trunk (RFC 3608), as Route values."""
    account: str = ""
    """The extension that pays for a call by trunk (switch.outbound_policy); "" = none does."""
    replaces: Replaces | None = None
    """The dialog at the target that this leg takes the place of (RFC 3891)."""
    referred_by: str = ""
    """Value of Referred-By (RFC 3892)."""
    auto_answer: bool = False
    """Its phone shall answer by itself."""
    failover_s: float = 0.0
    """Seconds in which it must react when there is another way; 0 = as the transaction (RFC 3261 timer B)."""
    other_ways: "list[Target]" = []
    """Where the same party is tried when this one fails with a cause in `failover`, while the rest rings on."""
    failover: tuple[str, ...] = ()


class Diversion(msgspec.Struct, frozen=True, gc=False):
    """One forwarding (RFC 5806): who forwards, where to, and why."""

    extension: str
    to: str
    reason: str
    """unconditional, user-busy, no-answer, do-not-disturb, unavailable"""


class Step(msgspec.Struct, gc=False, kw_only=True):
    """Targets that ring at the same time, and what comes if none answers."""

    targets: list[Target]
    ring_timeout_s: float
    failover: tuple[str, ...] = ()
    """Causes after which the next step is tried; empty: any."""
    extension: str = ""
    route: str = ""
    diversion: Diversion | None = None
    """The forwarding that led here; told once, when it is rung."""
    is_emergency: bool = False


class Confirm(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What who picks up must do before it counts as an answer."""

    digit: str = "1"
    sources: tuple[str, ...] = ()
    """What it hears, over and over; empty: a tone."""
    timeout_s: float = 10.0


class OriginateOptions(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a call placed by API differs from two parties that ring in turn."""

    also_from: tuple[str, ...] = ()
    """Further parties of whom one is the first."""
    also_to: tuple[str, ...] = ()
    strategy: str = "parallel"
    """parallel or serial"""
    from_caller_id: str = ""
    """Number that the first party sees; "" = that of the second."""
    campaign_caller_id: str = ""
    caller_name: str = ""
    hears: str = "auto"
    """As Ringing.hears."""
    confirm: Confirm | None = None
    confirms: str = ""
    """Who has to: from, to or both."""
    max_duration_s: float = 0.0


class Ringing(msgspec.Struct, gc=False, kw_only=True):
    """Destinations being rung, step after step, and how far that has come. A call begins as one; a live call may have
    more of them (`Call.ringings`): for a transfer, a consultation, a recall."""

    ringing_id: str = "call"
    purpose: str = "call"
    """call, transfer, consult, recall …: who takes over once it is answered or has failed (`switch.purposes`)."""
    caller_leg: str = ""
    """Leg that hears how it goes and is offered on; "" = nobody (or `Call.a`, for the one that the call begins as)."""
    by: str = ""
    """Leg on whose behalf it rings."""
    caller: str
    """What is shown to who is rung."""
    caller_name: str = ""
    dialed: str
    plan: list[Step] = []
    step: int = -1
    diversions: list[Diversion] = []
    """Who sent it on, in order."""
    failure: str = ""
    """Most telling cause of the legs that failed so far."""
    instance: str = ""
    """The one phone of an extension that is meant (RFC 5627 §6); "" = all."""
    has_ringback: bool = False
    """Whether `caller_leg` hears ringback until there is early media or an answer."""
    is_heard: bool = False
    """Early media: `caller_leg` hears the destination itself."""
    hears: str = "auto"
    """What `caller_leg` may hear before the answer: auto (ringback, then early media), early_media, ringback (always
    ours), silence."""
    confirm: Confirm | None = None
    """Who picks up must accept the call first."""
    ring_timeout_s: float = 0.0
    role: str = ""
    """Who the leg that answers becomes in the conversation (`Leg.role`)."""
    refer: str = ""
    """The REFER that asked for it; it is told how it goes."""
    target: str = ""
    """Where it leads instead of ringing anybody: "queue:NAME", "ivr:FLOW", "voicemail:BOX"."""
    recall_to: str = ""
    """Extension that is rung when nobody answers; "" = none is."""
