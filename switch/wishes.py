"""What the API and phones ask of a conversation: hold, mute, data, transfers, consultations, REFER, Replaces. Pure."""

from model import events
from model.causes import HangupCause
from switch import collecting, consults, joining, parking, transfers
from switch.actions import Action, JoinCalls, RefuseRefer
from switch.call import Call, Leg
from switch.environment import Environment
from switch.hearing import settle
from switch.leg_events import (
    CallEvent,
    ChangeConsult,
    CollectDigits,
    FetchParked,
    HoldLeg,
    LegReferProgress,
    LegRefers,
    LegReplaces,
    LegRetrieves,
    MuteLeg,
    ParkLeg,
    ResumeLeg,
    SetData,
    StartConsult,
    TransferLeg,
)
from switch.phases.outcome import Outcome, stay
from switch.variables import set_data


def on(call: Call, leg: Leg | None, event: CallEvent, now: float, env: Environment) -> Outcome:
    """The phase of the call is bridged; `leg` is the event's, None when there is none."""
    match event:
        case HoldLeg() | ResumeLeg() if leg is not None:
            leg.is_held = isinstance(event, HoldLeg) and not call.is_direct
            return stay(settle(call, now, env))
        case MuteLeg(is_muted=is_muted) if leg is not None and leg.is_muted != is_muted:
            leg.is_muted = is_muted
            told = events.CallMuted(call_id=call.call_id, leg_id=leg.leg_id, is_muted=is_muted)
            return stay([*settle(call, now, env), told])
        case SetData(data=data):
            return stay(set_data(call, data))
        case TransferLeg(number=number, ring_timeout_s=timeout_s, is_recalled=is_recalled) if leg is not None:
            made = transfers.prepare(call, leg, number, now, env, ring_timeout_s=timeout_s, is_recalled=is_recalled)
            return stay() if isinstance(made, HangupCause) else transfers.begin(call, leg, made, now, env)
        case StartConsult(consult_id=consult_id, number=number, ring_timeout_s=timeout_s) if leg is not None:
            asked = consults.prepare(call, leg, consult_id, number, timeout_s, now, env)
            return stay() if isinstance(asked, HangupCause) else consults.begin(call, leg, asked, now, env)
        case ChangeConsult(consult_id=consult_id, what=what):
            return consults.change(call, consult_id, what, now, env)
        case LegRefers() if leg is not None:
            return _referred(call, leg, event, now, env)
        case LegReplaces(replaced=replaced) if leg is not None:
            return stay(joining.replace(call, leg, call.legs[replaced], now, env))
        case LegRetrieves() if leg is not None:
            return parking.retrieve(call, leg, event, now, env)
        case CollectDigits(wanted=wanted) if leg is not None and not leg.is_ended:
            return stay(collecting.begin(call, leg, wanted, now) if wanted else _stop_collecting(call, leg))
        case ParkLeg(orbit=orbit) if leg is not None and parking.refusal(call, leg, orbit, env) is None:
            return parking.begin(call, leg, orbit, now, env)
        case FetchParked(number=number):
            fetched = parking.fetch(call, number, now, env)
            return stay() if isinstance(fetched, HangupCause) else parking.start(call, fetched, now, env)
        case LegReferProgress() | _:
            return stay()


def _referred(call: Call, leg: Leg, event: LegRefers, now: float, env: Environment) -> Outcome:
    """A phone transfers by itself: to a number, or to the party of its other call."""
    if event.other_call_id:
        if event.other_call_id == call.call_id:
            return _refuse(call, event, HangupCause.NORMAL_TEMPORARY_FAILURE)
        return stay([JoinCalls(call.call_id, leg.leg_id, event.other_call_id, event.other_leg_id, event.refer)])
    orbit = parking.orbit_of(event.number, env)
    if orbit is not None:
        refused = parking.refusal(call, leg, orbit, env)
        if refused is not None:
            return _refuse(call, event, refused)
        return parking.begin(call, leg, orbit, now, env, event.refer)
    made = transfers.prepare(
        call, leg, event.number, now, env, refer=event.refer, referred_by=event.by, replaces=event.replaces
    )
    if isinstance(made, HangupCause):
        return _refuse(call, event, made)
    return transfers.begin(call, leg, made, now, env)


def _stop_collecting(call: Call, leg: Leg) -> list[Action]:
    return [*collecting.silence(call, leg), *collecting.end(call, leg, "stopped")]


def _refuse(call: Call, event: LegRefers, cause: HangupCause) -> Outcome:
    return stay([RefuseRefer(call.call_id, event.leg_id, event.refer, cause)])
