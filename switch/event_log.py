"""The durable log of the contact centre: what is told of queues, offers, agents and flows is kept as it is told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from control.hub import EventHub
from model import events_agent, events_flow, events_queue
from model.commands_log import LoggedEvent, LoggedEvents, ReadLog
from model.declare import EVENTS, Command, Event, event_spec
from model.errors import InvalidValue, StorageUnavailable
from model.records import EventRecord
from storage.errors import CursorError, UnavailableError
from storage.event_log import EventFilter
from storage.interface import AnyStorage

if TYPE_CHECKING:
    from switch.app import App

CENTRE: tuple[str, ...] = tuple(
    name for name, spec in EVENTS.items() if spec.params.__module__ in (events_agent.__name__, events_queue.__name__)
)
"""Events that figures of queues and agents are made of."""
LOGGED: frozenset[type[Event]] = frozenset(
    spec.params for name, spec in EVENTS.items() if name in CENTRE or spec.params.__module__ == events_flow.__name__
)
_encode = msgspec.json.Encoder().encode


def record_of(event: Event, node: str, seq: int, at_utc: float) -> EventRecord:
    """The event as a row."""
    return EventRecord(
        node=node,
        seq=seq,
        at_utc=at_utc,
        name=event_spec(type(event)).name,
        call_id=getattr(event, "call_id", ""),
        queue=getattr(event, "queue", ""),
        agent_id=getattr(event, "agent_id", ""),
        body=_encode(event).decode(),
    )


async def told_pages(
    storage: AnyStorage, criteria: EventFilter, size: int = 1000
) -> AsyncIterator[list[tuple[Event, float]]]:
    """(event, instant) of the log in the order in which they were told, `size` of them at a time; events that are
    declared no more are left out. Raises UnavailableError."""
    cursor = ""
    while True:
        page = await storage.events.find(criteria, after=cursor, limit=size)
        told: list[tuple[Event, float]] = []
        for record in page.items:
            spec = EVENTS.get(record.name)
            if spec is not None:
                told.append((msgspec.json.decode(record.body, type=spec.params), record.at_utc))
        yield told
        cursor = page.after
        if not cursor:
            return


def keep_events(hub: EventHub, put: Callable[[EventRecord], None], count: Callable[[Event, float], None]) -> None:
    """From now on every event of the log is put, and counted, as it is published."""

    def keep(event: Event, seq: int, at_utc: float) -> None:
        put(record_of(event, hub.node, seq, at_utc))
        count(event, at_utc)

    hub.keep(LOGGED, keep)


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    async def read(command: ReadLog, caller: Caller) -> LoggedEvents:
        await app.flush_records()
        criteria = EventFilter(
            start_utc=command.start_utc,
            end_utc=command.end_utc,
            names=_names(command.names),
            queue=command.queue,
            agent_id=command.agent_id,
            call_id=command.call_id,
        )
        try:
            page = await app.storage.events.find(criteria, after=command.cursor, limit=command.limit)
        except CursorError:
            raise InvalidValue("cursor is not one that a page gave", field="cursor") from None
        except UnavailableError as error:
            raise StorageUnavailable(str(error)) from None
        return LoggedEvents(events=[_view(each) for each in page.items], cursor=page.after)

    return {ReadLog: read}


def _names(patterns: list[str]) -> tuple[str, ...]:
    """The events that the patterns mean. Raises InvalidValue for one that means none."""
    known = [event_spec(kind).name for kind in LOGGED]
    found: list[str] = []
    for pattern in patterns:
        if pattern == "*":
            return ()
        matching = [
            name for name in known if name == pattern or (pattern.endswith(".*") and name.startswith(pattern[:-1]))
        ]
        if not matching:
            raise InvalidValue(f"{pattern} is no event of the log", field="names")
        found += matching
    return tuple(sorted({*found}))


def _view(record: EventRecord) -> LoggedEvent:
    return LoggedEvent(
        event=record.name,
        seq=record.seq,
        at_utc=record.at_utc,
        node=record.node,
        call_id=record.call_id,
        queue=record.queue,
        agent_id=record.agent_id,
        fields=msgspec.json.decode(record.body),
    )
