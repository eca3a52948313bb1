"""Campaigns as they are configured (FEATURES 1.8, 2.8): whom they call when, how fast, and what an answer leads to."""

from typing import Annotated, Literal

from msgspec import Meta

from model.queues import Target
from model.settings import Name, Section, Text

Mode = Literal["preview", "progressive", "power", "predictive", "agentless"]
"""preview: an agent sees the customer, then dials; progressive: one call for each idle agent; power: a fixed number of
calls for each; predictive: as many as keep agents talking within the limit of abandoned calls; agentless: as many as
there are lines, answered by a flow (XOUT-01)."""

CampaignState = Literal["not_started", "running", "stopped", "suspended", "completed"]
"""未启动, 已启动, 已停止, out of hours (goes on by itself), 全部完成 (OUT-19)."""

RecordStatus = Literal["new", "queued", "dialing", "retry_wait", "connected", "done", "failed", "dnc", "callback"]
"""queued: in the hopper; connected: a conversation is on, or was and nobody has said yet how it went; done: over, with
success or without; failed: every attempt came to nothing, or its numbers cannot be called; callback: promised."""

AttemptResult = Literal[
    "",
    "human",
    "machine",
    "fax",
    "busy",
    "no_answer",
    "invalid",
    "dropped",
    "dnc_blocked",
    "failed",
    "congestion",
    "cancelled",
    "interrupted",
]
"""How an attempt ended (FEATURES 4.6); "" = it has not. human: somebody answered and an agent or flow had him; dropped:
somebody answered and no agent was there in time; cancelled: we gave it up before an answer; interrupted: the switch
ended in the middle of it."""

RetryOutcome = Literal["busy", "no_answer", "machine", "fax", "dropped", "failed", "congestion", "cancelled"]
Effect = Literal["done", "success", "retry", "callback", "dnc", "wrong_number"]

NOT_SAID = "ACW_TIMEOUT"
"""Disposition in every campaign, with effect done: the agent gave none in time."""
LEAST_RING_S = 15.0
"""Regulators want that a call rings so long before it is given up."""
LEGAL_CAP = 0.03
"""Highest share of abandoned calls that may be configured, unless `[dialer] max_abandon_rate` says less."""


class RetryRule(Section, frozen=True):
    """What follows an attempt that ended so (XOUT-06)."""

    outcome: RetryOutcome
    after_s: Annotated[float, Meta(ge=0, le=86400 * 60, description="Not called again sooner.")]
    max_attempts: Annotated[
        int, Meta(ge=0, le=100, description="Attempts that end so, of one number; 0: the campaign's alone.")
    ] = 0


class Disposition(Section, frozen=True):
    """What an agent says of a conversation, and what becomes of the record then (XAGT-02)."""

    code: Name
    title: Text = ""
    effect: Annotated[
        Effect,
        Meta(
            description="done; success: also counted as a deal; retry: called again after retry_min_s; callback: at "
            "the time agreed on; dnc: never again; wrong_number: the record's next number."
        ),
    ] = "done"


class ShownNumber(Section, frozen=True):
    """A number shown to customers of an area (XOUT-07)."""

    area: Annotated[
        Text, Meta(description='As the area of numbers is called: "浙江省杭州市", "杭州"; empty: all others.')
    ]
    numbers: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100, description="Taken in turn.")]


DEFAULT_RETRIES = (
    RetryRule(outcome="busy", after_s=600.0, max_attempts=3),
    RetryRule(outcome="no_answer", after_s=7200.0, max_attempts=3),
    RetryRule(outcome="machine", after_s=14_400.0, max_attempts=2),
    RetryRule(outcome="fax", after_s=0.0, max_attempts=1),
    RetryRule(outcome="dropped", after_s=259_200.0, max_attempts=2),
    RetryRule(outcome="failed", after_s=3600.0, max_attempts=2),
    RetryRule(outcome="congestion", after_s=300.0),
    RetryRule(outcome="cancelled", after_s=300.0),
)


