"""Phase mailbox: a phone hears the messages left in a box (VM-03): by its own lamp, or by the box's number and PIN.

Keys while a message is heard: 1 again, 2 save, 3 delete, 4 the one before, 5 call back, 6 the next, * leave.
"""

from datetime import datetime

from ivr import announcements
from ivr.voices import language_of
from model import media
from model.causes import HangupCause
from model.records import MessageRecord
from switch import ringing
from switch.actions import Action, AskMessages, ChangeMessage
from switch.answering import answer_caller, begin_segment, end_segment
from switch.call import Call, Leg
from switch.days import zone_of
from switch.environment import Environment
from switch.leg_events import (
    CallEvent,
    DropLeg,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegSilent,
    MessagesCame,
    PlayEnded,
    Release,
    SetData,
    Timeout,
    TimerDue,
)
from switch.numbers import clean
from switch.phases import bridged
from switch.phases.outcome import Outcome, releasing, stay, to_phase
from switch.phases.route import plan
from switch.release import leg_left
from switch.ring_plan import Ringing
from switch.routing import Origin
from switch.variables import set_data
from switch.voicemail import HearingMessages, boxes_of

CALL_BACK = "message_back"
MAX_S = 3600.0
MAX_TRIES = 3
MAX_DIGITS = 32
DIGIT_S = 10.0
OPENING_S = 8.0
SAYING_S = 3700.0
_WAIT = "answer"
_PAUSE = "silence:300"


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """Leg `a` has dialled the code, with or without the number of a box."""
    leg = call.legs[call.a]
    call.is_direct = leg.is_direct = False
    call.deadline = now + MAX_S
    boxes = env.directory.boxes
    own = boxes_of(boxes, leg.name)
    found = env.features.find(call.dialed)
    number = found.number if found is not None else ""
    if number:
        own = [box for box in own if box.number == number]
    spoken = call.variables.get("language") or (own[0].language if own else "")
    call.hearing = HearingMessages(language=language_of(spoken), number=number)
    actions = answer_caller(call, leg, now, env)
    begin_segment(call, leg, "voicemail", now, env)
    if len(own) == 1 and not own[0].pin_hash:
        return stay(actions + _open(call, leg, now))
    return stay(actions + _ask(call, "pin" if number or len(own) == 1 else "number", now))


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None and leg.leg_id != call.a:
        made = call.ringings.get(CALL_BACK)
        if made is None:
            return stay()
        return _follow(call, ringing.on(call, made, leg, event, now, env), now, env)
    match event:
        case LegDigit(digit=digit) if leg is not None and not bridged.is_told(leg, event, now):
            return _pressed(call, leg, digit, now, env)
        case PlayEnded(play_id=play_id, reason="finished" | "error") if play_id == _play_id(call):
            return _said(call, now, env)
        case MessagesCame():
            return stay(_opened(call, event, now, env))
        case TimerDue(name=name):
            return _due(call, name, now, env)
        case LegHungUp(cause=cause) | LegFailed(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return releasing(call, cause, "caller", now, env)
        case LegSilent() if leg is not None:
            return releasing(call, HangupCause.MEDIA_TIMEOUT, "system", now, env)
        case DropLeg(cause=cause) | Release(cause=cause):
            return releasing(call, cause, "system", now, env)
        case Timeout():
            return releasing(call, HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
        case SetData(data=data):
            return stay(set_data(call, data))
        case _:
            return stay()


# -- coming in ---------------------------------------------------------------------------------------------------------


def _ask(call: Call, stage: str, now: float, *, is_wrong: bool = False) -> list[Action]:
    """For the number of the box, or its PIN."""
    hearing = _hearing(call)
    hearing.typed = ""
    name = "enter_box" if stage == "number" else "enter_pin"
    wrong = announcements.phrase("wrong_pin", hearing.language) if is_wrong else []
    return _say(call, stage, [*wrong, *announcements.phrase(name, hearing.language)], now)


def _typed(call: Call, leg: Leg, now: float) -> list[Action]:
    hearing = _hearing(call)
    if hearing.stage == "number":
        hearing.number = hearing.typed
        return _ask(call, "pin", now)
    return _open(call, leg, now)


def _open(call: Call, leg: Leg, now: float) -> list[Action]:
    hearing = _hearing(call)
    hearing.stage = "opening"
    pin, hearing.typed = hearing.typed, ""
    call.timers[_WAIT] = now + OPENING_S
    host = leg.address.rpartition(":")[0].strip("[]")
    return [AskMessages(call.call_id, call.a, leg.name, hearing.number, pin, host)]


def _opened(call: Call, event: MessagesCame, now: float, env: Environment) -> list[Action]:
    hearing = _hearing(call)
    if hearing.stage != "opening":
        return []
    if event.error:
        hearing.n_tries += 1
        if hearing.n_tries >= MAX_TRIES:
            return _say(call, "bye", announcements.phrase("wrong_pin", hearing.language), now)
        is_numbered = bool(hearing.number)
        return _ask(call, "number" if is_numbered else "pin", now, is_wrong=True)
    hearing.box, hearing.messages, hearing.index = event.box, event.messages, 0
    n_new = sum(each.state == "new" for each in event.messages)
    waiting = announcements.messages_waiting(n_new, len(event.messages) - n_new, hearing.language)
    if not event.messages:
        return _say(call, "bye", [*waiting, *announcements.phrase("goodbye", hearing.language)], now)
    return _hear(call, now, env, waiting)


# -- hearing -----------------------------------------------------------------------------------------------------------


def _hear(call: Call, now: float, env: Environment, before: list[str] | None = None) -> list[Action]:
    """The message that is looked at, from its head; it counts as heard when it has been played to its end."""
    hearing = _hearing(call)
    message = _message(call)
    if message is None:
        return _over(call, now)
    left = datetime.fromtimestamp(message.left_utc, zone_of(env.config.numbering.time_zone))
    head = announcements.message_head(hearing.index + 1, message.caller, left, hearing.language)
    return _say(call, "message", [*(before or ()), *head, _PAUSE, f"file:{message.path}"], now)


def _pressed(call: Call, leg: Leg, digit: str, now: float, env: Environment) -> Outcome:
    hearing = _hearing(call)
    match hearing.stage:
        case "number" | "pin":
            call.timers[_WAIT] = now + DIGIT_S
            if digit != "#":
                hearing.typed += digit
            is_whole = digit == "#" or len(hearing.typed) >= MAX_DIGITS
            stopped: list[Action] = [media.StopPlay(call.call_id, call.a)]
            return stay(stopped + (_typed(call, leg, now) if is_whole and hearing.typed else []))
        case "message" | "menu":
            return _chosen(call, leg, digit, now, env)
        case _:
            return stay()


def _chosen(call: Call, leg: Leg, digit: str, now: float, env: Environment) -> Outcome:
    hearing, message = _hearing(call), _message(call)
    language = hearing.language
    if message is None or digit == "*":
        return stay(_over(call, now))
    match digit:
        case "1":
            return stay(_hear(call, now, env))
        case "2":
            saved = _change(call, message, "heard", leg)
            return stay([*saved, *_next(call, 1, now, env, announcements.phrase("message_saved", language))])
        case "3":
            del hearing.messages[hearing.index]
            gone = ChangeMessage(call.call_id, call.a, message.message_id, "deleted", leg.name)
            return stay([gone, *_next(call, 0, now, env, announcements.phrase("message_deleted", language))])
        case "4":
            return stay(_next(call, -1, now, env))
        case "5":
            return _call_back(call, leg, message, now, env)
        case "6" | "#":
            return stay(_next(call, 1, now, env))
        case _:
            return stay(_say(call, "menu", announcements.phrase("message_keys", language), now))


def _next(call: Call, by: int, now: float, env: Environment, before: list[str] | None = None) -> list[Action]:
    hearing = _hearing(call)
    hearing.index = max(0, hearing.index + by)
    if hearing.index >= len(hearing.messages):
        none = announcements.phrase("no_more_messages", hearing.language)
        goodbye = announcements.phrase("goodbye", hearing.language)
        return _say(call, "bye", [*(before or ()), *none, *goodbye], now)
    return _hear(call, now, env, before)


def _said(call: Call, now: float, env: Environment) -> Outcome:
    hearing = _hearing(call)
    match hearing.stage:
        case "number" | "pin":
            call.timers[_WAIT] = now + DIGIT_S
        case "message":
            message = _message(call)
            heard = _change(call, message, "heard", call.legs[call.a]) if message is not None else []
            return stay([*heard, *_say(call, "menu", announcements.phrase("message_keys", hearing.language), now)])
        case "menu":
            call.timers[_WAIT] = now + DIGIT_S
        case "bye":
            return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env)
        case _:
            pass
    return stay()


def _change(call: Call, message: MessageRecord, what: str, leg: Leg) -> list[Action]:
    if what == "heard" and message.state == "heard":
        return []
    return [ChangeMessage(call.call_id, call.a, message.message_id, what, leg.name)]


def _due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    if name != _WAIT:
        made = call.ringings.get(CALL_BACK)
        if made is not None and name == ringing.timer_of(made):
            return _follow(call, ringing.no_answer(call, made, now, env), now, env)
        return stay(ringing.timer_due(call, name))
    hearing = _hearing(call)
    if hearing.stage in ("number", "pin") and hearing.typed:
        return stay(_typed(call, call.legs[call.a], now))
    # He says nothing, or what is played does not end.
    return stay(_over(call, now)) if hearing.stage != "bye" else _said(call, now, env)


def _over(call: Call, now: float) -> list[Action]:
    return _say(call, "bye", announcements.phrase("goodbye", _hearing(call).language), now)


# -- calling back ------------------------------------------------------------------------------------------------------


def _call_back(call: Call, leg: Leg, message: MessageRecord, now: float, env: Environment) -> Outcome:
    """Rings who left the message, by the rights of the phone."""
    made = Ringing(ringing_id=CALL_BACK, purpose=CALL_BACK, caller_leg=call.a, caller=leg.name, dialed=message.caller)
    entry = env.directory.extensions.get(leg.name)
    number = _number_back(call, message.caller, env)
    if not number or plan(made, Origin(caller=leg.name, extension=entry), number, now, env) is not None:
        return stay(_say(call, "menu", [env.refused, *announcements.phrase("message_keys", _language(call))], now))
    _hearing(call).stage = "calling"
    call.timers.pop(_WAIT, None)
    tone = media.Play(session=call.call_id, leg=call.a, play_id=CALL_BACK, sources=env.ringback, is_looped=True)
    standing = ringing.start(call, made, now, env)
    outcome = _follow(call, standing, now, env)
    return Outcome([tone, *outcome.actions], outcome.next_phase)


def _number_back(call: Call, caller: str, env: Environment) -> str:
    """What is dialled to call back; "" = nothing can be."""
    number = clean(caller)
    box = env.directory.boxes.get(_hearing(call).box)
    if not number or number in env.directory.emergency:
        return ""
    return number if box is None or number in env.directory.extensions else box.dial_prefix + number


def _follow(call: Call, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    actions = standing.actions
    if standing.answered is not None:
        message = _message(call)
        if message is not None:
            by = call.legs[call.a].name
            actions = [*actions, ChangeMessage(call.call_id, call.a, message.message_id, "called_back", by)]
        call.b = standing.answered.leg_id
        end_segment(call, call.legs[call.a], now, env)
        return to_phase("bridged", [*actions, media.StopPlay(call.call_id, call.a)])
    if standing.failed is not None:
        sorry = [env.refused, *announcements.phrase("message_keys", _language(call))]
        return stay([*actions, media.StopPlay(call.call_id, call.a, CALL_BACK), *_say(call, "menu", sorry, now)])
    return stay(actions)


# -- small parts -------------------------------------------------------------------------------------------------------


def _hearing(call: Call) -> HearingMessages:
    assert call.hearing is not None
    return call.hearing


def _language(call: Call) -> str:
    return _hearing(call).language


def _message(call: Call) -> MessageRecord | None:
    hearing = _hearing(call)
    return hearing.messages[hearing.index] if hearing.index < len(hearing.messages) else None


def _play_id(call: Call) -> str:
    return f"mailbox{_hearing(call).n_said}"


def _say(call: Call, stage: str, sources: list[str], now: float) -> list[Action]:
    hearing = _hearing(call)
    hearing.stage = stage
    hearing.n_said += 1
    call.timers[_WAIT] = now + SAYING_S
    return [media.Play(session=call.call_id, leg=call.a, play_id=_play_id(call), sources=[_PAUSE, *sources])]
