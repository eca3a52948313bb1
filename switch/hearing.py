"""Who hears whom: derived from the rooms and properties of a call's legs, and told to the media worker when it changed.

Phases change the facts (`Leg.room`, `is_held`, `is_away`, `is_muted`, `is_deaf`, `heard_by`, `role`) and end with
`settle`, which returns what makes it so: the hear-matrix, the music or ringback of each leg, the channels of the
recording, and the segments of the record. Pure.
"""

from collections import Counter

from model import events, media
from switch import recordings
from switch.actions import Action
from switch.call import MAIN, Call, Leg, Segment
from switch.environment import Environment
from switch.monitor import SUPERVISOR

HOLD_PLAY = "hold"
"""Play id of the music a held leg hears."""
RINGBACK_PLAY = "ringback"
CROWD = 8
"""A room with more legs than this is told to the media worker as one, not pair by pair."""
RELEASED_PLAY = "released"
"""Busy tone for who is left alone."""
ZIP_PLAY = "zip"
REMINDER_PLAY = "reminder"
AGENT_NUMBER_PLAY = "agent_number"
"""Who serves him, to the caller of a queue."""
WHISPER_PLAY = "whisper"
"""What the call is about, to the agent."""
_SENT_ON = ("queue", "ivr", "voicemail")
OWN_PLAYS = frozenset(
    (HOLD_PLAY, RINGBACK_PLAY, RELEASED_PLAY, ZIP_PLAY, REMINDER_PLAY, AGENT_NUMBER_PLAY, WHISPER_PLAY)
)
"""Play ids of the switch itself: their end is nobody else's business."""


def settle(call: Call, now: float, env: Environment) -> list[Action]:
    """Makes the media worker and the record agree with what the legs are now. Nothing when they do already."""
    wall = env.wall(now)
    actions: list[Action] = []
    for leg in call.legs.values():
        company = call.company(leg) if leg.room else _NOBODY
        if leg.is_up:
            _settle_play(call, leg, company, now, env, actions)
        if leg.room or leg.segment >= 0:
            _settle_segment(call, leg, company, wall)
    if call.is_direct:
        return actions
    edges, crowds = derive_edges(call), derive_crowds(call)
    if (edges != call.edges or crowds != call.crowds) and any(leg.is_configured for leg in call.legs.values()):
        call.edges, call.crowds = edges, crowds
        # Before the music of others stops: nobody hears a moment of what he should not.
        actions.insert(0, media.ConnectMatrix(call.call_id, edges, crowds))
    actions += recordings.settle_channels(call)
    return actions


def derive_edges(call: Call) -> list[media.Edge]:
    """The hear-matrix: everybody hears everybody of his room, but for who is held, away, muted, deaf or whispers."""
    edges = []
    legs = [leg for leg in call.legs.values() if leg.is_up and leg.room and not (leg.is_held or leg.is_away)]
    # Who is heard by all of a crowd is told once, not for each pair of them.
    crowded = _crowded(legs)
    one_by_one = [leg for leg in legs if leg.room not in crowded or leg.heard_by is not None]
    for listener in legs:
        if listener.is_deaf or listener.playing == HOLD_PLAY:
            continue
        for speaker in one_by_one:
            if speaker is listener or speaker.room != listener.room or speaker.is_muted:
                continue
            if speaker.heard_by is None or listener.leg_id in speaker.heard_by:
                edges.append(media.Edge(speaker.leg_id, listener.leg_id, speaker.gain))
    for ringing in call.ringings.values():
        # Early media of who is rung.
        if ringing.is_heard and (caller := call.legs.get(ringing.caller_leg)) is not None and caller.is_up:
            edges += [
                media.Edge(leg.leg_id, caller.leg_id)
                for leg in call.legs.values()
                if leg.ringing == ringing.ringing_id and leg.state == "early_media"
            ]
    return edges


def derive_crowds(call: Call) -> list[media.Room]:
    """The rooms with many legs, in which those who are heard by all and those who hear are told by their names."""
    legs = [leg for leg in call.legs.values() if leg.is_up and leg.room and not (leg.is_held or leg.is_away)]
    crowds = []
    for room in _crowded(legs):
        speakers = [leg for leg in legs if leg.room == room and leg.heard_by is None and not leg.is_muted]
        listeners = [leg for leg in legs if leg.room == room and not leg.is_deaf and leg.playing != HOLD_PLAY]
        gains = {leg.leg_id: leg.gain for leg in speakers if leg.gain != 1.0}
        crowds.append(media.Room([leg.leg_id for leg in speakers], [leg.leg_id for leg in listeners], gains))
    return crowds


