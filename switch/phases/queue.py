"""Phase queue: the caller waits and agents are rung for him, until one has the call, it is sent on, or he hangs up.

The routing core decides (`acd.engine`, told by `TellCentre`); its decisions come as events.
"""

from collections.abc import Sequence

from acd.inputs import CallbackAnswered, CallEnters, CallLeaves, EntryPlace, ExitReason
from ivr import announcements
from ivr.voices import language_of
from model import events, media
from model.causes import HangupCause
from switch import agent_ringing, ringing
from switch.actions import Action, AnswerLeg, AskCallback, TellCall, TellCentre
from switch.agent_ringing import stay_of
from switch.call import Call, Leg, QueueStay, Segment
from switch.environment import Environment
from switch.hearing import AGENT_NUMBER_PLAY, WHISPER_PLAY
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
from switch.routing import QUEUE, Origin
from switch.variables import set_data

PLAY = "queue"
"""Play id of what the caller hears."""
OVERFLOW = "overflow"
SAID = "said"
MAX_SAYING_S = 30.0
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
            customer = call.variables.get("callback_number", call.caller)
            return stay(agent_ringing.ring(call, event, customer, now, env))
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
        case PlayEnded(play_id=play_id) if play_id == SAID:
            return _said(call, now, env)
        case TellPlace():
            return stay(_tell_place(call, event, now, env))
        case LegDigit(digit=digit) if leg is not None and not bridged.is_told(leg, event, now):
            actions = _interrupted(call, now, env)
            if _asks_for_callback(call, digit, env):
                return stay([*actions, AskCallback(call.call_id, leg.leg_id)])
            told = events.CallDigit(
                call_id=call.call_id, leg_id=leg.leg_id, digit=event.digit, duration_ms=event.duration_ms
            )
            return stay([*actions, told] if not event.is_secure else actions)
        case _:
            return stay()


# -- coming and going --------------------------------------------------------------------------------------------------


def _enter_queue(call: Call, queue: str, place: EntryPlace | None, now: float, env: Environment) -> list[Action]:
    call.n_stays += 1
    entry_id = call.call_id if call.n_stays == 1 else f"{call.call_id}/{call.n_stays}"
    call.stay = QueueStay(queue=queue, entry_id=entry_id)
    directory, wall = env.directory, env.wall(now)
    told = CallEnters(
        entry_id=entry_id,
        call_id=call.call_id,
        queue=queue,
        caller=call.caller,
        place=place,
        is_vip=call.is_vip or directory.caller_lists.find("vip", call.caller, queue, wall) is not None,
        area=directory.regions.area_of(call.caller),
        last_agent=directory.last_agents.of(call.caller, wall),
    )
    return [TellCentre(call.call_id, told), TellCall(BeginWaiting(call.call_id, ""))]


def _begin_waiting(call: Call, now: float, env: Environment) -> list[Action]:
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    if queue_stay.target or queue is None:
        return []
    leg = call.legs[call.a]
    actions = _answer(call, leg, now, env)
    if leg.segment < 0:
        leg.segment = len(call.segments)
        call.segments.append(Segment(leg.leg_id, "queue", env.wall(now)))
    queue_stay.language = language_of(call.variables.get("language") or queue.sound.language)
    queue_stay.music_at = now
    return actions + _music(call, now, env)


def _music(call: Call, now: float, env: Environment) -> list[Action]:
    """The background audio; after an announcement it goes on where it would be."""
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    source = env.sound(queue.sound.background if queue is not None else "moh:default")
    at_s = max(0.0, now - queue_stay.music_at)
    return [media.Play(session=call.call_id, leg=call.a, play_id=PLAY, sources=[source], is_looped=True, offset_s=at_s)]


def _asks_for_callback(call: Call, digit: str, env: Environment) -> bool:
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    is_free = bool(queue_stay.entry_id) and SAID not in call.timers
    return queue is not None and is_free and queue.callback.is_enabled and digit == queue.sound.callback_key


