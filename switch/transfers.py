"""Transfers without consultation: a party of a live call waits while somebody else is rung for it, and whoever
transferred is rung again when nobody answers.

By API the leg that transfers leaves at once; by REFER it stays aside until its phone knows how it went (RFC 5589).
Pure.
"""

from model import events
from model.causes import HangupCause
from sip.refer import Replaces
from switch import recordings, ringing, sending_on
from switch.actions import Action, RelocateLeg, ReportRefer, TakeRefer
from switch.call import MAIN, Call, Leg
from switch.causes import status_of_cause
from switch.environment import Environment
from switch.hearing import settle
from switch.phases.outcome import Outcome, releasing, stay
from switch.phases.route import plan
from switch.purposes import ANSWERED, FAILED, LEFT, follow
from switch.release import drop_audio, end_leg
from switch.ring_plan import Ringing
from switch.routing import Origin, choose_route

PURPOSES = ("transfer", "recall")
LINGER_S = 1.0
"""What a phone gets to end its leg by itself once it knows that its transfer went well."""
_LINGER = "linger:"


def prepare(
    call: Call,
    by: Leg,
    number: str,
    now: float,
    env: Environment,
    *,
    ring_timeout_s: float = 0.0,
    is_recalled: bool = True,
    refer: str = "",
    referred_by: str = "",
    replaces: Replaces | None = None,
) -> Ringing | HangupCause:
    """A transfer that may begin, or why it may not: the rights of who transfers decide. Changes nothing."""
    others = call.company(by)
    if by.room != MAIN or not others or any(each.by == by.leg_id for each in call.ringings.values()):
        return HangupCause.NORMAL_TEMPORARY_FAILURE
    waiting = others[0]
    made = Ringing(
        ringing_id=env.ids.token(16),
        purpose="transfer",
        caller_leg=waiting.leg_id if len(others) == 1 else "",
        by=by.leg_id,
        caller=number_of(waiting),
        caller_name=call.caller_name if waiting.leg_id == call.a else "",
        dialed=number,
        has_ringback=True,
        ring_timeout_s=ring_timeout_s,
        role=by.role,
        refer=refer,
        recall_to=by.name if is_recalled and by.kind == "extension" else "",
    )
    origin = origin_of(by, env)
    if target := sending_on.target_of(choose_route(env.directory, origin, number, env.wall(now))):
        # Only one can be sent on, and nobody who has just been rung for somebody else.
        if len(others) > 1 or call.ringings or call.consults:
            return HangupCause.NORMAL_TEMPORARY_FAILURE
        made.target = target
        return made
    refusal = plan(made, origin, number, now, env)
    if refusal is not None:
        return refusal
    show_referrer(made, by, env, referred_by, replaces)
    return made


def begin(call: Call, by: Leg, made: Ringing, now: float, env: Environment) -> Outcome:
    """Carries out what `prepare` made."""
    actions: list[Action] = [events.CallTransferStarted(call_id=call.call_id, by_leg_id=by.leg_id, number=made.dialed)]
    if made.target:
        actions += relay(call)
        return sending_on.send(call, by, made, actions, now, env)
    if made.refer:
        # Its phone ends the leg when it knows how the transfer went.
        actions.append(TakeRefer(call.call_id, by.leg_id, made.refer))
        by.room = ""
    else:
        actions += end_leg(by, HangupCause.BLIND_TRANSFER, "system", now, env) + drop_audio(by)
    actions += relay(call)
    outcome = follow(call, made, ringing.start(call, made, now, env), now, env)
    return Outcome(actions + outcome.actions, outcome.next_phase)


def linger(call: Call, leg: Leg, cause: HangupCause, now: float) -> None:
    """The leg's phone is being told that its transfer went well, and shall end it; if it does not, we do."""
    leg.room = ""
    leg.leaves_because = cause.value
    call.timers[_LINGER + leg.leg_id] = now + LINGER_S


def linger_due(call: Call, name: str, now: float, env: Environment) -> list[Action]:
    """The timer of that name is due; nothing when it is none of `linger`."""
    leg = call.legs.get(name.removeprefix(_LINGER)) if name.startswith(_LINGER) else None
    if leg is None or leg.is_ended:
        return []
    return end_leg(leg, HangupCause(leg.leaves_because), "system", now, env) + drop_audio(leg)


def relay(call: Call) -> list[Action]:
    """Audio that went directly comes by the switch from now on: what goes from one to another must."""
    if not call.is_direct:
        return []
    call.is_direct = False
    # Who wants it direct wants no recording either.
    call.wants_recording = False
    actions: list[Action] = []
    for leg in call.legs.values():
        if leg.is_up:
            leg.is_direct = False
            actions.append(RelocateLeg(call.call_id, leg.leg_id))
    return actions


def origin_of(leg: Leg, env: Environment) -> Origin:
    """Whose rights count when the leg sends a call on."""
    directory = env.directory
    if leg.kind == "trunk":
        return Origin(number_of(leg), trunk=directory.trunks.get(leg.name))
    return Origin(number_of(leg), directory.extensions.get(leg.name))


