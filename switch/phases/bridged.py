"""Phase bridged: a conversation is up. Hold, mute, digits, recording, audio that goes directly, who comes and goes, and
how it ends."""

from model import events, media
from model.causes import HangupCause
from switch import (
    collecting,
    holds,
    keys,
    leaving,
    parking,
    pickup,
    purposes,
    recordings,
    ringing,
    sending_on,
    transfers,
    wishes,
)
from switch.actions import Action, RefuseOffer, ReofferLeg, SendInfoDigits, TakeOffer
from switch.call import MAIN, Call, Leg
from switch.environment import Environment
from switch.hearing import OWN_PLAYS, settle
from switch.leg_events import (
    CallEvent,
    DropLeg,
    LegDigit,
    LegFailed,
    LegHolds,
    LegHungUp,
    LegOffers,
    LegPicksUp,
    LegRefusesOffer,
    LegReplaces,
    LegResumes,
    LegSilent,
    LegTakesOffer,
    PlayEnded,
    RecordCall,
    Release,
    SecureLeg,
    Timeout,
    TimerDue,
)
from switch.monitor import SUPERVISOR
from switch.phases import rating
from switch.phases.outcome import Outcome, releasing, stay
from switch.release import drop_audio, end_leg, leg_left
from switch.ring_plan import Ringing

MAX_SECURE_DIGITS = 64
_SAME_KEY_S = 1.0
"""The same digit by INFO and in RTP within this time is one key."""


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `b` has answered leg `a`."""
    wall = env.wall(now)
    call.bridged_utc = call.bridged_utc or wall
    call.plan = []
    a, b = call.legs[call.a], call.legs[call.b]
    # The customer is who is outside; between extensions it is who calls.
    is_dialed = call.dialing is not None and call.dialing.agent_id != ""
    is_outward = is_dialed or (b.kind == "trunk" and a.kind != "trunk")
    a.role, b.role = ("agent", "customer") if is_outward else ("customer", "agent")
    for leg in (a, b):
        leg.bridged_utc = wall
        leg.room = MAIN
    actions = settle(call, now, env)
    actions.append(events.CallConnected(call_id=call.call_id, leg_id=call.a, peer_leg_id=call.b))
    if recordings.is_wanted(call, env):
        actions += recordings.start(call, now, env)
    limit = (call.options.max_duration_s if call.options is not None else 0.0) or env.config.calls.max_duration_s
    call.deadline = now + limit if limit else 0.0
    return stay(actions)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None and leg.ringing:
        return _rung(call, leg, event, now, env)
    match event:
        case LegHungUp(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _left(call, leg, cause, side_of(call, leg), now, env)
        case LegFailed(cause=cause) if leg is not None:
            return _left(call, leg, cause, "system", now, env, end_leg(leg, cause, "system", now, env))
        case LegSilent() if leg is not None:
            cause = HangupCause.MEDIA_TIMEOUT
            return _left(call, leg, cause, "system", now, env, end_leg(leg, cause, "system", now, env))
        case DropLeg(cause=cause) if leg is not None and not leg.is_ended:
            return _left(call, leg, cause, "system", now, env, end_leg(leg, cause, "system", now, env))
        case LegHolds() | LegResumes() if leg is not None:
            leg.is_away = isinstance(event, LegHolds) and not call.is_direct
            return stay(settle(call, now, env))
        case LegReplaces(replaced=replaced) if leg is not None and pickup.ringing_of(call, call.legs[replaced]):
            return stay(_pick_up(call, leg, call.legs[replaced]))
        case LegDigit() if leg is not None:
            return _pressed(call, leg, event, now, env)
        case SecureLeg(is_secure=is_secure) if leg is not None:
            return stay(secure(call, leg, is_secure))
        case RecordCall(what="start", format=form, channels=channels):
            if call.recording:
                return stay()
            return stay(
                recordings.start(call, now, env, format_wanted=form, channels_wanted=channels, is_asked_for=True)
            )
        case RecordCall(what=what):
            return stay(recordings.change(call, what))
        case LegOffers() | LegTakesOffer() | LegRefusesOffer():
            return stay(_pass_on(call, event))
        case PlayEnded(play_id=play_id) if leg is not None and collecting.prompt_ended(call, leg, play_id, now):
            return stay()
        case PlayEnded(play_id=play_id, reason=reason) if play_id not in (*OWN_PLAYS, keys.PLAY):
            return stay(
                [events.CallPlayFinished(call_id=call.call_id, leg_id=event.leg_id, play_id=play_id, reason=reason)]
            )
        case TimerDue(name=name):
            return _due(call, name, now, env)
        case Timeout():
            return releasing(call, HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case Release(cause=cause, side=side):
            return releasing(call, cause, side, now, env)
        case _:
            return wishes.on(call, leg, event, now, env)


def side_of(call: Call, leg: Leg) -> str:
    """Who a leg is in the words of the record: caller, agent (an extension that was called) or remote."""
    if leg.leg_id == call.a:
        return "caller"
    return "agent" if leg.kind == "extension" else "remote"


def _rung(call: Call, leg: Leg, event: CallEvent, now: float, env: Environment) -> Outcome:
    rung = call.ringings.get(leg.ringing)
    if rung is None:
        return stay()
    if isinstance(event, LegPicksUp) and not leg.is_ended:
        return purposes.follow(call, rung, pickup.finish(call, rung, leg, event, now, env), now, env)
    return purposes.follow(call, rung, ringing.on(call, rung, leg, event, now, env), now, env)


def _pick_up(call: Call, leg: Leg, rung: Leg | None) -> list[Action]:
    made = pickup.ringing_of(call, rung)
    return pickup.begin(call, made, leg, rung) if rung is not None and made is not None else []


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    rung = _whose_timer(call, name)
    if rung is not None:
        return purposes.follow(call, rung, ringing.no_answer(call, rung, now, env), now, env)
    if name.startswith(collecting.TIMER):
        return stay(collecting.due(call, name))
    if name.startswith(keys.TIMER):
        return keys.due(call, name, now, env)
    if name in parking.TIMERS:
        return parking.due(call, name, now, env)
    if name == sending_on.TIMER:
        return sending_on.due(call, now, env)
    if name == leaving.TIMER:
        return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
    outcome = holds.due(call, name, now, env)
    if outcome is not None:
        return outcome
    return stay(transfers.linger_due(call, name, now, env) + ringing.timer_due(call, name))


def _whose_timer(call: Call, name: str) -> Ringing | None:
    return next((each for each in call.ringings.values() if ringing.timer_of(each) == name), None)


def _left(
    call: Call,
    leg: Leg,
    cause: HangupCause,
    side: str,
    now: float,
    env: Environment,
    actions: list[Action] | None = None,
) -> Outcome:
    """A leg is over: whether the others have anybody left to talk with decides what becomes of the call."""
    actions = (actions or []) + collecting.end(call, leg, "hangup")
    outcome = purposes.left(call, leg, cause, side, now, env)
    if outcome is not None:
        return Outcome(actions + outcome.actions, outcome.next_phase)
    is_rung = any(each.purpose != SUPERVISOR for each in call.ringings.values())
    if len(call.parties()) < 2 and not is_rung:
        if rating.is_due(call, leg, env):
            call.hangup_cause, call.hangup_side = cause, side
            return Outcome([*actions, *drop_audio(leg)], "rating")
        return leaving.end(call, leg, cause, side, now, env, actions)
    told = events.CallLegEnded(call_id=call.call_id, leg_id=leg.leg_id, cause=cause, side=side)
    return stay([*actions, told, *settle(call, now, env), *drop_audio(leg)])


def _pass_on(call: Call, event: LegOffers | LegTakesOffer | LegRefusesOffer) -> list[Action]:
    """Audio goes directly: the other party's phone decides about offers."""
    other = call.other(event.leg_id)
    if other is None:
        return []
    match event:
        case LegOffers(body=body):
            return [ReofferLeg(call.call_id, other.leg_id, body)]
        case LegTakesOffer(body=body):
            return [TakeOffer(call.call_id, other.leg_id, body)]
        case LegRefusesOffer(status=status):
            return [RefuseOffer(call.call_id, other.leg_id, status)]


