"""Consultations: a leg of a live call talks with somebody else while the others hear music; then it goes back to them,
hands them over, or brings all together (FEATURES TEL-13, TEL-14, XTEL-02).

Each has a room of its own. Whoever consults and hangs up hands the others over: to the consulted party when it has
answered, else as a transfer that may still be answered. Pure.
"""

from model import events
from model.causes import HangupCause
from switch import ringing
from switch.actions import Action
from switch.call import MAIN, Call, Consult, Leg
from switch.environment import Environment
from switch.hearing import settle
from switch.phases.outcome import Outcome, releasing, stay
from switch.phases.route import plan
from switch.purposes import ANSWERED, FAILED, LEFT, follow
from switch.release import drop_audio, end_leg
from switch.ring_plan import Ringing
from switch.transfers import join, number_of, origin_of, show_referrer


def prepare(
    call: Call, by: Leg, consult_id: str, number: str, ring_timeout_s: float, now: float, env: Environment
) -> Ringing | HangupCause:
    """A consultation that may begin, or why it may not. Changes nothing."""
    if by.room != MAIN or call.is_direct or not call.company(by):
        return HangupCause.NORMAL_TEMPORARY_FAILURE
    entry = env.directory.extensions.get(by.name) if by.kind == "extension" else None
    made = Ringing(
        ringing_id=consult_id,
        purpose="consult",
        caller_leg=by.leg_id,
        by=by.leg_id,
        caller=number_of(by),
        caller_name=entry.name if entry is not None else "",
        dialed=number,
        has_ringback=True,
        ring_timeout_s=ring_timeout_s,
        role="consulted",
    )
    refusal = plan(made, origin_of(by, env), number, now, env)
    if refusal is not None:
        return refusal
    show_referrer(made, by, env, "", None)
    return made


def begin(call: Call, by: Leg, made: Ringing, now: float, env: Environment) -> Outcome:
    """Carries out what `prepare` made."""
    consult = Consult(consult_id=made.ringing_id, by=by.leg_id, number=made.dialed, started_utc=env.wall(now))
    call.consults[consult.consult_id] = consult
    by.room = consult.consult_id
    told = _told(call, consult, "ringing")
    outcome = follow(call, made, ringing.start(call, made, now, env), now, env)
    return Outcome([told, *outcome.actions], outcome.next_phase)


def change(call: Call, consult_id: str, what: str, now: float, env: Environment) -> Outcome:
    """cancel, complete, swap or merge; nothing when the consultation cannot (`why_not`)."""
    consult = call.consults.get(consult_id)
    if consult is None or why_not(call, consult, what):
        return stay()
    match what:
        case "cancel":
            return stay(_cancel(call, consult, now, env))
        case "complete":
            return stay(_complete(call, consult, now, env))
        case "swap":
            by = call.legs[consult.by]
            by.room = MAIN if by.room == consult_id else consult_id
            return stay([*settle(call, now, env), _told(call, consult, "consulting")])
        case "merge":
            return stay(_merge(call, consult, now, env))
        case _:
            raise ValueError(what)


def why_not(call: Call, consult: Consult, what: str) -> str:
    """Why the consultation cannot be changed so; "" = it can."""
    if what in ("swap", "merge") and not consult.leg:
        return f"{consult.number} has not answered yet"
    if what in ("complete", "merge") and not call.in_room(MAIN):
        return "nobody is left to be connected with"
    return ""


def _told(call: Call, consult: Consult, state: str, cause: HangupCause | None = None) -> events.CallConsultChanged:
    by = call.legs[consult.by]
    is_over = state not in ("ringing", "consulting")
    return events.CallConsultChanged(
        call_id=call.call_id,
        consult_id=consult.consult_id,
        state=state,
        by_leg_id=consult.by,
        number=consult.number,
        leg_id=consult.leg,
        talks_with="" if is_over else "consulted" if by.room == consult.consult_id else "others",
        cause=cause.value if cause is not None else "",
    )


def _cancel(call: Call, consult: Consult, now: float, env: Environment) -> list[Action]:
    actions: list[Action] = []
    made = call.ringings.get(consult.consult_id)
    if made is not None:
        actions += ringing.stop(call, made, HangupCause.ORIGINATOR_CANCEL, now, env)
    consulted = call.legs.get(consult.leg)
    if consulted is not None:
        actions += end_leg(consulted, HangupCause.NORMAL_CLEARING, "system", now, env) + drop_audio(consulted)
    del call.consults[consult.consult_id]
    call.legs[consult.by].room = MAIN
    return [*actions, *settle(call, now, env), _told(call, consult, "cancelled")]


