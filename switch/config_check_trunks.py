"""What the types cannot say about trunks, their groups, routes and access numbers: references, addresses, hours."""

import ipaddress
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from model.causes import HangupCause
from model.hours import parse_hours
from switch.config import Config
from switch.config_trunks import Route, TrunkGroup

Wrong = Callable[[list[str | int], str], Exception]
"""(key, what would be right) → the error to raise"""


def check_trunks(config: Config, wrong: Wrong) -> None:
    """Raises what `wrong` makes."""
    check_unique("trunk", [t.name for t in config.trunk], wrong)
    check_unique("route", [r.name for r in config.route], wrong)
    trunks = {t.name for t in config.trunk}
    for i, trunk in enumerate(config.trunk):
        if trunk.listener >= len(config.sip.listen):
            raise wrong(["trunk", i, "listener"], f"sip.listen has only {len(config.sip.listen)} entries, from 0")
        if trunk.certificate_name and config.sip.tls_client_certificates == "off":
            raise wrong(["trunk", i, "certificate_name"], 'needs sip.tls_client_certificates = "optional"')
        if trunk.register and not trunk.username:
            raise wrong(["trunk", i, "register"], "registering needs username and password")
        for address_text in trunk.from_addresses:
            host = address_text.rpartition(":")[0] if address_text.count(":") == 1 else address_text
            try:
                ipaddress.ip_address(host.strip("[]"))
            except ValueError:
                raise wrong(["trunk", i, "from_addresses"], f'"{address_text}" is no IP address') from None
    for i, group in enumerate(config.trunk_group):
        _check_group(group, i, trunks, wrong)
    check_unique("trunk_group", [g.name for g in config.trunk_group], wrong)
    ways = trunks | {g.name for g in config.trunk_group}
    for i, route in enumerate(config.route):
        _check_route(route, i, ways, wrong)
    for name in config.numbering.emergency_trunks:
        if name not in trunks:
            raise wrong(["numbering", "emergency_trunks"], f'there is no trunk "{name}"')
    if config.numbering.time_zone:
        try:
            ZoneInfo(config.numbering.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise wrong(
                ["numbering", "time_zone"], f'"{config.numbering.time_zone}" is no time zone this machine knows'
            ) from None


def check_unique(section: str, names: list[str], wrong: Wrong) -> None:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            raise wrong([section, i], f'"{name}" is there twice')
        seen.add(name)


def _check_group(group: TrunkGroup, index: int, trunks: set[str], wrong: Wrong) -> None:
    if group.name in trunks:
        raise wrong(["trunk_group", index, "name"], f'"{group.name}" is the name of a trunk')
    for member in group.members:
        if member.trunk not in trunks:
            raise wrong(["trunk_group", index, "members"], f'there is no trunk "{member.trunk}"')
        try:
            parse_hours(member.hours)
        except ValueError as error:
            raise wrong(["trunk_group", index, "members"], str(error)) from None


def _check_route(route: Route, index: int, ways: set[str], wrong: Wrong) -> None:
    for name in route.trunks:
        if name not in ways:
            raise wrong(["route", index, "trunks"], f'there is no trunk "{name}"')
    causes = {cause.value for cause in HangupCause}
    for cause in route.failover:
        if cause not in causes and not (cause.isascii() and cause.isdigit() and 300 <= int(cause) <= 699):
            raise wrong(
                ["route", index, "failover"],
                f'"{cause}" is neither a hangup cause (docs/API.md lists them) nor a SIP status of 300 to 699',
            )
