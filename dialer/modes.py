"""How many numbers to dial now, in every mode, within what bounds them all."""

import msgspec

from dialer import horizon
from dialer.ledger import Ledger
from dialer.pacing_model import PacingModel
from dialer.snapshot import Decision, PacingConfig, PacingSnapshot, Reason


def plan(now: float, snapshot: PacingSnapshot, model: PacingModel, config: PacingConfig, ledger: Ledger) -> Decision:
    """`now` in monotonic seconds. The same arguments give the same decision; only what the model keeps ready of its
    laws is renewed by it."""
    blocked = _blocked(snapshot, config)
    if blocked is not None:
        return Decision(n_dials=0, reason=blocked)
    if config.mode == "agentless" or config.answered_flow == "ivr":
        decision = Decision(n_dials=snapshot.lines_free, reason="pacing")
    else:
        decision = _for_agents(now, snapshot, model, config, ledger)
    return _bounded(now, decision, snapshot, model, config)


def _blocked(snapshot: PacingSnapshot, config: PacingConfig) -> Reason | None:
    """Why nothing is dialled, whatever the pacing would say."""
    if config.mode == "preview":
        return "preview"
    if not snapshot.is_running:
        return "stopped"
    if snapshot.callable_records <= 0:
        return "no_records"
    return None


def _for_agents(
    now: float, snapshot: PacingSnapshot, model: PacingModel, config: PacingConfig, ledger: Ledger
) -> Decision:
    if not snapshot.n_agents:
        return Decision(n_dials=0, reason="no_agents")
    one_each = max(0, horizon.free_agents(snapshot, config.reserve) - snapshot.n_ringing)
    if ledger.legal_excess(config.legal_cap, snapshot.at_utc) > 0.0:
        n = 0 if config.at_cap == "stop" else one_each
        return Decision(n_dials=n, reason="abandon_limit", credit=ledger.credit(config.alpha, snapshot.at_utc))
    if config.mode == "progressive":
        decision = Decision(n_dials=one_each, reason="pacing", credit=ledger.credit(config.alpha, snapshot.at_utc))
    elif config.mode == "power":
        decision = horizon.plan_power(now, snapshot, model, config, ledger)
    else:
        decision = horizon.plan(now, snapshot, model, config, ledger)
    if not decision.n_dials and 0 < snapshot.idle_agents <= config.reserve:
        return msgspec.structs.replace(decision, reason="reserved")
    return decision


def _bounded(
    now: float, decision: Decision, snapshot: PacingSnapshot, model: PacingModel, config: PacingConfig
) -> Decision:
    """The tightest bound names the reason."""
    own_lines = config.max_lines - snapshot.lines_in_use if config.max_lines else snapshot.lines_free
    bounds: list[tuple[int, Reason]] = [
        (max(0, min(own_lines, snapshot.lines_free)), "lines_full"),
        (max(0, snapshot.cps_tokens), "cps"),
        (snapshot.callable_records, "no_records"),
    ]
    tries = model.guard.allowed(now, snapshot.n_ringing)
    if tries is not None:
        bounds.append((tries, "trunk_trouble"))
    n, reason = min(bounds, key=lambda bound: bound[0])
    if n < decision.n_dials:
        return msgspec.structs.replace(decision, n_dials=n, reason=reason)
    return decision
