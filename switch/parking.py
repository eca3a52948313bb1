"""Parking: a party waits with music in an orbit, a number that any extension dials to take it. When nobody does,
whoever parked it is rung, then the overflow, then it waits on (FEATURES XTEL-03). Pure.
"""

from collections.abc import Iterable

from model.causes import HangupCause
from model.events_services import CallParked, CallRetrieved
from switch import ringing
from switch.actions import Action, AnswerLeg, ReportRefer, TakeRefer, TellCall
from switch.call import MAIN, Call, Leg, Parked
from switch.environment import Environment
from switch.hearing import settle
from switch.leg_events import LegRetrieves
from switch.phases.outcome import Outcome, releasing, stay
from switch.phases.route import plan
from switch.purposes import ANSWERED, FAILED, LEFT, follow
from switch.release import drop_audio, end_leg
from switch.ring_plan import Ringing
from switch.routing import Origin
from switch.transfers import join, linger, number_of, relay

RECALL, OVERFLOW, FETCH = "park_recall", "park_overflow", "park_fetch"
TIMERS = ("park", "park_end")


def orbit_of(dialed: str, env: Environment) -> str | None:
    """The orbit that a call is parked in by sending it to this number ("" = any free one); None: no parking."""
    feature = env.features.find(dialed)
    if feature is not None and feature.name == "park":
        return feature.number
    return dialed if dialed in env.orbits else None


def find(calls: Iterable[Call], dialed: str, by: str, env: Environment) -> tuple[Call, Leg] | None:
    """The parked call, and its leg, that extension `by` takes by dialling this: that of the orbit, or with the code
    alone the one that waits longest, its own ones first."""
    feature = env.features.find(dialed)
    orbit = feature.number if feature is not None and feature.name == "retrieve" else dialed
    parked = [(call, call.parked) for call in calls if call.parked is not None]
    if orbit:
        parked = [each for each in parked if each[1].orbit == orbit]
    elif feature is None:
        return None
    parked.sort(key=lambda each: (each[1].by != by, each[1].since_utc))
    return (parked[0][0], parked[0][0].legs[parked[0][1].leg_id]) if parked else None


def refusal(call: Call, by: Leg, orbit: str, env: Environment) -> HangupCause | None:
    """Why the party of `by` cannot be parked there; None: it can."""
    if by.kind != "extension" or by.room != MAIN or len(call.company(by)) != 1 or call.parked is not None:
        return HangupCause.NORMAL_TEMPORARY_FAILURE
    if any(each.by == by.leg_id for each in call.ringings.values()):
        return HangupCause.NORMAL_TEMPORARY_FAILURE
    return env.orbits.refusal(orbit)


def begin(call: Call, by: Leg, orbit: str, now: float, env: Environment, refer: str = "") -> Outcome:
    """Carries out what `refusal` allowed: `by` leaves, and whoever it talks with waits."""
    (waiting,) = call.company(by)
    orbit = env.orbits.take(orbit, call.call_id)
    call.parked = Parked(orbit, waiting.leg_id, by.name, env.wall(now))
    waiting.is_held = True
    actions: list[Action] = []
    if refer:
        actions = [TakeRefer(call.call_id, by.leg_id, refer), ReportRefer(call.call_id, by.leg_id, refer, 200)]
        linger(call, by, HangupCause.BLIND_TRANSFER, now)
    else:
        actions = end_leg(by, HangupCause.BLIND_TRANSFER, "system", now, env) + drop_audio(by)
    settings = env.config.parking
    _arm(call, now, env)
    if settings.max_s:
        call.timers["park_end"] = now + settings.max_s
    actions += relay(call) + settle(call, now, env)
    actions.append(CallParked(call_id=call.call_id, leg_id=waiting.leg_id, orbit=orbit, by=by.name))
    return stay(actions)


def retrieve(call: Call, leg: Leg, event: LegRetrieves, now: float, env: Environment) -> Outcome:
    """`leg`, new in the call, has dialled the orbit: it is answered, and once it has its audio it takes the party."""
    if call.parked is None:
        return stay(end_leg(leg, HangupCause.CALL_REJECTED, "system", now, env) if leg.state == "ringing" else [])
    if not event.is_ready:
        leg.state = "ringing"
        ready = LegRetrieves(call.call_id, leg.leg_id, is_ready=True)
        return stay([AnswerLeg(call.call_id, leg.leg_id), TellCall(ready)])
    if leg.is_ended:
        return stay()
    leg.state = "answered"
    leg.answered_utc = env.wall(now)
    leg.sip_status = 200
    return stay(_take(call, leg, "dialed", now, env))


