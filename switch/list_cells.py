"""What stands in a cell of a list, as what it is wanted for: a telephone number, a time, a yes. Pure.

Cells come from people's hands and from Excel, which makes 13800138000.0, 1.38E+10 and '13800138000 of one number, and
#REF! of a formula whose source has gone.
"""

import re
import unicodedata
from collections.abc import Collection
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import shortnumberinfo

Cell = str | int | float | bool | datetime | date | time | None

MAX_TEXT = 1000
MAX_NAME = 200
MAX_NUMBERS = 10
MAX_PRIORITY = 1000
_MAX_NUMBER = 32

FORMULA_ERRORS = frozenset(
    (
        "#REF!",
        "#N/A",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "#NUM!",
        "#NULL!",
        "#SPILL!",
        "#CALC!",
        "#GETTING_DATA",
        "#FIELD!",
    )
)
_SEPARATORS = str.maketrans("", "", " \t\r\n\u00a0\u200b\u202c\u202d\ufeff-()[].'`_\u2010\u2011\u2012\u2013\u2014")
_SEVERAL = re.compile(r"[,;/|\n\u3001]|\u6216")
_SCIENTIFIC = re.compile(r"^\+?([0-9])(?:\.([0-9]+))?[eE]\+?([0-9]{1,2})$")
_WHOLE = re.compile(r"^\+?[0-9]+\.0+$")
_DIGITS = re.compile(r"^\+?[0-9]{1,31}$")
_ZONE = re.compile(r"^(UTC|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+){1,2})$")
_INTERNAL = re.compile(r"^\+?[0-9*#]{1,31}$")
_YES = frozenset(("yes", "y", "true", "1", "ok", "agree", "agreed", "x", "是", "同意", "已同意", "有", "√", "✓", "对"))
_NO = frozenset(("", "no", "n", "false", "0", "refused", "否", "不同意", "无", "没有", "×", "-"))
_DATES = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d %H:%M",
    "%Y.%m.%d",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日%H时%M分",
    "%Y年%m月%d日",
)


class CellError(ValueError):
    """The cell cannot be that; `reason` is a word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text_of(cell: Cell) -> str:
    """As a person would read it: no ".0" behind whole numbers, no control characters, no space around."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
        case datetime():
            return cell.isoformat(" ", "seconds" if cell.second else "minutes")
        case date() | time():
            return cell.isoformat()
        case _:
            return _clean_text(str(cell))


def value_of(cell: Cell, longest: int = MAX_TEXT) -> str:
    """`text_of`, or CellError formula_error, too_long."""
    text = text_of(cell)
    if text.upper() in FORMULA_ERRORS:
        raise CellError("formula_error")
    if len(text) > longest:
        raise CellError("too_long")
    return text


def numbers_of(cell: Cell, region: str, *, may_be_internal: bool = False, emergency: Collection[str] = ()) -> list[str]:
    """The telephone numbers in a cell, E.164; none for an empty one. Of several, none may be wrong.

    `may_be_internal`: what is no telephone number of the region (an extension) is taken as it is. `emergency`: numbers
    for emergencies beside those of the region. CellError
    formula_error, not_a_number, rounded_number, impossible_number, emergency_number.
    """
    text = _number_text(cell)
    if not text:
        return []
    parts = [part for part in _SEVERAL.split(text) if part.strip()]
    if len(parts) > 1 and not _is_one(text, region):
        return [number_of(part, region, may_be_internal=may_be_internal, emergency=emergency) for part in parts]
    return [number_of(text, region, may_be_internal=may_be_internal, emergency=emergency)]


def number_of(text: str, region: str, *, may_be_internal: bool = False, emergency: Collection[str] = ()) -> str:
    """One number, E.164. CellError as `numbers_of`."""
    text = _unrounded(text.strip())
    if len(text) > 2 * _MAX_NUMBER:
        raise CellError("not_a_number")
    digits = text.translate(_SEPARATORS).replace("/", "")
    if digits in emergency or _is_emergency(digits, region):
        raise CellError("emergency_number")
    if may_be_internal and _INTERNAL.match(digits):
        return _e164(digits, region) or digits
    if not _DIGITS.match(digits):
        raise CellError("not_a_number")
    found = _e164(digits, region)
    if not found:
        raise CellError("impossible_number")
    return found


def instant_of(cell: Cell, zone: ZoneInfo) -> float:
    """UTC seconds of a local time; 0.0 for an empty cell. CellError bad_date."""
    match cell:
        case datetime():
            found = cell
        case date():
            found = datetime.combine(cell, time())
        case None:
            return 0.0
        case str():
            text = _clean_text(cell)
            if not text:
                return 0.0
            found = _parse_date(text)
        case _:
            raise CellError("bad_date")
    try:
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise CellError("bad_date") from None


def flag_of(cell: Cell) -> bool:
    """Yes or no; empty is no. CellError bad_consent."""
    text = text_of(cell).lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise CellError("bad_consent")


def priority_of(cell: Cell) -> int:
    """CellError bad_priority."""
    text = text_of(cell)
    try:
        value = int(text or "0")
    except ValueError:
        raise CellError("bad_priority") from None
    if abs(value) > MAX_PRIORITY:
        raise CellError("bad_priority")
    return value


def zone_of_cell(cell: Cell) -> str:
    """The name of a time zone. CellError bad_time_zone."""
    text = text_of(cell)
    if text and not _is_zone(text):
        raise CellError("bad_time_zone")
    return text


def _is_one(text: str, region: str) -> bool:
    """A number that is written with strokes in it."""
    digits = text.translate(_SEPARATORS).replace("/", "")
    return bool(_DIGITS.match(digits)) and bool(_e164(digits, region))


def _clean_text(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    return "".join(c if c >= " " and c != "\x7f" else " " for c in text).strip(" \u00a0\ufeff\u3000")


def _number_text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool() | datetime() | date() | time():
            raise CellError("not_a_number")
        case int() | float():
            # A whole number up to 15 digits is exact in Excel; what is longer it has rounded.
            if isinstance(cell, float) and not cell.is_integer():
                raise CellError("not_a_number")
            if abs(cell) >= 10**15:
                raise CellError("rounded_number")
            if cell < 0:
                raise CellError("not_a_number")
            return str(int(cell))
    text = unicodedata.normalize("NFKC", cell).strip()
    if text.upper() in FORMULA_ERRORS:
        raise CellError("formula_error")
    # ="13800138000": so that Excel leaves it alone.
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text.lstrip("'").strip()


def _unrounded(text: str) -> str:
    """13800138000.0 and 1.3800138E+10 as whole numbers. CellError rounded_number when digits are lost."""
    if _WHOLE.match(text):
        return text.partition(".")[0]
    found = _SCIENTIFIC.match(text)
    if found is None:
        return text
    # As many digits as the number has: nothing was lost.
    if 1 + len(found[2] or "") < int(found[3]) + 1:
        raise CellError("rounded_number")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise CellError("not_a_number") from None
    if value != value.to_integral_value():
        raise CellError("not_a_number")
    return str(int(value))


@lru_cache(maxsize=4096)
def _e164(digits: str, region: str) -> str:
    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(parsed):
        return ""
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _is_emergency(digits: str, region: str) -> bool:
    return 2 <= len(digits) <= 6 and bool(shortnumberinfo.is_emergency_number(digits, region))


def _parse_date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _DATES:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 (the list's zone is put on by the caller)
        except ValueError:
            continue
    raise CellError("bad_date")


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    if not _ZONE.match(name):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
