"""What agents want to be: signed in, ready, not ready; and what the rules allow (AGT-11…17, XAGT-01/03)."""

from acd.desk_inputs import (
    AgentRulesChange,
    AgentSettingsChange,
    ClearNext,
    DeskDayBegins,
    GoNotReady,
    GoReady,
    Presence,
    SeatKept,
    SignIn,
    SignOut,
)
from acd.desk_room import Told, arm, find, settle
from acd.desk_state import DeskAgent, DeskState
from acd.inputs import AgentSignsIn, AgentSignsOut
from model.agents import SYSTEM_REASONS, NotReadyReason
from model.errors import InvalidValue, WrongState
from model.events_agent import AgentAcwEnded, AgentNotReadyOvertime, AgentSignedIn, AgentSignedOut

_READY = ("available", "outbound_only", "auto_dial")


def sign_in(state: DeskState, told: SignIn, now: float) -> list[Told]:
    """Somewhere else takes over from where he was. Raises InvalidValue, WrongState."""
    desk, out = _sit_down(state, told, now, None)
    return settle(desk, told.by, now, out)


def seat_kept(state: DeskState, told: SeatKept, now: float) -> list[Told]:
    """Raises what `sign_in` raises: he may have been disabled, or somebody else sits there."""
    agent = told.agent
    signs = SignIn(agent=agent, mode=told.mode, extension=told.extension, by="system", has_client=told.has_client)
    desk, out = _sit_down(state, signs, now, told.signed_in_at)
    desk.n_answered = told.n_answered
    if desk.mode != "unbound":
        _be(state, desk, told.presence, told.reason, "system", now)
    if desk.has_client:
        desk.is_client_up = False
        desk.client_epoch += 1
        arm(state, now + state.rules.link_grace_s, "client", desk.agent_id, desk.client_epoch)
    if desk.extension and not told.has_device:
        desk.is_device_up = False
        desk.missed_links.add("device")
        if desk.presence != "not_ready":
            force(state, desk, "device_unreachable", now)
    return settle(desk, "system", now, out)


def _sit_down(state: DeskState, told: SignIn, now: float, signed_in_at: float | None) -> tuple[DeskAgent, list[Told]]:
    """`signed_in_at`: since when he has been, None = now."""
    agent, extension = told.agent, told.extension
    if not agent.is_enabled:
        raise WrongState(f"agent {agent.agent_id} is disabled")
    if told.mode not in agent.modes:
        raise InvalidValue(
            f"agent {agent.agent_id} may not sign in as {told.mode}, only as {', '.join(agent.modes)}", field="mode"
        )
    if told.mode != "unbound" and not extension:
        raise InvalidValue(f"mode {told.mode} needs an extension", field="extension")
    sitting = state.by_extension.get(extension, "") if extension else ""
    if sitting and sitting != agent.agent_id:
        raise WrongState(f"agent {sitting} is signed in at extension {extension}")
    out: list[Told] = []
    there = state.agents.get(agent.agent_id)
    if there is not None:
        if there.is_engaged:
            raise WrongState(f"agent {agent.agent_id} is on a call at {there.extension}")
        out += _leave(state, there, "elsewhere", told.by, now)
    desk = state.agents[agent.agent_id] = DeskAgent(
        agent=agent,
        mode=told.mode,
        extension=extension if told.mode != "unbound" else "",
        signed_in_at=now if signed_in_at is None else signed_in_at,
        presence_since=now,
        by=told.by,
        has_client=told.has_client,
        shown_since=now,
        told="not_ready",
    )
    if desk.extension:
        state.by_extension[desk.extension] = agent.agent_id
    out += (
        signs_in(desk),
        AgentSignedIn(
            agent_id=agent.agent_id,
            group=agent.group,
            mode=told.mode,
            extension=desk.extension,
            queues=[each.queue for each in agent.queues],
            has_client=told.has_client,
            is_restored=signed_in_at is not None,
        ),
    )
    return desk, out


