"""Customers, and the appointments that agents make with them (OUT-07, OUT-26, OUT-27), as they are stored."""

from typing import Literal

import msgspec

AppointmentState = Literal["open", "reminded", "done", "cancelled"]


class CustomerNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One of the numbers of a customer."""

    number: str
    """E.164 with "+" where it is a telephone number."""
    label: str = ""
    """mobile, home, work …"""
    zone: str = ""
    """IANA time zone; "" = not known."""
    area: str = ""


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody we know."""

    customer_id: str
    name: str = ""
    numbers: list[CustomerNumber] = []
    """In the order in which they are tried."""
    zone: str = ""
    """His time zone, where it is not that of the number."""
    area: str = ""
    owner: str = ""
    """Agent whose customer he is; "" = nobody's."""
    has_consent: bool = False
    """He agrees to be called."""
    level: str = ""
    tags: list[str] = []
    data: dict[str, str] = {}
    """Whatever else is known."""
    source: str = ""
    """The import he came with, "api" …"""
    created_utc: float = 0.0
    updated_utc: float = 0.0


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """A time agreed on with a customer."""

    appointment_id: str
    agent_id: str = ""
    """Whose it is; "" = anybody's."""
    campaign: str = ""
    record_id: str = ""
    customer_id: str = ""
    number: str = ""
    name: str = ""
    at_utc: float
    matter: str = ""
    """What it is about."""
    state: AppointmentState = "open"
    created_by: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0
    reminded_utc: float = 0.0