def secure(call: Call, leg: Leg, is_secure: bool) -> list[Action]:
    """From now on (not) nobody hears the leg or gets its digits."""
    if leg.is_secure == is_secure:
        return []
    leg.is_secure = is_secure
    leg.secure_digits = ""
    return [
        media.SecureLeg(call.call_id, leg.leg_id, is_secure),
        events.CallSecured(call_id=call.call_id, leg_id=leg.leg_id, is_secure=is_secure),
    ]


def _pressed(call: Call, leg: Leg, event: LegDigit, now: float, env: Environment) -> Outcome:
    actions = _digit(call, leg, event, now)
    if actions and leg.collecting is not None and not (leg.is_secure or event.is_secure):
        return stay(actions + collecting.on_digit(call, leg, event.digit, now))
    is_key = leg.has_keys and leg.room and not (leg.keeps_digits or leg.is_secure or event.is_secure or call.is_direct)
    if not (actions and is_key):
        return stay(actions)
    outcome = keys.on_digit(call, leg, event.digit, now, env)
    return Outcome(actions + outcome.actions, outcome.next_phase)


def _digit(call: Call, leg: Leg, event: LegDigit, now: float) -> list[Action]:
    if (event.by_info and leg.dtmf in ("rfc4733", "inband")) or is_told(leg, event, now):
        return []
    if leg.is_secure:
        leg.secure_digits = (leg.secure_digits + event.digit)[:MAX_SECURE_DIGITS]
        return [events.CallSecureDigit(call_id=call.call_id, leg_id=leg.leg_id, n_digits=len(leg.secure_digits))]
    if event.is_secure:  # typed before the end, told after it
        return []
    actions: list[Action] = [
        events.CallDigit(call_id=call.call_id, leg_id=leg.leg_id, digit=event.digit, duration_ms=event.duration_ms)
    ]
    if call.is_direct or leg.has_keys:
        return actions
    listeners = [call.legs[edge.listener] for edge in call.edges or () if edge.speaker == leg.leg_id]
    for other in listeners:
        if other.role == SUPERVISOR:
            continue
        # RTP events are relayed by the media worker itself; INFO is known here alone.
        if other.dtmf == "info":
            actions.append(SendInfoDigits(call.call_id, other.leg_id, event.digit, event.duration_ms or 100))
        elif event.by_info:
            actions.append(
                media.SendDigits(
                    session=call.call_id, leg=other.leg_id, digits=event.digit, duration_ms=event.duration_ms or 100
                )
            )
    return actions


def is_told(leg: Leg, event: LegDigit, now: float) -> bool:
    """Some phones send a key both by INFO and in RTP."""
    digit, by_info, at = leg.last_digit
    is_same = digit == event.digit and by_info != event.by_info and now - at < _SAME_KEY_S
    leg.last_digit = ("", False, 0.0) if is_same else (event.digit, event.by_info, now)
    return is_same
