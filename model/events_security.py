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


@event("security.illegal_operation", permission="security.view")
class IllegalOperation(Event, frozen=True, kw_only=True):
    """Somebody tried what he may not, or the audit log was tampered with (RBAC-12). It stands in the audit log, too."""

    kind: str
    """permission: a user tried more than his role allows; token: a login with a wrong token; tampering: a row of the
    audit log was changed or is missing."""
    user: str
    """User of the control API; empty: nobody who is known."""
    address: str
    """Where from, "host:port"."""
    action: str
    """Command that was tried."""
    subject: str
    """What it was to be done to."""
    reason: str
    n_times: int
    """How often within the last minute, this time included. From the 21st time on only each tenfold count is told."""
    n_total: int
    """Of all kinds and users, since the start."""
