"""Phase bridged: two legs talk. Hold, digits, recording, audio that goes directly, and how it ends."""

from model import events, media
from model.causes import HangupCause
from switch import recordings
from switch.actions import Action, RefuseOffer, ReofferLeg, SendInfoDigits, TakeOffer
from switch.call import HELD_BY_API, HELD_BY_PEER, Call, Hold, Leg
from switch.environment import Environment
from switch.leg_events import (
    CallEvent,
    DropLeg,
    HoldLeg,
    LegAnswered,
    LegDigit,
    LegEarlyMedia,
    LegFailed,
    LegHolds,
    LegHungUp,
    LegOffers,
    LegRefusesOffer,
    LegResumes,
    LegRinging,
    LegSilent,
    LegTakesOffer,
    PlayEnded,
    RecordCall,
    Release,
    ResumeLeg,
    SecureLeg,
    Timeout,
)
from switch.phases.outcome import Outcome, releasing, stay
from switch.release import end_leg, leg_left

MAX_SECURE_DIGITS = 64
HOLD_PLAY = "hold"
"""Play id of the music a held leg hears."""
_SAME_KEY_S = 1.0
"""The same digit by INFO and in RTP within this time is one key."""


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `b` has answered leg `a`."""
    wall = env.wall(now)
    call.bridged_utc = wall
    call.plan = []
    for leg in (call.legs[call.a], call.legs[call.b]):
        leg.bridged_utc = wall
    actions: list[Action] = []
    if not call.is_direct:
        actions.append(_matrix(call))
    actions.append(events.CallConnected(call_id=call.call_id, leg_id=call.a, peer_leg_id=call.b))
    if recordings.is_wanted(call, env):
        actions += recordings.start(call, now, env)
    limit = env.config.calls.max_duration_s
    call.deadline = now + limit if limit else 0.0
    return stay(actions)


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    match event:
        case LegHungUp(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            if leg.leg_id in (call.a, call.b):
                return releasing(call, cause, side_of(call, leg), now, env)
            return stay()
        case LegFailed(cause=cause) if leg is not None:
            actions = end_leg(leg, cause, "system", now, env)
            if leg.leg_id in (call.a, call.b):
                return releasing(call, cause, "system", now, env, actions)
            return stay(actions)
        case LegDigit() if leg is not None:
            return stay(_digit(call, leg, event, now))
        case LegHolds() if (held := call.other(event.leg_id)) is not None:
            return stay(_hold(call, held, HELD_BY_PEER, now, env))
        case LegResumes() if (held := call.other(event.leg_id)) is not None:
            return stay(_resume(call, held, HELD_BY_PEER, now, env))
        case SecureLeg(is_secure=is_secure) if leg is not None:
            return stay(_secure(call, leg, is_secure))
        case HoldLeg() if leg is not None:
            return stay(_hold(call, leg, HELD_BY_API, now, env))
        case ResumeLeg() if leg is not None:
            return stay(_resume(call, leg, HELD_BY_API, now, env))
        case RecordCall(what="start", format=form, channels=channels):
            if call.recording:
                return stay()
            return stay(recordings.start(call, now, env, format_wanted=form, channels_wanted=channels))
        case RecordCall(what=what):
            return stay(recordings.change(call, what))
        case LegOffers(body=body) if (other := call.other(event.leg_id)) is not None:
            return stay([ReofferLeg(call.call_id, other.leg_id, body)])
        case LegTakesOffer(body=body) if (other := call.other(event.leg_id)) is not None:
            return stay([TakeOffer(call.call_id, other.leg_id, body)])
        case LegRefusesOffer(status=status) if (other := call.other(event.leg_id)) is not None:
            return stay([RefuseOffer(call.call_id, other.leg_id, status)])
        case LegSilent() if leg is not None:
            return releasing(call, HangupCause.MEDIA_TIMEOUT, "system", now, env)
        case PlayEnded(play_id=play_id, reason=reason) if play_id not in (HOLD_PLAY, "ringback"):
            return stay(
                [events.CallPlayFinished(call_id=call.call_id, leg_id=event.leg_id, play_id=play_id, reason=reason)]
            )
        case Timeout():
            return releasing(call, HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case DropLeg(cause=cause):
            return releasing(call, cause, "system", now, env)
        case Release(cause=cause, side=side):
            return releasing(call, cause, side, now, env)
        case LegAnswered() | LegRinging() | LegEarlyMedia() | _:
            return stay()


def side_of(call: Call, leg: Leg) -> str:
    """Who a leg is in the words of the record: caller, agent (an extension that was called) or remote."""
    if leg.leg_id == call.a:
        return "caller"
    return "agent" if leg.kind == "extension" else "remote"


def _matrix(call: Call) -> media.ConnectMatrix:
    a, b = call.legs[call.a], call.legs[call.b]
    if a.hold or b.hold:
        return media.ConnectMatrix(call.call_id, [])
    return media.ConnectMatrix(call.call_id, [media.Edge(a.leg_id, b.leg_id), media.Edge(b.leg_id, a.leg_id)])


def _music(call: Call, leg: Leg, env: Environment) -> media.Play:
    return media.Play(session=call.call_id, leg=leg.leg_id, play_id=HOLD_PLAY, sources=env.music, is_looped=True)


def _hold(call: Call, leg: Leg, by: int, now: float, env: Environment) -> list[Action]:
    if leg.hold & by or call.is_direct:
        return []
    was_held = leg.hold
    leg.hold |= by
    if was_held:
        return []
    call.holds.append(Hold(leg.leg_id, env.wall(now)))
    return [
        _matrix(call),
        _music(call, leg, env),
        events.CallHeld(call_id=call.call_id, leg_id=leg.leg_id),
    ]


def _resume(call: Call, leg: Leg, by: int, now: float, env: Environment) -> list[Action]:
    if not leg.hold & by:
        return []
    leg.hold &= ~by
    if leg.hold:
        return []
    for hold in call.holds:
        if hold.leg_id == leg.leg_id and not hold.ended_utc:
            hold.ended_utc = env.wall(now)
    return [
        media.StopPlay(call.call_id, leg.leg_id, HOLD_PLAY),
        _matrix(call),
        events.CallResumed(call_id=call.call_id, leg_id=leg.leg_id),
    ]


def _secure(call: Call, leg: Leg, is_secure: bool) -> list[Action]:
    if leg.is_secure == is_secure:
        return []
    leg.is_secure = is_secure
    leg.secure_digits = ""
    return [
        media.SecureLeg(call.call_id, leg.leg_id, is_secure),
        events.CallSecured(call_id=call.call_id, leg_id=leg.leg_id, is_secure=is_secure),
    ]


def _digit(call: Call, leg: Leg, event: LegDigit, now: float) -> list[Action]:
    if (event.by_info and leg.dtmf in ("rfc4733", "inband")) or _is_told(leg, event, now):
        return []
    if leg.is_secure:
        leg.secure_digits = (leg.secure_digits + event.digit)[:MAX_SECURE_DIGITS]
        return [events.CallSecureDigit(call_id=call.call_id, leg_id=leg.leg_id, n_digits=len(leg.secure_digits))]
    if event.is_secure:  # typed before the end, told after it
        return []
    actions: list[Action] = [
        events.CallDigit(call_id=call.call_id, leg_id=leg.leg_id, digit=event.digit, duration_ms=event.duration_ms)
    ]
    other = call.other(leg.leg_id)
    if other is None or other.hold or call.is_direct:
        return actions
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


def _is_told(leg: Leg, event: LegDigit, now: float) -> bool:
    """Some phones send a key both by INFO and in RTP."""
    digit, by_info, at = leg.last_digit
    is_same = digit == event.digit and by_info != event.by_info and now - at < _SAME_KEY_S
    leg.last_digit = ("", False, 0.0) if is_same else (event.digit, event.by_info, now)
    return is_same
