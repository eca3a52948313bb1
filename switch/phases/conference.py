"""Phase conference: a room with any number of members. Who comes in (PIN, waiting for a moderator), what members and
moderators may do by keys and API, who has the floor, and when it ends. The conference is one call, recorded as one.
"""

from model import events_conference as told
from model import media
from model.causes import HangupCause
from switch import conference_floor as floor
from switch import recordings, ringing
from switch.actions import Action
from switch.answering import answer_caller
from switch.call import MAIN, Call, Leg
from switch.conference import Member, Room
from switch.conference_rights import KEYS_S, PIN_S, PIN_TRIES, choose_key, judge_pin, role_of
from switch.config_conference import Conference
from switch.environment import Environment
from switch.hearing import settle
from switch.leg_events import (
    CallEvent,
    ChangeMember,
    ChangeRoom,
    DropLeg,
    InviteMember,
    LegDigit,
    LegFailed,
    LegHolds,
    LegHungUp,
    LegJoins,
    LegResumes,
    LegSilent,
    LegSpeaks,
    MuteLeg,
    PlayEnded,
    RecordCall,
    Release,
    SecureLeg,
    SetData,
    Timeout,
    TimerDue,
)
from switch.phases import bridged
from switch.phases.outcome import Outcome, releasing, stay
from switch.phases.route import plan
from switch.release import drop_audio, end_leg, leg_left
from switch.ring_plan import Ringing
from switch.routing import Origin

PIN_PLAY = "pin"
_PAUSE = "silence:300"
"""Phones lose the first moment of what is played when they are answered."""


def enter(call: Call, now: float, env: Environment) -> Outcome:
    """The room opens: leg `a` has dialled it, or somebody will be invited."""
    room = room_of(call)
    call.is_direct = False
    limit = env.config.calls.max_duration_s
    call.deadline = now + limit if limit else 0.0
    actions: list[Action] = [told.ConferenceStarted(call_id=call.call_id, conference=room.name)]
    if not call.a:
        return stay(actions)
    return stay(actions + _arrive(call, call.legs[call.a], now, env))


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    leg = call.legs.get(event.leg_id)
    if leg is not None and leg.ringing:
        rung = call.ringings.get(leg.ringing)
        return _rung(call, rung, ringing.on(call, rung, leg, event, now, env), now, env) if rung else stay()
    member = room_of(call).members.get(event.leg_id)
    match event:
        case LegJoins() if leg is not None:
            return stay(_arrive(call, leg, now, env))
        case LegHungUp(cause=cause) if leg is not None:
            leg_left(leg, cause, now, env)
            return _gone(call, leg, "hung_up", now, env)
        case LegFailed(cause=cause) if leg is not None:
            return _gone(call, leg, "hung_up", now, env, end_leg(leg, cause, "system", now, env))
        case LegSilent() if leg is not None:
            actions = end_leg(leg, HangupCause.MEDIA_TIMEOUT, "system", now, env)
            return _gone(call, leg, "hung_up", now, env, actions)
        case DropLeg(cause=cause) if leg is not None and not leg.is_ended:
            return _gone(call, leg, "kicked", now, env, end_leg(leg, cause, "system", now, env))
        case LegDigit() if leg is not None and member is not None and not leg.is_secure:
            return _digit(call, leg, member, event, now, env)
        case LegSpeaks(is_speaking=is_speaking) if member is not None:
            return stay(floor.on_speaking(call, room_of(call), member, is_speaking))
        case ChangeMember() if leg is not None and member is not None:
            return stay(_change(call, leg, member, event, now, env))
        case ChangeRoom():
            return stay(_change_room(call, event, now, env))
        case InviteMember():
            return _invite(call, event, now, env)
        case TimerDue(name=name) if name.startswith("pin:") and (late := _whose_timer(call, name)) is not None:
            return _turn_away(call, late, "no_pin", now, env)
        case TimerDue(name=name) if (rung := _whose_ringing(call, name)) is not None:
            return _rung(call, rung, ringing.no_answer(call, rung, now, env), now, env)
        case TimerDue(name=name):
            return stay(ringing.timer_due(call, name))
        case Timeout():
            return _end(call, HangupCause.ALLOTTED_TIMEOUT, now, env)
        case Release(cause=cause):
            return _end(call, cause, now, env)
        case MuteLeg(is_muted=is_muted) if leg is not None and member is not None:
            return stay(_change(call, leg, member, ChangeMember(call.call_id, leg.leg_id, is_muted=is_muted), now, env))
        case PlayEnded() | SecureLeg() | RecordCall() | SetData() | LegHolds() | LegResumes():
            return bridged.on(call, event, now, env)
        case _:
            return stay()