class Campaign(Section, frozen=True):
    """Customers who are called, and by whom."""

    name: Name
    title: Text = ""
    mode: Mode = "preview"
    # Who is shown, and on which lines.
    caller_id: Annotated[str, Meta(description="Number shown, whoever of the agents calls (OUT-12).")] = ""
    caller_name: Annotated[Text, Meta(description="Name shown, where names are.")] = ""
    shows: Annotated[
        Literal["campaign", "agent", "area"],
        Meta(description="Number shown: caller_id; the agent's own (preview, OUT-06); by the customer's area."),
    ] = "campaign"
    area_numbers: Annotated[tuple[ShownNumber, ...], Meta(max_length=400)] = ()
    dial_prefix: Annotated[
        str, Meta(pattern=r"^[0-9*#+]{0,8}$", description="Put before the number to dial it: what selects the route.")
    ] = ""
    trunks: Annotated[
        tuple[Name, ...],
        Meta(max_length=50, description="Trunks and trunk groups in order, in place of those of the route."),
    ] = ()
    max_lines: Annotated[int, Meta(ge=1, le=100_000, description="Calls at the same time (OUT-11).")] = 30
    max_calls_per_s: Annotated[float, Meta(gt=0, le=1000)] = 10.0
    ring_timeout_s: Annotated[float, Meta(ge=1, le=180, description="A call rings no longer (OUT-18).")] = 25.0
    # Agents.
    queue: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}$", description="The queue whose agents speak to those who answer.")
    ] = ""
    answered_to: Annotated[
        Target, Meta(description="Where who answers is led (OUT-13): ivr:FLOW, queue:NAME; empty: the queue.")
    ] = ""
    weight: Annotated[
        int, Meta(ge=1, le=100, description="Of several campaigns with the same agents: its share of the calls.")
    ] = 10
    # How fast.
    power_ratio: Annotated[float, Meta(ge=1, le=15, description="power: calls for each idle agent.")] = 1.5
    max_abandon_rate: Annotated[
        float, Meta(gt=0, le=0.2, description="Share of answered calls that may find no agent; 0.03 = 3 %.")
    ] = LEGAL_CAP
    hit_rate: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="命中率 as a goal: share of answered calls that reach an agent; 0: max_abandon_rate.",
        ),
    ] = 0.0
    assumed_answer_rate: Annotated[
        float,
        Meta(
            ge=0, le=1, description="命中率 as an assumption: share of calls that are answered; 0: measured (OUT-17)."
        ),
    ] = 0.0
    patience_s: Annotated[
        float, Meta(ge=0, le=10, description="Who has answered waits so long for an agent, then hears abandon_message.")
    ] = 2.0
    abandon_message: Annotated[
        tuple[Text, ...],
        Meta(max_length=20, description='Who has called and why: "file:PATH", "prompt:NAME"; empty: the built-in one.'),
    ] = ()
    # Machines.
    detects_machines: Annotated[
        bool, Meta(description="Find out whether a machine answered (AMD). Not sure counts as a person.")
    ] = False
    is_amd_waited_for: Annotated[
        bool,
        Meta(description="The agent gets the call after the verdict; false: at once, and it is taken away from him."),
    ] = True
    machine_message: Annotated[
        tuple[Text, ...], Meta(max_length=20, description="Left on machines, after their beep; empty: hung up.")
    ] = ()
    amd_false_rate: Annotated[
        float,
        Meta(ge=0, le=0.5, description='Share of the verdicts "machine" that are persons: counted as abandoned.'),
    ] = 0.03
    # When.
    calendar: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]{0,64}$",
            description="Working time: it is suspended outside (OUT-22); empty: always.",
        ),
    ] = ""
    contact_hours: Annotated[
        Text, Meta(description='When customers may be called, by their own clock; "" = at any time.')
    ] = "mon-sun 08:00-21:00"
    contact_calendar: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]{0,64}$", description="Whose holidays are kept too, by the customers' own clock."
        ),
    ] = ""
    time_zone: Annotated[Text, Meta(description="Of customers whose number tells none; empty: the company's.")] = ""
    starts_utc: Annotated[float, Meta(ge=0, description="It starts by itself then; 0: by hand (OUT-14).")] = 0.0
    ends_utc: Annotated[float, Meta(ge=0, description="It stops by itself then; 0: by hand.")] = 0.0
    # How often.
    retries: Annotated[tuple[RetryRule, ...], Meta(max_length=20)] = DEFAULT_RETRIES
    retry_min_s: Annotated[
        float, Meta(ge=0, le=86400 * 60, description="Nobody is called again sooner, whatever retries say (OUT-15).")
    ] = 300.0
    max_attempts: Annotated[int, Meta(ge=1, le=100, description="For a record.")] = 6
    max_attempts_per_number: Annotated[int, Meta(ge=1, le=100)] = 3
    max_attempts_per_day: Annotated[int, Meta(ge=1, le=100, description="For a record, by its own clock.")] = 3
    no_redial_after_drop_s: Annotated[
        float,
        Meta(ge=0, le=86400 * 60, description="Whom nobody was there for is not called by the dialler for so long."),
    ] = 259_200.0
    needs_consent: Annotated[bool, Meta(description="Only records that say that they agree are called.")] = False
    # What agents do.
    dispositions: Annotated[tuple[Disposition, ...], Meta(max_length=200)] = ()
    is_disposition_required: Annotated[
        bool, Meta(description="After-call work does not end by hand before the agent says how it went.")
    ] = False
    wrap_up_s: Annotated[
        float,
        Meta(ge=0, le=86_400, description="Time to say how it went, where no queue gives it; 0: without end."),
    ] = 60.0
    may_take_unassigned: Annotated[
        bool,
        Meta(
            description="preview: agents of the queue (without one: all) may take records that are nobody's (OUT-05)."
        ),
    ] = False
    script: Annotated[str, Meta(max_length=20_000, description="What agents say: {name} is the record's.")] = ""
    questionnaire: Annotated[Text, Meta(description="Id of the questionnaire agents fill in (OUT-30).")] = ""
    content: Annotated[str, Meta(max_length=20_000, description="What it is about, for agents (OUT-29).")] = ""


class DialerRules(Section, frozen=True):
    """`[dialer]`: what holds for all campaigns."""

    max_abandon_rate: Annotated[
        float, Meta(gt=0, le=0.2, description="Legal cap: no campaign may be configured with more.")
    ] = LEGAL_CAP
    least_ring_s: Annotated[
        float, Meta(ge=0, le=60, description="No call is given up before it rang so long, and no limit may be lower.")
    ] = LEAST_RING_S
    hopper: Annotated[int, Meta(ge=10, le=10_000, description="Records looked ahead, for each campaign (XOUT-08).")] = (
        200
    )
    max_calls_per_s: Annotated[float, Meta(gt=0, le=1000, description="Of all campaigns.")] = 50.0
    pacing_log_days: Annotated[int, Meta(ge=1, le=400, description="Decisions are kept so long.")] = 31
    imports: Annotated[
        Text, Meta(description="Folder where lists wait to be read, and where what was refused of them is kept.")
    ] = "imports"
