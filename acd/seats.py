"""Who is signed in where and as what, read from the event log: what a start goes on with (AGT-18). Pure."""

from typing import Literal, cast

import msgspec

from acd.desk_inputs import Presence
from model.agents import LoginMode
from model.declare import Event
from model.events_agent import AgentCallEnded, AgentNextChanged, AgentSignedIn, AgentSignedOut, AgentStateChanged

EVENTS = (AgentSignedIn, AgentSignedOut, AgentStateChanged, AgentNextChanged, AgentCallEnded)
"""What `feed` wants to be told, in order."""
_PRESENCES: frozenset[Literal["available", "outbound_only", "auto_dial", "not_ready"]] = frozenset(
    ("available", "outbound_only", "auto_dial", "not_ready")
)


class Seat(msgspec.Struct, gc=False, kw_only=True):
    """A signed-in agent."""

    mode: LoginMode
    extension: str
    has_client: bool
    signed_in_utc: float
    presence: Presence = "not_ready"
    reason: str = "login"
    n_answered: int = 0
    """Since `day_utc`."""


def feed(seats: dict[str, Seat], event: Event, at_utc: float, day_utc: float) -> None:
    """What was told at an instant; `day_utc`: when the day began whose calls count."""
    match event:
        case AgentSignedIn(agent_id=agent_id):
            before = seats.get(agent_id) if event.is_restored else None
            seats[agent_id] = Seat(
                mode=cast(LoginMode, event.mode),
                extension=event.extension,
                has_client=event.has_client,
                signed_in_utc=before.signed_in_utc if before is not None else at_utc,
                n_answered=before.n_answered if before is not None else 0,
            )
        case AgentSignedOut(agent_id=agent_id):
            seats.pop(agent_id, None)
        case AgentStateChanged() | AgentNextChanged():
            seat = seats.get(event.agent_id)
            if seat is not None and event.presence in _PRESENCES:
                seat.presence, seat.reason = event.presence, event.presence_reason
        case AgentCallEnded(agent_id=agent_id, call_type="queue") if agent_id in seats and at_utc >= day_utc:
            seats[agent_id].n_answered += 1
        case _:
            pass