def room_of(call: Call) -> Room:
    assert call.conference is not None
    return call.conference


def settings_of(call: Call, env: Environment) -> Conference:
    """What the configuration says of the room."""
    return env.directory.conferences[room_of(call).number]


# -- coming in --------------------------------------------------------------------------------------------------------


def _arrive(call: Call, leg: Leg, now: float, env: Environment) -> list[Action]:
    """Somebody has dialled the room: he is answered, and asked for the PIN where there is one."""
    room, settings = room_of(call), settings_of(call, env)
    role = role_of(settings, leg)
    is_full = len(room.members) >= settings.max_members
    if is_full or (room.is_locked and role != "moderator"):
        cause = HangupCause.USER_BUSY if is_full else HangupCause.CALL_REJECTED
        return end_leg(leg, cause, "system", now, env)
    member = room.members[leg.leg_id] = Member(leg_id=leg.leg_id, number=leg.caller, role=role)
    _prepare(leg)
    actions = answer_caller(call, leg, now, env)
    if role != "moderator" and (settings.pin or (settings.moderator_pin and settings.waits_for_moderator)):
        call.timers[member.timer] = now + PIN_S
        return [*actions, _ask(call, leg, settings, env)]
    return actions + _enter(call, leg, member, now, env)


def _prepare(leg: Leg) -> None:
    leg.is_direct = False
    leg.keeps_digits = leg.detects_speech = True


def _ask(call: Call, leg: Leg, settings: Conference, env: Environment, *, is_again: bool = False) -> Action:
    plan_ = env.config.media.tone_plan
    asked = settings.pin_prompt or f"tone:special_dial/{plan_}"
    sources = [settings.pin_refused or f"tone:congestion/{plan_}"] if is_again else [_PAUSE]
    play = [*sources, asked]
    is_tone = not settings.pin_prompt
    return media.Play(call.call_id, leg.leg_id, PIN_PLAY, [env.sound(each) for each in play], is_looped=is_tone)


def _enter(call: Call, leg: Leg, member: Member, now: float, env: Environment) -> list[Action]:
    room, settings = room_of(call), settings_of(call, env)
    call.timers.pop(member.timer, None)
    wall = env.wall(now)
    leg.role = member.role
    leg.room = MAIN
    leg.bridged_utc = member.joined_utc = wall
    call.bridged_utc = call.bridged_utc or wall
    is_opened = member.role == "moderator" and not room.has_had_moderator
    room.has_had_moderator |= member.role == "moderator"
    member.typed = ""
    member.is_muted |= room.is_everybody_muted and member.role != "moderator"
    member.state = "waiting" if settings.waits_for_moderator and not room.has_had_moderator else "in"
    if is_opened:
        for each in room.inside():
            each.state = "in"
    actions = _apply(call, now, env)
    actions.append(
        told.ConferenceJoined(
            call_id=call.call_id,
            conference=room.name,
            leg_id=leg.leg_id,
            number=member.number,
            role=member.role,
            is_waiting=member.state == "waiting",
        )
    )
    return actions


def _apply(call: Call, now: float, env: Environment) -> list[Action]:
    """Makes the legs what the members are, and begins the recording with the conversation."""
    room = room_of(call)
    for member in room.inside():
        leg = call.legs[member.leg_id]
        leg.is_held = member.state == "waiting"
        leg.is_muted = member.is_muted or member.role == "listener"
    actions = settle(call, now, env)
    n_in = sum(each.state == "in" for each in room.inside())
    is_wanted = env.config.recording.enabled and settings_of(call, env).is_recorded and call.wants_recording
    if n_in >= 2 and is_wanted and not call.n_recordings:
        actions += recordings.start(call, now, env, channels_wanted="mono")
    return actions


