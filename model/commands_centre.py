"""Commands that configure the contact centre: queues, agents, agent groups. `switch/queues_admin.py` and
`switch/agents_admin.py` handle them.

What stands in the configuration file is read-only here. Settings are those of `[[queue]]` and `[[agent]]`, see
configuration.md; of those that are not given the usual ones hold, or those of before.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from model import views
from model.agents import BUILT_IN_GROUP, Agent, AgentId
from model.commands import OptionalText
from model.commands_queue import QueueDetail
from model.declare import Command, command
from model.errors import (
    AlreadyExists,
    InUse,
    InvalidValue,
    NoSuchAgent,
    NoSuchAgentGroup,
    NoSuchQueue,
    StorageUnavailable,
    WrongState,
)
from model.partial import partial
from model.queues import Queue, Target
from model.settings import Name, Section

if TYPE_CHECKING:
    QueueSettings = Annotated[Section, "of model.queues.Queue"]
    AgentSettings = Annotated[Section, "of model.agents.Agent"]
else:
    QueueSettings = partial(Queue, without=("name",))
    AgentSettings = partial(Agent, without=("agent_id", "group", "role"))


class AgentDetail(views.View, frozen=True, kw_only=True):
    """How an agent is configured."""

    agent_id: str
    source: str
    """file (read-only by API) or database."""
    has_pin: bool
    settings: Agent
    """Without the hash of his PIN."""


class AgentGroupView(views.View, frozen=True, kw_only=True):
    """An agent group."""

    group: str
    title: str
    source: str
    """built_in, file or database."""
    n_agents: int
    n_signed_in: int


class AgentGroupList(views.View, frozen=True, kw_only=True):
    """Agent groups by name."""

    groups: list[AgentGroupView]


# -- queues ------------------------------------------------------------------------------------------------------------


@command(
    "queue.create",
    permission="queue.manage",
    of="queue",
    result=QueueDetail,
    errors=(AlreadyExists, InvalidValue, StorageUnavailable),
)
class CreateQueue(Command, frozen=True, kw_only=True):
    """Adds a queue; calls can be sent to it at once."""

    queue: Name
    settings: QueueSettings = msgspec.field(default_factory=QueueSettings)


@command(
    "queue.update",
    permission="queue.manage",
    of="queue",
    result=QueueDetail,
    errors=(NoSuchQueue, InvalidValue, StorageUnavailable),
)
class UpdateQueue(Command, frozen=True, kw_only=True):
    """Changes the settings that are given; they hold at once, and whoever waits keeps his place."""

    queue: Name
    settings: QueueSettings


@command(
    "queue.delete",
    permission="queue.manage",
    of="queue",
    result=views.Done,
    errors=(NoSuchQueue, InvalidValue, InUse, WrongState, StorageUnavailable),
)
class DeleteQueue(Command, frozen=True, kw_only=True):
    """Removes a queue that no access number and no other queue leads to; agents serve it no longer. Nobody is lost."""

    queue: Name
    waiting: Literal["refuse", "drain", "overflow"] = "refuse"
    """What becomes of callers who wait in it. refuse: then it is not deleted; drain: they are served, and nobody new
    comes in; overflow: they are sent on."""
    to: Target = ""
    """Where overflow sends them; empty = limits.closed_to of the queue."""


# -- agents ------------------------------------------------------------------------------------------------------------


@command(
    "agent.settings",
    permission="agent.view",
    of="agent_id",
    own="agent.work",
    result=AgentDetail,
    errors=(NoSuchAgent,),
)
class GetAgentSettings(Command, frozen=True, kw_only=True):
    """How an agent is configured."""

    agent_id: AgentId


@command(
    "agent.create",
    permission="agent.manage",
    of="group",
    grants="role",
    result=AgentDetail,
    errors=(AlreadyExists, InvalidValue, StorageUnavailable),
)
class CreateAgent(Command, frozen=True, kw_only=True):
    """Adds an agent; he can sign in at once."""

    agent_id: AgentId
    group: Name = BUILT_IN_GROUP
    """The one agent group he belongs to."""
    role: Name = "agent"
    """The one role that says what he may do; nobody can give one that allows more than his own."""
    settings: AgentSettings = msgspec.field(default_factory=AgentSettings)


@command(
    "agent.update",
    permission="agent.manage",
    of=("agent_id", "group"),
    grants="role",
    result=AgentDetail,
    errors=(NoSuchAgent, InvalidValue, StorageUnavailable),
)
class UpdateAgent(Command, frozen=True, kw_only=True):
    """Changes what is given of an agent; it holds at once. He stays signed in unless he is disabled."""

    agent_id: AgentId
    group: Name | UnsetType = UNSET
    role: Name | UnsetType = UNSET
    settings: AgentSettings = msgspec.field(default_factory=AgentSettings)


@command(
    "agent.delete",
    permission="agent.manage",
    of="agent_id",
    result=views.Done,
    errors=(NoSuchAgent, InvalidValue, InUse, WrongState, StorageUnavailable),
)
class DeleteAgent(Command, frozen=True, kw_only=True):
    """Removes an agent who is signed out."""

    agent_id: AgentId


# -- agent groups ------------------------------------------------------------------------------------------------------


@command("agent_group.list", permission="agent.view", each="groups", result=AgentGroupList)
class ListAgentGroups(Command, frozen=True, kw_only=True):
    """Agent groups."""


@command(
    "agent_group.create",
    permission="agent.manage",
    of="group",
    result=AgentGroupView,
    errors=(AlreadyExists, StorageUnavailable),
)
class CreateAgentGroup(Command, frozen=True, kw_only=True):
    """Adds an agent group."""

    group: Name
    title: OptionalText = ""
    """How people call it."""


@command(
    "agent_group.update",
    permission="agent.manage",
    of="group",
    result=AgentGroupView,
    errors=(NoSuchAgentGroup, InvalidValue, StorageUnavailable),
)
class UpdateAgentGroup(Command, frozen=True, kw_only=True):
    """Gives an agent group another title."""

    group: Name
    title: OptionalText


@command(
    "agent_group.delete",
    permission="agent.manage",
    of="group",
    result=views.Done,
    errors=(NoSuchAgentGroup, InvalidValue, InUse, StorageUnavailable),
)
class DeleteAgentGroup(Command, frozen=True, kw_only=True):
    """Removes an agent group that nobody belongs to."""

    group: Name
