"""A conference room that is on, as plain data. `switch.phases.conference` says what happens in it."""

import msgspec


class Member(msgspec.Struct, gc=False, kw_only=True):
    """Somebody in it, or on the way into it. What others hear of him stands in his leg."""

    leg_id: str
    number: str
    """Of who it is."""
    role: str = "member"
    """moderator, member or listener"""
    state: str = "pin"
    """pin: is asked for the PIN; waiting: hears music until a moderator is there; in"""
    typed: str = ""
    """Digits of the PIN, or of a key sequence, so far."""
    typed_at: float = 0.0
    """Monotonic instant of the last of them."""
    n_tries: int = 0
    is_muted: bool = False
    """By himself, a moderator or API; a listener is silent whatever stands here."""
    is_speaking: bool = False
    joined_utc: float = 0.0

    @property
    def timer(self) -> str:
        """Name of the call's timer for his PIN."""
        return "pin:" + self.leg_id


class Room(msgspec.Struct, gc=False, kw_only=True):
    name: str
    number: str
    members: dict[str, Member] = {}
    """By leg id."""
    invited: dict[str, str] = {}
    """Role by id of the ringing."""
    is_locked: bool = False
    is_everybody_muted: bool = False
    floor: str = ""
    """Leg that has the floor; "" = nobody speaks."""
    has_had_moderator: bool = False

    def inside(self) -> list[Member]:
        """Those who are in, or wait for a moderator."""
        return [each for each in self.members.values() if each.state != "pin"]

    def moderators(self) -> list[Member]:
        return [each for each in self.members.values() if each.state == "in" and each.role == "moderator"]