def number_of(leg: Leg) -> str:
    """The number of who is at the other end of a leg."""
    if leg.kind == "extension":
        return leg.name
    return leg.caller if leg.direction == "in" else leg.dialed


def show_referrer(made: Ringing, by: Leg, env: Environment, referred_by: str, replaces: Replaces | None) -> None:
    """Phones of ours are told who sent the call on (RFC 3892); the outside is not."""
    shown = referred_by or (f"<sip:{by.name}@{env.config.sip.realm}>" if by.kind == "extension" else "")
    for step in made.plan:
        for target in step.targets:
            target.replaces = replaces
            if target.kind == "extension":
                target.referred_by = shown


def join(call: Call, leg: Leg, role: str, now: float, env: Environment) -> list[Action]:
    """A leg that answered is one of the conversation."""
    leg.room, leg.role = MAIN, role
    leg.bridged_utc = leg.bridged_utc or env.wall(now)
    if leg.kind == "extension":
        call.extension = leg.name
    actions = settle(call, now, env)
    other = call.other(leg.leg_id)
    if other is not None:
        actions.append(events.CallConnected(call_id=call.call_id, leg_id=other.leg_id, peer_leg_id=leg.leg_id))
    if call.recording is None and recordings.is_wanted(call, env):
        actions += recordings.start(call, now, env)
    return actions


def _answered(call: Call, made: Ringing, leg: Leg, now: float, env: Environment) -> Outcome:
    actions: list[Action] = [events.CallAnswered(call_id=call.call_id, leg_id=leg.leg_id)]
    by = call.legs.get(made.by)
    if made.refer:
        actions.append(ReportRefer(call.call_id, made.by, made.refer, 200))
    if by is not None and by.is_up:
        linger(call, by, HangupCause.BLIND_TRANSFER, now)
    actions += join(call, leg, made.role, now, env)
    actions.append(
        events.CallTransferred(
            call_id=call.call_id,
            kind="blind" if made.purpose == "transfer" else "recalled",
            by_leg_id=made.by,
            leg_id=leg.leg_id,
            number=number_of(leg),
            data=dict(call.variables),
        )
    )
    return stay(actions)


def _failed(call: Call, made: Ringing, cause: HangupCause, now: float, env: Environment) -> Outcome:
    """Back to who transferred, if he is still there; else he is rung; else the call is over."""
    actions: list[Action] = []
    if made.refer:
        actions.append(ReportRefer(call.call_id, made.by, made.refer, status_of_cause(cause)[0]))
    recall = None
    by = call.legs.get(made.by)
    is_back = by is not None and by.is_up
    if by is not None and is_back:
        by.room = MAIN
    else:
        recall = _recall(call, made, now, env)
    actions.append(
        events.CallTransferFailed(
            call_id=call.call_id,
            by_leg_id=made.by,
            number=made.dialed,
            cause=cause,
            is_recalled=recall is not None,
        )
    )
    if recall is not None:
        outcome = follow(call, recall, ringing.start(call, recall, now, env), now, env)
        return Outcome(actions + outcome.actions, outcome.next_phase)
    if len(call.in_room(MAIN)) < 2:
        return releasing(call, cause, "system", now, env, actions)
    return stay(actions + settle(call, now, env))


def _recall(call: Call, made: Ringing, now: float, env: Environment) -> Ringing | None:
    timeout_s = env.config.calls.recall_timeout_s
    if not made.recall_to or not timeout_s or made.caller_leg not in call.legs:
        return None
    recall = Ringing(
        ringing_id=env.ids.token(16),
        purpose="recall",
        caller_leg=made.caller_leg,
        by=made.by,
        caller=made.caller,
        caller_name=made.caller_name,
        dialed=made.recall_to,
        has_ringback=True,
        ring_timeout_s=timeout_s,
        role=made.role,
    )
    # The switch itself asks for it: whatever the rights of anybody.
    return recall if plan(recall, Origin(made.caller), made.recall_to, now, env) is None else None


def _left(call: Call, leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> Outcome | None:
    """Who waits for a transfer has left: nobody need answer any more."""
    actions: list[Action] = []
    for made in list(call.ringings.values()):
        if made.purpose in PURPOSES and made.caller_leg == leg.leg_id:
            actions += ringing.stop(call, made, HangupCause.ORIGINATOR_CANCEL, now, env)
            if made.refer:
                actions.append(ReportRefer(call.call_id, made.by, made.refer, 487))
    if not actions:
        return None
    if len(call.in_room(MAIN)) < 2 and not call.ringings:
        return releasing(call, cause, side, now, env, actions)
    return stay(actions + settle(call, now, env) + drop_audio(leg))


for _purpose in PURPOSES:
    ANSWERED[_purpose] = _answered
    FAILED[_purpose] = _failed
LEFT.append(_left)
