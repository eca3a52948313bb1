"""The agent's client and his phone: lost for a moment, lost for good, back again (AGT-18, XAGT-05)."""

from typing import Literal

from acd.desk_inputs import ClientLink, DeviceState, Presence
from acd.desk_presence import force, give_back
from acd.desk_room import Told, arm, settle
from acd.desk_state import DeskAgent, DeskState
from model.events_agent import AgentLinkChanged

Link = Literal["client", "device"]
_REASON: dict[Link, str] = {"client": "link_lost", "device": "device_unreachable"}
_OTHER: dict[Link, Link] = {"client": "device", "device": "client"}


def client_link(state: DeskState, told: ClientLink, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None or not desk.has_client or desk.is_client_up == told.is_up:
        return []
    desk.is_client_up = told.is_up
    desk.client_epoch += 1
    if not told.is_up:
        arm(state, now + state.rules.link_grace_s, "client", desk.agent_id, desk.client_epoch)
    return _changed(state, desk, "client", told.is_up, now)


def device_state(state: DeskState, told: DeviceState, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None or desk.is_device_up == told.is_up:
        return []
    desk.is_device_up = told.is_up
    desk.device_epoch += 1
    if not told.is_up:
        arm(state, now + state.rules.device_grace_s, "device", desk.agent_id, desk.device_epoch)
    return _changed(state, desk, "device", told.is_up, now)


def client_missed(state: DeskState, desk: DeskAgent, epoch: int, now: float) -> list[Told]:
    """It has been gone for too long: he gets no calls until it is back."""
    if desk.is_client_up or epoch != desk.client_epoch:
        return []
    return _lose(state, desk, "client", now)


def device_missed(state: DeskState, desk: DeskAgent, epoch: int, now: float) -> list[Told]:
    if desk.is_device_up or epoch != desk.device_epoch:
        return []
    return _lose(state, desk, "device", now)


def _changed(state: DeskState, desk: DeskAgent, link: Link, is_up: bool, now: float) -> list[Told]:
    out: list[Told] = [AgentLinkChanged(agent_id=desk.agent_id, group=desk.agent.group, link=link, is_up=is_up)]
    if not is_up:
        return out
    desk.missed_links.discard(link)
    other = _OTHER[link]
    is_other_missed = other in desk.missed_links
    if desk.presence == "not_ready" and desk.reason == _REASON[link]:
        if is_other_missed:
            force(state, desk, _REASON[other], now)
        else:
            give_back(state, desk, now)
    elif desk.pending == "not_ready" and desk.pending_reason == _REASON[link]:
        # It was lost during a call and is back before that has ended.
        if is_other_missed:
            desk.pending_reason = _REASON[other]
        else:
            desk.pending, desk.pending_reason, desk.pending_by = _wanted(desk), "", ""
    return settle(desk, "system", now, out)


def _wanted(desk: DeskAgent) -> Presence | None:
    """What he had asked to be after the call; None = what he is."""
    return desk.before if desk.before != desk.presence else None


def _lose(state: DeskState, desk: DeskAgent, link: Link, now: float) -> list[Told]:
    desk.missed_links.add(link)
    if desk.is_engaged or desk.acw_since is not None:
        wanted = desk.pending or desk.presence
        if wanted == "not_ready":
            return []
        desk.before = wanted
        desk.pending, desk.pending_reason, desk.pending_by = "not_ready", _REASON[link], "system"
        return settle(desk, "system", now, [])
    if desk.presence != "not_ready":
        force(state, desk, _REASON[link], now)
    return settle(desk, "system", now, [])
