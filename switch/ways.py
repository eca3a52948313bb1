"""The ways out by trunks while somebody is rung: whether one may be taken now, how long it gets to react, what its
failure says of it, which is next. Used by `switch.ringing`. Pure."""

from model.causes import HangupCause
from switch.actions import Action, DoubtTrunk, LeaveIfSilent, PreemptTrunk
from switch.call import Call, Leg
from switch.environment import Environment
from switch.ring_plan import Step, Target

MAX_RETRY_AFTER_S = 3600.0
_PREFIX = "react:"


def may_start(call: Call, step: Step, now: float, env: Environment) -> tuple[HangupCause | None, list[Action]]:
    """Drops the targets whose trunk has no channel, or has had its calls of this second; a cause when none is left.

    An emergency call passes every limit; the actions make room for it where the configuration says so.
    """
    actions: list[Action] = []
    kept = []
    for target in step.targets:
        if step.is_emergency:
            actions += _make_room(call, target, env)
        elif not _has_room(target, now, env):
            other = next((way for way in target.other_ways if _has_room(way, now, env)), None)
            if other is None:
                continue
            _pass_on(target, other)
            target = other
        kept.append(target)
    step.targets = kept
    return (None if kept else HangupCause.NORMAL_CIRCUIT_CONGESTION), actions


def must_react(call: Call, leg: Leg, target: Target, now: float) -> None:
    """There is another way if this one does not react in time. Where there is none, giving up would help nobody."""
    call.timers[_timer_of(leg)] = now + target.failover_s


def react_due(call: Call, name: str) -> list[Action]:
    """A timer of `must_react` is due; [] for any other timer."""
    if not name.startswith(_PREFIX):
        return []
    leg = call.legs.get(name.removeprefix(_PREFIX))
    return [LeaveIfSilent(call.call_id, leg.leg_id)] if leg is not None and leg.ringing else []


def forget_timers(call: Call, leg: Leg) -> None:
    """The leg answered or is over."""
    call.timers.pop(_timer_of(leg), None)


def next_way(leg: Leg, cause: HangupCause, now: float, env: Environment) -> Target | None:
    """Where the same party is tried now that this leg failed, while the others of the step ring on."""
    if not leg.other_ways or not leads_on(leg.failover, cause, leg.sip_status):
        return None
    for n, target in enumerate(leg.other_ways):
        if _has_room(target, now, env):
            target.other_ways, target.failover = leg.other_ways[n + 1 :], leg.failover
            return target
    return None


def leads_on(failover: tuple[str, ...], cause: HangupCause, status: int) -> bool:
    """Whether another way is tried after the cause, or the status behind it; after any where none is named."""
    return not failover or cause.value in failover or (status > 0 and str(status) in failover)


def note_failure(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    """An address that gave no answer, or said 503, rests, and is asked whether it is there."""
    forget_timers(call, leg)
    trunk = env.directory.trunks.get(leg.name) if leg.kind == "trunk" else None
    if trunk is None or leg.flow is None or (leg.has_responded and leg.sip_status != 503):
        return []
    seconds = min(leg.retry_after_s, MAX_RETRY_AFTER_S) or trunk.config.rest_s
    if seconds:
        trunk.rest(leg.flow, now, seconds)
    return [DoubtTrunk(call.call_id, "", leg.name)] if trunk.config.qualify_s else []


def note_reached(call: Call, leg: Leg, env: Environment) -> None:
    """An address that takes calls does not rest."""
    forget_timers(call, leg)
    trunk = env.directory.trunks.get(leg.name) if leg.kind == "trunk" else None
    if trunk is not None and leg.flow is not None:
        trunk.wake(leg.flow)


def _timer_of(leg: Leg) -> str:
    return _PREFIX + leg.leg_id


def _has_room(target: Target, now: float, env: Environment) -> bool:
    trunk = env.directory.trunks.get(target.name) if target.kind == "trunk" else None
    if trunk is None or (trunk.has_room("out") and trunk.take_token(now)):
        return True
    trunk.calls_skipped += 1
    return False


def _pass_on(target: Target, other: Target) -> None:
    at = next(n for n, way in enumerate(target.other_ways) if way is other)
    other.other_ways, other.failover = target.other_ways[at + 1 :], target.failover


def _make_room(call: Call, target: Target, env: Environment) -> list[Action]:
    trunk = env.directory.trunks.get(target.name)
    if trunk is None or trunk.has_room("out") or not env.config.numbering.emergency_preempts:
        return []
    return [PreemptTrunk(call.call_id, "", trunk.config.name)]