def _crowded(legs: list[Leg]) -> list[str]:
    if len(legs) <= CROWD:
        return []
    sizes = Counter(leg.room for leg in legs)
    return [room for room, n in sizes.items() if n > CROWD]


def close_segments(call: Call, wall: float) -> None:
    """The call is over."""
    for leg in call.legs.values():
        if leg.segment >= 0:
            _end_segment(call, leg, leg.ended_utc or wall)


def is_silent_listener(leg: Leg) -> bool:
    """Hears the others without being one of them."""
    return leg.role == SUPERVISOR or leg.heard_by == ()


def hold_timer_of(leg: Leg) -> str:
    """Name of the timer after which the leg is on hold for long."""
    return "hold:" + leg.leg_id


def held_s(call: Call, wall: float) -> float:
    """Seconds that somebody was on hold, each leg for itself, up to `wall` (UTC)."""
    return sum((each.ended_utc or wall) - each.started_utc for each in call.segments if each.purpose == "hold")


def talk_s(call: Call) -> float:
    """Seconds of an ended call from connected to ended, holds included, without the time in which one party only waited
    for somebody else to answer, was sent on to a queue, a flow or voicemail, or stayed alone."""
    if not call.bridged_utc:
        return 0.0
    ended = call.talk_ended_utc or call.ended_utc
    waited = sum(
        (each.ended_utc or ended) - each.started_utc
        for each in call.segments
        if each.purpose == "ring" or (each.purpose in _SENT_ON and each.started_utc >= call.bridged_utc)
    )
    return ended - call.bridged_utc - waited - call.between_s


_NOBODY: list[Leg] = []


def _settle_play(call: Call, leg: Leg, company: list[Leg], now: float, env: Environment, actions: list[Action]) -> None:
    wanted = _wanted_play(call, leg, company)
    if wanted == leg.playing or (call.is_direct and wanted):
        return
    was, leg.playing = leg.playing, wanted
    # A new play takes the place of the old one by itself.
    if wanted:
        sources = {HOLD_PLAY: env.music, RINGBACK_PLAY: env.ringback, RELEASED_PLAY: env.released}[wanted]
        actions.append(
            media.Play(session=call.call_id, leg=leg.leg_id, play_id=wanted, sources=sources, is_looped=True)
        )
    else:
        actions.append(media.StopPlay(call.call_id, leg.leg_id, was))
    if wanted == HOLD_PLAY:
        if env.config.calls.hold_recall_s:
            call.timers[hold_timer_of(leg)] = now + env.config.calls.hold_recall_s
        actions.append(events.CallHeld(call_id=call.call_id, leg_id=leg.leg_id))
    elif was == HOLD_PLAY:
        call.timers.pop(hold_timer_of(leg), None)
        actions.append(events.CallResumed(call_id=call.call_id, leg_id=leg.leg_id))


def _wanted_play(call: Call, leg: Leg, company: list[Leg]) -> str:
    """Music while it waits for somebody who is there, ringback while it waits for somebody who is rung."""
    if leg.is_left_alone:
        return RELEASED_PLAY
    if not leg.room:
        return ""
    if leg.is_held:
        return HOLD_PLAY
    for ringing in call.ringings.values():
        if ringing.caller_leg == leg.leg_id and not company:
            return RINGBACK_PLAY if ringing.has_ringback and not ringing.is_heard else ""
    for each in company:
        if not each.is_away and each.heard_by != ():
            return ""
    return "" if is_silent_listener(leg) else HOLD_PLAY


def _settle_segment(call: Call, leg: Leg, company: list[Leg], wall: float) -> None:
    purpose = _purpose(call, leg, company)
    at = call.segments[leg.segment] if leg.segment >= 0 else None
    if at is not None:
        if at.purpose == purpose:
            return
        _end_segment(call, leg, leg.ended_utc or wall)
    if purpose:
        leg.segment = len(call.segments)
        call.segments.append(Segment(leg.leg_id, purpose, wall))


def _end_segment(call: Call, leg: Leg, wall: float) -> None:
    segment = call.segments[leg.segment]
    segment.ended_utc = wall
    segment.cause = leg.hangup_cause if leg.is_ended else ""
    leg.segment = -1


def _purpose(call: Call, leg: Leg, company: list[Leg]) -> str:
    if not leg.is_up or not leg.room:
        return ""
    if is_silent_listener(leg):
        return "monitor"
    if leg.playing == HOLD_PLAY:
        return "hold"
    # Supervisors are no company, silent guests are.
    n_others = sum(each.heard_by != () for each in company)
    if not n_others:
        return "ring" if any(each.caller_leg == leg.leg_id for each in call.ringings.values()) else ""
    if leg.room != MAIN:
        return "consult"
    return "talk" if n_others == 1 else "conference"
