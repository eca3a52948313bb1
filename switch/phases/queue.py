"""Phase queue: the caller waits and agents are rung for him, until one has the call, it is sent on, or he hangs up.

The routing core decides (`acd.engine`, told by `TellCentre`); its decisions come as events.
"""

from collections.abc import Sequence

from acd.inputs import CallbackAnswered, CallLeaves, EntryPlace, ExitReason
from ivr import announcements
from ivr.voices import language_of
from model import events, media
from model.causes import HangupCause
from switch import agent_ringing, queue_sound, ringing
from switch.actions import Action, AskCallback, TellCall, TellCentre
from switch.agent_ringing import stay_of
from switch.answering import answer_caller, begin_segment, end_segment
from switch.call import Call, Leg, QueueStay
from switch.dialing import Dialing
from switch.entering import enters_of
from switch.environment import Environment
from switch.leg_events import (
    BeginWaiting,
    CallbackTaken,
    CallEvent,
    ConnectAgent,
    DropLeg,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegSilent,
    MoveToQueue,
    PlayEnded,
    Release,
    RingAgent,
    SentOn,
    SetData,
    TellPlace,
    Timeout,
    TimerDue,
    WithdrawAgent,
)
from switch.phases import bridged
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import leg_left
from switch.ring_plan import Ringing
from switch.routing import FLOW, QUEUE, Origin
from switch.variables import set_data
from switch.voicemail import box_name, find_box, is_voicemail

