"""What a decision is made of: how a campaign dials, what the floor looks like, what was decided."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from model.campaigns import LEGAL_CAP, Campaign, DialerRules, Mode

Flow = Literal["queue", "ivr"]
Reason = Literal[
    "pacing",
    "preview",
    "stopped",
    "no_records",
    "no_agents",
    "reserved",
    "warming_up",
    "gate_closed",
    "abandon_limit",
    "trunk_trouble",
    "lines_full",
    "cps",
]
"""What decided the number:

- pacing: the mode's own rule; also when that says 0 because enough is under way
- preview: agents dial, nothing is dialled for them
- stopped: not running, or outside its hours
- no_records: nothing left that may be dialled now
- no_agents: nobody signed in for it
- reserved: no more agents are idle than are kept for callers
- warming_up: too few dials yet to know the answer rate, one call per idle agent
- gate_closed: not enough callers answered since the last abandoned ones, one call per idle agent
- abandon_limit: over the legal cap; one call per idle agent, or nothing (`at_cap`)
- trunk_trouble: most of the last dials failed at once; nothing, or a few to try
- lines_full, cps: lines or calls per second bound it
"""


class PacingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a campaign dials. Raises ValueError for values out of range and for a limit above the legal cap."""

    mode: Mode = "predictive"
    max_abandon_rate: float = LEGAL_CAP
    """Of the callers who answered, so many may find no agent within `patience_s`."""
    hit_rate: float | None = None
    """The same, told as the share that reaches an agent (指定命中率): 0.97 is a `max_abandon_rate` of 0.03. Goes before
    it."""
    p_override: float | None = None
    """The other reading of 指定命中率: the share of dials that is answered, taken instead of what was learnt."""
    ratio: float = 1.0
    """Of mode power: lines per idle agent."""
    max_lines: int = 0
    """0: as many as there are."""
    reserve: int = 0
    """So many idle agents are kept for callers (保留最少空闲座席数)."""
    ring_timeout_s: float = 22.0
    patience_s: float = 2.0
    """How long who has answered waits for an agent before it counts as abandoned."""
    legal_cap: float = LEGAL_CAP
    at_cap: Literal["progressive", "stop"] = "progressive"
    """Over the cap: one call per idle agent, by which the share can only fall, or nothing at all."""
    amd_fp_rate: float = 0.0
    """Of the verdicts "machine", so many were people who were hung up on."""
    answered_flow: Flow = "queue"

    def __post_init__(self) -> None:
        shares = {
            "max_abandon_rate": self.max_abandon_rate,
            "hit_rate": self.hit_rate,
            "legal_cap": self.legal_cap,
            "amd_fp_rate": self.amd_fp_rate,
        }
        for name, share in shares.items():
            if share is not None and not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} is {share:g}; a share is 0 to 1")
        if self.p_override is not None and not 0.01 <= self.p_override <= 1.0:
            raise ValueError(f"p_override is {self.p_override:g}; an answer rate is 0.01 to 1")
        if not 1.0 <= self.ratio <= 15.0:
            raise ValueError(f"ratio is {self.ratio:g}; 1 to 15 lines may be dialled per idle agent")
        if self.max_lines < 0 or self.reserve < 0:
            raise ValueError("max_lines and reserve may not be below 0")
        if not 1.0 <= self.ring_timeout_s <= 180.0 or not 0.0 <= self.patience_s <= 30.0:
            raise ValueError("ring_timeout_s is 1 to 180, patience_s 0 to 30")
        if self.alpha > self.legal_cap:
            told = f"hit_rate {self.hit_rate:g}" if self.hit_rate is not None else "max_abandon_rate"
            raise ValueError(
                f"{told}: {self.alpha:.2%} abandoned calls are more than the legal cap of {self.legal_cap:.2%}"
            )

    @property
    def alpha(self) -> float:
        """The share of answered calls that may be abandoned."""
        return self.max_abandon_rate if self.hit_rate is None else round(1.0 - self.hit_rate, 12)


def pacing_config(campaign: Campaign, rules: DialerRules, reserve: int = 0) -> PacingConfig:
    """How a campaign that is configured dials. A limit above the legal cap, as after that was lowered, is the cap."""
    cap = rules.max_abandon_rate
    return PacingConfig(
        mode=campaign.mode,
        max_abandon_rate=min(campaign.max_abandon_rate, cap),
        hit_rate=max(campaign.hit_rate, 1.0 - cap) if campaign.hit_rate else None,
        p_override=max(campaign.assumed_answer_rate, 0.01) if campaign.assumed_answer_rate else None,
        ratio=campaign.power_ratio,
        max_lines=campaign.max_lines,
        reserve=reserve,
        ring_timeout_s=max(campaign.ring_timeout_s, rules.least_ring_s),
        patience_s=campaign.patience_s,
        legal_cap=cap,
        amd_fp_rate=campaign.amd_false_rate if campaign.detects_machines else 0.0,
        answered_flow="ivr" if campaign.answered_to.startswith("ivr:") else "queue",
    )


class PacingSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The floor at one instant. Ages are seconds; sequences or numpy arrays."""

    at_utc: float
    """Wall clock, for the windows of the ledger."""
    is_running: bool = True
    """Started and within its hours."""
    idle_agents: int = 0
    """Who would take a call of this campaign now."""
    talk_ages: Sequence[float] = ()
    """Of its agents who talk, to whomever: since when."""
    wrap_ages: Sequence[float] = ()
    """Of its agents who wrap up: since when."""
    ringing_ages: Sequence[float] = ()
    """Of its calls that are not answered: since the INVITE was sent."""
    answered_waiting: int = 0
    """Its calls that are answered and have no agent yet."""
    inbound_waiting: int = 0
    """Callers who wait for the same agents."""
    lines_in_use: int = 0
    """What counts towards `max_lines`."""
    lines_free: int = 1_000_000
    """Of the trunks."""
    cps_tokens: int = 1_000_000
    """So many calls may be begun now."""
    callable_records: int = 1_000_000
    """May be dialled now, after do-not-call, consent, hours and retries."""

    @property
    def n_agents(self) -> int:
        return self.idle_agents + len(self.talk_ages) + len(self.wrap_ages)

    @property
    def n_ringing(self) -> int:
        return len(self.ringing_ages)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """So many numbers are to be dialled now, and why; the rest is what the log of decisions tells."""

    n_dials: int
    reason: Reason
    p: float = 0.0
    """Answer rate that was counted with."""
    theta: float = 0.0
    """How likely one more call may find no agent, if it is answered."""
    q: float = 0.0
    """How likely that is for the call after those that are dialled."""
    credit: float = 0.0
    """So many callers more might be abandoned within the limit of every window."""
    at_risk: float = 0.0
    """So many of the calls under way are expected to find no agent."""
    is_gate_open: bool = False
    """More calls may ring than agents are idle."""
