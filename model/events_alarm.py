"""Alarms of queues (XSUP-02), and the commands that show them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from model.declare import Command, Event, command, event
from model.errors import NoSuchAlarm
from model.settings import Name


@event("alarm.raised")
class AlarmRaised(Event, frozen=True, kw_only=True):
    """A measure of a queue is beyond its limit for as long as the rule says."""

    alarm: str
    """Name of the rule."""
    queue: str
    measure: str
    value: float
    limit: float
    severity: str


@event("alarm.cleared")
class AlarmCleared(Event, frozen=True, kw_only=True):
    """It is over."""

    alarm: str
    queue: str
    measure: str
    lasted_s: float


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that is on."""

    alarm: str
    queue: str
    measure: str
    value: float
    """As it is now."""
    limit: float
    severity: str
    since_s: float
    """How long it has been on."""
    acknowledged_by: str
    """Empty: nobody has seen it yet."""


class AlarmList(msgspec.Struct, frozen=True, kw_only=True):
    """Those that have been on for longest first."""

    alarms: list[AlarmView]


@command("alarm.list", permission="queue.view", each="alarms", result=AlarmList)
class ListAlarms(Command, frozen=True, kw_only=True):
    """Alarms that are on."""


@command("alarm.acknowledge", permission="queue.control", of="queue", result=AlarmView, errors=(NoSuchAlarm,))
class AcknowledgeAlarm(Command, frozen=True, kw_only=True):
    """Tells everybody that somebody takes care of it; it stays on until it is over."""

    alarm: Annotated[str, Meta(min_length=1, max_length=64)]
    queue: Name
