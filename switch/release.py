"""The one place that lets go of what a call holds: legs, media session, recording, deadline. Pure."""

from model import events, media
from model.causes import HangupCause
from model.events_queue import CallRated
from switch.actions import Action, EndLeg, ForgetCall
from switch.call import Call, Leg
from switch.cdr import call_record
from switch.environment import Environment
from switch.hearing import close_segments, talk_s

STATISTICS_WAIT_S = 2.0
"""How long the record waits for the media worker's last figures."""


def end_leg(leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> list[Action]:
    """Notes that a leg is over and tells it so; `side` is who wanted it. Nothing when it is over already."""
    if leg.state == "ended":
        return []
    _close(leg, cause, side, now, env)
    return [EndLeg(leg.call_id, leg.leg_id, cause)]


def leg_left(leg: Leg, cause: HangupCause, now: float, env: Environment) -> None:
    """Notes that a leg left by itself."""
    if leg.state != "ended":
        _close(leg, cause, "remote", now, env)


def _close(leg: Leg, cause: HangupCause, side: str, now: float, env: Environment) -> None:
    leg.state = "ended"
    leg.ended_utc = env.wall(now)
    leg.hangup_cause = leg.leaves_because or cause.value
    leg.hangup_side = side
    leg.ringing = ""
    if leg.kind == "trunk" and (trunk := env.directory.trunks.get(leg.name)) is not None:
        trunk.n_calls -= 1
        trunk.n_in -= leg.direction == "in"
        if leg.account:
            env.directory.outbound.leg_ended(leg.account, leg, leg.ended_utc)
        trunk.calls_failed += leg.direction == "out" and not leg.answered_utc and side == "remote"


def release(call: Call, cause: HangupCause, side: str, now: float, env: Environment) -> list[Action]:
    """Ends the call: every leg, its audio, its recording; the record follows when the last figures are in."""
    if not call.talk_ended_utc:
        call.hangup_cause = cause
        call.hangup_side = side
    cause, side = call.hangup_cause or cause, call.hangup_side
    call.ended_utc = wall = env.wall(now)
    actions: list[Action] = []
    n_media = 0
    for leg in call.legs.values():
        actions += end_leg(leg, cause, "system", now, env)
        n_media += leg.is_configured
        leg.is_statistics_due = leg.is_configured
        leg.offer = leg.local_sdp = b""
    actions += _not_rated(call, env)
    close_segments(call, wall)
    if n_media:
        actions.append(media.ReleaseSession(call.call_id))
    call.recording = None
    if call.parked is not None:
        call.parked = None
        env.orbits.free(call.call_id)
    call.plan = []
    call.ringings = {}
    call.timers = {}
    actions.append(
        events.CallEnded(
            call_id=call.call_id,
            cause=cause,
            side=side,
            duration_s=wall - call.created_utc,
            talk_s=talk_s(call),
            caller=call.caller,
            dialed=call.dialed,
            direction=call.direction,
        )
    )
    call.n_statistics_due = n_media
    call.deadline = now + STATISTICS_WAIT_S if n_media else 0.0
    return actions


def _not_rated(call: Call, env: Environment) -> list[Action]:
    """A served caller whose queue asks for ratings, and who hung up before he could be asked (SAT-02)."""
    queue_stay = call.stay
    if queue_stay is None or not queue_stay.agent_id or queue_stay.rating:
        return []
    queue = env.directory.queue_of(queue_stay.queue)
    if queue is None or not queue.satisfaction.is_asked:
        return []
    return [
        CallRated(call_id=call.call_id, queue=queue_stay.queue, agent_id=queue_stay.agent_id, result="not_sent", key="")
    ]


def drop_audio(leg: Leg) -> list[Action]:
    """Frees the audio of a leg that is over while its call goes on."""
    if not leg.is_configured:
        return []
    leg.is_configured = False
    return [media.ReleaseLeg(leg.call_id, leg.leg_id)]


def finish(call: Call) -> list[Action]:
    """The record is complete: keep it, forget the call, free its ports."""
    call.deadline = 0.0
    ports = tuple((leg.worker, leg.port) for leg in call.legs.values() if leg.port)
    return [call_record(call), ForgetCall(call.call_id, "", ports)]
