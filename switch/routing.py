"""Where a call goes: a pure choice over the directory. Every refusal says why (FEATURES 4.6)."""

import msgspec

from model.causes import HangupCause
from switch.config_trunks import Route
from switch.directory import Directory, ExtensionEntry, TrunkState
from switch.numbers import clean, format_number


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Who calls: an extension, a trunk, or (both None) the switch itself."""

    caller: str
    extension: ExtensionEntry | None = None
    trunk: TrunkState | None = None


class Refuse(msgspec.Struct, frozen=True, gc=False):
    cause: HangupCause
    why: str


class ToExtension(msgspec.Struct, frozen=True, gc=False):
    number: str
    access_number: str = ""


class TrunkAttempt(msgspec.Struct, frozen=True, gc=False):
    """One try by one trunk: `number` and `caller` are written as that trunk wants them."""

    trunk: str
    number: str
    caller: str


class ToTrunks(msgspec.Struct, frozen=True, gc=False):
    """Trunks in order; the next is tried when the one before ends with a cause in `failover`."""

    route: str
    attempts: tuple[TrunkAttempt, ...]
    failover: tuple[str, ...]
    access_number: str = ""
    account: str = ""
    """The extension that pays; "" = none does."""


Decision = Refuse | ToExtension | ToTrunks


def choose_route(directory: Directory, origin: Origin, dialed: str, wall: float) -> Decision:
    """Where `dialed` leads for this caller at `wall` (UTC seconds).

    Emergency numbers before everything, permissions and limits apply to none of them. Every other way to a trunk is
    asked of `OutboundPolicy.refusal`, with `origin.extension` as who pays.
    """
    dialed = clean(dialed)
    if not dialed or len(dialed) > 64:
        return Refuse(HangupCause.INVALID_NUMBER_FORMAT, "no number was dialled" if not dialed else "number too long")
    if origin.trunk is not None:
        return _from_trunk(directory, origin.trunk, dialed, wall)
    if dialed in directory.emergency:
        return _emergency(directory, origin, dialed)
    if dialed in directory.extensions:
        return ToExtension(dialed)
    access = directory.access_number("", dialed)
    if access is not None:
        return _access(directory, access.to, dialed, wall)
    route = directory.routes.find(dialed)
    if route is None:
        return Refuse(HangupCause.UNALLOCATED_NUMBER, f"no extension, access number or route for {dialed}")
    return _by_route(directory, origin, route, dialed, wall)


def _from_trunk(directory: Directory, trunk: TrunkState, dialed: str, wall: float) -> Decision:
    access = directory.access_number(trunk.config.name, dialed)
    if access is None:
        # Only numbers of ours come in by a trunk: it is never a way out again (toll fraud).
        return Refuse(HangupCause.UNALLOCATED_NUMBER, f"{dialed} is no access number of trunk {trunk.config.name}")
    return _access(directory, access.to, dialed, wall)


def _access(directory: Directory, to: str, dialed: str, wall: float) -> Decision:
    if to in directory.extensions:
        return ToExtension(to, access_number=dialed)
    route = directory.routes.find(to)
    if route is None:
        return Refuse(HangupCause.NO_ROUTE_DESTINATION, f"access number {dialed} leads to {to}, which leads nowhere")
    decision = _by_route(directory, Origin(caller=dialed), route, to, wall)
    return msgspec.structs.replace(decision, access_number=dialed) if isinstance(decision, ToTrunks) else decision


def _by_route(directory: Directory, origin: Origin, route: Route, dialed: str, wall: float) -> Decision:
    number = route.prepend + dialed[route.strip :]
    region = directory.config.numbering.region
    barred = directory.outbound.refusal(origin.extension, number, wall)
    if barred is not None:
        return Refuse(barred.cause, barred.why)
    account = origin.extension.number if origin.extension is not None else ""
    attempts = []
    for name in route.trunks:
        trunk = directory.trunks[name]
        if trunk.flows and not trunk.is_full:
            attempts.append(_attempt(trunk, origin, number, region, route.caller_id))
    if not attempts:
        full = any(directory.trunks[name].is_full for name in route.trunks)
        if full:
            return Refuse(HangupCause.NORMAL_CIRCUIT_CONGESTION, f"all trunks of route {route.name} are full")
        return Refuse(HangupCause.GATEWAY_DOWN, f"no trunk of route {route.name} is up")
    return ToTrunks(route.name, tuple(attempts), route.failover, account=account)


def _emergency(directory: Directory, origin: Origin, dialed: str) -> Decision:
    region = directory.config.numbering.region
    trunks = [trunk for trunk in directory.emergency_trunks() if trunk.flows]
    attempts = tuple(TrunkAttempt(trunk.config.name, dialed, _caller(trunk, origin, region, "")) for trunk in trunks)
    if not attempts:
        return Refuse(HangupCause.GATEWAY_DOWN, "no trunk is up for an emergency call")
    every_cause = tuple(cause.value for cause in HangupCause if cause is not HangupCause.ORIGINATOR_CANCEL)
    return ToTrunks("emergency", attempts, every_cause)


def _attempt(trunk: TrunkState, origin: Origin, number: str, region: str, caller_id: str) -> TrunkAttempt:
    style = trunk.config.number_format
    return TrunkAttempt(
        trunk.config.name, format_number(number, region, style), _caller(trunk, origin, region, caller_id)
    )


def _caller(trunk: TrunkState, origin: Origin, region: str, route_caller_id: str) -> str:
    own = origin.extension.caller_id if origin.extension is not None else ""
    caller = route_caller_id or own or trunk.config.caller_id or origin.caller
    return format_number(caller, region, trunk.config.number_format)
