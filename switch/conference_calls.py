"""Conferences among the calls: which call a room is, a caller who comes into one that is on, a room that is opened for
somebody who is invited. Pure."""

from collections.abc import Iterable

from switch.actions import Action, AdoptLeg
from switch.call import Call, Leg
from switch.conference import Room
from switch.config_conference import Conference
from switch.environment import Environment
from switch.routing import Origin, ToConference, choose_route


def live_room(calls: Iterable[Call], number: str) -> Call | None:
    """The call that the room is; None while it is not on."""
    return next(
        (call for call in calls if call.phase == "conference" and call.conference and call.conference.number == number),
        None,
    )


def choose_live(calls: Iterable[Call], call: Call, now: float, env: Environment) -> Call | None:
    """The conference that is on and that a new call, which is not routed yet, leads to."""
    directory = env.directory
    if not directory.conferences:
        return None
    caller = call.legs[call.a]
    origin = Origin(
        call.caller,
        directory.extensions.get(caller.name) if caller.kind == "extension" else None,
        directory.trunks.get(caller.name) if caller.kind == "trunk" else None,
        seed=call.call_id,
    )
    if call.dialed not in directory.conferences and not _is_access_number(call, origin, env):
        return None
    decision = choose_route(directory, origin, call.dialed, env.wall(now))
    return live_room(calls, decision.number) if isinstance(decision, ToConference) else None


def move_in(conference: Call, call: Call) -> tuple[Leg, list[Action]]:
    """Makes the caller's leg, which is not answered yet, one of the conference; `call` is nothing any more."""
    leg = call.legs.pop(call.a)
    conference.n_legs += 1
    leg.leg_id = f"{conference.call_id}.{conference.n_legs}"
    leg.call_id = conference.call_id
    leg.worker = conference.worker
    conference.legs[leg.leg_id] = leg
    return leg, [AdoptLeg(conference.call_id, leg.leg_id)]


def open_room(settings: Conference, worker: int, now: float, env: Environment) -> Call:
    """A conference with nobody in it, for who is invited."""
    return Call(
        call_id=env.ids.new(),
        phase="conference",
        caller=settings.number,
        dialed=settings.number,
        conference=Room(name=settings.name, number=settings.number),
        worker=worker,
        created_utc=env.wall(now),
    )


def _is_access_number(call: Call, origin: Origin, env: Environment) -> bool:
    trunk = origin.trunk.config.name if origin.trunk is not None else ""
    return env.directory.access_number(trunk, call.dialed) is not None
