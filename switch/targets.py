"""Turns a routing decision into steps of targets: bindings of an extension, trunks in order. Pure."""

from sip.flow import Flow
from sip.gruu import bare_instance
from sip.uri import escape
from switch.config_trunks import Trunk
from switch.environment import Environment
from switch.ring_plan import Ringing, Step, Target
from switch.routing import ToTrunks, TrunkAttempt

MIN_FAILOVER_S = 0.6
"""What each of a trunk's addresses gets at least to react: one retransmission (RFC 3261 T1) and a long way."""


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
            auto_answer=entry.auto_answer and not env.is_in_call(number),
        )
        for binding in env.bindings(number, now)
        if not ringing.instance or ringing.diversions or bare_instance(binding.instance) == ringing.instance
    ]
    ring_timeout_s = ringing.ring_timeout_s or entry.ring_timeout_s or env.config.calls.ring_timeout_s
    return Step(targets=targets, ring_timeout_s=ring_timeout_s, extension=number)


def extension_steps(ringing: Ringing, number: str, now: float, env: Environment) -> list[Step]:
    """As `extension_step`, but phones that registered with a lower q ring only after those with a higher one (RFC 3261
    §16.6); all of them share the time. The last step is the one that counts as the extension's."""
    whole = extension_step(ringing, number, now, env)
    wishes = {binding.contact: binding.q for binding in env.bindings(number, now)}
    by_q: dict[float, list[Target]] = {}
    for target in whole.targets:
        by_q.setdefault(wishes[target.uri], []).append(target)
    if len(by_q) < 2:
        return [whole]
    share_s = whole.ring_timeout_s / len(by_q)
    steps = [Step(targets=by_q[q], ring_timeout_s=share_s) for q in sorted(by_q, reverse=True)]
    steps[-1].extension = number
    return steps


def trunk_steps(ringing: Ringing, decision: ToTrunks, now: float, env: Environment) -> list[Step]:
    """One step a trunk and address of it (RFC 3263 §4.3), in order; addresses that failed lately come last."""
    fresh: list[Step] = []
    resting: list[Step] = []
    ring_timeout_s = ringing.ring_timeout_s or env.config.calls.ring_timeout_s
    for attempt in decision.attempts:
        trunk = env.directory.trunks[attempt.trunk]
        flows = trunk.ways() or trunk.flows
        n_fresh = sum(not trunk.is_resting(flow, now) for flow in flows)
        for flow in flows:
            is_resting = trunk.is_resting(flow, now)
            target = _trunk_target(ringing, trunk.config, attempt, flow, 1 if is_resting else n_fresh)
            target.account = decision.account
            target.route = trunk.service_route
            step = Step(
                targets=[target],
                ring_timeout_s=ring_timeout_s,
                failover=decision.failover,
                route=decision.route,
                is_emergency=decision.is_emergency,
            )
            (resting if is_resting else fresh).append(step)
    return fresh + resting


def _trunk_target(ringing: Ringing, config: Trunk, attempt: TrunkAttempt, flow: Flow, n_sharing: int) -> Target:
    host = f"[{config.host}]" if ":" in config.host else config.host
    port = f":{config.port}" if config.port else ""
    transport = f";transport={config.transport}" if config.transport != "udp" else ""
    return Target(
        kind="trunk",
        name=attempt.trunk,
        number=attempt.number,
        caller=attempt.caller,
        caller_name=ringing.caller_name,
        uri=f"sip:{uri_user(attempt.number)}@{host}{port}{transport}",
        flow=flow,
        failover_s=max(MIN_FAILOVER_S, config.failover_s / n_sharing) if config.failover_s else 0.0,
    )


def uri_user(number: str) -> str:
    """A number as the user part of a URI: what is not allowed there is escaped (RFC 3261 §25.1)."""
    return number if number.isalnum() and number.isascii() else escape(number)
