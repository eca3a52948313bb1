"""Events about strangers at the SIP ports."""

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
