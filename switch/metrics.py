"""Figures since midnight on the switch: fed with what is told, rebuilt from the log of today at a start."""

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from acd.metrics import Metrics, Thresholds
from acd.metrics_views import agent_metrics, group_metrics, queue_metrics
from control.auth import Caller
from model.commands_metrics import (
    AgentMetricsList,
    GetAgentMetrics,
    GetGroupMetrics,
    GetQueueMetrics,
    GroupMetricsList,
    QueueMetricsList,
)
from model.declare import Command
from model.queues import Queue
from storage.errors import UnavailableError
from storage.event_log import EventFilter
from storage.interface import AnyStorage
from switch.days import midnight, zone_of
from switch.directory import Directory
from switch.event_log import CENTRE, told_pages
from switch.floor import Floor

if TYPE_CHECKING:
    from switch.app import App

log = logging.getLogger(__name__)

_USUAL = Queue(name="usual")


def make_metrics(directory: Directory) -> Metrics:
    """Figures with the thresholds and the time zone that are configured."""
    zone = zone_of(directory.config.numbering.time_zone)
    return Metrics(thresholds_of(directory), lambda at_utc: midnight(at_utc, zone, 1))


def thresholds_of(directory: Directory) -> Callable[[str], Thresholds]:
    """Those of a queue as configured."""

    def thresholds(name: str) -> Thresholds:
        queue = directory.queue_of(name) or _USUAL
        return queue.service_level_s, queue.short_abandon_s

    return thresholds


async def rebuild(metrics: Metrics, storage: AnyStorage, time_zone: str) -> None:
    """Feeds the log of today; afterwards nobody waits or is signed in, as after every start."""
    start_utc = midnight(time.time(), zone_of(time_zone), 0)
    try:
        async for events in told_pages(storage, EventFilter(start_utc=start_utc, names=CENTRE)):
            for event, at_utc in events:
                metrics.feed(event, at_utc)
    except UnavailableError as error:
        log.error("x figures of today are not whole, its log cannot be read: %s", error)
    metrics.restarted()
    # What came half before midnight is not told again in this day.
    metrics.identity_violations = 0


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    def queues(command: GetQueueMetrics, caller: Caller) -> QueueMetricsList:
        now, metrics = time.time(), app.metrics
        metrics.advance(now)
        states = agents_by_state(app.core.floor, metrics)
        names = sorted({*app.core.directory.queues, *metrics.queues})
        return QueueMetricsList(
            queues=[queue_metrics(metrics, name, states.get(name, {}), now) for name in names],
            identity_violations=metrics.identity_violations,
        )

    def agents(command: GetAgentMetrics, caller: Caller) -> AgentMetricsList:
        now, metrics = time.time(), app.metrics
        metrics.advance(now)
        names = sorted({*metrics.agents, *metrics.now})
        return AgentMetricsList(agents=[agent_metrics(metrics, name, now) for name in names])

    def groups(command: GetGroupMetrics, caller: Caller) -> GroupMetricsList:
        now, metrics = time.time(), app.metrics
        metrics.advance(now)
        return GroupMetricsList(
            groups=[
                group_metrics(metrics, name, members, now) for name, members in members_of(app.core.directory).items()
            ]
        )

    return {GetQueueMetrics: queues, GetAgentMetrics: agents, GetGroupMetrics: groups}


def agents_by_state(floor: Floor, metrics: Metrics) -> dict[str, Counter[str]]:
    """Queue -> state -> how many of those signed in who serve it."""
    states: dict[str, Counter[str]] = {}
    for agent_id, desk in floor.centre.desk.state.agents.items():
        state = metrics.now[agent_id].state if agent_id in metrics.now else "offline"
        for membership in desk.agent.queues:
            states.setdefault(membership.queue, Counter())[state] += 1
    return states


def members_of(directory: Directory) -> dict[str, list[str]]:
    """Agent group -> ids of its agents."""
    members: dict[str, list[str]] = {name: [] for name in sorted(directory.agent_groups)}
    for agent in directory.agents.values():
        members.setdefault(agent.group, []).append(agent.agent_id)
    return members
