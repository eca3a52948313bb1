"""One subscription as plain data, and what the machine of `sip.subscription` says of it (RFC 6665). Pure."""

import msgspec

from sip.flow import Flow


class EventPackage(msgspec.Struct, frozen=True):
    """An event package and the one type of body it is told in."""

    name: str
    content_type: str
    default_expires_s: int = 3600


class Subscription(msgspec.Struct, gc=False, kw_only=True):
    """One watcher of one resource."""

    id: str
    """Our tag."""
    call_id: str
    remote_tag: str
    package: str
    event_id: str = ""
    """The id parameter of its Event, which every NOTIFY repeats."""
    resource: str
    watcher: str
    """Who proved to be asking."""
    local: str
    """From of our requests, without tag."""
    remote: str
    """To of our requests, with tag."""
    target: str
    routes: tuple[str, ...] = ()
    flow: Flow
    local_cseq: int = 0
    remote_cseq: int
    expires_at: float
    """Monotonic seconds."""
    version: int = 0
    """Of the next document (RFC 4235 §4.1)."""
    pending: str = ""
    """Token of the NOTIFY on its way; "" = none."""
    wants: int = 0
    """What has to be told as soon as none is on its way: PARTIAL, FULL."""
    changes: set[str] = msgspec.field(default_factory=set)
    """Which parts of the state changed since the last NOTIFY, in the package's own names."""
    ending: str | None = None
    """Reason of the last NOTIFY (RFC 6665 §4.1.3), which is still to be sent."""
    retry_at: float = 0.0
    """The watcher asked for a pause (Retry-After) until then."""


class NotifyDue(msgspec.Struct, frozen=True, gc=False):
    """Send this now: a NOTIFY in the dialog of `subscription`, then tell `sent` its token."""

    subscription: Subscription
    cseq: int
    state: str
    """Value of Subscription-State."""
    version: int
    is_full: bool
    changes: frozenset[str]
    """Empty for a full one."""

    @property
    def event(self) -> str:
        """Value of Event."""
        name, event_id = self.subscription.package, self.subscription.event_id
        return f"{name};id={event_id}" if event_id else name


class SubscribeResult(msgspec.Struct, frozen=True, gc=False):
    """How to answer the SUBSCRIBE; `headers` are rendered lines (without Contact). The NOTIFYs follow the answer."""

    status: int
    reason: str
    headers: str = ""
    due: tuple[NotifyDue, ...] = ()
    is_new: bool = False
