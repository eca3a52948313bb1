"""Queues, agents and agent groups made by API: read before the first call, and where each comes from."""

import logging
from typing import TypeVar

import msgspec

from model.agents import Agent, AgentGroup
from model.campaigns import Campaign
from model.errors import InvalidValue
from model.queues import Queue, QueueState
from storage.interface import AnyStorage
from switch.config import Config
from switch.config_centre import agent_problem, queue_problem
from switch.directory import Directory
from switch.settings_store import stored

log = logging.getLogger(__name__)
T = TypeVar("T")


async def load_centre(storage: AnyStorage, directory: Directory) -> None:
    """What was made by API before the last stop; where it stands in the file too, the file counts.

    What the file no longer has (a queue, an extension) may be named here: that is logged, and the rest is used.
    """
    settings = await storage.settings.all()
    for key, group in stored(settings, "agent_group", AgentGroup):
        _take(directory.agent_groups, group.name, group, key)
    for key, queue in stored(settings, "queue", Queue):
        _take(directory.queues, queue.name, queue, key)
    for key, agent in stored(settings, "agent", Agent):
        _take(directory.agents, agent.agent_id, agent, key)
    for key, campaign in stored(settings, "campaign", Campaign):
        _take(directory.campaigns, campaign.name, campaign, key)
    for _, kept in stored(settings, "queue_state", KeptState):
        directory.queue_states[kept.queue] = kept.state
    queues = directory.queues.keys()
    problems = [(f"queue:{name}", queue_problem(queue, queues, None)) for name, queue in directory.queues.items()]
    problems += [
        (f"agent:{agent_id}", agent_problem(agent, directory.agent_groups, directory.extensions, queues))
        for agent_id, agent in directory.agents.items()
    ]
    for key, (keys, problem) in problems:
        if problem:
            log.error("x %s: %s: %s", key, ".".join(keys), problem)


def _take(table: dict[str, T], name: str, found: T, key: str) -> None:
    if name in table:
        log.warning("! %s stands in the file and in the database; the file counts", key)
    else:
        table[name] = found


class KeptState(msgspec.Struct, frozen=True):
    """What a queue was made by `queue.set_state`."""

    queue: str
    state: QueueState


def state_key(queue: str) -> str:
    """Under which a `KeptState` is kept; queues of the file have one, too."""
    return f"queue_state:{queue}"


class Sources:
    """What of the centre stands in the file; all else is in the database."""

    def __init__(self, config: Config) -> None:
        self._path = config.path
        self._of_file = {f"queue:{each.name}" for each in config.queue}
        self._of_file |= {f"agent:{each.agent_id}" for each in config.agent}
        self._of_file |= {f"agent_group:{each.name}" for each in config.agent_group}
        self._of_file |= {f"campaign:{each.name}" for each in config.campaign}

    def source(self, key: str) -> str:
        """file or database; `key`: "queue:NAME", "agent:ID", "agent_group:NAME", "campaign:NAME"."""
        return "file" if key in self._of_file else "database"

    def check_changeable(self, key: str) -> None:
        """Raises InvalidValue for what stands in the file."""
        if key in self._of_file:
            kind, _, name = key.partition(":")
            raise InvalidValue(
                f"{kind} {name} stands in the configuration file ({self._path}): change it there", field=kind
            )
