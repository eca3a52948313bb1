"""What the agent desk knows of a signed-in agent, as plain data, and how that shows (FEATURES 4.2)."""

import msgspec

from acd.desk_inputs import Doing, Presence
from model.agents import Agent, AgentRules, DisplayState
from model.queues import WrapUp

LOST = frozenset(("device_unreachable", "link_lost"))
"""Reasons of not_ready that are over when phone or client is back."""


class Served(msgspec.Struct, gc=False, kw_only=True):
    """The call of a queue or campaign he has, or has just had."""

    entry_id: str
    """"" = no queue brought it."""
    call_id: str
    queue: str
    wrap_up: WrapUp
    is_result_due: bool = False
    """There is after-call work, whatever he is set to do after calls."""
    code: str = ""
    """He has given it while he talked."""

    @property
    def owes_code(self) -> bool:
        return self.wrap_up.is_code_required and not self.code


class DeskAgent(msgspec.Struct, gc=False, kw_only=True):
    agent: Agent
    mode: str
    extension: str
    signed_in_at: float
    presence: Presence = "not_ready"
    reason: str = "login"
    presence_since: float
    """Since when he is ready, or not ready for this reason."""
    by: str = ""
    before: Presence = "not_ready"
    """What he was before his phone was lost."""
    pending: Presence | None = None
    pending_reason: str = ""
    pending_by: str = ""
    offer_id: str = ""
    offer_call_id: str = ""
    offer_queue: str = ""
    is_ringing: bool = False
    doing: Doing = ""
    call_id: str = ""
    served: Served | None = None
    acw_since: float | None = None
    acw_until: float | None = None
    acw_call_id: str = ""
    n_missed: int = 0
    """In a row."""
    n_by_reason: dict[str, int] = {}
    """Today."""
    n_answered: int = 0
    has_client: bool = False
    is_client_up: bool = True
    is_device_up: bool = True
    client_epoch: int = 0
    device_epoch: int = 0
    """They count changes, so that a timer knows whether it still matters."""
    missed_links: set[str] = set()
    """client, device: what has been gone for too long."""
    told: str = ""
    """What the routing core was told last."""
    told_wish: tuple[str, str] = ("", "")
    """`wish` as it was told last."""
    shown: DisplayState = "offline"
    shown_reason: str = ""
    shown_since: float

    @property
    def agent_id(self) -> str:
        return self.agent.agent_id

    @property
    def is_engaged(self) -> bool:
        """He is rung or talks: what he asks for holds for afterwards."""
        return bool(self.offer_id or self.doing)

    def wish(self) -> tuple[Presence, str]:
        """(presence, reason) that he has or wants, whatever he does and whether his phone and client are there."""
        presence, reason = self.presence, self.reason
        if self.pending is not None:
            presence, reason = self.pending, self.pending_reason
        if presence == "not_ready" and reason in LOST:
            presence, reason = self.before, "login"
        return presence, reason if presence == "not_ready" else ""

    def display(self) -> tuple[DisplayState, str]:
        """(state, reason)"""
        if self.doing:
            return self.doing, ""
        if self.offer_id:
            return ("ringing" if self.is_ringing else "reserved"), ""
        if self.acw_since is not None:
            return "acw", ""
        if self.presence == "not_ready":
            return "not_ready", self.reason
        return self.presence, ""


class DeskState(msgspec.Struct, kw_only=True):
    rules: AgentRules = AgentRules()
    agents: dict[str, DeskAgent] = {}
    by_extension: dict[str, str] = {}
    timers: list[tuple[float, int, str, str, int]] = []
    """A heap of (instant, serial, kind, agent id, what tells whether it still matters)."""
    serial: int = 0
