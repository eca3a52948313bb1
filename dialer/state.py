"""What the dialler knows, as plain data: campaigns under way, attempts in flight, agents as they were seen last."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from dialer.actions import DialerAction
from dialer.dnc import DncBook
from dialer.inputs import FloorSeen, RecordDisposed
from dialer.ledger import Ledger
from dialer.limiter import CallLimiter
from dialer.pacing_model import PacingModel
from dialer.rules import RuleBook
from dialer.snapshot import Decision, PacingConfig
from model.almanac import Almanac, Moment
from model.calendars import Calendar
from model.campaigns import Campaign, CampaignState, DialerRules, Disposition
from model.dialing import Attempt, CampaignRecord
from model.errors import NoSuchCampaign

Phase = Literal["storing", "stored", "calling", "judging", "waiting", "talking", "leaving"]
"""storing: `StoreAttempt` was asked for; stored: it waits for its turn to be dialled; calling: dialled and not
answered; judging: answered, by whom AMD finds out; waiting: for an agent; talking: with one or a flow; leaving: a
machine, or a person whom nobody was there for, until the call is over."""

NOT_ANSWERED = frozenset(("storing", "stored", "calling", "judging"))
"""Phases in which an agent may yet be needed."""
PENDING = frozenset(("storing", "stored"))
"""Not dialled yet."""


class Office(Protocol):
    """Calendars as they are now. Both raise KeyError for one that is not there."""

    def almanac(self, name: str) -> Almanac: ...

    def evaluate(self, calendar: str, at_utc: float) -> Moment: ...


@dataclass(slots=True, kw_only=True)
class Live:
    """An attempt in flight."""

    attempt: Attempt
    record: CampaignRecord
    before: CampaignRecord
    """The record before the attempt was counted in it."""
    phase: Phase
    is_paced: bool
    """False: an agent calls by himself; nothing is learnt from it, and nobody can be dropped."""
    n_agents: int = 0
    n_free: int = 0
    """As they were when it was decided upon."""
    placed_at: float = 0.0
    rang_at: float = 0.0
    is_given_up: bool = False
    is_learnt: bool = False
    """The model knows how it ended."""
    is_live_answer: bool = False
    """The ledger knows that a person answered."""
    said: tuple[RecordDisposed, Disposition] | None = None
    """An agent's word, for its end."""


@dataclass(slots=True)
class Floor:
    """Agents of a queue as they were when seen last."""

    seen: FloorSeen
    at: float

    def talk_ages(self, now: float) -> list[float]:
        passed = now - self.at
        return [age + passed for age in self.seen.talking_s]

    def wrap_ages(self, now: float) -> list[float]:
        passed = now - self.at
        return [age + passed for age in self.seen.wrapping_s]


