"""Rings destinations step after step until one answers or all have failed: for the call itself (phase ring), and for
whoever is to join a live call (transfer, consultation, recall).

Every function says how the ringing stands afterwards; whose ringing it is decides what that means. Pure.
"""

from collections.abc import Sequence

import msgspec

from model import events, media
from model.causes import HangupCause
from switch import confirmation, forwarding, ways
from switch.actions import Action, ProgressLeg, RingLeg, StartLeg
from switch.call import Call, Leg
from switch.caller import MAX_BREADTH
from switch.environment import Environment
from switch.leg_events import CallEvent, DropLeg, LegAnswered, LegDigit, LegEarlyMedia, LegFailed, LegHungUp, LegRinging
from switch.phases.route import plan_diverted
from switch.release import drop_audio, end_leg, leg_left
from switch.ring_plan import Ringing, Step, Target

# What the caller is told when several destinations failed: the most telling cause (RFC 3261 §16.7 point 6).
_TELLING = (
    HangupCause.USER_BUSY,
    HangupCause.CALL_REJECTED,
    HangupCause.NO_ANSWER,
    HangupCause.UNALLOCATED_NUMBER,
    HangupCause.INVALID_NUMBER_FORMAT,
    HangupCause.INCOMPATIBLE_DESTINATION,
)


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How a ringing stands: it goes on, `answered` has answered, or it has `failed`."""

    actions: list[Action]
    answered: Leg | None = None
    failed: HangupCause | None = None
    side: str = "system"
    """Who failed it: system or remote."""


def start(call: Call, ringing: Ringing, now: float, env: Environment) -> Standing:
    """Rings the first step of the plan."""
    if ringing is not call:
        call.ringings[ringing.ringing_id] = ringing
    return _next_step(call, ringing, HangupCause.NO_ROUTE_DESTINATION, now, env, [])


def on(call: Call, ringing: Ringing, leg: Leg, event: CallEvent, now: float, env: Environment) -> Standing:
    """An event of one of its legs."""
    match event:
        case LegAnswered() if ringing.confirm is not None and not leg.is_confirming:
            ways.note_reached(call, leg, env)
            return Standing(confirmation.begin(call, ringing, leg, now, env))
        case LegAnswered():
            return _answered(call, ringing, leg, now, env)
        case LegDigit(digit=digit) if confirmation.is_accepted(ringing, leg, digit):
            actions = confirmation.accept(call, leg)
            standing = _answered(call, ringing, leg, now, env)
            return Standing(actions + standing.actions, answered=standing.answered)
        case LegRinging():
            return Standing(_ringing(call, ringing, leg, now, env))
        case LegEarlyMedia():
            return Standing(_early_media(call, ringing, leg, now, env))
        case LegFailed(cause=cause, status=status):
            leg.sip_status = status
            return _leg_failed(call, ringing, leg, cause, now, env)
        case LegHungUp(cause=cause):
            return _leg_failed(call, ringing, leg, cause, now, env)
        case DropLeg(cause=cause):
            _forget_timers(call, leg)
            actions = end_leg(leg, cause, "system", now, env) + drop_audio(leg)
            return _one_failed(call, ringing, cause, now, env, actions)
        case _:
            return Standing([])


def no_answer(call: Call, ringing: Ringing, now: float, env: Environment) -> Standing:
    """The present step rang long enough."""
    asked = [leg for leg in rung_legs(call, ringing) if leg.is_confirming]
    actions = _end_all(call, ringing, HangupCause.NO_ANSWER, now, env, but=asked)
    if asked:
        # They have picked up, and get their time to accept.
        return Standing(actions)
    _note_failure(ringing, HangupCause.NO_ANSWER)
    step = ringing.plan[ringing.step]
    _forward(ringing, step, HangupCause.NO_ANSWER, now, env)
    if step.failover and HangupCause.NO_ANSWER.value not in step.failover:
        return _failed(call, ringing, HangupCause.NO_ANSWER, actions)
    return _next_step(call, ringing, HangupCause.NO_ANSWER, now, env, actions)


def stop(call: Call, ringing: Ringing, cause: HangupCause, now: float, env: Environment) -> list[Action]:
    """Nobody shall answer any more."""
    actions = _end_all(call, ringing, cause, now, env)
    _forget(call, ringing)
    return actions


def rung_legs(call: Call, ringing: Ringing) -> list[Leg]:
    """Legs that may still answer."""
    return [leg for leg in call.legs.values() if leg.ringing == ringing.ringing_id and not leg.is_ended]


def timer_of(ringing: Ringing) -> str:
    """Name of the timer after which nobody has answered, of a ringing in a live call."""
    return "ring:" + ringing.ringing_id


def timer_due(call: Call, name: str) -> list[Action]:
    """A timer of a leg that is rung is due: it must have reacted, or accepted, by now."""
    return ways.react_due(call, name) or confirmation.due(call, name)


def may_go_directly(target: Target, offer: bytes, env: Environment) -> bool:
    """Whether the party wants it, SRTP is not demanded of a caller who offers none, and no key is shown on the way."""
    if target.kind == "uri":
        return False
    if target.kind == "trunk":
        config = env.directory.trunks[target.name].config
        media_, srtp = config.media, config.srtp
    else:
        entry = env.directory.extensions[target.name]
        media_, srtp = entry.media, entry.srtp
    has_keys = b"a=crypto:" in offer
    if (srtp or env.config.media.srtp) == "required" and not has_keys:
        return False
    # A browser speaks to nobody but the edge.
    is_browser = target.flow.transport in ("ws", "wss") or ";transport=ws" in target.uri
    return media_ == "direct" and not is_browser and (not has_keys or target.flow.transport == "tls")


def _next_step(
    call: Call, ringing: Ringing, failed: HangupCause, now: float, env: Environment, actions: list[Action]
) -> Standing:
    while ringing.step + 1 < len(ringing.plan):
        ringing.step += 1
        step = ringing.plan[ringing.step]
        if step.targets:
            refused, more = ways.may_start(call, step, now, env)
            actions = actions + more
            if refused is None:
                return Standing(actions + _start_step(call, ringing, step, now, env))
            failed = refused
            _note_failure(ringing, failed)
            continue
        failed = HangupCause.USER_NOT_REGISTERED
        _note_failure(ringing, failed)
        _forward(ringing, step, failed, now, env)
    return _failed(call, ringing, HangupCause(ringing.failure) if ringing.failure else failed, actions)


def _failed(call: Call, ringing: Ringing, cause: HangupCause, actions: list[Action], side: str = "system") -> Standing:
    _forget(call, ringing)
    return Standing(actions, failed=cause, side=side)


def _forget(call: Call, ringing: Ringing) -> None:
    if ringing is call:
        call.deadline = 0.0
    call.timers.pop(timer_of(ringing), None)
    call.ringings.pop(ringing.ringing_id, None)


def _start_step(call: Call, ringing: Ringing, step: Step, now: float, env: Environment) -> list[Action]:
    if ringing is call:
        if step.extension:
            call.extension = step.extension
        # Audio goes directly only if every party of the step wants it so: the caller can be offered only one address.
        offer = call.legs[call.a].offer if call.a else b""
        call.is_direct = (
            call.is_direct
            and call.confirm is None
            and all(may_go_directly(target, offer, env) for target in step.targets)
        )
        call.deadline = now + step.ring_timeout_s
    else:
        call.timers[timer_of(ringing)] = now + step.ring_timeout_s
    actions: list[Action] = [forwarding.told(call.call_id, step.diversion)] if step.diversion is not None else []
    # A fork shares what breadth there is (RFC 5393 §5.3.3); who is too many is not rung.
    targets = step.targets[: max(1, call.max_breadth)]
    share = max(1, call.max_breadth // len(targets)) if len(targets) > 1 or call.max_breadth < MAX_BREADTH else 0
    for target in targets:
        actions += _launch(call, ringing, target, now, env, share)
    return actions


def _launch(call: Call, ringing: Ringing, target: Target, now: float, env: Environment, share: int = 0) -> list[Action]:
    leg = _new_leg(call, ringing, target, now, env)
    leg.max_breadth = share
    if target.failover_s and (target.other_ways or ringing.step + 1 < len(ringing.plan)):
        ways.must_react(call, leg, target, now)
    return [StartLeg(call.call_id, leg.leg_id)]


def _new_leg(call: Call, ringing: Ringing, target: Target, now: float, env: Environment) -> Leg:
    call.n_legs += 1
    is_trunk = target.kind == "trunk"
    if is_trunk:
        trunk = env.directory.trunks[target.name]
        trunk.n_calls += 1
        trunk.calls_total += 1
        call.trunk = target.name
        is_recorded = trunk.config.is_recorded
    elif target.kind == "uri":
        is_recorded = True
    else:
        is_recorded = env.directory.extensions[target.name].is_recorded
    leg = Leg(
        leg_id=f"{call.call_id}.{call.n_legs}",
        call_id=call.call_id,
        direction="out",
        kind=target.kind,
        name=target.name,
        caller=target.caller,
        dialed=target.number,
        target=target,
        other_ways=target.other_ways,
        failover=target.failover,
        account=target.account,
        ringing=ringing.ringing_id,
        auto_answer=target.auto_answer,
        worker=call.worker,
        is_direct=call.is_direct,
        is_recorded=is_recorded,
        created_utc=env.wall(now),
    )
    if target.account:
        is_new_call = all(one.dialed != leg.dialed or one.kind != "trunk" for one in call.legs.values())
        env.directory.outbound.leg_started(target.account, leg, env.wall(now), is_new_call=is_new_call)
    call.legs[leg.leg_id] = leg
    return leg


def _ringing(call: Call, ringing: Ringing, leg: Leg, now: float, env: Environment) -> list[Action]:
    actions: list[Action] = []
    ways.note_reached(call, leg, env)
    if not leg.ringing_utc:
        leg.ringing_utc = env.wall(now)
        actions.append(_told_ringing(call, ringing, leg))
    if leg.state == "trying":
        leg.state = "ringing"
    if ringing is call and not call.ringing_utc and call.a:
        call.ringing_utc = leg.ringing_utc
        if call.legs[call.a].direction == "in":
            actions.append(RingLeg(call.call_id, call.a))
        elif call.has_ringback:
            actions.append(
                media.Play(session=call.call_id, leg=call.a, play_id="ringback", sources=env.ringback, is_looped=True)
            )
    return actions


def _told_ringing(call: Call, ringing: Ringing, leg: Leg) -> events.CallRinging:
    return events.CallRinging(
        call_id=call.call_id,
        leg_id=leg.leg_id,
        number=leg.name if leg.kind == "extension" else leg.dialed,
        caller=leg.caller,
        caller_name=ringing.caller_name,
        access_number=call.access_number,
        data=dict(call.variables),
    )


def _early_media(call: Call, ringing: Ringing, leg: Leg, now: float, env: Environment) -> list[Action]:
    if ringing.hears in ("ringback", "silence"):
        return _ringing(call, ringing, leg, now, env)
    leg.state = "early_media"
    actions: list[Action] = []
    ways.note_reached(call, leg, env)
    if not leg.ringing_utc:
        leg.ringing_utc = env.wall(now)
        actions.append(_told_ringing(call, ringing, leg))
    ringing.is_heard = True
    if ringing is not call or not call.a:
        return actions
    if not call.ringing_utc:
        call.ringing_utc = leg.ringing_utc
    caller = call.legs[call.a]
    if caller.direction == "in" and not caller.is_up:
        actions.append(ProgressLeg(call.call_id, leg.leg_id))
    elif call.has_ringback:
        actions.append(media.StopPlay(call.call_id, call.a, "ringback"))
    if not call.is_direct:
        edges = [media.Edge(call.a, leg.leg_id), media.Edge(leg.leg_id, call.a)]
        actions.append(media.ConnectMatrix(call.call_id, edges))
    return actions


def _answered(call: Call, ringing: Ringing, leg: Leg, now: float, env: Environment) -> Standing:
    leg.state = "answered"
    leg.answered_utc = env.wall(now)
    leg.sip_status = 200
    leg.ringing = ""
    ways.note_reached(call, leg, env)
    actions = _end_all(call, ringing, HangupCause.ANSWERED_ELSEWHERE, now, env)
    _forget(call, ringing)
    # Who has answered a campaign speaks already, unless its agent is rung first: not a word of his may be lost.
    is_awaited = call.dialing is not None and not call.dialing.agent_id
    if leg.auto_answer and leg.is_configured and not is_awaited:
        # Its user did nothing, and must know that he is heard now.
        actions.append(media.Play(session=call.call_id, leg=leg.leg_id, play_id="zip", sources=env.zip))
    return Standing(actions, answered=leg)


def _end_all(
    call: Call, ringing: Ringing, cause: HangupCause, now: float, env: Environment, but: Sequence[Leg] = ()
) -> list[Action]:
    actions: list[Action] = []
    for leg in rung_legs(call, ringing):
        if leg in but:
            continue
        _forget_timers(call, leg)
        actions += end_leg(leg, cause, "system", now, env) + drop_audio(leg)
    return actions


def _forget_timers(call: Call, leg: Leg) -> None:
    ways.forget_timers(call, leg)
    confirmation.forget_timer(call, leg)


def _leg_failed(call: Call, ringing: Ringing, leg: Leg, cause: HangupCause, now: float, env: Environment) -> Standing:
    """A leg will not be answered: another way to the same party, the others of the step, or the next step."""
    leg_left(leg, cause, now, env)
    confirmation.forget_timer(call, leg)
    actions = drop_audio(leg) + ways.note_failure(call, leg, now, env)
    other = ways.next_way(leg, cause, now, env)
    if other is not None:
        return Standing(actions + _launch(call, ringing, other, now, env))
    return _one_failed(call, ringing, cause, now, env, actions, leg.sip_status)


def _one_failed(
    call: Call,
    ringing: Ringing,
    cause: HangupCause,
    now: float,
    env: Environment,
    actions: list[Action],
    status: int = 0,
) -> Standing:
    """A leg of the present step is over: wait for the others of it, or go on."""
    _note_failure(ringing, cause)
    step = ringing.plan[ringing.step]
    if rung_legs(call, ringing):
        return Standing(actions)
    if step.extension and cause is HangupCause.USER_BUSY:
        _forward(ringing, step, cause, now, env)
    if not ways.leads_on(step.failover, cause, status):
        return _failed(call, ringing, HangupCause(ringing.failure), actions, "remote")
    return _next_step(call, ringing, cause, now, env, actions)


def _forward(ringing: Ringing, step: Step, cause: HangupCause, now: float, env: Environment) -> None:
    """Appends what the extension of the failed step says to call instead."""
    diversion = forwarding.after(ringing, step.extension, cause, env)
    if diversion is None:
        return
    refusal = plan_diverted(ringing, diversion, now, env)
    if refusal is not None:
        _note_failure(ringing, refusal)


def _note_failure(ringing: Ringing, cause: HangupCause) -> None:
    if not ringing.failure:
        ringing.failure = cause.value
        return
    so_far = HangupCause(ringing.failure)
    rank = _TELLING.index(cause) if cause in _TELLING else len(_TELLING)
    if so_far not in _TELLING or rank < _TELLING.index(so_far):
        ringing.failure = cause.value
