"""Commands of conferences: who is in a room, with which rights. `switch/conference_commands.py` handles them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from model import views
from model.commands import Id, Number, OptionalText
from model.declare import Command, command
from model.errors import (
    Congested,
    Draining,
    NoRoute,
    NoSuchConference,
    NoSuchLeg,
    WrongState,
)

ConferenceName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Role = Literal["moderator", "member", "listener"]
Volume = Annotated[float, Meta(ge=0.0, le=4.0)]


class MemberView(views.View, frozen=True, kw_only=True):
    """Somebody in a conference, or on the way into it."""

    leg_id: str
    kind: str
    """extension or trunk."""
    name: str
    """Extension number or trunk name."""
    number: str
    """Number of who it is."""
    role: str
    """moderator, member, or listener (hears all, is heard by nobody)."""
    state: str
    """pin: is asked for the PIN; waiting: hears music until a moderator is there; in."""
    is_muted: bool = False
    is_deaf: bool = False
    volume: float = 1.0
    """How loud the others hear him; 1 = as he is."""
    is_speaking: bool = False
    joined_utc: float = 0.0


class ConferenceView(views.View, frozen=True, kw_only=True):
    """A conference room."""

    conference: str
    number: str
    is_live: bool
    call_id: str = ""
    """The call that it is; empty while nobody is in it."""
    started_utc: float = 0.0
    is_locked: bool = False
    """Nobody new comes in."""
    is_recorded: bool = False
    floor: str = ""
    """Leg that has the floor; empty: nobody speaks."""
    n_members: int = 0
    members: list[MemberView] = field(default_factory=list)


class ConferenceList(views.View, frozen=True, kw_only=True):
    """All rooms; members are shown by `conference.get`."""

    conferences: list[ConferenceView]


@command("conference.list", permission="conference.view", result=ConferenceList)
class ListConferences(Command, frozen=True, kw_only=True):
    """The rooms of the configuration, and which of them are on."""


@command("conference.get", permission="conference.view", result=ConferenceView, errors=(NoSuchConference,))
class GetConference(Command, frozen=True, kw_only=True):
    """One room with its members."""

    conference: ConferenceName


@command(
    "conference.invite",
    permission="conference.control",
    result=ConferenceView,
    errors=(NoSuchConference, NoRoute, WrongState, Draining, Congested),
)
class Invite(Command, frozen=True, kw_only=True):
    """Rings somebody who is in the conference as soon as he answers, without any PIN; the room opens if it must."""

    conference: ConferenceName
    to: Number
    """Extension or number."""
    role: Role = "member"
    caller_id: OptionalText = ""
    """Number that he sees; empty = that of the room."""
    timeout_s: Annotated[float, Meta(ge=1.0, le=600.0)] = 60.0


@command(
    "conference.member", permission="conference.control", result=ConferenceView, errors=(NoSuchConference, NoSuchLeg)
)
class ChangeMember(Command, frozen=True, kw_only=True):
    """Changes what is given of one member."""

    conference: ConferenceName
    leg_id: Id
    role: Role | UnsetType = UNSET
    is_muted: bool | UnsetType = UNSET
    """Nobody hears him."""
    is_deaf: bool | UnsetType = UNSET
    """He hears nobody."""
    volume: Volume | UnsetType = UNSET
    """How loud the others hear him; 1 = as he is."""


@command("conference.mute_all", permission="conference.control", result=ConferenceView, errors=(NoSuchConference,))
class MuteAll(Command, frozen=True, kw_only=True):
    """Mutes all but the moderators, or lets them speak again."""

    conference: ConferenceName
    is_muted: bool = True


@command(
    "conference.kick", permission="conference.control", result=ConferenceView, errors=(NoSuchConference, NoSuchLeg)
)
class Kick(Command, frozen=True, kw_only=True):
    """Puts one member out."""

    conference: ConferenceName
    leg_id: Id


@command("conference.lock", permission="conference.control", result=ConferenceView, errors=(NoSuchConference,))
class LockConference(Command, frozen=True, kw_only=True):
    """Lets nobody new in, or lets them in again. Who is invited still comes in."""

    conference: ConferenceName
    is_locked: bool = True


@command("conference.end", permission="conference.control", result=views.Done, errors=(NoSuchConference,))
class EndConference(Command, frozen=True, kw_only=True):
    """Ends the conference for everybody."""

    conference: ConferenceName