# -- keys -------------------------------------------------------------------------------------------------------------


def _digit(call: Call, leg: Leg, member: Member, event: LegDigit, now: float, env: Environment) -> Outcome:
    if event.is_secure or bridged.is_told(leg, event, now):
        return stay()
    if member.state != "pin":
        return _key(call, leg, member, event.digit, now, env)
    settings = settings_of(call, env)
    call.timers[member.timer] = now + PIN_S
    is_complete, role = judge_pin(settings, member, event.digit)
    if not is_complete:
        return stay([media.StopPlay(call.call_id, leg.leg_id, PIN_PLAY)] if len(member.typed) == 1 else [])
    member.typed = ""
    if role:
        member.role = role
        stop = media.StopPlay(call.call_id, leg.leg_id, PIN_PLAY)
        return stay([stop, *_enter(call, leg, member, now, env)])
    member.n_tries += 1
    if member.n_tries >= PIN_TRIES:
        return _turn_away(call, member, "wrong_pin", now, env)
    return stay([_ask(call, leg, settings, env, is_again=True)])


def _key(call: Call, leg: Leg, member: Member, digit: str, now: float, env: Environment) -> Outcome:
    typed = member.typed + digit if now - member.typed_at < KEYS_S else digit
    what, member.typed = choose_key(typed, digit)
    member.typed_at = now
    room, is_moderator = room_of(call), member.role == "moderator"
    match what:
        case "mute":
            change = ChangeMember(call.call_id, leg.leg_id, is_muted=not member.is_muted)
            return stay(_change(call, leg, member, change, now, env))
        case "mute_all" if is_moderator:
            muted = ChangeRoom(call.call_id, "", is_everybody_muted=not room.is_everybody_muted)
            return stay(_change_room(call, muted, now, env))
        case "lock" if is_moderator:
            return stay(_change_room(call, ChangeRoom(call.call_id, "", is_locked=not room.is_locked), now, env))
        case "end" if is_moderator:
            return _end(call, HangupCause.NORMAL_CLEARING, now, env)
        case _:
            return stay()


# -- what is changed --------------------------------------------------------------------------------------------------


def _change(call: Call, leg: Leg, member: Member, change: ChangeMember, now: float, env: Environment) -> list[Action]:
    before = (member.role, member.is_muted, leg.is_deaf, leg.gain)
    if change.role is not None:
        member.role = leg.role = change.role
        if change.role == "moderator" and member.state != "pin":
            room_of(call).has_had_moderator = True
            for each in room_of(call).inside():
                each.state = "in"
    if change.is_muted is not None:
        member.is_muted = change.is_muted
    if change.is_deaf is not None:
        leg.is_deaf = change.is_deaf
    if change.volume is not None:
        leg.gain = change.volume
    if before == (member.role, member.is_muted, leg.is_deaf, leg.gain):
        return []
    return [*_apply(call, now, env), _changed(call, leg, member)]


def _changed(call: Call, leg: Leg, member: Member) -> Action:
    return told.ConferenceMemberChanged(
        call_id=call.call_id,
        conference=room_of(call).name,
        leg_id=leg.leg_id,
        role=member.role,
        is_muted=member.is_muted,
        is_deaf=leg.is_deaf,
        volume=leg.gain,
    )


def _change_room(call: Call, change: ChangeRoom, now: float, env: Environment) -> list[Action]:
    room = room_of(call)
    actions: list[Action] = []
    if change.is_locked is not None and change.is_locked != room.is_locked:
        room.is_locked = change.is_locked
        actions.append(told.ConferenceLocked(call_id=call.call_id, conference=room.name, is_locked=room.is_locked))
    if change.is_everybody_muted is not None:
        room.is_everybody_muted = change.is_everybody_muted
        for member in room.inside():
            if member.role != "moderator" and member.is_muted != change.is_everybody_muted:
                member.is_muted = change.is_everybody_muted
                actions.append(_changed(call, call.legs[member.leg_id], member))
        actions += _apply(call, now, env)
    return actions


