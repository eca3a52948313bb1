"""Rows of a list made ready, or refused with a word that says why. Pure but for the data of libphonenumber.

Of a row with several numbers those that are wrong are left out, and told; without any number left it is refused.
"""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec
import phonenumbers
from phonenumbers import timezone

from switch.list_cells import (
    MAX_NAME,
    MAX_NUMBERS,
    Cell,
    CellError,
    flag_of,
    instant_of,
    numbers_of,
    priority_of,
    text_of,
    value_of,
    zone_of_cell,
)
from switch.list_columns import Column

MAX_TAGS = 20
LENGTH = struct.Struct(">I")
"""Before each batch on its way between processes."""
_SHOWN = 60


class ListOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is to be read."""

    kind: str
    """campaign, customers or dnc."""
    region: str
    time_zone: str
    """Of the times in it."""
    emergency: tuple[str, ...] = ()
    mapping: dict[str, str] = {}
    has_titles: bool = True
    """Its first row says what the columns are."""
    sheet: str = ""
    may_be_internal: bool = False
    may_be_prefix: bool = False
    """A number that ends in * is the beginning of one."""


class RowNumber(msgspec.Struct, frozen=True, array_like=True):
    number: str
    label: str = ""
    zone: str = ""
    area: str = ""
    column: str = ""


class ReadyRow(msgspec.Struct, kw_only=True, array_like=True):
    """A row that may be taken in."""

    row: int
    numbers: list[RowNumber]
    name: str = ""
    time_zone: str = ""
    priority: int = 0
    has_consent: bool = False
    callback_utc: float = 0.0
    owner: str = ""
    area: str = ""
    level: str = ""
    tags: list[str] = []
    reason: str = ""
    expires_utc: float = 0.0
    is_prefix: bool = False
    data: dict[str, str] = {}


class RejectedRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What was not taken, and why."""

    row: int
    column: str
    value: str
    reason: str
    is_kept: bool = False
    """The row was, without this."""


class ListBatch(msgspec.Struct, tag=True, array_like=True):
    ready: list[ReadyRow]
    rejected: list[RejectedRow]
    n_rows: int
    n_refused: int
    """Rows of which nothing is taken."""


class ListEnd(msgspec.Struct, tag=True, array_like=True):
    problem: str = ""
    """Why it could not be read further."""
    columns: list[list[str]] = []
    """Each column's name, and what it was taken for."""


class RowReader:
    """Of one list: knows which numbers it had. `area_of`: where a number belongs to."""

    def __init__(self, options: ListOptions, columns: Sequence[Column], area_of: Callable[[str], str]) -> None:
        self._options = options
        self._columns = columns
        self._area_of = area_of
        self._zone = ZoneInfo(options.time_zone)
        self._seen: set[int] = set()

    def read(self, row: int, cells: Sequence[Cell]) -> tuple[ReadyRow | None, list[RejectedRow]]:
        """None when nothing of it can be taken; then the last of the others says why."""
        ready = ReadyRow(row=row, numbers=[])
        rejected: list[RejectedRow] = []
        mine: list[str] = []
        for column in self._columns:
            cell = cells[column.index] if column.index < len(cells) else None
            try:
                if column.field == "number":
                    self._take_number(ready, mine, column, cell)
                elif column.field != "ignore":
                    self._take(ready, column, cell)
            except CellError as error:
                value = text_of(cell)[:_SHOWN]
                may_go_on = column.field in ("number", "data") and error.reason != "too_long"
                rejected.append(
                    RejectedRow(row=row, column=column.title, value=value, reason=error.reason, is_kept=may_go_on)
                )
                if not may_go_on:
                    return None, rejected
        if not ready.numbers:
            if not rejected:
                return None, [RejectedRow(row=row, column="", value="", reason="no_number")]
            return None, [msgspec.structs.replace(each, is_kept=False) for each in rejected]
        self._seen.update(hash(number) for number in mine)
        return ready, rejected

    def _take_number(self, ready: ReadyRow, mine: list[str], column: Column, cell: Cell) -> None:
        options = self._options
        if options.may_be_prefix and (text := text_of(cell)).endswith("*"):
            ready.is_prefix = True
            cell = text.rstrip("*").strip()
            if not (cell.isascii() and cell.lstrip("+").isdigit()):
                raise CellError("not_a_number")
            found = [cell]
        else:
            found = numbers_of(
                cell, options.region, may_be_internal=options.may_be_internal, emergency=options.emergency
            )
        for number in found:
            if number in mine:
                continue
            if hash(number) in self._seen:
                raise CellError("duplicate_in_file")
            if len(mine) >= MAX_NUMBERS:
                raise CellError("too_many_numbers")
            mine.append(number)
            zone = zone_of_number(number)
            ready.numbers.append(RowNumber(number, column.label, zone, self._area_of(number), column.title))

    def _take(self, ready: ReadyRow, column: Column, cell: Cell) -> None:
        match column.field:
            case "data":
                if value := value_of(cell):
                    ready.data[column.title] = value
            case "name":
                ready.name = value_of(cell, MAX_NAME)
            case "time_zone":
                ready.time_zone = zone_of_cell(cell)
            case "priority":
                ready.priority = priority_of(cell)
            case "consent":
                ready.has_consent = flag_of(cell)
            case "callback":
                ready.callback_utc = instant_of(cell, self._zone)
            case "expires":
                ready.expires_utc = instant_of(cell, self._zone)
            case "tags":
                ready.tags = tags_of(value_of(cell))
            case field:
                setattr(ready, field, value_of(cell, 128))


def tags_of(text: str) -> list[str]:
    """CellError too_long."""
    parts = text.replace("，", ",").replace(";", ",").replace("；", ",").replace("、", ",").split(",")
    tags = [*dict.fromkeys(part.strip() for part in parts if part.strip())]
    if len(tags) > MAX_TAGS or any(len(tag) > 64 for tag in tags):
        raise CellError("too_long")
    return tags


def zone_of_number(number: str) -> str:
    """Where it belongs to, when that has one time zone only; "" = not known (XOUT-05)."""
    return _zone_of(standing_for(number))


def standing_for(number: str) -> str:
    """One number for all that differ in the last three digits: those do not say where it is."""
    return f"{number[:-3]}000" if len(number) > 9 else number


@lru_cache(maxsize=16_384)
def _zone_of(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return ""
    found = timezone.time_zones_for_number(parsed)
    return found[0] if len(found) == 1 and "/" in found[0] and found[0] != "Etc/Unknown" else ""


def make_area_of(region: str) -> Callable[[str], str]:
    """Reads its data at the first number, which takes a second."""

    @lru_cache(maxsize=16_384)
    def look_up(number: str) -> str:
        from phonenumbers import geocoder

        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            return ""
        return str(geocoder.description_for_number(parsed, "zh") or geocoder.description_for_number(parsed, "en"))

    return lambda number: look_up(standing_for(number))
