"""Whom a call placed by API may be for: an extension or number as one dials it, `trunk:NAME/NUMBER`, `sip:user@host`.
Several at once ring together or one after the other. Pure."""

import msgspec

from model.causes import HangupCause
from sip.errors import SipParseError
from sip.flow import Flow
from sip.uri import SipUri, parse_uri
from switch.call import Call
from switch.config_security import Outbound
from switch.environment import Environment
from switch.numbers import clean
from switch.phases.route import plan, take_decision
from switch.ring_plan import Step, Target
from switch.routing import Origin, by_trunk
from switch.targets import uri_user

_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}


def plan_parties(
    call: Call, parties: tuple[str, ...], strategy: str, origin: Origin, now: float, env: Environment
) -> HangupCause | None:
    """Appends the steps that lead to the parties, `strategy` being parallel or serial; the cause why there are none.

    Those that cannot be reached at all are left out while others can.
    """
    if len(parties) == 1:
        return _plan_party(call, parties[0], origin, now, env)
    steps: list[Step] = []
    refused: HangupCause | None = None
    for party in parties:
        n_before = len(call.plan)
        cause = _plan_party(call, party, origin, now, env)
        one = _as_one_step(call.plan[n_before:])
        del call.plan[n_before:]
        if one is not None:
            steps.append(one)
        else:
            refused = refused or cause or HangupCause.USER_NOT_REGISTERED
    if not steps:
        return refused
    if strategy == "serial":
        call.plan += steps
    else:
        targets = [target for step in steps for target in step.targets]
        call.plan.append(Step(targets=targets, ring_timeout_s=max(step.ring_timeout_s for step in steps)))
    return None


def party_number(party: str) -> str:
    """What a party is called in records and shown as: the number, or the user of the URI."""
    if party.startswith("trunk:"):
        return party.partition("/")[2]
    uri = _parse(party)
    return (uri.user or uri.host) if uri is not None else party


def is_uri_allowed(policy: Outbound, host: str) -> bool:
    """Whether SIP URIs of this host may be called."""
    host = host.lower().rstrip(".")
    return any(host == each or (each.startswith(".") and host.endswith(each)) for each in policy.sip_uri_hosts)


def _plan_party(call: Call, party: str, origin: Origin, now: float, env: Environment) -> HangupCause | None:
    if party.startswith("trunk:"):
        name, _, number = party.removeprefix("trunk:").partition("/")
        trunk = env.directory.trunks.get(name)
        if trunk is None:
            return HangupCause.NO_ROUTE_DESTINATION
        origin = msgspec.structs.replace(origin, caller_id=origin.caller_id or call.caller_id)
        return take_decision(call, by_trunk(env.directory, origin, trunk, number, env.wall(now)), now, env)
    if party.lower().startswith(("sip:", "sips:")):
        return _plan_uri(call, party, origin, env)
    return plan(call, origin, party, now, env)


def _plan_uri(call: Call, party: str, origin: Origin, env: Environment) -> HangupCause | None:
    uri = _parse(party)
    if uri is None or not uri.user or uri.password:
        return HangupCause.INVALID_NUMBER_FORMAT
    if not is_uri_allowed(env.config.outbound, uri.host):
        return HangupCause.OUTGOING_CALL_BARRED
    transport = "tls" if uri.scheme == "sips" else uri.params.get("transport", "udp").lower()
    if transport not in _PORTS:
        return HangupCause.INVALID_NUMBER_FORMAT
    is_literal = ":" in uri.host or uri.host.replace(".", "").isdigit()
    flow = Flow(transport, uri.host if is_literal else "", uri.port or _PORTS[transport])
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    port = f":{uri.port}" if uri.port else ""
    parameter = "" if transport == "udp" or uri.scheme == "sips" else f";transport={transport}"
    # What else the URI carried (headers, parameters) is nobody's business but ours.
    target = Target(
        kind="uri",
        name=uri.host[:64],
        number=uri.user[:64],
        caller=origin.caller_id or call.caller_id or origin.caller,
        caller_name=call.caller_name,
        uri=f"{uri.scheme}:{uri_user(uri.user)}@{host}{port}{parameter}",
        flow=flow,
    )
    timeout_s = call.ring_timeout_s or env.config.calls.ring_timeout_s
    call.plan.append(Step(targets=[target], ring_timeout_s=timeout_s))
    if call.direction == "internal":
        call.direction = "outbound"
    return None


def _as_one_step(steps: list[Step]) -> Step | None:
    """A party's steps as one, in which its trunks stand in for each other while other parties ring on."""
    steps = [step for step in steps if step.targets]
    if not steps:
        return None
    first = steps[0]
    trunks = [step.targets[0] for step in steps if step.targets[0].kind == "trunk"]
    if first.targets[0].kind == "trunk":
        first.targets[0].other_ways = trunks[1:]
        first.targets[0].failover = first.failover
    return Step(targets=first.targets, ring_timeout_s=first.ring_timeout_s, is_emergency=first.is_emergency)


def _parse(party: str) -> SipUri | None:
    if not party.lower().startswith(("sip:", "sips:")):
        return None
    try:
        uri = parse_uri(party)
    except SipParseError:
        return None
    return uri if uri.is_sip and uri.host and clean(uri.host) else None
