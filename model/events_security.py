"""Events about strangers at the SIP ports, and about who may do what."""

from model.declare import Event, event


@event("source.banned")
class SourceBanned(Event, frozen=True, kw_only=True):
    """A source of SIP is not listened to for a while; the ban ends by itself."""

    address: str
    port: int = 0
    """0 = all of the address."""
    reason: str
    duration_s: float


@event("source.unbanned")
class SourceUnbanned(Event, frozen=True, kw_only=True):
    """A ban was lifted before its time: by API, or because a phone of ours proved its password there."""

    address: str
    port: int = 0


@event("role.changed", permission="role.view")
class RoleChanged(Event, frozen=True, kw_only=True):
    """What a role allows changed; it holds at once."""

    role: str
    change: str
    """added, updated or removed."""
    by: str
    """User of the control API."""
