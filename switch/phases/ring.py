"""Phase ring: destinations are rung, step after step, until one answers, all have failed, or the caller gives up."""

from model import events, media
from model.causes import HangupCause
from switch.actions import Action, AnswerLeg, ProgressLeg, RingLeg, StartLeg
from switch.call import Call, Leg, Step, Target
from switch.environment import Environment
from switch.leg_events import (
    CallEvent,
    DropLeg,
    LegAnswered,
    LegEarlyMedia,
    LegFailed,
    LegHungUp,
    LegRinging,
    LegSilent,
    PlayEnded,
    Release,
    Timeout,
)
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import drop_audio, end_leg, leg_left
from switch.routing import Origin

MAX_FORWARDS = 5
"""Forwardings of one call, after which a loop of forwardings ends it."""

# What the caller is told when several destinations failed: the most telling cause (RFC 3261 §16.7 point 6).
_TELLING = (
    HangupCause.USER_BUSY,
    HangupCause.CALL_REJECTED,
    HangupCause.NO_ANSWER,
    HangupCause.UNALLOCATED_NUMBER,
    HangupCause.INVALID_NUMBER_FORMAT,
    HangupCause.INCOMPATIBLE_DESTINATION,
)


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Rings the first step of the plan."""
    return _next_step(call, HangupCause.NO_ROUTE_DESTINATION, now, env, [])


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    match event:
        case LegAnswered() if leg is not None and leg.leg_id != call.a:
            return _answered(call, leg, now, env)
        case LegRinging() if leg is not None and leg.leg_id != call.a:
            return stay(_ringing(call, leg, now, env))
        case LegEarlyMedia() if leg is not None and leg.leg_id != call.a:
            return stay(_early_media(call, leg, now, env))
        case LegFailed() if leg is not None and leg.leg_id != call.a:
            leg.sip_status = event.status
            leg_left(leg, event.cause, now, env)
            return one_failed(call, event.cause, now, env, drop_audio(leg))
        case LegHungUp() if leg is not None and leg.leg_id == call.a:
            leg_left(leg, event.cause, now, env)
            return releasing(call, event.cause, "caller", now, env)
        case LegHungUp() if leg is not None:
            leg_left(leg, event.cause, now, env)
            return one_failed(call, event.cause, now, env, drop_audio(leg))
        case LegFailed(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return releasing(call, cause, "system", now, env)
        case DropLeg(cause=cause) if leg is not None and leg.leg_id != call.a:
            return one_failed(call, cause, now, env, end_leg(leg, cause, "system", now, env) + drop_audio(leg))
        case DropLeg(cause=cause):
            return releasing(call, cause, "system", now, env)
        case Timeout():
            return no_answer(call, now, env)
        case Release(cause=cause, side=side):
            return releasing(call, cause, side, now, env)
        case LegSilent() | PlayEnded() | _:
            return stay()


def _next_step(call: Call, failed: HangupCause, now: float, env: Environment, actions: list[Action]) -> Outcome:
    while call.step + 1 < len(call.plan):
        call.step += 1
        step = call.plan[call.step]
        if step.targets:
            return stay(actions + _start(call, step, now, env))
        failed = HangupCause.USER_NOT_REGISTERED
        _note_failure(call, failed)
        _forward(call, step, failed, now, env)
    cause = HangupCause(call.failure) if call.failure else failed
    return releasing(call, cause, "system", now, env, actions)


def _start(call: Call, step: Step, now: float, env: Environment) -> list[Action]:
    if step.extension:
        call.extension = step.extension
    # Audio goes directly only if every party of the step wants it so: the caller can be offered only one address.
    offer = call.legs[call.a].offer if call.a else b""
    call.is_direct = call.is_direct and all(may_go_directly(target, offer, env) for target in step.targets)
    actions: list[Action] = []
    for target in step.targets:
        leg = _new_leg(call, target, now, env)
        actions.append(StartLeg(call.call_id, leg.leg_id))
    call.deadline = now + step.ring_timeout_s
    return actions


def may_go_directly(target: Target, offer: bytes, env: Environment) -> bool:
    """Whether the party wants it, SRTP is not demanded of a caller who offers none, and no key is shown on the way."""
    if target.kind == "trunk":
        config = env.directory.trunks[target.name].config
        media_, srtp = config.media, config.srtp
    else:
        entry = env.directory.extensions[target.name]
        media_, srtp = entry.media, entry.srtp
    has_keys = b"a=crypto:" in offer
    if (srtp or env.config.media.srtp) == "required" and not has_keys:
        return False
    return media_ == "direct" and (not has_keys or target.flow.transport == "tls")


def _new_leg(call: Call, target: Target, now: float, env: Environment) -> Leg:
    call.n_legs += 1
    is_trunk = target.kind == "trunk"
    if is_trunk:
        trunk = env.directory.trunks[target.name]
        trunk.n_calls += 1
        trunk.calls_total += 1
        call.trunk = target.name
        is_recorded = trunk.config.is_recorded
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
        account=target.account,
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


def _ringing(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    actions: list[Action] = []
    if not leg.ringing_utc:
        leg.ringing_utc = env.wall(now)
        actions.append(events.CallRinging(call_id=call.call_id, leg_id=leg.leg_id))
    if leg.state == "trying":
        leg.state = "ringing"
    if not call.ringing_utc:
        call.ringing_utc = leg.ringing_utc
        caller = call.legs[call.a]
        if caller.direction == "in":
            actions.append(RingLeg(call.call_id, call.a))
        elif call.has_ringback:
            actions.append(
                media.Play(session=call.call_id, leg=call.a, play_id="ringback", sources=env.ringback, is_looped=True)
            )
    return actions


def _early_media(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    leg.state = "early_media"
    actions: list[Action] = []
    if not leg.ringing_utc:
        leg.ringing_utc = env.wall(now)
        actions.append(events.CallRinging(call_id=call.call_id, leg_id=leg.leg_id))
    if not call.ringing_utc:
        call.ringing_utc = leg.ringing_utc
    caller = call.legs[call.a]
    if caller.direction == "in" and not caller.is_up:
        actions.append(ProgressLeg(call.call_id, leg.leg_id))
    elif call.has_ringback:
        actions.append(media.StopPlay(call.call_id, call.a, "ringback"))
    if not call.is_direct:
        actions.append(media.ConnectMatrix(call.call_id, _both_ways(call.a, leg.leg_id)))
    return actions


def _both_ways(one: str, other: str) -> list[media.Edge]:
    return [media.Edge(one, other), media.Edge(other, one)]


def _answered(call: Call, leg: Leg, now: float, env: Environment) -> Outcome:
    wall = env.wall(now)
    leg.state = "answered"
    leg.answered_utc = wall
    leg.sip_status = 200
    call.b = leg.leg_id
    if leg.kind == "extension":
        call.extension = leg.name
    actions: list[Action] = []
    for loser in call.legs.values():
        if loser.leg_id not in (call.a, call.b) and not loser.is_ended:
            actions += end_leg(loser, HangupCause.ANSWERED_ELSEWHERE, "system", now, env) + drop_audio(loser)
    caller = call.legs[call.a]
    if call.has_ringback:
        actions.append(media.StopPlay(call.call_id, call.a, "ringback"))
    if caller.direction == "in":
        caller.state = "answered"
        caller.answered_utc = wall
        caller.sip_status = 200
        actions.append(AnswerLeg(call.call_id, call.a))
    call.answered_utc = wall
    actions.append(events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id))
    return to_phase("bridged", actions)


def one_failed(call: Call, cause: HangupCause, now: float, env: Environment, actions: list[Action]) -> Outcome:
    """A leg of the present step is over: wait for the others of it, or go on."""
    _note_failure(call, cause)
    step = call.plan[call.step]
    if any(leg.leg_id != call.a and not leg.is_ended for leg in call.legs.values()):
        return stay(actions)
    if step.extension and cause is HangupCause.USER_BUSY:
        _forward(call, step, cause, now, env)
    if step.failover and cause.value not in step.failover:
        return releasing(call, HangupCause(call.failure), "remote", now, env, actions)
    return _next_step(call, cause, now, env, actions)


def no_answer(call: Call, now: float, env: Environment) -> Outcome:
    """The present step rang long enough."""
    actions: list[Action] = []
    for leg in call.legs.values():
        if leg.leg_id != call.a and not leg.is_ended:
            actions += end_leg(leg, HangupCause.NO_ANSWER, "system", now, env) + drop_audio(leg)
    _note_failure(call, HangupCause.NO_ANSWER)
    step = call.plan[call.step]
    _forward(call, step, HangupCause.NO_ANSWER, now, env)
    if step.failover and HangupCause.NO_ANSWER.value not in step.failover:
        return releasing(call, HangupCause.NO_ANSWER, "system", now, env, actions)
    return _next_step(call, HangupCause.NO_ANSWER, now, env, actions)


def _forward(call: Call, step: Step, cause: HangupCause, now: float, env: Environment) -> None:
    """Appends what the extension of the failed step says to call instead."""
    entry = env.directory.extensions.get(step.extension)
    if entry is None:
        return
    to = entry.no_answer_to if cause is HangupCause.NO_ANSWER else entry.busy_to
    if not to or call.n_forwards >= MAX_FORWARDS:
        return
    call.n_forwards += 1
    # The forwarding extension pays for it: its rights decide, not the caller's.
    refusal = plan(call, Origin(caller=call.caller, extension=entry), to, now, env)
    if refusal is not None:
        _note_failure(call, refusal)


def _note_failure(call: Call, cause: HangupCause) -> None:
    if not call.failure:
        call.failure = cause.value
        return
    so_far = HangupCause(call.failure)
    rank = _TELLING.index(cause) if cause in _TELLING else len(_TELLING)
    if so_far not in _TELLING or rank < _TELLING.index(so_far):
        call.failure = cause.value
