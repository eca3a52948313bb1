"""Agents as the routing core sees them: signed in, ready, away. Why and for how long is the agent desk's business."""

from acd import limits
from acd.core import Core
from acd.inputs import AgentNotReady, AgentReady, AgentSignsIn, AgentSignsOut
from acd.leaving import send_on
from acd.offers import give_back, withdraw
from acd.state import AgentState
from model.errors import NoSuchAgent


def sign_in(core: Core, told: AgentSignsIn, now: float) -> None:
    """Again for one who is there: his queues, skills and level are as told now; what he does goes on."""
    agent = core.agents.get(told.agent_id)
    if agent is None:
        agent = core.agents[told.agent_id] = AgentState(
            agent_id=told.agent_id,
            signed_in_at=now if told.signed_in_at is None else told.signed_in_at,
            serial=core.next_serial(),
            idle_since=now,
        )
    else:
        for each in agent.queues:
            limits.count_agent(core, agent, each.queue, now, is_new=False)
    was_idle = agent.state == "idle"
    if was_idle:
        core.take_out(agent, "away")
    agent.group, agent.level, agent.area = told.group, told.level, told.area
    agent.queues, agent.skills = told.queues, dict(told.skills)
    for each in agent.queues:
        limits.count_agent(core, agent, each.queue, now, is_new=True)
    if was_idle:
        if core.has_lots:
            for each in agent.queues:
                if each.queue not in agent.lots:
                    core.draw_lot(agent, each.queue)
        core.freed.append(agent)


def sign_out(core: Core, told: AgentSignsOut, now: float) -> None:
    """A call that rings at him is the next one to be served; a conversation goes on without him being known."""
    agent = core.agents.get(told.agent_id)
    if agent is None:
        return
    if agent.state == "offered":
        entry = core.entries[core.offers[agent.offer_id].entry_id]
        withdraw(core, agent.offer_id, "cancelled", now)
        if not entry.offers:
            give_back(core, entry, now)
    core.take_out(agent, "away")
    for each in agent.queues:
        limits.count_agent(core, agent, each.queue, now, is_new=False)
    del core.agents[told.agent_id]


def ready(core: Core, told: AgentReady, now: float) -> None:
    """Raises NoSuchAgent when he is not signed in. While he is rung or talks it holds for afterwards."""
    agent = core.agents.get(told.agent_id)
    if agent is None:
        raise NoSuchAgent(f"agent {told.agent_id} is not signed in")
    if agent.state == "idle":
        # What he takes may have changed: pools count by it.
        core.take_out(agent, "away")
    agent.takes_inbound, agent.takes_outbound = told.takes_inbound, told.takes_outbound
    if agent.state == "away":
        agent.why = ""
        agent.idle_since = now if told.idle_since is None else told.idle_since
        if core.has_lots:
            for each in agent.queues:
                core.draw_lot(agent, each.queue)
        core.freed.append(agent)


def not_ready(core: Core, told: AgentNotReady, now: float) -> None:
    """While he is rung the call may still be answered."""
    agent = core.agents.get(told.agent_id)
    if agent is None:
        return
    if agent.state == "idle":
        core.take_out(agent, "away")
    agent.takes_inbound = agent.takes_outbound = False
    agent.why = told.why
    core.note(agent)


def close_queue(core: Core, name: str, now: float) -> None:
    """Everybody who waits is sent on; who is being rung for may still be answered."""
    for entry in [each for each in core.entries.values() if each.queue == name]:
        if entry.state == "offered":
            entry.is_overdue, entry.overdue_reason = True, "closed"
        elif entry.state != "connected":
            send_on(core, entry, "closed", now)