# -- inviting ---------------------------------------------------------------------------------------------------------


def _invite(call: Call, order: InviteMember, now: float, env: Environment) -> Outcome:
    room = room_of(call)
    rung = Ringing(
        ringing_id=order.ringing_id,
        purpose="conference",
        caller=order.caller_id or room.number,
        dialed=order.number,
        ring_timeout_s=order.ring_timeout_s,
    )
    cause = plan(rung, Origin(caller=rung.caller), order.number, now, env)
    if cause is None:
        standing = ringing.start(call, rung, now, env)
        cause = standing.failed
        if cause is None:
            room.invited[order.ringing_id] = order.role
            for leg in ringing.rung_legs(call, rung):
                _prepare(leg)
            return stay(standing.actions)
    return _empty(call, cause, now, env) or stay()


def _rung(call: Call, rung: Ringing, standing: ringing.Standing, now: float, env: Environment) -> Outcome:
    room = room_of(call)
    if standing.failed is not None:
        room.invited.pop(rung.ringing_id, None)
        outcome = _empty(call, standing.failed, now, env) or stay()
        return Outcome(standing.actions + outcome.actions, outcome.next_phase)
    leg = standing.answered
    if leg is None:
        for each in ringing.rung_legs(call, rung):
            _prepare(each)
        return stay(standing.actions)
    role = room.invited.pop(rung.ringing_id, "member")
    call.answered_utc = call.answered_utc or leg.answered_utc
    member = room.members[leg.leg_id] = Member(leg_id=leg.leg_id, number=leg.dialed, role=role)
    return stay(standing.actions + _enter(call, leg, member, now, env))


# -- leaving ----------------------------------------------------------------------------------------------------------


def _turn_away(call: Call, member: Member, reason: str, now: float, env: Environment) -> Outcome:
    leg = call.legs[member.leg_id]
    return _gone(call, leg, reason, now, env, end_leg(leg, HangupCause.CALL_REJECTED, "system", now, env))


def _gone(
    call: Call, leg: Leg, reason: str, now: float, env: Environment, actions: list[Action] | None = None
) -> Outcome:
    """A leg is over."""
    room = room_of(call)
    actions = actions or []
    member = room.members.pop(leg.leg_id, None)
    cause = HangupCause(leg.hangup_cause or HangupCause.NORMAL_CLEARING)
    if member is None:
        return stay(actions + drop_audio(leg))
    call.timers.pop(member.timer, None)
    actions.append(_left(call, member, reason))
    if room.floor == leg.leg_id:
        speaking = [each.leg_id for each in room.inside() if each.is_speaking]
        actions += floor.give(call, room_of(call), speaking[0] if speaking else "")
    settings = settings_of(call, env)
    is_closed = settings.ends_with_moderator and member.role == "moderator" and not room.moderators()
    outcome = _end(call, cause, now, env) if is_closed else _empty(call, cause, now, env)
    if outcome is not None:
        return Outcome(actions + outcome.actions, outcome.next_phase)
    return stay(actions + _apply(call, now, env) + drop_audio(leg))


def _left(call: Call, member: Member, reason: str) -> Action:
    return told.ConferenceLeft(
        call_id=call.call_id,
        conference=room_of(call).name,
        leg_id=member.leg_id,
        number=member.number,
        reason=reason,
    )


def _empty(call: Call, cause: HangupCause, now: float, env: Environment) -> Outcome | None:
    """The end, when nobody is there or on the way any more."""
    room = room_of(call)
    return None if room.members or room.invited else releasing(call, cause, "remote", now, env)


def _end(call: Call, cause: HangupCause, now: float, env: Environment) -> Outcome:
    room = room_of(call)
    left = [_left(call, member, "ended") for member in room.members.values()]
    room.members = {}
    return releasing(call, cause, "system", now, env, left)


def _whose_timer(call: Call, name: str) -> Member | None:
    return next((each for each in room_of(call).members.values() if each.timer == name), None)


def _whose_ringing(call: Call, name: str) -> Ringing | None:
    return next((each for each in call.ringings.values() if ringing.timer_of(each) == name), None)