def signs_in(desk: DeskAgent) -> AgentSignsIn:
    agent = desk.agent
    return AgentSignsIn(
        agent_id=agent.agent_id,
        group=agent.group,
        level=agent.level,
        area=agent.home_area,
        queues=agent.queues,
        skills=tuple(sorted(agent.skills.items())),
        signed_in_at=desk.signed_in_at,
    )


def sign_out(state: DeskState, told: SignOut, now: float) -> list[Told]:
    """At any time; a call that is up goes on."""
    return _leave(state, find(state, told.agent_id), told.reason, told.by, now)


def _leave(state: DeskState, desk: DeskAgent, reason: str, by: str, now: float) -> list[Told]:
    out: list[Told] = [AgentSignsOut(desk.agent_id)]
    if desk.acw_since is not None:
        out.append(acw_ended(desk, "", "", now))
    del state.agents[desk.agent_id]
    if desk.extension:
        del state.by_extension[desk.extension]
    out.append(
        AgentSignedOut(
            agent_id=desk.agent_id,
            group=desk.agent.group,
            reason=reason,
            by=by,
            signed_in_s=now - desk.signed_in_at,
        )
    )
    return out


def go_ready(state: DeskState, told: GoReady, now: float) -> list[Told]:
    """Raises WrongState: he is only looking, not yet long enough busy (AGT-17), owes a wrap-up code, has no phone."""
    desk = find(state, told.agent_id)
    if told.presence not in _READY:
        raise InvalidValue(f"presence must be one of {', '.join(_READY)}", field="presence")
    if desk.mode == "unbound":
        raise WrongState(f"agent {told.agent_id} is signed in only to look (mode unbound)")
    if desk.extension and not desk.is_device_up:
        raise WrongState(f"no phone is registered at extension {desk.extension} of agent {told.agent_id}")
    if desk.is_engaged:
        desk.pending, desk.pending_reason, desk.pending_by = told.presence, "", told.by
        return settle(desk, told.by, now, [])
    min_s = state.rules.min_busy_s
    is_own = desk.presence == "not_ready" and desk.reason not in SYSTEM_REASONS
    if min_s and is_own and not told.is_forced and now < desk.presence_since + min_s - 1e-6:
        left_s = desk.presence_since + min_s - now
        raise WrongState(
            f"not ready lasts at least {min_s:g} s (agents.min_busy_s); {left_s:.0f} s are left", left_s=left_s
        )
    out = _end_acw_by_the_way(desk, now)
    _be(state, desk, told.presence, "", told.by, now)
    return settle(desk, told.by, now, out)


def go_not_ready(state: DeskState, told: GoNotReady, now: float) -> list[Told]:
    """Raises InvalidValue for a reason that is not his to choose, WrongState when its limits are reached."""
    desk = find(state, told.agent_id)
    if told.is_forced:
        reason = told.reason or "forced_by_supervisor"
    else:
        reason = told.reason
        _check_reason(state, desk, reason)
    if desk.is_engaged:
        desk.pending, desk.pending_reason, desk.pending_by = "not_ready", reason, told.by
        return settle(desk, told.by, now, [])
    out = _end_acw_by_the_way(desk, now)
    _be(state, desk, "not_ready", reason, told.by, now)
    return settle(desk, told.by, now, out)


def _check_reason(state: DeskState, desk: DeskAgent, code: str) -> None:
    reason = _reason(state, code)
    if reason is None:
        known = ", ".join(each.code for each in state.rules.reason)
        raise InvalidValue(f"reason {code!r} is none of {known}", field="reason")
    if reason.max_per_day and desk.n_by_reason.get(code, 0) >= reason.max_per_day:
        raise WrongState(f"reason {code} may be used {reason.max_per_day} times a day, and was")
    if reason.max_at_once:
        n = sum(
            each.presence == "not_ready" and each.reason == code
            for each in state.agents.values()
            if each.agent.group == desk.agent.group and each is not desk
        )
        if n >= reason.max_at_once:
            raise WrongState(f"{n} of group {desk.agent.group} are not ready for {code}, {reason.max_at_once} may be")


def _reason(state: DeskState, code: str) -> NotReadyReason | None:
    return next((each for each in state.rules.reason if each.code == code), None)


