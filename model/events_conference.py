"""What happens in conferences, as told to subscribers."""

from model.declare import Event, event


@event("conference.started")
class ConferenceStarted(Event, frozen=True, kw_only=True):
    """A room is on: somebody is in it or on the way into it."""

    call_id: str
    """The call that the conference is; its end is `call.ended`."""
    conference: str


@event("conference.joined")
class ConferenceJoined(Event, frozen=True, kw_only=True):
    """Somebody is in the conference, or waits in it for a moderator."""

    call_id: str
    conference: str
    leg_id: str
    number: str
    """Of who it is."""
    role: str
    """moderator, member or listener."""
    is_waiting: bool
    """He hears music until a moderator is there."""


@event("conference.left")
class ConferenceLeft(Event, frozen=True, kw_only=True):
    """Somebody is no longer in the conference, or gave up on the way into it."""

    call_id: str
    conference: str
    leg_id: str
    number: str
    reason: str
    """hung_up, kicked, wrong_pin, no_pin or ended (the whole conference)."""


@event("conference.member_changed")
class ConferenceMemberChanged(Event, frozen=True, kw_only=True):
    """What a member may do changed."""

    call_id: str
    conference: str
    leg_id: str
    role: str
    is_muted: bool
    is_deaf: bool
    volume: float
    """How loud the others hear him; 1 = as he is."""


@event("conference.locked")
class ConferenceLocked(Event, frozen=True, kw_only=True):
    """Nobody new comes in, or all may again."""

    call_id: str
    conference: str
    is_locked: bool


@event("conference.floor_changed")
class ConferenceFloorChanged(Event, frozen=True, kw_only=True):
    """Another one speaks. Who has the floor keeps it until he is silent; every beginning and end of speech is
    `call.speech_changed`."""

    call_id: str
    conference: str
    leg_id: str
    """Empty: nobody."""
