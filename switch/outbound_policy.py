"""Who may call what by trunk, and how much (TRUST §2, toll fraud). `refusal` is the one function that decides.

`switch.routing.choose_route` asks it for every way to a trunk: dialled, forwarded, transferred, asked for by API. Pure;
what was called is kept per account in hours, so that a day is the last 24 hours and nothing starts again at midnight.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import msgspec
import phonenumbers

from model.causes import HangupCause
from switch.config_security import Outbound

HOUR_S = 3600.0
HOURS = 24


class Account(Protocol):
    """Who pays: an extension (switch.directory.ExtensionEntry)."""

    @property
    def number(self) -> str: ...
    @property
    def may_call_external(self) -> bool: ...
    @property
    def may_call_international(self) -> bool: ...
    @property
    def max_outbound_calls(self) -> int: ...
    @property
    def max_outbound_calls_per_day(self) -> int: ...
    @property
    def max_outbound_minutes_per_day(self) -> int: ...


class PaidLeg(Protocol):
    """What is counted of a leg (switch.call.Leg)."""

    @property
    def leg_id(self) -> str: ...
    @property
    def answered_utc(self) -> float: ...


class Barred(msgspec.Struct, frozen=True, gc=False):
    """The call may not be made."""

    cause: HangupCause
    why: str


class Usage(msgspec.Struct):
    """What one account called."""

    live: dict[str, PaidLeg] = {}
    """Legs by trunk that are up or rung, by id."""
    hours: dict[int, tuple[int, float]] = {}
    """Hour since 1970 → calls, seconds."""

    def within_a_day(self, wall: float) -> tuple[int, float]:
        """(calls, seconds) of the last 24 hours, live calls included."""
        first = int(wall // HOUR_S) - HOURS + 1
        for hour in [hour for hour in self.hours if hour < first]:
            del self.hours[hour]
        n_calls = sum(n for n, _ in self.hours.values())
        spoken_s = sum(s for _, s in self.hours.values())
        return n_calls, spoken_s + sum(_spoken_s(leg, wall) for leg in self.live.values())

    def add(self, wall: float, n_calls: int, spoken_s: float) -> None:
        hour = int(wall // HOUR_S)
        n, s = self.hours.get(hour, (0, 0.0))
        self.hours[hour] = (n + n_calls, s + spoken_s)


class OutboundPolicy:
    """The limits and what was used of them. As many accounts as extensions; strangers have none."""

    def __init__(self, limits: Outbound, region: str) -> None:
        self._limits = limits
        self._region = region
        self.usage: dict[str, Usage] = {}
        self.may_dial_external: Callable[[str], bool] = lambda extension: True
        """Whether the role of who sits at an extension allows it (switch.agent_rights)."""

    def refusal(self, account: Account | None, number: str, wall: float) -> Barred | None:
        """Why `account` (None: the switch itself, on behalf of API or access number) may not call `number` now.

        `number` as it goes to the trunk, before it is written in the trunk's format; `wall` in UTC seconds. Emergency
        numbers are not asked about.
        """
        name = f"extension {account.number}" if account is not None else "the switch"
        if account is not None and not account.may_call_external:
            return Barred(HangupCause.OUTGOING_CALL_BARRED, f"{name} may not call by trunk")
        if account is not None and not self.may_dial_external(account.number):
            why = f"the role of the agent at {name} does not allow to dial external lines"
            return Barred(HangupCause.OUTGOING_CALL_BARRED, why)
        may_call_abroad = account.may_call_international if account else self._limits.may_call_international
        why = self._closed(number, may_call_abroad)
        if why:
            return Barred(HangupCause.OUTGOING_CALL_BARRED, f"{name} may not call {number}: {why}")
        if account is None:
            return None
        why = self._used_up(account, wall)
        return Barred(HangupCause.OUTGOING_CALL_BARRED, f"{name}: {why}") if why else None

    def _closed(self, number: str, may_call_abroad: bool) -> str:
        limits = self._limits
        kind = number_kind(number, self._region)
        if kind.full.startswith(limits.closed_prefixes):
            return "closed (outbound.closed_prefixes)"
        if kind.is_premium and not limits.may_call_premium:
            return "premium rate (outbound.may_call_premium)"
        if not kind.is_abroad:
            return ""
        if not may_call_abroad:
            return "abroad (may_call_international)"
        opened = limits.international_prefixes
        return "" if not opened or kind.full.startswith(opened) else "not in outbound.international_prefixes"

    def _used_up(self, account: Account, wall: float) -> str:
        usage = self.usage.get(account.number)
        if usage is None:
            return ""
        limits = self._limits
        n_calls, spoken_s = usage.within_a_day(wall)
        for used, limit, key in (
            (len(usage.live), account.max_outbound_calls or limits.max_calls, "max_calls"),
            (n_calls, account.max_outbound_calls_per_day or limits.max_calls_per_day, "max_calls_per_day"),
            (
                spoken_s / 60.0,
                account.max_outbound_minutes_per_day or limits.max_minutes_per_day,
                "max_minutes_per_day",
            ),
        ):
            if limit and used >= limit:
                return f"outbound.{key} ({limit}) is reached"
        return ""

    # -- what was used -------------------------------------------------------------------------------------------------

    def leg_started(self, account: str, leg: PaidLeg, wall: float, *, is_new_call: bool) -> None:
        """A leg by trunk that `account` pays for; the next trunk for the same number is no new call."""
        usage = self.usage.setdefault(account, Usage())
        usage.live[leg.leg_id] = leg
        usage.add(wall, int(is_new_call), 0.0)

    def leg_ended(self, account: str, leg: PaidLeg, wall: float) -> None:
        usage = self.usage.get(account)
        if usage is not None and usage.live.pop(leg.leg_id, None) is not None:
            usage.add(wall, 0, _spoken_s(leg, wall))

    def remember(self, account: str, wall: float, n_calls: int, spoken_s: float) -> None:
        """What was called before the switch started, from its records."""
        self.usage.setdefault(account, Usage()).add(wall, n_calls, spoken_s)


def _spoken_s(leg: PaidLeg, wall: float) -> float:
    return max(0.0, wall - leg.answered_utc) if leg.answered_utc else 0.0


class NumberKind(msgspec.Struct, frozen=True, gc=False):
    """What matters of a number for what it may cost."""

    full: str
    """"+86…" when it is a telephone number or dialled as a foreign one, else as it was dialled."""
    is_abroad: bool = False
    is_premium: bool = False


@lru_cache(maxsize=65536)
def number_kind(number: str, region: str) -> NumberKind:
    """What `number` is, dialled in `region` (ISO 3166).

    A number that is not valid but begins like a foreign one counts as foreign: fraud likes ranges nobody has assigned.
    Countries that share a country code (+1, +7, +44 …) are foreign to each other.
    """
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        is_abroad = number.startswith(("+", _international_prefix(region)))
        return NumberKind(number, is_abroad)
    full = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if phonenumbers.is_valid_number(parsed):
        kind = phonenumbers.number_type(parsed)
        is_abroad = phonenumbers.region_code_for_number(parsed) != region
        return NumberKind(full, is_abroad, kind is phonenumbers.PhoneNumberType.PREMIUM_RATE)
    if parsed.country_code != phonenumbers.country_code_for_region(region):
        return NumberKind(full, is_abroad=True)
    if _belongs_to_neighbour(parsed, region):
        return NumberKind(full, is_abroad=True)
    return NumberKind(number)


def _belongs_to_neighbour(parsed: phonenumbers.PhoneNumber, region: str) -> bool:
    """Whether its first digits are those of another country with the same country code."""
    national = phonenumbers.national_significant_number(parsed)
    for other in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(parsed.country_code or 0, ()):
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(other)
        leading = metadata.leading_digits if metadata is not None and other != region else None
        if leading and re.match(f"(?:{leading})", national):
            return True
    return False


@lru_cache(maxsize=256)
def _international_prefix(region: str) -> str:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    prefix = metadata.preferred_international_prefix or metadata.international_prefix if metadata is not None else ""
    # Some are patterns: then the usual one.
    return prefix if prefix and prefix.isdigit() else "00"
