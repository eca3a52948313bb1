"""Where a call goes: a pure choice over the directory. Every refusal says why (FEATURES 4.6)."""

import msgspec

from model.access_numbers import AccessNumber
from model.causes import HangupCause
from switch.config_trunks import Route
from switch.directory import Directory, ExtensionEntry, TrunkState
from switch.number_rules import apply_rules
from switch.numbers import clean, format_number
from switch.trunk_groups import order_trunks
from switch.voicemail import box_name, is_voicemail

QUEUE = "queue:"
FLOW = "ivr:"


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Who calls: an extension, a trunk, or (both None) the switch itself."""

    caller: str
    extension: ExtensionEntry | None = None
    trunk: TrunkState | None = None
    caller_id: str = ""
    """Number to be shown, by whoever placed the call (API, campaign): before that of extension, route and trunk."""
    seed: str = ""
    """Id of the call: what weighted choices are drawn from."""


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
    is_emergency: bool = False


_WAY_FAILED: tuple[str, ...] = (
    HangupCause.RECOVERY_ON_TIMER_EXPIRE.value,
    HangupCause.NETWORK_OUT_OF_ORDER.value,
    HangupCause.NORMAL_TEMPORARY_FAILURE.value,
)
"""The address did not answer, could not be reached, or said 503 or 500."""


class ToConference(msgspec.Struct, frozen=True, gc=False):
    number: str
    access_number: str = ""


class ToQueue(msgspec.Struct, frozen=True, gc=False):
    queue: str
    access_number: str = ""


class ToFlow(msgspec.Struct, frozen=True, gc=False):
    flow: str
    access_number: str = ""


class ToVoicemail(msgspec.Struct, frozen=True, gc=False):
    box: str
    access_number: str = ""


Decision = Refuse | ToExtension | ToTrunks | ToConference | ToQueue | ToFlow | ToVoicemail


def choose_route(directory: Directory, origin: Origin, dialed: str, wall: float) -> Decision:
    """Where `dialed` leads for this caller at `wall` (UTC seconds).

    Emergency numbers before everything, permissions and limits apply to none of them. Every other way to a trunk is
    asked of `OutboundPolicy.refusal`, with `origin.extension` as who pays.
    """
    dialed = clean(dialed)
    if not dialed or len(dialed) > 64:
        return Refuse(HangupCause.INVALID_NUMBER_FORMAT, "no number was dialled" if not dialed else "number too long")
    if origin.trunk is not None:
        return _from_trunk(directory, origin, origin.trunk, dialed, wall)
    if dialed in directory.emergency:
        return _emergency(directory, origin, dialed)
    if dialed in directory.extensions:
        return ToExtension(dialed)
    if dialed in directory.conferences:
        return ToConference(dialed)
    if dialed.startswith(QUEUE) and dialed.removeprefix(QUEUE) in directory.queues:
        return ToQueue(dialed.removeprefix(QUEUE))
    if dialed.startswith(FLOW) and dialed.removeprefix(FLOW) in directory.flows:
        return ToFlow(dialed.removeprefix(FLOW))
    if is_voicemail(dialed) and (box_at := directory.boxes.get(box_name(dialed))) is not None:
        return ToVoicemail(box_at.name)
    box = directory.box_at(dialed)
    if box is not None:
        return ToVoicemail(box.name)
    access = directory.access_number("", dialed)
    if access is not None:
        return choose_access(directory, origin, access, dialed, wall)
    route = directory.routes.find(dialed)
    if route is None:
        return Refuse(HangupCause.UNALLOCATED_NUMBER, f"no extension, access number or route for {dialed}")
    return by_route(directory, origin, route, dialed, wall)


def _from_trunk(directory: Directory, origin: Origin, trunk: TrunkState, dialed: str, wall: float) -> Decision:
    access = directory.access_number(trunk.config.name, dialed)
    if access is None:
        # Only numbers of ours come in by a trunk: it is never a way out again (toll fraud).
        return Refuse(HangupCause.UNALLOCATED_NUMBER, f"{dialed} is no access number of trunk {trunk.config.name}")
    return choose_access(directory, origin, access, dialed, wall)


def choose_access(directory: Directory, origin: Origin, access: AccessNumber, dialed: str, wall: float) -> Decision:
    """Where an access number leads at `wall`, by its calendar."""
    choice = directory.office.choose(access, wall)
    to = choice.to
    if not to:
        return Refuse(HangupCause.CALL_REJECTED, f"access number {dialed} is closed ({choice.which})")
    if to.startswith(QUEUE):
        queue = to.removeprefix(QUEUE)
        if queue not in directory.queues:
            return Refuse(HangupCause.NO_ROUTE_DESTINATION, f"access number {dialed} leads to {to}, which is gone")
        return ToQueue(queue, access_number=dialed)
    if to.startswith(FLOW):
        flow = to.removeprefix(FLOW)
        if flow not in directory.flows:
            return Refuse(HangupCause.NO_ROUTE_DESTINATION, f"access number {dialed} leads to {to}, which is gone")
        return ToFlow(flow, access_number=dialed)
    if is_voicemail(to):
        box = directory.boxes.get(box_name(to))
        if box is None:
            return Refuse(HangupCause.NO_ROUTE_DESTINATION, f"access number {dialed} leads to {to}, which is gone")
        return ToVoicemail(box.name, access_number=dialed)
    if to in directory.extensions:
        return ToExtension(to, access_number=dialed)
    if to in directory.conferences:
        return ToConference(to, access_number=dialed)
    route = directory.routes.find(to)
    if route is None:
        return Refuse(HangupCause.NO_ROUTE_DESTINATION, f"access number {dialed} leads to {to}, which leads nowhere")
    called = Origin(caller=dialed, caller_id=origin.caller_id, seed=origin.seed)
    decision = by_route(directory, called, route, to, wall)
    return msgspec.structs.replace(decision, access_number=dialed) if isinstance(decision, ToTrunks) else decision


def by_route(directory: Directory, origin: Origin, route: Route, dialed: str, wall: float) -> Decision:
    number = route.prepend + dialed[route.strip :]
    region = directory.config.numbering.region
    barred = directory.outbound.refusal(origin.extension, number, wall)
    if barred is not None:
        return Refuse(barred.cause, barred.why)
    account = origin.extension.number if origin.extension is not None else ""
    up = [trunk for trunk in order_ways(directory, route, origin, wall) if trunk.ways()]
    attempts = [_attempt(trunk, origin, number, region, route.caller_id) for trunk in up if not trunk.is_full]
    if not attempts:
        for trunk in up:
            trunk.calls_skipped += 1
        if up:
            return Refuse(HangupCause.NORMAL_CIRCUIT_CONGESTION, f"all trunks of route {route.name} are full")
        return Refuse(HangupCause.GATEWAY_DOWN, f"no trunk of route {route.name} is up")
    return ToTrunks(route.name, tuple(attempts), route.failover, account=account)


def order_ways(directory: Directory, route: Route, origin: Origin, wall: float) -> list[TrunkState]:
    """The trunks of a route in the order in which this call tries them: groups are ordered here, each trunk once."""
    names: dict[str, None] = {}
    time_zone = directory.config.numbering.time_zone
    for name in route.trunks:
        group = directory.trunk_groups.get(name)
        if group is None:
            names[name] = None
            continue
        for member in order_trunks(group, directory.trunks, seed=origin.seed, wall=wall, time_zone=time_zone):
            names[member] = None
    return [directory.trunks[name] for name in names]


def by_trunk(directory: Directory, origin: Origin, trunk: TrunkState, number: str, wall: float) -> Decision:
    """By this trunk and no other, whatever the routes say; what is closed by policy stays closed."""
    number = clean(number)
    if not number or len(number) > 64:
        return Refuse(HangupCause.INVALID_NUMBER_FORMAT, "no number" if not number else "number too long")
    barred = directory.outbound.refusal(origin.extension, number, wall)
    if barred is not None:
        return Refuse(barred.cause, barred.why)
    if not trunk.ways():
        return Refuse(HangupCause.GATEWAY_DOWN, f"trunk {trunk.config.name} is down")
    if trunk.is_full:
        trunk.calls_skipped += 1
        return Refuse(HangupCause.NORMAL_CIRCUIT_CONGESTION, f"trunk {trunk.config.name} is full")
    attempt = _attempt(trunk, origin, number, directory.config.numbering.region, "")
    # What could follow are other addresses of the same trunk, which help only where one of them is out of order.
    account = origin.extension.number if origin.extension is not None else ""
    return ToTrunks("", (attempt,), _WAY_FAILED, account=account)


def _emergency(directory: Directory, origin: Origin, dialed: str) -> Decision:
    region = directory.config.numbering.region
    # Those that seem dead come last, but they do come: nothing worse can happen than no try at all.
    trunks = sorted((t for t in directory.emergency_trunks() if t.flows), key=lambda trunk: not trunk.ways())
    shown = directory.config.numbering.emergency_caller_id
    if shown:
        origin = msgspec.structs.replace(origin, caller_id=shown)
    attempts = tuple(TrunkAttempt(trunk.config.name, dialed, _caller(trunk, origin, region, "")) for trunk in trunks)
    if not attempts:
        return Refuse(HangupCause.GATEWAY_DOWN, "no trunk is up for an emergency call")
    every_cause = tuple(cause.value for cause in HangupCause if cause is not HangupCause.ORIGINATOR_CANCEL)
    return ToTrunks("emergency", attempts, every_cause, is_emergency=True)


def _attempt(trunk: TrunkState, origin: Origin, number: str, region: str, caller_id: str) -> TrunkAttempt:
    written = format_number(number, region, trunk.config.number_format)
    written = apply_rules(trunk.config.rules_out, written, "dialed")
    return TrunkAttempt(trunk.config.name, written, _caller(trunk, origin, region, caller_id))


def _caller(trunk: TrunkState, origin: Origin, region: str, route_caller_id: str) -> str:
    own = origin.extension.caller_id if origin.extension is not None else ""
    caller = origin.caller_id or route_caller_id or own or trunk.config.caller_id or origin.caller
    written = format_number(caller, region, trunk.config.number_format)
    return apply_rules(trunk.config.rules_out, written, "caller")
