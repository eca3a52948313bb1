"""Rules after which supervisors are alarmed (XSUP-02): `[[alarm]]`."""

from typing import Annotated, Literal

from msgspec import Meta

from model.settings import Name, Seconds, Section

Measure = Literal[
    "waiting",
    "longest_wait_s",
    "abandon_rate",
    "service_level",
    "available",
    "signed_in",
    "campaign_abandon_rate",
    "campaigns_idle",
]
"""waiting: callers who wait; longest_wait_s: of them; abandon_rate and service_level (sl3): of the day, 0 to 1;
available: idle agents; signed_in: agents; campaign_abandon_rate: the highest of any campaign of the queue, of the day,
24 hours or 30 days; campaigns_idle: running campaigns that call nobody though records are at hand and agents idle."""
BELOW = frozenset(("service_level", "available", "signed_in"))
"""Measures that are bad when they are small."""
Severity = Literal["warning", "critical"]


class AlarmRule(Section, frozen=True):
    """One measure of queues that must not go beyond a limit."""

    name: Name
    measure: Measure
    limit: Annotated[
        float,
        Meta(ge=0, description="Beyond it: more than this; of service_level, available and signed_in: less than this."),
    ]
    clear: Annotated[
        float | None, Meta(description="It is over when the measure is back here; null: as soon as it is at the limit.")
    ] = None
    for_s: Annotated[Seconds, Meta(description="Raised when it has been so for so long.")] = 0.0
    queues: Annotated[tuple[Name, ...], Meta(max_length=500, description="Empty: each queue for itself.")] = ()
    severity: Severity = "warning"


def rule_problem(rule: AlarmRule) -> str:
    """What is wrong with it; "" = nothing."""
    if rule.clear is None:
        return ""
    if rule.measure in BELOW:
        return "" if rule.clear >= rule.limit else f"clear must not be below the limit of {rule.measure}"
    return "" if rule.clear <= rule.limit else f"clear must not be above the limit of {rule.measure}"
