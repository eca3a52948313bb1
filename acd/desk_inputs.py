"""What the agent desk is told: by people (sign in, not ready …), by the routing core's runner (offers), by calls."""

from typing import Literal

import msgspec

from model.agents import Agent, AgentRules, LoginMode
from model.queues import WrapUp

Presence = Literal["available", "outbound_only", "auto_dial", "not_ready"]
"""outbound_only (仅呼出): he only dials himself; auto_dial: he takes calls of the predictive dialler alone."""

Doing = Literal["", "ringing", "dialing", "on_call", "hold", "consult", "conference"]


class SignIn(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """At an extension, or only to look. He is not ready then, with the reason login."""

    agent: Agent
    mode: LoginMode
    extension: str = ""
    by: str = ""
    has_client: bool = False
    """He uses a client whose connection counts (`ClientLink`)."""


class SeatKept(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """He was signed in when the switch stopped, and is again, as what he was (AGT-18)."""

    agent: Agent
    mode: LoginMode
    extension: str = ""
    has_client: bool = False
    has_device: bool = True
    """A phone is registered there already."""
    presence: Presence = "not_ready"
    reason: str = "login"
    signed_in_at: float
    n_answered: int = 0
    """Today."""


class SignOut(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    agent_id: str
    reason: str = "requested"
    by: str = ""


class GoReady(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Available, or one of the other two that are ready for something. During a call it holds for afterwards."""

    agent_id: str
    presence: Presence = "available"
    by: str = ""
    is_forced: bool = False
    """By a supervisor: the minimum busy time does not count (D-13)."""


class GoNotReady(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    agent_id: str
    reason: str
    by: str = ""
    is_forced: bool = False


class ClearNext(msgspec.Struct, frozen=True, gc=False):
    """What he asked to be after the call is forgotten."""

    agent_id: str


class EndAcw(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    agent_id: str
    code: str = ""
    note: str = ""
    by: str = ""


class ExtendAcw(msgspec.Struct, frozen=True, gc=False):
    """He needs so many seconds more, from now."""

    agent_id: str
    seconds: float


class ClientLink(msgspec.Struct, frozen=True, gc=False):
    agent_id: str
    is_up: bool


class DeviceState(msgspec.Struct, frozen=True, gc=False):
    """His extension is registered, or not."""

    agent_id: str
    is_up: bool


class OfferBegins(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    agent_id: str
    offer_id: str
    entry_id: str
    call_id: str
    queue: str


class OfferRings(msgspec.Struct, frozen=True, gc=False):
    agent_id: str
    offer_id: str


class OfferEnds(msgspec.Struct, frozen=True, gc=False):
    """Not by his taking it; tell it before the engine is told."""

    agent_id: str
    offer_id: str
    outcome: str


class ServedCall(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The offer was taken: he talks."""

    agent_id: str
    offer_id: str
    entry_id: str
    call_id: str
    queue: str
    wrap_up: WrapUp


class CampaignCall(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The call he is on is a campaign's, whoever dialled: after it he says how it went (XAGT-02). Told once he speaks
    to the customer."""

    agent_id: str
    call_id: str
    wrap_up: WrapUp
    """In place of that of the queue; its codes are the campaign's dispositions."""
    is_result_due: bool = False
    """After-call work begins whatever else is said of him."""


class ResultGiven(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """He has said how a campaign's call went. It is the code of its after-call work, which ends with it."""

    agent_id: str
    call_id: str
    code: str
    note: str = ""
    by: str = ""


class Activity(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What his extension does, of all its calls; empty: nothing."""

    agent_id: str
    doing: Doing
    call_id: str = ""


class CallOver(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """His part in a call is over."""

    agent_id: str
    call_id: str
    call_type: str
    """inbound, outbound, internal, campaign; `queue` when it came by one."""
    ring_s: float = 0.0
    talk_s: float = 0.0
    hold_s: float = 0.0
    n_holds: int = 0
    how: str = "system"


class AgentSettingsChange(msgspec.Struct, frozen=True, gc=False):
    """He stays signed in; what he serves and may is as told now."""

    agent: Agent


class AgentRulesChange(msgspec.Struct, frozen=True, gc=False):
    rules: AgentRules


class DeskDayBegins(msgspec.Struct, frozen=True, gc=False):
    """Counts of a day begin anew."""


DeskInput = (
    SignIn
    | SeatKept
    | SignOut
    | GoReady
    | GoNotReady
    | ClearNext
    | EndAcw
    | ExtendAcw
    | ClientLink
    | DeviceState
    | OfferBegins
    | OfferRings
    | OfferEnds
    | ServedCall
    | CampaignCall
    | ResultGiven
    | Activity
    | CallOver
    | AgentSettingsChange
    | AgentRulesChange
    | DeskDayBegins
)
