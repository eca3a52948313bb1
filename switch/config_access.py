"""What the types cannot say of calendars and access numbers; asked by the file and by the API alike."""

from collections.abc import Callable, Container

from model.access_numbers import AccessNumber
from model.almanac import Almanac
from switch.config import Config
from switch.config_centre import target_problem
from switch.config_ivr import flow_names
from switch.sources import source_problem

Wrong = Callable[[list[str | int], str], Exception]


def check_access(config: Config, wrong: Wrong) -> None:
    """Raises what `wrong` makes."""
    names = [calendar.name for calendar in config.calendar]
    for i, calendar in enumerate(config.calendar):
        if calendar.name in names[:i]:
            raise wrong(["calendar", i], f'"{calendar.name}" is there twice')
        try:
            Almanac(calendar)
        except ValueError as error:
            raise wrong(["calendar", i], str(error)) from None
    trunks, queues = {trunk.name for trunk in config.trunk}, {queue.name for queue in config.queue}
    for i, number in enumerate(config.access_number):
        key, problem = access_problem(
            number, trunks, queues, names, flow_names(config), {box.name for box in config.voicemail}
        )
        if key:
            raise wrong(["access_number", i, key], problem)


def access_problem(
    number: AccessNumber,
    trunks: Container[str],
    queues: set[str],
    calendars: Container[str],
    flows: Container[str] | None,
    boxes: Container[str] | None = None,
) -> tuple[str, str]:
    """(key, what is wrong with it); ("", "") = nothing."""
    if number.trunk and number.trunk not in trunks:
        return "trunk", f'there is no trunk "{number.trunk}"'
    if number.calendar and number.calendar not in calendars:
        return "calendar", f'there is no calendar "{number.calendar}"'
    for key in ("to", "off_to", "holiday_to", "emergency_to"):
        if problem := target_problem(getattr(number, key), queues, flows, boxes):
            return key, problem
    if not number.calendar and (number.holiday_to or (number.off_to and not number.emergency_to)):
        return "calendar", "off_to and holiday_to need a calendar that says when"
    if is_heard(number.whisper) and (problem := source_problem(number.whisper)):
        return "whisper", problem
    return "", ""


def is_heard(whisper: str) -> bool:
    """Whether it names a sound; else it is a text for screens."""
    return whisper.startswith(("file:", "voice:", "prompt:"))
