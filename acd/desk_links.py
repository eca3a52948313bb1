"""The agent's client and his phone: lost for a moment, lost for good, back again (AGT-18, XAGT-05)."""

from acd.desk_inputs import ClientLink, DeviceState
from acd.desk_presence import force, give_back
from acd.desk_room import Told, arm, settle
from acd.desk_state import DeskAgent, DeskState
from model.events_agent import AgentLinkChanged


def client_link(state: DeskState, told: ClientLink, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None or not desk.has_client or desk.is_client_up == told.is_up:
        return []
    desk.is_client_up = told.is_up
    desk.link_epoch += 1
    out: list[Told] = [_changed(desk, "client", told.is_up)]
    if not told.is_up:
        arm(state, now + state.rules.link_grace_s, "client", desk.agent_id, desk.link_epoch)
    elif desk.reason == "link_lost":
        give_back(state, desk, now)
        return settle(desk, "system", now, out)
    return out


def client_missed(state: DeskState, desk: DeskAgent, epoch: int, now: float) -> list[Told]:
    """It has been gone for too long: he gets no calls until it is back."""
    if desk.is_client_up or epoch != desk.link_epoch:
        return []
    return _lose(state, desk, "link_lost", now)


def device_state(state: DeskState, told: DeviceState, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None or desk.is_device_up == told.is_up:
        return []
    desk.is_device_up = told.is_up
    desk.link_epoch += 1
    out: list[Told] = [_changed(desk, "device", told.is_up)]
    if not told.is_up:
        arm(state, now + state.rules.device_grace_s, "device", desk.agent_id, desk.link_epoch)
    elif desk.reason == "device_unreachable":
        give_back(state, desk, now)
        return settle(desk, "system", now, out)
    return out


def device_missed(state: DeskState, desk: DeskAgent, epoch: int, now: float) -> list[Told]:
    if desk.is_device_up or epoch != desk.link_epoch:
        return []
    return _lose(state, desk, "device_unreachable", now)


def _lose(state: DeskState, desk: DeskAgent, reason: str, now: float) -> list[Told]:
    if desk.presence == "not_ready":
        return []
    if desk.is_engaged or desk.acw_since is not None:
        desk.before = desk.presence
        desk.pending, desk.pending_reason, desk.pending_by = "not_ready", reason, "system"
        return settle(desk, "system", now, [])
    force(state, desk, reason, now)
    return settle(desk, "system", now, [])


def _changed(desk: DeskAgent, link: str, is_up: bool) -> AgentLinkChanged:
    return AgentLinkChanged(agent_id=desk.agent_id, group=desk.agent.group, link=link, is_up=is_up)
