"""Access numbers and calendars by API: first the database is changed, then what is in memory. Those of the file are
read-only; emergency closures of their calendars are not."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import commands_access as access
from model import errors, views
from model.access_numbers import AccessNumber
from model.almanac import Almanac, is_in_force
from model.calendars import Calendar, Closure
from model.declare import Command
from model.events_access import AccessNumberChanged, CalendarChanged, CalendarClosed, CalendarReopened
from storage.interface import AnyStorage
from switch.campaign_uses import campaigns_naming
from switch.config_access import access_problem, is_heard
from switch.directory import Directory
from switch.flow_store import flows_naming
from switch.office import EVERYTHING
from switch.routing import Origin, Refuse, ToConference, ToExtension, ToFlow, ToQueue, ToVoicemail, choose_access
from switch.settings_store import SettingsStore, stored
from switch.sources import source_problem

if TYPE_CHECKING:
    from switch.app import App

log = logging.getLogger(__name__)

_KINDS: dict[str, type[Calendar | Closure | AccessNumber]] = {
    "calendar": Calendar,
    "closure": Closure,
    "access_number": AccessNumber,
}
"""In the order in which they are loaded."""


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = AccessDesk(app)
    return {
        access.ListAccessNumbers: desk.list_numbers,
        access.SetAccessNumber: desk.set_number,
        access.RemoveAccessNumber: desk.remove_number,
        access.EvaluateAccessNumber: desk.evaluate_number,
        access.ListCalendars: desk.list_calendars,
        access.SetCalendar: desk.set_calendar,
        access.RemoveCalendar: desk.remove_calendar,
        access.EvaluateCalendar: desk.evaluate_calendar,
        access.CloseCalendar: desk.close,
        access.ReopenCalendar: desk.reopen,
    }


async def load_access(storage: AnyStorage, directory: Directory) -> None:
    """What was set by API before the last stop; where it stands in the file too, the file counts."""
    settings = await storage.settings.all()
    for kind, of in _KINDS.items():
        for key, found in stored(settings, kind, of):
            try:
                _take(directory, found)
            except ValueError as error:
                log.error("x %s is not used: %s", key, error)


def _take(directory: Directory, found: Calendar | Closure | AccessNumber) -> None:
    office = directory.office
    match found:
        case Closure():
            office.closures[found.calendar] = found
        case Calendar():
            if found.name in office.almanacs:
                raise ValueError("it stands in the file")
            office.put(found)
        case AccessNumber():
            if (found.trunk, found.number) in directory.access_numbers:
                raise ValueError("it stands in the file")
            key, problem = access_problem(found, directory.trunks, {*directory.queues}, office.almanacs, None)
            if key:
                raise ValueError(problem)
            directory.add_access_number(found)


class AccessDesk:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._directory = app.runtime.calls.env.directory
        self._office = self._directory.office
        self._store = SettingsStore(app.storage.settings)
        config = app.config
        self._of_file = {f"access_number:{each.trunk}/{each.number}" for each in config.access_number}
        self._of_file |= {f"calendar:{each.name}" for each in config.calendar}

    # -- access numbers ------------------------------------------------------------------------------------------------

    def list_numbers(self, command: access.ListAccessNumbers, caller: Caller) -> access.AccessNumberList:
        found = [each for each in self._directory.access_numbers.values() if each.number.startswith(command.prefix)]
        found.sort(key=lambda each: (each.number, each.trunk))
        return access.AccessNumberList(access_numbers=[self._number_view(each) for each in found])

    async def set_number(self, command: access.SetAccessNumber, caller: Caller) -> access.AccessNumberView:
        number = command.access_number
        key = self._changeable(f"access_number:{number.trunk}/{number.number}")
        field, problem = access_problem(
            number,
            self._directory.trunks,
            {*self._directory.queues},
            self._office.almanacs,
            self._directory.flows,
            self._directory.boxes,
        )
        if field:
            raise errors.InvalidValue(problem, field=field)
        if is_heard(number.whisper) and (problem := source_problem(number.whisper, self._directory.prompts)):
            raise errors.InvalidValue(problem, field="whisper")
        await self._store.put(key, number)
        self._directory.remove_access_number(number.trunk, number.number)
        self._directory.add_access_number(number)
        self._tell(AccessNumberChanged(number=number.number, trunk=number.trunk, change="set", by=caller.user))
        return self._number_view(number)

    async def remove_number(self, command: access.RemoveAccessNumber, caller: Caller) -> views.Done:
        if (command.trunk, command.number) not in self._directory.access_numbers:
            raise errors.NoSuchAccessNumber(f"no access number {command.number} of trunk {command.trunk or '(any)'}")
        await self._store.forget(self._changeable(f"access_number:{command.trunk}/{command.number}"))
        self._directory.remove_access_number(command.trunk, command.number)
        self._tell(AccessNumberChanged(number=command.number, trunk=command.trunk, change="removed", by=caller.user))
        return views.Done()

    def evaluate_number(self, command: access.EvaluateAccessNumber, caller: Caller) -> access.AccessMoment:
        found = self._directory.access_number(command.trunk, command.number)
        if found is None:
            raise errors.NoSuchAccessNumber(f"no access number {command.number} of trunk {command.trunk or '(any)'}")
        return self._number_at(found, command.at_utc or self._wall())

    def _number_at(self, number: AccessNumber, at_utc: float) -> access.AccessMoment:
        choice = self._office.choose(number, at_utc)
        decision = choose_access(self._directory, Origin(caller=""), number, number.number, at_utc)
        match decision:
            case Refuse():
                leads_to = "refused"
            case ToExtension():
                leads_to = "extension"
            case ToConference():
                leads_to = "conference"
            case ToQueue():
                leads_to = "queue"
            case ToFlow():
                leads_to = "flow"
            case ToVoicemail():
                leads_to = "voicemail"
            case _:
                leads_to = "trunk"
        return access.AccessMoment(
            number=number.number,
            trunk=number.trunk,
            calendar=number.calendar,
            at_utc=at_utc,
            which=choice.which,
            until_utc=self._office.evaluate(number.calendar, at_utc).until_utc,
            to=choice.to,
            leads_to=leads_to,
            why=decision.why if isinstance(decision, Refuse) else "",
        )

    def _number_view(self, number: AccessNumber) -> access.AccessNumberView:
        source = self._source(f"access_number:{number.trunk}/{number.number}")
        return access.AccessNumberView(access_number=number, source=source, now=self._number_at(number, self._wall()))

    # -- calendars -----------------------------------------------------------------------------------------------------

    def list_calendars(self, command: access.ListCalendars, caller: Caller) -> access.CalendarList:
        calendars = [
            self._calendar_view(self._office.almanacs[name].calendar) for name in sorted(self._office.almanacs)
        ]
        closures = [c for c in self._office.closures.values() if is_in_force(c, self._wall())]
        return access.CalendarList(calendars=calendars, closures=[_closure_view(closure) for closure in closures])

    async def set_calendar(self, command: access.SetCalendar, caller: Caller) -> access.CalendarView:
        calendar = command.calendar
        key = self._changeable(f"calendar:{calendar.name}")
        try:
            Almanac(calendar)
        except ValueError as error:
            raise errors.InvalidValue(str(error), field="calendar") from None
        await self._store.put(key, calendar)
        self._office.put(calendar)
        self._tell(CalendarChanged(calendar=calendar.name, change="set", by=caller.user))
        return self._calendar_view(calendar)

    async def remove_calendar(self, command: access.RemoveCalendar, caller: Caller) -> views.Done:
        name = command.calendar
        self._exists(name)
        key = self._changeable(f"calendar:{name}")
        for number in self._directory.access_numbers.values():
            if number.calendar == name:
                raise errors.WrongState(f"access number {number.number} follows calendar {name}", state="in_use")
        users = (*flows_naming(self._directory, "calendar", name), *campaigns_naming(self._directory, "calendar", name))
        for user in users:
            raise errors.WrongState(f"{user} asks calendar {name}", state="in_use")
        await self._store.forget(key)
        self._office.almanacs.pop(name, None)
        if self._office.closures.pop(name, None) is not None:
            await self._store.forget(f"closure:{name}")
        self._tell(CalendarChanged(calendar=name, change="removed", by=caller.user))
        return views.Done()

    def evaluate_calendar(self, command: access.EvaluateCalendar, caller: Caller) -> access.CalendarMoment:
        self._exists(command.calendar)
        return self._calendar_at(command.calendar, command.at_utc or self._wall())

    async def close(self, command: access.CloseCalendar, caller: Caller) -> access.ClosureView:
        name, now_utc = command.calendar, self._wall()
        self._exists(name)
        until_utc = command.until_utc
        if command.is_for_today:
            until_utc = self._office.almanac(name).end_of_day(now_utc)
        if until_utc and until_utc <= now_utc:
            raise errors.InvalidValue("until_utc is over already", field="until_utc")
        closure = Closure(calendar=name, since_utc=now_utc, until_utc=until_utc, reason=command.reason, by=caller.user)
        await self._store.put(f"closure:{name}", closure)
        self._office.closures[name] = closure
        log.warning("! %s closed by %s: %s", name or "all access numbers", caller.user, command.reason)
        self._tell(CalendarClosed(calendar=name, until_utc=until_utc, reason=command.reason, by=caller.user))
        return _closure_view(closure)

    async def reopen(self, command: access.ReopenCalendar, caller: Caller) -> views.Done:
        name = command.calendar
        self._exists(name)
        closure = self._office.closures.get(name)
        if closure is None or not is_in_force(closure, self._wall()):
            raise errors.WrongState(f"{name or 'everything'} is not closed by command", state="not_closed")
        await self._store.forget(f"closure:{name}")
        self._office.closures.pop(name, None)
        self._tell(CalendarReopened(calendar=name, by=caller.user))
        return views.Done()

    def _calendar_at(self, name: str, at_utc: float) -> access.CalendarMoment:
        moment = self._office.evaluate(name, at_utc)
        return access.CalendarMoment(
            calendar=name, at_utc=at_utc, which=moment.which, name=moment.name, until_utc=moment.until_utc
        )

    def _calendar_view(self, calendar: Calendar) -> access.CalendarView:
        now = self._calendar_at(calendar.name, self._wall())
        return access.CalendarView(calendar=calendar, source=self._source(f"calendar:{calendar.name}"), now=now)

    def _exists(self, name: str) -> None:
        if name != EVERYTHING and name not in self._office.almanacs:
            raise errors.NoSuchCalendar(f"no calendar {name}")

    # -- what both need ------------------------------------------------------------------------------------------------

    def _wall(self) -> float:
        return self._app.runtime.calls.env.wall(self._app.runtime.outside.clock())

    def _source(self, key: str) -> str:
        return "file" if key in self._of_file else "database"

    def _changeable(self, key: str) -> str:
        if key in self._of_file:
            raise errors.InvalidValue(f"{key} stands in the configuration file; change it there", field=key)
        return key

    def _tell(self, event: Any) -> None:
        self._app.hub.publish(event)


def _closure_view(closure: Closure) -> access.ClosureView:
    return access.ClosureView(**msgspec.structs.asdict(closure))