OVERFLOW = "overflow"
PATIENCE = "patience"
"""Timer: who answered a campaign's call waits no longer."""
_ENDS = {"overflow_full": HangupCause.USER_BUSY, "closed": HangupCause.CALL_REJECTED}


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `a` wants to wait. He is answered once the queue has taken him: who is turned away at once pays nothing."""
    queue_stay = stay_of(call)
    call.is_direct = False
    limit = env.config.calls.max_duration_s
    call.deadline = now + limit if limit else 0.0
    if queue_stay.entry_id:
        # Its customer was called back: his place has been kept.
        answered = TellCentre(call.call_id, CallbackAnswered(queue_stay.entry_id))
        return stay([answered, TellCall(BeginWaiting(call.call_id, ""))])
    return stay(_enter_queue(call, queue_stay.queue, None, now, env))


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None and leg.leg_id != call.a:
        return _on_agent(call, leg, event, now, env)
    match event:
        case BeginWaiting():
            return stay(_begin_waiting(call, now, env))
        case RingAgent():
            return stay(agent_ringing.ring(call, event, call.customer_number, now, env))
        case WithdrawAgent(offer_id=offer_id, reason=reason):
            return stay(agent_ringing.withdraw(call, offer_id, reason, now, env))
        case ConnectAgent(offer_id=offer_id, agent_id=agent_id):
            return _connect(call, offer_id, agent_id, now, env)
        case SentOn() if event.entry_id == stay_of(call).entry_id:
            return _send_on(call, event, now, env)
        case MoveToQueue(queue=queue, place=place):
            return stay(_enter_queue(call, queue, place, now, env))
        case LegHungUp(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _over(call, "abandoned", cause, "caller", now, env)
        case LegFailed(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _over(call, "abandoned", cause, "system", now, env)
        case LegSilent() if leg is not None:
            return _over(call, "abandoned", HangupCause.MEDIA_TIMEOUT, "system", now, env)
        case DropLeg(cause=cause):
            return _over(call, "withdrawn", cause, "system", now, env)
        case Release(cause=cause, side=side):
            return _over(call, "withdrawn", cause, side, now, env)
        case Timeout():
            return _over(call, "withdrawn", HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case TimerDue(name=name):
            return _due(call, name, now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case CallbackTaken(error=error):
            return stay(_callback_taken(call, error, now, env))
        case PlayEnded(play_id=play_id) if play_id == stay_of(call).saying:
            return _said(call, now, env)
        case TellPlace():
            return stay(queue_sound.tell_place(call, event, now, env))
        case LegDigit() if leg is not None and not bridged.is_told(leg, event, now):
            return _pressed(call, leg, event, now, env)
        case _:
            return stay()


# -- coming and going --------------------------------------------------------------------------------------------------


def _enter_queue(call: Call, queue: str, place: EntryPlace | None, now: float, env: Environment) -> list[Action]:
    queue_sound.forget(call)
    call.n_stays += 1
    entry_id = call.call_id if call.n_stays == 1 else f"{call.call_id}/{call.n_stays}"
    call.stay = QueueStay(queue=queue, entry_id=entry_id)
    told = enters_of(call, queue, place, entry_id, now, env)
    return [TellCentre(call.call_id, told), TellCall(BeginWaiting(call.call_id, ""))]


def _begin_waiting(call: Call, now: float, env: Environment) -> list[Action]:
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    if queue_stay.target or queue is None:
        return []
    leg = call.legs[call.a]
    actions = answer_caller(call, leg, now, env)
    begin_segment(call, leg, "queue", now, env)
    if call.dialing is not None:
        # He is to hear somebody, not music.
        call.timers[PATIENCE] = now + call.dialing.patience_s
        return actions
    language = language_of(call.variables.get("language") or queue.sound.language)
    return actions + queue_sound.begin(call, language, now, env)


def _asks_for_callback(call: Call, digit: str, env: Environment) -> bool:
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    is_free = bool(queue_stay.entry_id) and not queue_stay.saying
    return queue is not None and is_free and queue.callback.is_enabled and digit == queue.sound.callback_key


def _pressed(call: Call, leg: Leg, event: LegDigit, now: float, env: Environment) -> Outcome:
    """A key: what is said ends at once, and some lead on."""
    queue_stay = stay_of(call)
    actions = queue_sound.interrupt(call, now, env)
    if _asks_for_callback(call, event.digit, env):
        return stay([*actions, AskCallback(call.call_id, leg.leg_id)])
    if not event.is_secure:
        actions.append(
            events.CallDigit(call_id=call.call_id, leg_id=leg.leg_id, digit=event.digit, duration_ms=event.duration_ms)
        )
    queue = env.directory.queue_of(queue_stay.queue)
    is_exit = queue is not None and event.digit == queue.sound.voicemail_key
    # An agent who has answered has him already.
    if queue is None or not is_exit or not queue_stay.entry_id or queue_stay.target or queue_stay.answered:
        return stay(actions)
    actions.append(TellCentre(call.call_id, CallLeaves(queue_stay.entry_id, "exit_key")))
    outcome = _lead(call, queue.sound.voicemail_to, None, HangupCause.NORMAL_CLEARING, now, env)
    return Outcome([*actions, *outcome.actions], outcome.next_phase)


def _over(call: Call, reason: ExitReason, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome:
    # Last: an agent who was rung for it may be rung for the next call at once, and must have stopped ringing by then.
    entry_id = stay_of(call).entry_id
    outcome = releasing(call, cause, side, now, env)
    if not entry_id:
        return outcome
    called = call.dialing
    if called is not None and reason == "abandoned":
        called.is_dropped = called.is_dropped or env.wall(now) - called.waits_since_utc > called.patience_s
    leaves = TellCentre(call.call_id, CallLeaves(entry_id, reason))
    return Outcome([*outcome.actions, leaves], outcome.next_phase)


def _send_on(call: Call, sent: SentOn, now: float, env: Environment) -> Outcome:
    if call.dialing is not None:
        return _nobody_came(call, call.dialing, [])
    place = EntryPlace(sent.enter_time, sent.n_hops)
    return _lead(call, sent.target, place, _ENDS.get(sent.reason, HangupCause.NO_ANSWER), now, env)


def _nobody_came(call: Call, called: Dialing, actions: list[Action]) -> Outcome:
    """Whom we called hears who has called; he counts as abandoned."""
    called.is_dropped, called.stage = True, "dropped"
    stay_of(call).target = "hangup"
    return to_phase("dialed", actions)


def _lead(
    call: Call, target: str, place: EntryPlace | None, otherwise: HangupCause, now: float, env: Environment
) -> Outcome:
    """He leaves the queue for `target`; the call ends with the cause `otherwise` when there is nothing to go to."""
    queue_stay = stay_of(call)
    queue_stay.target = target
    if target.startswith(QUEUE):
        name = target.removeprefix(QUEUE)
        if name in env.directory.queues:
            return stay(_enter_queue(call, name, place, now, env))
    elif target.startswith(FLOW):
        name = target.removeprefix(FLOW)
        if name in env.directory.flows:
            queue_sound.forget(call)
            end_segment(call, call.legs[call.a], now, env)
            call.flow_name = name
            return to_phase("ivr", [media.StopPlay(call.call_id, call.a)] if call.legs[call.a].is_up else [])
    elif is_voicemail(target):
        call.box = box_name(target, queue_stay.queue)
        if find_box(env.directory.boxes, call.box, queue_stay.queue) is not None:
            queue_sound.forget(call)
            end_segment(call, call.legs[call.a], now, env)
            return to_phase("voicemail", [media.StopPlay(call.call_id, call.a)] if call.legs[call.a].is_up else [])
    elif target != "hangup":
        return _overflow(call, target.removeprefix("external:"), now, env)
    return releasing(call, otherwise, "system", now, env)


def _overflow(call: Call, number: str, now: float, env: Environment) -> Outcome:
    """Somebody outside the queue is rung for the caller, who hears that it rings."""
    leg = call.legs[call.a]
    made = Ringing(
        ringing_id=OVERFLOW,
        purpose=OVERFLOW,
        caller_leg=call.a,
        caller=call.caller,
        caller_name=call.caller_name,
        dialed=number,
    )
    # The centre's own number pays for it, as for an access number that leads outside.
    cause = plan(made, Origin(caller=call.access_number or call.dialed), number, now, env)
    if cause is not None:
        return releasing(call, cause, "system", now, env)
    queue_sound.forget(call)
    actions = answer_caller(call, leg, now, env)
    actions.append(
        media.Play(session=call.call_id, leg=leg.leg_id, play_id=OVERFLOW, sources=env.ringback, is_looped=True)
    )
    return _follow_overflow(call, ringing.start(call, made, now, env), now, env, actions)


# -- agents ------------------------------------------------------------------------------------------------------------


def _on_agent(call: Call, leg: Leg, event: CallEvent, now: float, env: Environment) -> Outcome:
    made = call.ringings.get(leg.ringing)
    if made is not None and made.purpose == OVERFLOW:
        return _follow_overflow(call, ringing.on(call, made, leg, event, now, env), now, env, [])
    return stay(agent_ringing.on_leg(call, leg, event, now, env))


def _follow_overflow(
    call: Call, standing: ringing.Standing, now: float, env: Environment, before: list[Action]
) -> Outcome:
    actions = before + standing.actions
    if standing.answered is not None:
        return _talk(call, standing.answered, actions)
    if standing.failed is not None:
        return releasing(call, standing.failed, standing.side, now, env, actions)
    return stay(actions)


def _connect(call: Call, offer_id: str, agent_id: str, now: float, env: Environment) -> Outcome:
    leg = agent_ringing.take(call, offer_id, agent_id)
    if leg is None:
        # His phone was gone in the very moment; the core has given him the call, and he is told that it is over.
        return releasing(call, HangupCause.NORMAL_TEMPORARY_FAILURE, "system", now, env)
    queue_sound.forget(call)
    if call.dialing is not None:
        call.timers.pop(PATIENCE, None)
        call.dialing.connected_utc = env.wall(now)
    told: list[Action] = [events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)]
    return _talk(call, leg, told, queue_sound.introductions(call, leg.leg_id, agent_id, env))


def _talk(call: Call, leg: Leg, actions: list[Action], then: Sequence[Action] = ()) -> Outcome:
    call.b = leg.leg_id
    return to_phase("bridged", [*actions, media.StopPlay(call.call_id, call.a), *then])


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    if name == PATIENCE and call.dialing is not None:
        left = TellCentre(call.call_id, CallLeaves(stay_of(call).entry_id, "abandoned"))
        return _nobody_came(call, call.dialing, [left])
    if name == queue_sound.PROGRAM:
        return stay(queue_sound.program_due(call, now, env))
    if name == queue_sound.SAID:
        return _said(call, now, env)
    made = agent_ringing.ringing_due(call, name)
    if made is None:
        return stay(ringing.timer_due(call, name))
    standing = ringing.no_answer(call, made, now, env)
    if made.purpose == OVERFLOW:
        return _follow_overflow(call, standing, now, env, [])
    return stay(agent_ringing.follow(call, made, standing))


# -- called back instead -----------------------------------------------------------------------------------------------


def _callback_taken(call: Call, error: str, now: float, env: Environment) -> list[Action]:
    """The caller hears whether he will be called back. If so his place is another call's from now on."""
    if not error:
        stay_of(call).entry_id, stay_of(call).target = "", "callback"
    queue_stay = stay_of(call)
    name = "cannot_call_back" if error else "will_call_back"
    return queue_sound.say(call, announcements.phrase(name, queue_stay.language or "zh"), now)


def _said(call: Call, now: float, env: Environment) -> Outcome:
    if not stay_of(call).entry_id:
        return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
    return stay(queue_sound.resume(call, now, env))
