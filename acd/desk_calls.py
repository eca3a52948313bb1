"""Offers and calls of an agent, and the work after them (AGT-15/16, AGT-29, XAGT-02/03)."""

from acd.desk_inputs import (
    Activity,
    CallOver,
    CampaignCall,
    EndAcw,
    ExtendAcw,
    OfferBegins,
    OfferEnds,
    OfferRings,
    ResultGiven,
    ServedCall,
)
from acd.desk_presence import acw_ended, apply_pending, force
from acd.desk_room import Told, arm, find, settle
from acd.desk_state import DeskAgent, DeskState, Served
from acd.inputs import ServiceEnds
from model.errors import InvalidValue, WrongState
from model.events_agent import AgentCallEnded, AgentRonaLimit

ACW_TIMEOUT = "ACW_TIMEOUT"
"""The wrap-up code of who gave none in time."""
_MISSED = ("no_answer", "rejected", "busy")


def offer_begins(state: DeskState, told: OfferBegins, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None:
        return []
    desk.offer_id, desk.offer_call_id, desk.offer_queue = told.offer_id, told.call_id, told.queue
    desk.is_ringing = False
    return settle(desk, "system", now, [])


def offer_rings(state: DeskState, told: OfferRings, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None or desk.offer_id != told.offer_id:
        return []
    desk.is_ringing = True
    return settle(desk, "system", now, [])


def offer_ends(state: DeskState, told: OfferEnds, now: float) -> list[Told]:
    """Who does not answer so often in a row, or cannot be reached, is not ready (RONA)."""
    desk = state.agents.get(told.agent_id)
    if desk is None or desk.offer_id != told.offer_id:
        return []
    _forget_offer(desk)
    out: list[Told] = []
    by = apply_pending(state, desk, now) if not desk.doing else "system"
    if told.outcome in _MISSED:
        desk.n_missed += 1
        limit = state.rules.rona_limit
        if limit and desk.n_missed >= limit and desk.presence != "not_ready":
            out.append(AgentRonaLimit(agent_id=desk.agent_id, group=desk.agent.group, n_missed=desk.n_missed))
            force(state, desk, "rona", now)
    elif told.outcome == "unreachable" and desk.presence != "not_ready":
        force(state, desk, "device_unreachable", now)
    return settle(desk, by, now, out)


def served_call(state: DeskState, told: ServedCall, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None:
        return []
    _forget_offer(desk)
    out: list[Told] = []
    if desk.acw_since is not None:
        out.append(acw_ended(desk, "", "", now))
    desk.n_missed = 0
    desk.n_answered += 1
    desk.served = Served(entry_id=told.entry_id, call_id=told.call_id, queue=told.queue, wrap_up=told.wrap_up)
    desk.doing, desk.call_id = "on_call", told.call_id
    return settle(desk, "system", now, out)


def campaign_call(state: DeskState, told: CampaignCall, now: float) -> list[Told]:
    """Nothing when he has left the call meanwhile."""
    desk = state.agents.get(told.agent_id)
    if desk is None or told.call_id not in (desk.call_id, desk.served.call_id if desk.served is not None else ""):
        return []
    out: list[Told] = []
    if desk.served is None or desk.served.call_id != told.call_id:
        if desk.acw_since is not None:
            out.append(acw_ended(desk, "", "", now))
        desk.served = Served(entry_id="", call_id=told.call_id, queue="", wrap_up=told.wrap_up)
    desk.served.wrap_up, desk.served.is_result_due = told.wrap_up, told.is_result_due
    return settle(desk, "system", now, out)


def result_given(state: DeskState, told: ResultGiven, now: float) -> list[Told]:
    """Nothing when he does something else by now."""
    desk = state.agents.get(told.agent_id)
    if desk is None or desk.served is None or desk.served.call_id != told.call_id:
        return []
    desk.served.code = told.code
    if desk.acw_since is None:
        return []
    out: list[Told] = [acw_ended(desk, told.code, told.note, now)]
    by = told.by
    if not desk.is_engaged and desk.pending is not None:
        by = apply_pending(state, desk, now)
    return settle(desk, by, now, out)


def activity(state: DeskState, told: Activity, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None or (desk.doing, desk.call_id) == (told.doing, told.call_id):
        return []
    was_doing = desk.doing
    if desk.offer_id and told.doing == "ringing":
        # It is the offer that rings.
        return []
    desk.doing, desk.call_id = told.doing, told.call_id
    by = "system"
    if was_doing and not told.doing and not desk.offer_id and desk.acw_since is None:
        by = apply_pending(state, desk, now)
    return settle(desk, by, now, [])


def call_over(state: DeskState, told: CallOver, now: float) -> list[Told]:
    desk = state.agents.get(told.agent_id)
    if desk is None:
        return []
    served = desk.served if desk.served is not None and desk.served.call_id == told.call_id else None
    is_served = served is not None and desk.acw_call_id != told.call_id
    entry_id = served.entry_id if served is not None and is_served else ""
    out: list[Told] = [
        AgentCallEnded(
            call_id=told.call_id,
            agent_id=desk.agent_id,
            group=desk.agent.group,
            queue=served.queue if served is not None and is_served else "",
            entry_id=entry_id,
            call_type="queue" if entry_id else told.call_type,
            ring_s=told.ring_s,
            talk_s=told.talk_s,
            hold_s=told.hold_s,
            n_holds=told.n_holds,
            how=told.how,
        )
    ]
    if desk.call_id == told.call_id:
        desk.doing, desk.call_id = "", ""
    if served is None or not is_served:
        if not desk.is_engaged and desk.acw_since is None:
            apply_pending(state, desk, now)
        return settle(desk, "system", now, out)
    if entry_id:
        out.append(ServiceEnds(entry_id, told.talk_s))
        # With the conversation the routing core takes him for not ready.
        desk.told = "acw"
    post_call = desk.agent.post_call or served.wrap_up.post_call
    if post_call == "acw" or served.is_result_due:
        desk.acw_since, desk.acw_call_id = now, told.call_id
        if served.wrap_up.max_s:
            desk.acw_until = now + served.wrap_up.max_s
            arm(state, desk.acw_until, "acw", desk.agent_id)
    else:
        desk.served = None
        if not desk.is_engaged:
            apply_pending(state, desk, now)
    return settle(desk, "system", now, out)


def end_acw(state: DeskState, told: EndAcw, now: float) -> list[Told]:
    """Raises WrongState when there is none, InvalidValue for a code that is missing or not of the queue."""
    desk = find(state, told.agent_id)
    if desk.acw_since is None:
        raise WrongState(f"agent {told.agent_id} does no after-call work")
    served = desk.served
    wrap_up = served.wrap_up if served is not None else None
    if served is not None and served.owes_code and not told.code:
        raise InvalidValue("a wrap-up code is needed", field="code")
    if wrap_up is not None and wrap_up.codes and told.code and told.code not in wrap_up.codes:
        raise InvalidValue(f"code {told.code!r} is none of {', '.join(wrap_up.codes)}", field="code")
    out: list[Told] = [acw_ended(desk, told.code, told.note, now)]
    by = told.by
    if not desk.is_engaged:
        by = apply_pending(state, desk, now) if desk.pending is not None else told.by
    return settle(desk, by, now, out)


def extend_acw(state: DeskState, told: ExtendAcw, now: float) -> list[Told]:
    """Raises WrongState when there is none, or it has no end."""
    desk = find(state, told.agent_id)
    if desk.acw_until is None:
        raise WrongState(f"agent {told.agent_id} does no after-call work that ends by itself")
    desk.acw_until = now + told.seconds
    arm(state, desk.acw_until, "acw", desk.agent_id)
    return []


def acw_over(state: DeskState, desk: DeskAgent, epoch: int, now: float) -> list[Told]:
    if desk.acw_until is None or now < desk.acw_until - 1e-6:
        return []
    code = desk.served.code if desk.served is not None else ""
    out: list[Told] = [acw_ended(desk, code or ACW_TIMEOUT, "", now)]
    if not desk.is_engaged:
        apply_pending(state, desk, now)
    return settle(desk, "system", now, out)


def _forget_offer(desk: DeskAgent) -> None:
    desk.offer_id = desk.offer_call_id = desk.offer_queue = ""
    desk.is_ringing = False
