"""Commands on the durable event log of the contact centre."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from model import views
from model.commands import Cursor, EventPattern, Instant, Limit, OptionalText
from model.declare import Command, command
from model.errors import InvalidValue, StorageUnavailable


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was told."""

    event: str
    seq: int
    at_utc: float
    """UTC seconds since 1970."""
    node: str
    call_id: str = ""
    queue: str = ""
    agent_id: str = ""
    fields: dict[str, Any]
    """All that is declared for it."""


class LoggedEvents(views.View, frozen=True, kw_only=True):
    """A page of the log, oldest first."""

    events: list[LoggedEvent]
    cursor: str = ""
    """Give it to the next request for the page after this; empty = this was the last."""


@command(
    "events.log",
    permission="report.view",
    each="events",
    result=LoggedEvents,
    errors=(StorageUnavailable, InvalidValue),
)
class ReadLog(Command, frozen=True, kw_only=True):
    """The log that every figure of queues and agents is computed from; filters are combined."""

    start_utc: Instant = 0.0
    """Told at this instant or later."""
    end_utc: Instant = 0.0
    """Told before this instant; 0 = no end."""
    names: Annotated[list[EventPattern], Meta(max_length=64)] = field(default_factory=list)
    """Names of events, as "queue.left"; empty = all."""
    queue: OptionalText = ""
    agent_id: OptionalText = ""
    call_id: OptionalText = ""
    limit: Limit = 1000
    cursor: Cursor = ""
    """From the page before."""
