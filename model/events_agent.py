"""Events of agents (FEATURES 4.2, 4.4). With those of queues they are the log that figures are computed from."""

from model.declare import Event, event


@event("agent.signed_in")
class AgentSignedIn(Event, frozen=True, kw_only=True):
    """He is there."""

    agent_id: str
    group: str
    mode: str
    """extension, softphone or unbound."""
    extension: str
    queues: list[str]
    has_client: bool = False
    """His connections are his client (`agent.sign_in`)."""
    is_restored: bool = False
    """He never signed out: the switch was started again."""


@event("agent.signed_out")
class AgentSignedOut(Event, frozen=True, kw_only=True):
    """He is gone."""

    agent_id: str
    group: str
    reason: str
    """requested, forced_by_supervisor, link_lost, shift_end, elsewhere (he signed in at another place) or removed."""
    by: str
    """Who asked for it."""
    signed_in_s: float


@event("agent.state_changed")
class AgentStateChanged(Event, frozen=True, kw_only=True):
    """He does something else now."""

    agent_id: str
    group: str
    state: str
    """available, reserved, ringing, dialing, on_call, hold, consult, conference, acw, not_ready, outbound_only,
    auto_dial or offline (FEATURES 4.2)."""
    reason: str
    """Of not_ready; empty = none."""
    previous: str
    previous_reason: str
    previous_s: float
    """How long he had been in the state before."""
    call_id: str
    queue: str
    """Of the call he is with; empty = none."""
    by: str
    """Himself, a supervisor, or system."""
    pending: str
    """State he asked to be in after the call (XAGT-03); empty = none."""
    presence: str = ""
    """What he is, or wants to be, beside what he does now: available, outbound_only, auto_dial or not_ready."""
    presence_reason: str = ""
    """Of not_ready."""


@event("agent.next_changed")
class AgentNextChanged(Event, frozen=True, kw_only=True):
    """What he will be after what he does now is another (XAGT-03)."""

    agent_id: str
    group: str
    presence: str
    """available, outbound_only, auto_dial or not_ready."""
    presence_reason: str
    """Of not_ready."""
    by: str


@event("agent.call_ended")
class AgentCallEnded(Event, frozen=True, kw_only=True):
    """His part in a call is over; after-call work may follow."""

    call_id: str
    agent_id: str
    group: str
    queue: str
    """Empty: it came by no queue."""
    entry_id: str
    call_type: str
    """queue, inbound, outbound, internal or campaign."""
    ring_s: float
    talk_s: float
    """Holds not included."""
    hold_s: float
    n_holds: int
    how: str
    """caller, agent, transferred, taken_over, system."""


@event("agent.acw_ended")
class AgentAcwEnded(Event, frozen=True, kw_only=True):
    """After-call work is done."""

    agent_id: str
    group: str
    call_id: str
    queue: str
    acw_s: float
    code: str
    """Wrap-up code; `ACW_TIMEOUT` when time was up before he gave one."""
    note: str


@event("agent.rona_limit")
class AgentRonaLimit(Event, frozen=True, kw_only=True):
    """He did not answer so often in a row that he is not ready now."""

    agent_id: str
    group: str
    n_missed: int


@event("agent.not_ready_overtime")
class AgentNotReadyOvertime(Event, frozen=True, kw_only=True):
    """He is not ready for longer than the reason allows (XAGT-01)."""

    agent_id: str
    group: str
    reason: str
    state_s: float
    max_s: float


@event("agent.link_changed")
class AgentLinkChanged(Event, frozen=True, kw_only=True):
    """The connection of his client, or his phone, is lost or back; what he was doing is kept for a while (AGT-18)."""

    agent_id: str
    group: str
    link: str
    """client or device."""
    is_up: bool


@event("agent.changed")
class AgentChanged(Event, frozen=True, kw_only=True):
    """An agent was created, updated or removed."""

    agent_id: str
    change: str
    """created, updated or deleted."""
    by: str


@event("agent_group.changed")
class AgentGroupChanged(Event, frozen=True, kw_only=True):
    """An agent group was added, changed or removed."""

    group: str
    change: str
    """created, updated or deleted."""
    by: str


@event("agent.help_requested")
class AgentHelpRequested(Event, frozen=True, kw_only=True):
    """He wants a supervisor (XAGT-11)."""

    agent_id: str
    group: str
    call_id: str
    note: str
