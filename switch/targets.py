"""Turns a routing decision into steps of targets: bindings of an extension, trunks in order. Pure."""

from sip.uri import escape
from switch.call import Ringing, Step, Target
from switch.environment import Environment
from switch.routing import ToTrunks


def extension_step(ringing: Ringing, number: str, now: float, env: Environment) -> Step:
    """All bindings of the extension ring together; no target when it is not registered."""
    entry = env.directory.extensions[number]
    targets = [
        Target(
            kind="extension",
            name=number,
            number=number,
            caller=ringing.caller,
            caller_name=ringing.caller_name,
            uri=binding.contact,
            flow=binding.flow,
            route=binding.path,
        )
        for binding in env.bindings(number, now)
    ]
    ring_timeout_s = ringing.ring_timeout_s or entry.ring_timeout_s or env.config.calls.ring_timeout_s
    return Step(targets=targets, ring_timeout_s=ring_timeout_s, extension=number)


def trunk_steps(ringing: Ringing, decision: ToTrunks, env: Environment) -> list[Step]:
    """One step a trunk and address of it (RFC 3263 §4.3), in order."""
    steps = []
    ring_timeout_s = ringing.ring_timeout_s or env.config.calls.ring_timeout_s
    for attempt in decision.attempts:
        trunk = env.directory.trunks[attempt.trunk]
        host = f"[{trunk.config.host}]" if ":" in trunk.config.host else trunk.config.host
        port = f":{trunk.config.port}" if trunk.config.port else ""
        transport = f";transport={trunk.config.transport}" if trunk.config.transport != "udp" else ""
        for flow in trunk.flows:
            target = Target(
                kind="trunk",
                name=attempt.trunk,
                number=attempt.number,
                caller=attempt.caller,
                caller_name=ringing.caller_name,
                uri=f"sip:{uri_user(attempt.number)}@{host}{port}{transport}",
                flow=flow,
                account=decision.account,
            )
            steps.append(
                Step(
                    targets=[target],
                    ring_timeout_s=ring_timeout_s,
                    failover=decision.failover,
                    route=decision.route,
                )
            )
    return steps


def uri_user(number: str) -> str:
    """A number as the user part of a URI: what is not allowed there is escaped (RFC 3261 §25.1)."""
    return number if number.isalnum() and number.isascii() else escape(number)
