"""Keys during a call, for phones without a screen: transfer, consult, three-way, hold, park (docs/feature-codes.md).

The digits of a leg with codes come here alone (`Leg.has_keys`); those that are no code are passed on as soon as that is
sure. While a number is typed the others hear music, and the first star takes it back. Pure.
"""

from model import media
from model.causes import HangupCause
from switch import consults, parking, transfers
from switch.actions import Action, SendInfoDigits
from switch.call import MAIN, Call, Consult, Leg
from switch.environment import Environment
from switch.hearing import settle
from switch.monitor import SUPERVISOR
from switch.phases.outcome import Outcome, stay
from switch.purposes import LEFT

PLAY = "keys"
TIMER = "keys:"
CODE_S = 1.5
"""So long after a key that may begin a code the next one is waited for."""
FIRST_DIGIT_S = 10.0
NEXT_DIGIT_S = 4.0
MAX_DIGITS = 32
_DIGIT_MS = 100


def on_digit(call: Call, leg: Leg, digit: str, now: float, env: Environment) -> Outcome:
    """The leg pressed a key."""
    call.timers.pop(TIMER + leg.leg_id, None)
    if leg.keys_for:
        return _number_digit(call, leg, digit, now, env)
    typed = leg.keys + digit
    codes = env.in_call_codes
    if typed in codes:
        leg.keys = ""
        return _do(call, leg, codes[typed], now, env)
    if any(code.startswith(typed) for code in codes):
        leg.keys = typed
        call.timers[TIMER + leg.leg_id] = now + CODE_S
        return stay()
    leg.keys = ""
    return stay(_pass_on(call, leg, typed))


def due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    """A timer whose name begins with `TIMER`."""
    leg = call.legs.get(name.removeprefix(TIMER))
    if leg is None or leg.is_ended:
        return stay()
    if leg.keys_for:
        return _dial(call, leg, now, env) if leg.keys else stay(_give_up(call, leg, now, env))
    typed, leg.keys = leg.keys, ""
    return stay(_pass_on(call, leg, typed))


def _do(call: Call, leg: Leg, what: str, now: float, env: Environment) -> Outcome:
    consult = next((each for each in call.consults.values() if each.by == leg.leg_id), None)
    if consult is not None:
        return _of_consult(call, leg, consult, what, now, env)
    match what:
        case "transfer" | "consult" if leg.room == MAIN and call.company(leg):
            return stay(_ask_number(call, leg, what, now, env))
        case "hold" if leg.room == MAIN and call.company(leg):
            return stay(_hold(call, leg, now, env))
        case "park" if parking.refusal(call, leg, "", env) is None:
            return parking.begin(call, leg, "", now, env)
        case "back" if any(each.is_held for each in call.company(leg)):
            return stay(_hold(call, leg, now, env))
        case _:
            return stay([_say(leg, env.refused)])


def _of_consult(call: Call, leg: Leg, consult: Consult, what: str, now: float, env: Environment) -> Outcome:
    change = {"transfer": "complete", "consult": "swap", "join": "merge", "back": "cancel"}.get(what, "")
    if not change or consults.why_not(call, consult, change):
        return stay([_say(leg, env.refused)])
    return consults.change(call, consult.consult_id, change, now, env)


def _hold(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    """Puts the others on hold, or takes them back."""
    others = call.company(leg)
    is_held = not any(each.is_held for each in others)
    for each in others:
        each.is_held = is_held and each.role != SUPERVISOR
    return [*settle(call, now, env), _say(leg, env.confirmed)]


def _ask_number(call: Call, leg: Leg, what: str, now: float, env: Environment) -> list[Action]:
    leg.keys_for, leg.keys = what, ""
    held = [each for each in call.company(leg) if not each.is_held and each.role != SUPERVISOR]
    leg.keys_held = tuple(each.leg_id for each in held)
    for each in held:
        each.is_held = True
    call.timers[TIMER + leg.leg_id] = now + FIRST_DIGIT_S
    tone = f"tone:dial/{env.config.media.tone_plan}"
    return [*settle(call, now, env), _say(leg, tone, is_looped=True)]


def _number_digit(call: Call, leg: Leg, digit: str, now: float, env: Environment) -> Outcome:
    if digit == "*":
        return stay(_give_up(call, leg, now, env))
    actions: list[Action] = [] if leg.keys else [media.StopPlay(call.call_id, leg.leg_id, PLAY)]
    if digit != "#":
        leg.keys += digit
        call.timers[TIMER + leg.leg_id] = now + NEXT_DIGIT_S
        if len(leg.keys) < MAX_DIGITS:
            return stay(actions)
    outcome = _dial(call, leg, now, env) if leg.keys else stay(_give_up(call, leg, now, env))
    return Outcome(actions + outcome.actions, outcome.next_phase)


def _dial(call: Call, leg: Leg, now: float, env: Environment) -> Outcome:
    what, number = leg.keys_for, leg.keys
    actions = _take_back(call, leg, now, env)
    if what == "transfer":
        made = transfers.prepare(call, leg, number, now, env)
        begun = None if isinstance(made, HangupCause) else transfers.begin(call, leg, made, now, env)
    else:
        made = consults.prepare(call, leg, env.ids.token(16), number, 0.0, now, env)
        begun = None if isinstance(made, HangupCause) else consults.begin(call, leg, made, now, env)
    if begun is None:
        return stay([*actions, _say(leg, env.refused)])
    return Outcome(actions + begun.actions, begun.next_phase)


def _give_up(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    stop = media.StopPlay(call.call_id, leg.leg_id, PLAY)
    return [stop, *_take_back(call, leg, now, env), _say(leg, env.refused)]


def _take_back(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    """The others are no longer kept waiting for a number."""
    call.timers.pop(TIMER + leg.leg_id, None)
    for leg_id in leg.keys_held:
        held = call.legs.get(leg_id)
        if held is not None:
            held.is_held = False
    leg.keys, leg.keys_for, leg.keys_held = "", "", ()
    return settle(call, now, env)


def _left(call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome | None:
    """Who hangs up in the middle of a number keeps nobody waiting for it."""
    if leg.keys_held:
        _take_back(call, leg, now, env)
    return None


def _pass_on(call: Call, leg: Leg, digits: str) -> list[Action]:
    """Digits that are no code go where they would have gone."""
    actions: list[Action] = []
    for edge in call.edges or ():
        other = call.legs.get(edge.listener)
        if edge.speaker != leg.leg_id or other is None or other.role == SUPERVISOR or other.keeps_digits:
            continue
        if other.dtmf == "info":
            actions.append(SendInfoDigits(call.call_id, other.leg_id, digits, _DIGIT_MS))
        else:
            sent = media.SendDigits(session=call.call_id, leg=other.leg_id, digits=digits, duration_ms=_DIGIT_MS)
            actions.append(sent)
    return actions


def _say(leg: Leg, source: str, *, is_looped: bool = False) -> media.Play:
    return media.Play(session=leg.call_id, leg=leg.leg_id, play_id=PLAY, sources=[source], is_looped=is_looped)


LEFT.insert(0, _left)
