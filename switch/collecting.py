"""Collects digits of a party for the API: plays what asks for them, takes keys until there are enough, a last one is
pressed, or no more come (FEATURES TEL-23). Pure.
"""

from model import media
from model.events_audio import CallDigitsCollected
from switch.actions import Action
from switch.call import Call, Collecting, Leg

TIMER = "collect:"


def begin(call: Call, leg: Leg, wanted: Collecting, now: float) -> list[Action]:
    """A collection that is running is over with what it has."""
    actions = silence(call, leg) + end(call, leg, "replaced")
    leg.collecting = wanted
    if wanted.sources:
        # The time for the first key begins when the question is out, at the latest after it could be.
        actions.append(
            media.Play(
                session=call.call_id, leg=leg.leg_id, play_id=wanted.collect_id, sources=wanted.sources, is_looped=False
            )
        )
        call.timers[TIMER + leg.leg_id] = now + wanted.max_prompt_s + wanted.first_digit_s
    else:
        call.timers[TIMER + leg.leg_id] = now + wanted.first_digit_s
    return actions


def prompt_ended(call: Call, leg: Leg, play_id: str, now: float) -> bool:
    """Whether what ended was the question of a collection."""
    wanted = leg.collecting
    if wanted is None or wanted.collect_id != play_id:
        return False
    if not wanted.digits:
        call.timers[TIMER + leg.leg_id] = now + wanted.first_digit_s
    return True


def on_digit(call: Call, leg: Leg, digit: str, now: float) -> list[Action]:
    """The leg pressed a key while it is asked."""
    wanted = leg.collecting
    assert wanted is not None
    actions = silence(call, leg)
    if digit in wanted.terminators:
        return actions + end(call, leg, "terminator")
    wanted.digits += digit
    if len(wanted.digits) >= wanted.max_digits:
        return actions + end(call, leg, "complete")
    call.timers[TIMER + leg.leg_id] = now + wanted.next_digit_s
    return actions


def due(call: Call, name: str) -> list[Action]:
    """A timer whose name begins with `TIMER`: no more keys come."""
    leg = call.legs.get(name.removeprefix(TIMER))
    return end(call, leg, "timeout") if leg is not None else []


def silence(call: Call, leg: Leg) -> list[Action]:
    """The question is not asked any more."""
    wanted = leg.collecting
    if wanted is None or not wanted.sources or wanted.digits:
        return []
    return [media.StopPlay(call.call_id, leg.leg_id, wanted.collect_id)]


def end(call: Call, leg: Leg, reason: str) -> list[Action]:
    """Tells what there is; nothing when nothing is collected."""
    wanted, leg.collecting = leg.collecting, None
    call.timers.pop(TIMER + leg.leg_id, None)
    if wanted is None:
        return []
    told = CallDigitsCollected(
        call_id=call.call_id, leg_id=leg.leg_id, collect_id=wanted.collect_id, digits=wanted.digits, reason=reason
    )
    return [told]
