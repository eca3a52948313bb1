"""Commands that show figures of queues and agents since midnight. `switch/metrics.py` handles them.

A share is null when there is nothing it would be a share of. Formulas: docs/metrics.md.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from model import views
from model.declare import Command, command
from model.errors import InvalidValue, StorageUnavailable


class QueueMetrics(views.View, frozen=True, kw_only=True):
    """A queue today; carried + offered = answered + abandoned + flowed_out + waiting."""

    queue: str
    carried: int
    """Waited at midnight."""
    offered: int
    answered: int
    abandoned: int
    abandoned_short: int
    """Of these, those who hung up before `short_abandon_s`."""
    flowed_out: int
    flowed: dict[str, int]
    """By reason."""
    waiting: int
    longest_wait_current_s: float
    longest_wait_s: float
    """Of who has left."""
    answer_rate: float | None
    abandon_rate: float | None
    abandon_rate_without_short: float | None
    asa_s: float | None
    avg_queue_time_s: float | None
    avg_abandon_time_s: float | None
    sl1: float | None
    """Answered in time of those answered."""
    sl2: float | None
    """Over in time of those answered or abandoned."""
    sl3: float | None
    """Answered in time of those offered."""
    sl4: float | None
    """As sl3, without short abandons."""
    offers: int
    offers_accepted: int
    no_answer_rate: float | None
    missed: dict[str, int]
    ring_s: float
    handled: int
    transferred: int
    aht_s: float | None
    att_s: float | None
    avg_hold_s: float | None
    avg_acw_s: float | None
    rated: dict[str, int]
    csat: float | None
    agents: dict[str, int]
    """State -> how many of those signed in who serve it."""


class QueueMetricsList(views.View, frozen=True, kw_only=True):
    """Every queue that is configured or has figures."""

    queues: list[QueueMetrics]
    identity_violations: int
    """Events that do not fit together; 0 = every caller is accounted for."""


class WorkMetrics(views.View, frozen=True, kw_only=True):
    """What agents did, of one or of several."""

    sign_ins: int
    signin_s: float
    states_s: dict[str, float]
    not_ready_s: dict[str, float]
    """By reason, what is over."""
    not_ready_n: dict[str, int]
    occupancy: float | None
    """Handling of handling and available; ringing and not ready do not count."""
    utilization: float | None
    """Handling and ringing of the time signed in (D-5)."""
    utilization_talk: float | None
    """Talking alone of the time signed in (D-5, the other reading)."""
    offers: int
    offers_accepted: int
    missed: dict[str, int]
    no_answer_rate: float | None
    ring_s: float
    handled: dict[str, int]
    """By call type."""
    transferred: int
    talk_s: float
    hold_s: float
    acw_s: float
    aht_s: float | None
    att_s: float | None
    rated: dict[str, int]
    csat: float | None


class AgentMetrics(WorkMetrics, frozen=True, kw_only=True):
    """An agent today."""

    agent_id: str
    state: str
    reason: str
    state_s: float


class AgentMetricsList(views.View, frozen=True, kw_only=True):
    """Every agent who was signed in today."""

    agents: list[AgentMetrics]


class GroupMetrics(WorkMetrics, frozen=True, kw_only=True):
    """An agent group: sums of its agents, and shares of those sums."""

    group: str
    agents: dict[str, int]
    """State -> how many, offline too."""


class GroupMetricsList(views.View, frozen=True, kw_only=True):
    """Every agent group."""

    groups: list[GroupMetrics]


class IntervalMetrics(views.View, frozen=True, kw_only=True):
    """Figures of one interval: of what was asked for."""

    begin_utc: float
    end_utc: float
    """Earlier than a whole interval where the history ends."""
    queues: list[QueueMetrics] = msgspec.field(default_factory=list)
    agents: list[AgentMetrics] = msgspec.field(default_factory=list)
    groups: list[GroupMetrics] = msgspec.field(default_factory=list)
    is_whole: bool = True
    """carried + offered = answered + abandoned + flowed_out + waiting for every queue."""


class MetricsHistory(views.View, frozen=True, kw_only=True):
    """Intervals, the earliest first."""

    intervals: list[IntervalMetrics]
    identity_violations: int
    """Events that do not fit together; 0 = every caller is accounted for."""


@command("metrics.group", role="supervisor", result=GroupMetricsList)
class GetGroupMetrics(Command, frozen=True, kw_only=True):
    """Figures of all agent groups since midnight."""


@command("metrics.history", role="supervisor", result=MetricsHistory, errors=(InvalidValue, StorageUnavailable))
class GetMetricsHistory(Command, frozen=True, kw_only=True):
    """Figures by interval, from the event log; 31 days at most, and 20,000 rows."""

    of: Literal["queue", "agent", "group"]
    ids: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=500)] = msgspec.field(
        default_factory=list
    )
    """Of these only; empty = all that have figures."""
    start_utc: Annotated[float, Meta(ge=0.0, le=32503680000.0)]
    end_utc: Annotated[float, Meta(ge=0.0, le=32503680000.0)]
    interval_s: Literal[900, 1800, 3600, 86400] = 900
    """Counted from midnight where the company is."""


@command("metrics.queue", role="supervisor", result=QueueMetricsList)
class GetQueueMetrics(Command, frozen=True, kw_only=True):
    """Figures of all queues since midnight, and who waits and works now."""


@command("metrics.agent", role="supervisor", result=AgentMetricsList)
class GetAgentMetrics(Command, frozen=True, kw_only=True):
    """Figures of all agents since midnight, and what each does now."""
