"""Events of what users do with their extensions: forwarding, do not disturb, pickup, parking."""

from model.declare import Event, event


@event("extension.services_changed")
class ExtensionServicesChanged(Event, frozen=True, kw_only=True):
    """Forwarding, do not disturb or call waiting of an extension are now as told here."""

    extension: str
    always_to: str
    busy_to: str
    no_answer_to: str
    """Numbers that calls are forwarded to; empty = none."""
    is_dnd: bool
    has_call_waiting: bool
    pickup_group: str
    by: str
    """User of the API, or the extension itself (feature code)."""


@event("call.forwarded")
class CallForwarded(Event, frozen=True, kw_only=True):
    """The extension that was called sends the call on."""

    call_id: str
    extension: str
    """Who forwards."""
    to: str
    reason: str
    """unconditional, user-busy, no-answer, do-not-disturb or unavailable (RFC 5806)."""


@event("call.picked_up")
class CallPickedUp(Event, frozen=True, kw_only=True):
    """Somebody took the call that rang elsewhere."""

    call_id: str
    leg_id: str
    """The leg that took it."""
    extension: str
    """Where it rang."""
    by: str
    """Extension that took it."""


@event("call.parked")
class CallParked(Event, frozen=True, kw_only=True):
    """A party waits in an orbit; any extension takes it by dialling that."""

    call_id: str
    leg_id: str
    """Who waits."""
    orbit: str
    by: str
    """Extension that parked it."""


@event("call.retrieved")
class CallRetrieved(Event, frozen=True, kw_only=True):
    """A parked party is talked with again."""

    call_id: str
    leg_id: str
    """The leg that took it."""
    orbit: str
    by: str
    """Extension or trunk of that leg."""
    how: str
    """dialed, fetched (by API), recalled (whoever had parked it was rung) or overflow."""