def _answer(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    if leg.is_up:
        return []
    leg.state = "answered"
    leg.answered_utc = env.wall(now)
    leg.sip_status = 200
    call.answered_utc = call.answered_utc or leg.answered_utc
    return [AnswerLeg(call.call_id, leg.leg_id)]


def _over(call: Call, reason: ExitReason, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome:
    # Last: an agent who was rung for it may be rung for the next call at once, and must have stopped ringing by then.
    entry_id = stay_of(call).entry_id
    outcome = releasing(call, cause, side, now, env)
    if not entry_id:
        return outcome
    leaves = TellCentre(call.call_id, CallLeaves(entry_id, reason))
    return Outcome([*outcome.actions, leaves], outcome.next_phase)


def _send_on(call: Call, sent: SentOn, now: float, env: Environment) -> Outcome:
    queue_stay = stay_of(call)
    queue_stay.target = sent.target
    if sent.target.startswith(QUEUE):
        name = sent.target.removeprefix(QUEUE)
        if name in env.directory.queues:
            return stay(_enter_queue(call, name, EntryPlace(sent.enter_time, sent.n_hops), now, env))
    elif sent.target != "hangup":
        number = sent.target.removeprefix("external:")
        return _overflow(call, number, now, env)
    return releasing(call, _ENDS.get(sent.reason, HangupCause.NO_ANSWER), "system", now, env)


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
    actions = _answer(call, leg, now, env)
    actions.append(media.Play(session=call.call_id, leg=leg.leg_id, play_id=PLAY, sources=env.ringback, is_looped=True))
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
    call.timers.pop(SAID, None)
    told: list[Action] = [events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)]
    return _talk(call, leg, told, _introductions(call, leg, agent_id, env))


def _introductions(call: Call, leg: Leg, agent_id: str, env: Environment) -> list[Action]:
    """The caller hears who serves him (ACD-13), the agent whom; neither hears what the other is told."""
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    if queue is None:
        return []
    actions: list[Action] = []
    if queue.sound.announce_agent:
        said = announcements.agent_number(agent_id, queue_stay.language)
        if said:
            actions.append(media.Play(session=call.call_id, leg=call.a, play_id=AGENT_NUMBER_PLAY, sources=said))
    if queue.sound.whisper:
        source = env.sound(queue.sound.whisper)
        actions.append(media.Play(session=call.call_id, leg=leg.leg_id, play_id=WHISPER_PLAY, sources=[source]))
    return actions


def _talk(call: Call, leg: Leg, actions: list[Action], then: Sequence[Action] = ()) -> Outcome:
    call.b = leg.leg_id
    return to_phase("bridged", [*actions, media.StopPlay(call.call_id, call.a), *then])


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    if name == SAID:
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
    return _say(call, announcements.phrase(name, queue_stay.language or "zh"), now)


def _say(call: Call, sources: list[str], now: float) -> list[Action]:
    """In the place of the background audio; a key ends it at once."""
    call.timers[SAID] = now + MAX_SAYING_S
    return [media.Play(session=call.call_id, leg=call.a, play_id=SAID, sources=sources)]


def _tell_place(call: Call, told: TellPlace, now: float, env: Environment) -> list[Action]:
    """His place, how long it will take, and what he may do instead (ACD-06)."""
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    if queue is None or told.entry_id != queue_stay.entry_id or SAID in call.timers:
        return []
    language = queue_stay.language
    said = announcements.place(told.position, told.ewt_s, language, is_more_than=told.is_more_than)
    sound = queue.sound
    if sound.has_choices and sound.callback_key and queue.callback.is_enabled:
        said += announcements.choice("for_callback", sound.callback_key, language)
    return _say(call, said, now)


def _interrupted(call: Call, now: float, env: Environment) -> list[Action]:
    """He pressed a key: nothing more is said to him, but what says that the call is over for him."""
    if SAID not in call.timers or not stay_of(call).entry_id:
        return []
    del call.timers[SAID]
    return [media.StopPlay(call.call_id, call.a, SAID), *_music(call, now, env)]


def _said(call: Call, now: float, env: Environment) -> Outcome:
    call.timers.pop(SAID, None)
    if not stay_of(call).entry_id:
        return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
    return stay(_music(call, now, env))