def fetch(call: Call, number: str, now: float, env: Environment) -> Ringing | HangupCause:
    """A ringing of whoever shall take the parked party, or why there can be none."""
    parked = call.parked
    if parked is None or call.ringings:
        return HangupCause.NORMAL_TEMPORARY_FAILURE
    return _ring(call, parked, FETCH, number, Origin(number_of(_waiting(call, parked))), now, env)


def start(call: Call, made: Ringing, now: float, env: Environment) -> Outcome:
    """Rings what `fetch` made."""
    return follow(call, made, ringing.start(call, made, now, env), now, env)


def due(call: Call, name: str, now: float, env: Environment) -> Outcome:
    """One of `TIMERS`."""
    parked = call.parked
    if parked is None:
        return stay()
    if name == "park_end":
        return releasing(call, HangupCause.ALLOTTED_TIMEOUT, "system", now, env)
    if call.ringings:
        return stay(_arm(call, now, env))
    # The switch itself asks for it: whatever the rights of anybody.
    made = _ring(call, parked, RECALL, parked.by, Origin(number_of(_waiting(call, parked))), now, env)
    return _next(call, parked, now, env) if isinstance(made, HangupCause) else start(call, made, now, env)


def _next(call: Call, parked: Parked, now: float, env: Environment) -> Outcome:
    """Nobody is there who parked it."""
    to = env.config.parking.overflow_to
    entry = env.directory.extensions.get(parked.by)
    if to and entry is not None:
        made = _ring(call, parked, OVERFLOW, to, Origin(parked.by, entry), now, env)
        if isinstance(made, Ringing):
            return start(call, made, now, env)
    return stay(_arm(call, now, env))


def _ring(
    call: Call, parked: Parked, purpose: str, number: str, origin: Origin, now: float, env: Environment
) -> Ringing | HangupCause:
    waiting = _waiting(call, parked)
    made = Ringing(
        ringing_id=env.ids.token(16),
        purpose=purpose,
        caller_leg=waiting.leg_id,
        caller=number_of(waiting),
        # Whose phone rings sees that it is no new call.
        caller_name=f"{parked.orbit} {call.caller_name if waiting.leg_id == call.a else ''}".strip(),
        dialed=number,
        ring_timeout_s=env.config.parking.recall_s,
        role="agent",
    )
    return plan(made, origin, number, now, env) or made


def _answered(call: Call, made: Ringing, leg: Leg, now: float, env: Environment) -> Outcome:
    how = {RECALL: "recalled", OVERFLOW: "overflow", FETCH: "fetched"}[made.purpose]
    return stay(_take(call, leg, how, now, env))


def _failed(call: Call, made: Ringing, cause: HangupCause, now: float, env: Environment) -> Outcome:
    parked = call.parked
    if parked is None:
        return stay()
    return _next(call, parked, now, env) if made.purpose == RECALL else stay(_arm(call, now, env))


def _take(call: Call, leg: Leg, how: str, now: float, env: Environment) -> list[Action]:
    """`leg` talks with whoever was parked."""
    parked = call.parked
    assert parked is not None
    actions = _stop_ringing(call, HangupCause.ANSWERED_ELSEWHERE, now, env)
    _waiting(call, parked).is_held = False
    _unpark(call, env)
    told = CallRetrieved(call_id=call.call_id, leg_id=leg.leg_id, orbit=parked.orbit, by=leg.name, how=how)
    return [*actions, *join(call, leg, "agent", now, env), told]


def _left(call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome | None:
    parked = call.parked
    if parked is None:
        return None
    if leg.leg_id != parked.leg_id:
        return stay([*settle(call, now, env), *drop_audio(leg)])
    return releasing(call, cause, side, now, env, _stop_ringing(call, HangupCause.ORIGINATOR_CANCEL, now, env))


def _stop_ringing(call: Call, cause: HangupCause, now: float, env: Environment) -> list[Action]:
    actions: list[Action] = []
    for made in list(call.ringings.values()):
        if made.purpose in (RECALL, OVERFLOW, FETCH):
            actions += ringing.stop(call, made, cause, now, env)
    return actions


def _unpark(call: Call, env: Environment) -> None:
    call.parked = None
    for name in TIMERS:
        call.timers.pop(name, None)
    env.orbits.free(call.call_id)


def _arm(call: Call, now: float, env: Environment) -> list[Action]:
    if env.config.parking.timeout_s:
        call.timers["park"] = now + env.config.parking.timeout_s
    return []


def _waiting(call: Call, parked: Parked) -> Leg:
    return call.legs[parked.leg_id]


for _purpose in (RECALL, OVERFLOW, FETCH):
    ANSWERED[_purpose] = _answered
    FAILED[_purpose] = _failed
LEFT.append(_left)
