"""Commands of agents: where they sit, what they want to be, and what supervisors make them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from model.agents import AgentId
from model.commands import Cursor, Limit, OptionalText
from model.declare import Command, command
from model.errors import Congested, InvalidValue, NoSuchAgent, NoSuchExtension, NoSuchRecording, WrongState
from model.views import RecordingState

Why = Annotated[str, Meta(max_length=32)]


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent, signed in or not."""

    agent_id: str
    name: str
    group: str
    role: str
    level: int
    queues: list[str]
    skills: dict[str, int]
    state: str
    """offline, available, reserved, ringing, dialing, on_call, hold, consult, conference, acw, not_ready, outbound_only
    or auto_dial."""
    reason: str
    """Of not_ready."""
    state_s: float
    """How long he has been in it."""
    pending: str
    """What he will be after the call; empty = as before."""
    mode: str
    """extension, softphone, unbound; empty = signed out."""
    extension: str
    signed_in_s: float
    call_id: str
    queue: str
    """Of the call he has, or works on."""
    n_answered: int
    """Queue calls he answered today."""
    n_missed: int
    """In a row."""
    acw_left_s: float
    """Until after-call work ends by itself; 0 = it does not, or there is none."""
    has_device: bool
    """His phone is registered."""


class AgentList(msgspec.Struct, frozen=True, kw_only=True):
    agents: list[AgentView]
    n_by_state: dict[str, int]
    """Of all agents that match, also those of other pages (AGT-10)."""
    cursor: str
    """For the next page; empty = this was the last."""


@command("agent.list", permission="agent.view", own="agent.work", each="agents", result=AgentList)
class ListAgents(Command, frozen=True, kw_only=True):
    """Agents by id, with what each is doing."""

    group: OptionalText = ""
    """Only of this agent group."""
    queue: OptionalText = ""
    """Only who serves this queue."""
    state: OptionalText = ""
    """Only who is in this state."""
    limit: Limit = 1000
    cursor: Cursor = ""


@command("agent.get", permission="agent.view", of="agent_id", own="agent.work", result=AgentView, errors=(NoSuchAgent,))
class GetAgent(Command, frozen=True, kw_only=True):
    """One agent."""

    agent_id: AgentId


@command(
    "agent.sign_in",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent, NoSuchExtension, InvalidValue, WrongState),
)
class SignIn(Command, frozen=True, kw_only=True):
    """Signs an agent in at an extension, not ready at first. Where he was before he is signed out."""

    agent_id: AgentId
    mode: Literal["extension", "softphone", "unbound"] = "extension"
    """unbound: without a phone, only to look."""
    extension: OptionalText = ""
    """Where he sits; empty = his own."""
    is_client: bool = False
    """By himself: this user's connections are his client. When the last of them is lost for longer than
    agents.link_grace_s he is made not ready, and when one is back he is what he was (AGT-18)."""


@command(
    "agent.sign_out",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent,),
)
class SignOut(Command, frozen=True, kw_only=True):
    """Signs an agent out; a call that is up goes on."""

    agent_id: AgentId


@command(
    "agent.ready",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent, InvalidValue, WrongState),
)
class Ready(Command, frozen=True, kw_only=True):
    """Makes an agent available; while he is on a call, for afterwards. Ends after-call work that owes no code."""

    agent_id: AgentId
    presence: Literal["available", "outbound_only", "auto_dial"] = "available"
    """outbound_only: only dials himself; auto_dial: takes calls of the predictive dialler alone."""


@command(
    "agent.not_ready",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent, InvalidValue, WrongState),
)
class NotReady(Command, frozen=True, kw_only=True):
    """Makes an agent not ready; while he is on a call, for afterwards."""

    agent_id: AgentId
    reason: Why
    """One of agents.reason in the configuration."""


@command(
    "agent.clear_next",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent,),
)
class ClearNext(Command, frozen=True, kw_only=True):
    """Forgets what the agent asked to be after the call."""

    agent_id: AgentId


@command(
    "agent.end_acw",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent, InvalidValue, WrongState),
)
class EndAcw(Command, frozen=True, kw_only=True):
    """Ends after-call work."""

    agent_id: AgentId
    code: OptionalText = ""
    """Wrap-up code of the queue."""
    note: Annotated[str, Meta(max_length=2000)] = ""


@command(
    "agent.extend_acw",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent, WrongState),
)
class ExtendAcw(Command, frozen=True, kw_only=True):
    """Gives an agent more time for after-call work."""

    agent_id: AgentId
    seconds: Annotated[float, Meta(ge=1, le=3600)]
    """From now."""


@command(
    "agent.help",
    permission="agent.control",
    of="agent_id",
    own="agent.work",
    result=AgentView,
    errors=(NoSuchAgent, WrongState),
)
class AskHelp(Command, frozen=True, kw_only=True):
    """An agent wants a supervisor; event agent.help_requested names the call he is in (XAGT-11)."""

    agent_id: AgentId
    note: Annotated[str, Meta(max_length=500)] = ""


@command(
    "agent.record",
    permission="recording.control",
    of="agent_id",
    result=RecordingState,
    errors=(NoSuchAgent, WrongState, NoSuchRecording, Congested),
)
class RecordAgent(Command, frozen=True, kw_only=True):
    """Records the call that an agent is in, on demand (SUP-09)."""

    agent_id: AgentId
    what: Literal["start", "pause", "resume", "stop"] = "start"


@command(
    "agent.force",
    permission="agent.force_state",
    of="agent_id",
    result=AgentView,
    errors=(NoSuchAgent, InvalidValue, WrongState),
)
class ForceState(Command, frozen=True, kw_only=True):
    """A supervisor makes an agent ready, not ready, or signs him out (SUP-08)."""

    agent_id: AgentId
    state: Literal["ready", "not_ready", "sign_out"]
    reason: Why = "forced_by_supervisor"
    """Of not_ready."""