@dataclass(slots=True, kw_only=True)
class CampaignRun:
    """A campaign with all that is known of it."""

    campaign: Campaign
    book: RuleBook
    closed_by: Calendar | None = None
    """Whose holidays are in the book."""
    pacing: PacingConfig
    ledger: Ledger
    limiter: CallLimiter
    model: PacingModel = field(default_factory=PacingModel)
    state: CampaignState = "not_started"
    since_utc: float = 0.0
    reason: str = ""
    """Of the last change of state."""
    started_for_utc: float = 0.0
    """The `starts_utc` that has had its effect."""
    open_again_utc: float = 0.0
    """When its calendar opens, while it is suspended; 0.0 = not known."""
    hopper: dict[str, CampaignRecord] = field(default_factory=dict)
    """By id, the best first."""
    n_open: int | None = None
    """Records that may be called sometime; None = the database has not said, or they have changed since."""
    is_known_empty: bool = False
    """The database has said that nobody is left, after it had all that was written."""
    wrote_at: float = -1e9
    next_due_utc: float = 0.0
    asked_at: float | None = None
    """Since when an answer to `LoadRecords` is awaited."""
    n_asked: int = 0
    is_answer_stale: bool = False
    """Records have changed since: that answer goes back."""
    loaded_at: float = -1e9
    load_at: float = -1e9
    """Not asked for more before that, unless some become due."""
    deferred: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Record -> why it was put aside, and until when (wall)."""
    awaiting: dict[str, float] = field(default_factory=dict)
    """Record -> until when an agent's word on a conversation is waited for before the campaign is completed."""
    live: dict[str, Live] = field(default_factory=dict)
    """By attempt."""
    dropped: set[str] = field(default_factory=set)
    """Numbers of its own among `Core.dropped`."""
    turn: int = 0
    """Of the numbers shown."""
    share: float = 0.0
    """Calls begun by its weight: the turn of its next one among campaigns with the same agents."""
    decision: Decision | None = None
    logged_at: float = -1e9
    logged: str = ""
    """Reason told last."""
    n_unlogged: int = 0
    """Calls begun since."""
    is_paused: bool = False
    """By trouble of the trunk; it was told."""
    limit_told_at: float = -1e9
    is_dirty: bool = False
    """Something that is stored has changed."""
    stored_at: float = -1e9

    @property
    def name(self) -> str:
        return self.campaign.name

    @property
    def is_dialling(self) -> bool:
        """The dialler may call for it."""
        return self.state == "running" and self.campaign.mode != "preview"

    @property
    def needs_agents(self) -> bool:
        """Whom it calls an agent speaks to, so that it is paced by them."""
        return self.pacing.mode != "agentless" and self.pacing.answered_flow == "queue"

    def n_pending(self) -> int:
        return sum(live.phase in PENDING for live in self.live.values())


class Core:
    """All of it, with what the modules beside need."""

    def __init__(
        self, *, office: Office, time_zone: str, dnc: DncBook, new_id: Callable[[], str], rules: DialerRules
    ) -> None:
        self.office = office
        self.time_zone = time_zone
        self.dnc = dnc
        self.new_id = new_id
        self.rules = rules
        self.limiter = CallLimiter(rules.max_calls_per_s)
        self.runs: dict[str, CampaignRun] = {}
        self.floors: dict[str, Floor] = {}
        self.live: dict[str, Live] = {}
        """Attempts in flight, of all campaigns."""
        self.in_flight: dict[str, str] = {}
        """Number that is being called -> attempt."""
        self.dropped: dict[str, float] = {}
        """Number -> when somebody there found no agent (wall)."""
        self.turns: dict[str, float] = {}
        """By queue: the `share` that was served last."""
        self.paced_at: dict[str, float] = {}
        self.unpaced: set[str] = set()
        """By queue: when it was decided last, and which wait for the next time."""
        self.ready: deque[str] = deque()
        """Attempts that are stored, in order."""
        self.database_until = -1e9
        """Nobody is called before."""
        self.is_database_failing = False
        """Since an attempt could not be stored, until one can."""
        self.now = -1e9
        """Of the last input."""
        self.ticked_at = -1e9
        self.forgot_at = -1e9
        """When drops of long ago were forgotten last."""
        self.out: list[DialerAction] = []
        self.touched: set[str] = set()
        """Campaigns that this input concerns."""

    def run_of(self, campaign: str) -> CampaignRun:
        """Raises NoSuchCampaign."""
        run = self.runs.get(campaign)
        if run is None:
            raise NoSuchCampaign(f"no campaign {campaign}")
        return run

    def touch(self, run: CampaignRun) -> None:
        self.touched.add(run.name)

    def with_queue(self, queue: str) -> list[CampaignRun]:
        """Campaigns whose customers the agents of the queue speak to."""
        return [run for run in self.runs.values() if run.campaign.queue == queue and run.needs_agents]

    def floor_of(self, run: CampaignRun) -> Floor | None:
        return self.floors.get(run.campaign.queue) if run.campaign.queue else None