def clear_next(state: DeskState, told: ClearNext, now: float) -> list[Told]:
    desk = find(state, told.agent_id)
    desk.pending, desk.pending_reason, desk.pending_by = None, "", ""
    return settle(desk, "", now, [])


def apply_pending(state: DeskState, desk: DeskAgent, now: float) -> str:
    """He is what he asked to be; whose wish it was."""
    if desk.pending is None:
        return "system"
    by = desk.pending_by
    _be(state, desk, desk.pending, desk.pending_reason, by, now)
    return by


def _be(state: DeskState, desk: DeskAgent, presence: Presence, reason: str, by: str, now: float) -> None:
    is_new = (presence, reason) != (desk.presence, desk.reason)
    desk.presence, desk.reason, desk.by = presence, reason, by
    desk.pending, desk.pending_reason, desk.pending_by = None, "", ""
    if presence != "not_ready":
        desk.n_missed = 0
    if not is_new:
        return
    desk.presence_since = now
    if presence == "not_ready":
        desk.n_by_reason[reason] = desk.n_by_reason.get(reason, 0) + 1
        rule = _reason(state, reason)
        if rule is not None and rule.max_s:
            arm(state, now + rule.max_s, "overtime", desk.agent_id)


def force(state: DeskState, desk: DeskAgent, reason: str, now: float) -> None:
    """The switch makes him not ready."""
    if desk.presence != "not_ready":
        desk.before = desk.presence
    _be(state, desk, "not_ready", reason, "system", now)


def give_back(state: DeskState, desk: DeskAgent, now: float) -> None:
    """He is what he was before the switch made him not ready."""
    _be(state, desk, desk.before, "" if desk.before != "not_ready" else "login", "system", now)


def overtime(state: DeskState, desk: DeskAgent, epoch: int, now: float) -> list[Told]:
    rule = _reason(state, desk.reason)
    if desk.presence != "not_ready" or rule is None or not rule.max_s:
        return []
    if now < desk.presence_since + rule.max_s - 1e-6:
        return []
    return [
        AgentNotReadyOvertime(
            agent_id=desk.agent_id,
            group=desk.agent.group,
            reason=desk.reason,
            state_s=now - desk.presence_since,
            max_s=rule.max_s,
        )
    ]


def _end_acw_by_the_way(desk: DeskAgent, now: float) -> list[Told]:
    """Whoever goes on with something else has finished his after-call work. Raises WrongState when he owes a code."""
    if desk.acw_since is None:
        return []
    if desk.served is not None and desk.served.owes_code:
        raise WrongState("a wrap-up code is due first (agent.end_acw)")
    ended = acw_ended(desk, "", "", now)
    return [ended]


def acw_ended(desk: DeskAgent, code: str, note: str, now: float) -> AgentAcwEnded:
    """Ends it and tells so."""
    assert desk.acw_since is not None
    told = AgentAcwEnded(
        agent_id=desk.agent_id,
        group=desk.agent.group,
        call_id=desk.acw_call_id,
        queue=desk.served.queue if desk.served is not None else "",
        acw_s=now - desk.acw_since,
        code=code or (desk.served.code if desk.served is not None else ""),
        note=note,
    )
    desk.acw_since = desk.acw_until = None
    desk.acw_call_id = ""
    desk.served = None
    return told


def settings_change(state: DeskState, told: AgentSettingsChange, now: float) -> list[Told]:
    """Nothing for who is not signed in."""
    desk = state.agents.get(told.agent.agent_id)
    if desk is None:
        return []
    desk.agent = told.agent
    if not told.agent.is_enabled:
        return _leave(state, desk, "removed", "system", now)
    return [signs_in(desk)]


def rules_change(state: DeskState, told: AgentRulesChange, now: float) -> list[Told]:
    state.rules = told.rules
    return []


def day_begins(state: DeskState, told: DeskDayBegins, now: float) -> list[Told]:
    for desk in state.agents.values():
        desk.n_by_reason = {}
        desk.n_answered = 0
    return []
