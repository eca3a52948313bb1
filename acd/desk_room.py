"""What every part of the agent desk needs: looking an agent up, telling the routing core and the world, timers."""

from heapq import heappush

from acd.desk_state import DeskAgent, DeskState
from acd.inputs import AcdInput, AgentNotReady, AgentReady
from model.declare import Event
from model.errors import NoSuchAgent
from model.events_agent import AgentNextChanged, AgentStateChanged

Told = AcdInput | Event


def find(state: DeskState, agent_id: str) -> DeskAgent:
    """Raises NoSuchAgent."""
    agent = state.agents.get(agent_id)
    if agent is None:
        raise NoSuchAgent(f"agent {agent_id} is not signed in")
    return agent


def arm(state: DeskState, at: float, kind: str, agent_id: str, epoch: int = 0) -> None:
    """Nothing cancels a timer; whoever it wakes looks whether it still matters."""
    state.serial += 1
    heappush(state.timers, (at, state.serial, kind, agent_id, epoch))


def settle(agent: DeskAgent, by: str, now: float, out: list[Told]) -> list[Told]:
    """Tells the routing core and the world what the agent is now, where that changed."""
    state, reason = agent.display()
    wish = agent.wish()
    if (state, reason) != (agent.shown, agent.shown_reason):
        served = agent.served
        call_id = agent.call_id or agent.offer_call_id or (agent.acw_call_id if state == "acw" else "")
        queue = served.queue if served is not None else agent.offer_queue
        out.append(
            AgentStateChanged(
                agent_id=agent.agent_id,
                group=agent.agent.group,
                state=state,
                reason=reason,
                previous=agent.shown,
                previous_reason=agent.shown_reason,
                previous_s=now - agent.shown_since,
                call_id=call_id,
                queue=queue,
                by=by,
                pending=agent.pending_reason or agent.pending or "",
                presence=wish[0],
                presence_reason=wish[1],
            )
        )
        agent.shown, agent.shown_reason, agent.shown_since = state, reason, now
    elif wish != agent.told_wish:
        out.append(
            AgentNextChanged(
                agent_id=agent.agent_id,
                group=agent.agent.group,
                presence=wish[0],
                presence_reason=wish[1],
                by=by,
            )
        )
    agent.told_wish = wish
    # Last: with this he may be rung for the next call, and that is told after what is told here.
    wanted = _readiness(agent)
    if wanted != agent.told:
        agent.told = wanted
        out.append(_for_core(agent.agent_id, wanted))
    return out


def _readiness(agent: DeskAgent) -> str:
    if agent.doing:
        return "busy"
    if agent.acw_since is not None:
        return "acw"
    if agent.mode == "unbound":
        return "not_ready"
    # Who wants to be something else while he is rung may still answer, and is offered only what he wants then.
    presence = agent.pending if agent.offer_id and agent.pending is not None else agent.presence
    if agent.reason == "device_unreachable":
        return "unreachable"
    return {"available": "ready", "auto_dial": "auto_dial"}.get(presence, "not_ready")


def _for_core(agent_id: str, wanted: str) -> AcdInput:
    match wanted:
        case "ready":
            return AgentReady(agent_id, True, True)
        case "auto_dial":
            return AgentReady(agent_id, False, True)
        case "busy":
            return AgentNotReady(agent_id, "busy")
        case "acw":
            return AgentNotReady(agent_id, "acw")
        case "unreachable":
            return AgentNotReady(agent_id, "unreachable")
        case _:
            return AgentNotReady(agent_id, "not_ready")