def _merge(call: Call, consult: Consult, now: float, env: Environment) -> list[Action]:
    del call.consults[consult.consult_id]
    call.legs[consult.by].room = MAIN
    told = _told(call, consult, "merged")
    return [*join(call, call.legs[consult.leg], "consulted", now, env), told]


def _complete(call: Call, consult: Consult, now: float, env: Environment) -> list[Action]:
    """The consulting leg leaves (or has left); whoever it consulted takes its place."""
    by = call.legs[consult.by]
    del call.consults[consult.consult_id]
    told = _told(call, consult, "completed")
    actions = end_leg(by, HangupCause.ATTENDED_TRANSFER, "system", now, env) + drop_audio(by)
    consulted = call.legs.get(consult.leg)
    if consulted is None:
        return [*actions, *_ring_on(call, consult, by, now, env), told]
    actions += join(call, consulted, by.role, now, env)
    transferred = events.CallTransferred(
        call_id=call.call_id,
        kind="attended",
        by_leg_id=by.leg_id,
        leg_id=consulted.leg_id,
        number=number_of(consulted),
        data=dict(call.variables),
    )
    return [*actions, told, transferred]


def _ring_on(call: Call, consult: Consult, by: Leg, now: float, env: Environment) -> list[Action]:
    """Nobody has answered yet: the consultation goes on as a transfer, and the others hear how it goes."""
    made = call.ringings[consult.consult_id]
    others = call.in_room(MAIN)
    made.purpose = "transfer"
    made.caller_leg = others[0].leg_id if len(others) == 1 else ""
    made.role = by.role
    made.recall_to = by.name if by.kind == "extension" else ""
    started = events.CallTransferStarted(call_id=call.call_id, by_leg_id=by.leg_id, number=consult.number)
    return [started, *settle(call, now, env)]


def _answered(call: Call, made: Ringing, leg: Leg, now: float, env: Environment) -> Outcome:
    consult = call.consults[made.ringing_id]
    consult.leg = leg.leg_id
    leg.role = "consulted"
    leg.bridged_utc = env.wall(now)
    answered = events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)
    if not call.in_room(MAIN):
        # The others did not wait; the two are the conversation now.
        return stay([answered, *_go_on_alone(call, consult, now, env)])
    leg.room = consult.consult_id
    return stay([answered, *settle(call, now, env), _told(call, consult, "consulting")])


def _go_on_alone(call: Call, consult: Consult, now: float, env: Environment) -> list[Action]:
    del call.consults[consult.consult_id]
    call.legs[consult.by].room = MAIN
    told = _told(call, consult, "merged")
    return [*join(call, call.legs[consult.leg], "consulted", now, env), told]


def _failed(call: Call, made: Ringing, cause: HangupCause, now: float, env: Environment) -> Outcome:
    """Nobody answered: back to the others."""
    consult = call.consults.pop(made.ringing_id)
    call.legs[consult.by].room = MAIN
    told = _told(call, consult, "failed", cause)
    if len(call.in_room(MAIN)) < 2:
        return releasing(call, cause, "system", now, env, [told])
    return stay([*settle(call, now, env), told])


def _left(call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome | None:
    for consult in list(call.consults.values()):
        if leg.leg_id == consult.by:
            return _consulting_left(call, consult, leg, cause, side, now, env)
        if leg.leg_id == consult.leg:
            return stay(_cancel(call, consult, now, env) + drop_audio(leg))
        if not call.in_room(MAIN):
            if consult.leg:
                return stay(_go_on_alone(call, consult, now, env) + drop_audio(leg))
            # It still rings for who consults.
            return stay(settle(call, now, env) + drop_audio(leg))
    return None


def _consulting_left(
    call: Call, consult: Consult, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment
) -> Outcome:
    if call.in_room(MAIN):
        return stay(_complete(call, consult, now, env) + drop_audio(leg))
    actions: list[Action] = []
    made = call.ringings.get(consult.consult_id)
    if made is not None:
        actions = ringing.stop(call, made, HangupCause.ORIGINATOR_CANCEL, now, env)
    return releasing(call, cause, side, now, env, actions)


ANSWERED["consult"] = _answered
FAILED["consult"] = _failed
LEFT.append(_left)
