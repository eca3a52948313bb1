"""A world around the dialler's engine: a database, a trunk, customers and agents, in virtual time. It does what the
engine says, and looks at every step whether that was allowed."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count, takewhile
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from dialer import actions, inputs
from dialer.actions import DialerAction
from dialer.dnc import DncBook
from dialer.engine import DialerEngine
from dialer.retry import copy_of
from model.almanac import Almanac, Moment
from model.calendars import Calendar, Closure
from model.campaigns import AttemptResult, Campaign, DialerRules
from model.declare import Event
from model.dialing import Attempt, CampaignRecord
from model.errors import WrongState
from tests.dialer.records_of import NOON, SHANGHAI

OPEN = ("new", "queued", "dialing", "retry_wait", "callback")


class Calendars:
    """As switch.office.Office."""

    def __init__(self, *calendars: Calendar) -> None:
        self.almanacs = {each.name: Almanac(each, SHANGHAI) for each in calendars}
        self.closures: dict[str, Closure] = {}

    def almanac(self, name: str) -> Almanac:
        return self.almanacs[name]

    def evaluate(self, calendar: str, at_utc: float) -> Moment:
        return self.almanacs[calendar].evaluate(at_utc, self.closures.get(calendar))


@dataclass
class Customers:
    """What becomes of calls: shares of results, the rest is not answered; and times in seconds."""

    human: float = 0.3
    busy: float = 0.1
    invalid: float = 0.02
    failed: float = 0.02
    machine: float = 0.0
    ring_s: tuple[float, float] = (3.0, 20.0)
    talk_s: tuple[float, float] = (20.0, 160.0)
    wrap_s: tuple[float, float] = (5.0, 20.0)
    store_s: tuple[float, float] = (0.0, 0.2)
    trunk_is_down: bool = False
    database_is_down: bool = False


@dataclass
class Agent:
    queue: str
    since: float = 0.0
    doing: str = "idle"
    """idle, talking, wrapping, away"""


@dataclass
class World:
    campaigns: Iterable[Campaign]
    records: Iterable[CampaignRecord] = ()
    n_agents: dict[str, int] = field(default_factory=dict)
    seed: int = 1
    customers: Customers = field(default_factory=Customers)
    calendars: Calendars = field(default_factory=Calendars)
    rules: DialerRules = field(default_factory=DialerRules)
    dnc: DncBook = field(default_factory=DncBook)
    wall: float = NOON
    dispose: Callable[["World", CampaignRecord], str] | None = None

    def __post_init__(self) -> None:
        self.now = 1000.0
        self.random = Random(self.seed)
        self.database = {each.record_id: each for each in self.records}
        self.loaded: set[str] = set()
        """Queued."""
        self.settings = {each.name: each for each in self.campaigns}
        self.agents = [Agent(queue) for queue, n in self.n_agents.items() for _ in range(n)]
        self.out: list[DialerAction] = []
        self.events: list[Event] = []
        self.attempts: dict[str, Attempt] = {}
        """Stored."""
        self.calls: dict[str, Attempt] = {}
        """Dialled and not over."""
        self.n_ended: Counter[str] = Counter()
        self.placed: list[tuple[float, Attempt]] = []
        self.placed_of: dict[str, list[Attempt]] = {}
        """By record."""
        self.waiting: list[str] = []
        self.given_up: dict[str, float] = {}
        self.rang: dict[str, float] = {}
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.barred: list[str] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._ids = count(1)
        self.engine = self.new_engine()
        for campaign in self.settings.values():
            self.tell(inputs.CampaignChanges(campaign))
        for queue in self.n_agents:
            self.tell(self.floor(queue))

    def new_engine(self) -> DialerEngine:
        return DialerEngine(
            office=self.calendars,
            time_zone=SHANGHAI,
            dnc=self.dnc,
            new_id=lambda: f"a{next(self._ids)}",
            rules=self.rules,
        )

    # -- time ----------------------------------------------------------------------------------------------------------

    def at(self, after_s: float, do: Callable[[], None]) -> None:
        heappush(self._heap, (self.now + after_s, next(self._serial), do))

    def run(self, for_s: float) -> None:
        end = self.now + for_s
        while True:
            deadline = self.engine.deadline
            first = self._heap[0][0] if self._heap else end
            at = min(first, deadline if deadline is not None else end)
            if at >= end:
                self._pass(end)
                return
            self._pass(max(at, self.now))
            if deadline is not None and deadline <= self.now:
                self.perform(self.engine.handle_timeout(self.now, self.wall))
                again = self.engine.deadline
                assert again is None or again > self.now, "it would spin"
            else:
                heappop(self._heap)[2]()

    def _pass(self, to: float) -> None:
        self.wall += to - self.now
        self.now = to

    def tell(self, told: inputs.DialerInput) -> list[DialerAction]:
        found = self.engine.handle(told, self.now, self.wall)
        self.perform(found)
        return found

    def start(self, campaign: str) -> None:
        self.tell(inputs.CampaignStarts(campaign=campaign, by="boss"))

    # -- what the engine says ------------------------------------------------------------------------------------------

    def perform(self, found: list[DialerAction]) -> None:
        self.out += found
        for each in found:
            if isinstance(each, Event):
                self.events.append(each)
            else:
                getattr(self, f"_{type(each).__name__}")(each)

    def between(self, span: tuple[float, float]) -> float:
        return self.random.uniform(*span)

    def due(self, campaign: str, n: int) -> inputs.RecordsLoaded:
        mine = [each for each in self.database.values() if each.campaign == campaign]
        free = [
            each
            for each in mine
            if each.status in ("new", "retry_wait", "callback") and each.record_id not in self.loaded
        ]
        due = [each for each in free if each.next_utc <= self.wall and not each.callback_owner]
        due.sort(key=lambda each: (each.status != "callback", -each.priority, each.n_attempts > 0))
        later = [each.next_utc for each in free if each.next_utc > self.wall]
        taken = due[:n]
        self.loaded |= {each.record_id for each in taken}
        return inputs.RecordsLoaded(
            campaign=campaign,
            records=[copy_of(each) for each in taken],
            n_open=sum(each.status in OPEN for each in mine),
            next_due_utc=min(later, default=0.0),
        )

    def _LoadRecords(self, told: actions.LoadRecords) -> None:
        assert self.settings[told.campaign].mode != "preview" or told.n == 0

        def answer() -> None:
            if not self.customers.database_is_down:
                self.tell(self.due(told.campaign, told.n))

        self.at(self.between(self.customers.store_s), answer)

    def _ReturnRecords(self, told: actions.ReturnRecords) -> None:
        for record in told.records:
            assert record.record_id in self.loaded, "only what was loaded comes back"
            assert record.status in ("new", "retry_wait", "callback", "dnc", "failed")
            self.loaded.discard(record.record_id)
            self.database[record.record_id] = copy_of(record)

    def _ReviewRecords(self, told: actions.ReviewRecords) -> None:
        for record in self.database.values():
            if record.campaign == told.campaign and record.deferred in ("hours", "retry", "day_limit", "redial_ban"):
                is_promised = record.status == "callback"
                record.next_utc, record.deferred = (record.callback_utc, "callback") if is_promised else (0.0, "")
        self.at(0.01, lambda: self.tell(inputs.RecordsChange(campaign=told.campaign)))

    def _StoreAttempt(self, told: actions.StoreAttempt) -> None:
        attempt, record = told.attempt, told.record
        assert record.status == "dialing"
        assert record.record_id in self.loaded

        def answer() -> None:
            if self.customers.database_is_down:
                self.tell(inputs.AttemptNotStored(attempt.attempt_id))
                return
            self.loaded.discard(record.record_id)
            self.attempts[attempt.attempt_id] = attempt
            self.database[record.record_id] = copy_of(record)
            self.tell(inputs.AttemptStored(attempt.attempt_id))

        self.at(self.between(self.customers.store_s), answer)

    def _PlaceCall(self, told: actions.PlaceCall) -> None:
        attempt, record = told.attempt, told.record
        campaign = self.settings[attempt.campaign]
        assert attempt.attempt_id in self.attempts, "dialled before it was durable"
        assert attempt.attempt_id not in self.calls
        assert self.engine.state(campaign.name) == "running"
        assert attempt.number not in {each.number for each in self.calls.values()}, "two calls to one number"
        assert not self.dnc.is_barred(attempt.number, campaign.name, self.wall)
        assert record.has_consent or not campaign.needs_consent
        self.check_hours(campaign, record, attempt)
        self.check_counts(campaign, record, attempt)
        self.calls[attempt.attempt_id] = attempt
        assert sum(each.campaign == campaign.name for each in self.calls.values()) <= campaign.max_lines
        self.placed.append((self.now, attempt))
        recent = [each for _, each in takewhile(lambda placed: placed[0] > self.now - 1.0, reversed(self.placed))]
        assert len(recent) <= self.rules.max_calls_per_s
        assert sum(each.campaign == campaign.name for each in recent) <= campaign.max_calls_per_s
        assert told.ring_timeout_s >= self.rules.least_ring_s
        self._ring(attempt, told.ring_timeout_s)

    def check_hours(self, campaign: Campaign, record: CampaignRecord, attempt: Attempt) -> None:
        zone = record.numbers[attempt.position].zone or campaign.time_zone or SHANGHAI
        hour = datetime.fromtimestamp(self.wall, ZoneInfo(zone)).hour
        if campaign.contact_hours == "mon-sun 08:00-21:00":
            assert 8 <= hour < 21, f"{hour} o'clock there"

    def check_counts(self, campaign: Campaign, record: CampaignRecord, attempt: Attempt) -> None:
        """As the log of dialled calls has them."""
        mine = self.placed_of.setdefault(record.record_id, [])
        counted = [each for each in mine if not self.is_ours(each)]
        assert len(counted) < campaign.max_attempts
        assert sum(each.number == attempt.number for each in counted) < campaign.max_attempts_per_number
        zone = next((each.zone for each in record.numbers if each.zone), "") or campaign.time_zone or SHANGHAI
        days = [datetime.fromtimestamp(each.started_utc, ZoneInfo(zone)).date() for each in counted]
        assert days.count(datetime.fromtimestamp(self.wall, ZoneInfo(zone)).date()) < campaign.max_attempts_per_day
        if mine:
            assert self.wall >= mine[-1].started_utc + campaign.retry_min_s
        mine.append(attempt)

    def is_ours(self, attempt: Attempt) -> bool:
        """As it was told in its end."""
        stored = self.attempts[attempt.attempt_id]
        return stored.cause == "trunk" or (stored.result == "cancelled" and not stored.rang_utc)

    def _GiveUp(self, told: actions.GiveUp) -> None:
        since = self.rang.get(told.attempt_id) or next(
            at for at, each in self.placed if each.attempt_id == told.attempt_id
        )
        assert self.now >= since + self.rules.least_ring_s
        assert told.attempt_id in self.calls
        self.given_up[told.attempt_id] = self.now
        self.at(0.05, lambda: self.end(told.attempt_id, "cancelled"))

    def _StoreOutcome(self, told: actions.StoreOutcome) -> None:
        attempt = told.attempt
        self.n_ended[attempt.attempt_id] += 1
        assert attempt.attempt_id in self.attempts
        assert attempt.result
        self.attempts[attempt.attempt_id] = attempt
        assert attempt.attempt_id not in self.calls
        self.database[told.record.record_id] = copy_of(told.record)

    def _StoreDisposition(self, told: actions.StoreDisposition) -> None:
        self.loaded.discard(told.record.record_id)
        self.database[told.record.record_id] = copy_of(told.record)

    def _StoreCampaign(self, told: actions.StoreCampaign) -> None:
        self.documents[told.campaign] = (told.state, told.document)

    def _LogPacing(self, told: actions.LogPacing) -> None:
        assert told.n_dials >= 0

    def _BarNumber(self, told: actions.BarNumber) -> None:
        self.barred.append(told.number)

    # -- customers and agents ------------------------------------------------------------------------------------------

    def _ring(self, attempt: Attempt, timeout_s: float) -> None:
        who, attempt_id = self.customers, attempt.attempt_id
        if who.trunk_is_down:
            self.at(0.1, lambda: self.end(attempt_id, "failed", is_trunk_trouble=True, cause="trunk"))
            return
        lot = self.random.random()
        for result in ("invalid", "failed", "busy"):
            share = getattr(who, result)
            if lot < share:
                after_s = self.random.uniform(1.1, 4.0)
                self.at(after_s, lambda result=result: self.end(attempt_id, result))  # type: ignore[misc]
                return
            lot -= share
        ring_s = self.between(who.ring_s)
        self.at(min(1.0, ring_s / 2), lambda: self.ringing(attempt_id))
        if lot < who.human + who.machine and ring_s < timeout_s:
            self.at(ring_s, lambda: self.answered(attempt_id, is_machine=lot >= who.human))
        else:
            self.at(timeout_s, lambda: self.end(attempt_id, "no_answer"))

    def ringing(self, attempt_id: str) -> None:
        if attempt_id in self.calls:
            self.rang[attempt_id] = self.now
            self.tell(inputs.AttemptRang(attempt_id))

    def answered(self, attempt_id: str, *, is_machine: bool) -> None:
        if attempt_id not in self.calls:
            return
        self.tell(inputs.AttemptAnswered(attempt_id))
        campaign = self.settings[self.calls[attempt_id].campaign]
        if campaign.detects_machines:
            self.tell(inputs.AttemptVerdict(attempt_id=attempt_id, verdict="machine" if is_machine else "human"))
            if is_machine:
                self.at(3.0, lambda: self.end(attempt_id, "machine"))
                return
        if campaign.mode == "agentless":
            self.tell(inputs.AttemptConnected(attempt_id=attempt_id))
            self.at(self.between(self.customers.talk_s), lambda: self.end(attempt_id, "human"))
            return
        self.waiting.append(attempt_id)
        self.serve(campaign.queue)
        if attempt_id in self.waiting:
            self.at(campaign.patience_s, lambda: self.drop(attempt_id))

    def drop(self, attempt_id: str) -> None:
        if attempt_id in self.waiting:
            self.waiting.remove(attempt_id)
            self.tell(inputs.AttemptDropped(attempt_id))
            self.at(4.0, lambda: self.end(attempt_id, "dropped"))

    def serve(self, queue: str) -> None:
        for attempt_id in list(self.waiting):
            campaign = self.settings[self.calls[attempt_id].campaign]
            agent = next((each for each in self.agents if each.queue == queue and each.doing == "idle"), None)
            if campaign.queue != queue or agent is None:
                continue
            self.waiting.remove(attempt_id)
            agent.doing, agent.since = "talking", self.now
            self.tell(self.floor(queue))
            self.tell(inputs.AttemptConnected(attempt_id=attempt_id, agent_id="8001"))
            self.talk(agent, attempt_id, self.between(self.customers.talk_s))

    def talk(self, agent: Agent, attempt_id: str, talk_s: float) -> None:
        self.at(talk_s, lambda: self.talked(agent, attempt_id, talk_s))

    def talked(self, agent: Agent, attempt_id: str, talk_s: float) -> None:
        self.tell(inputs.AgentTalked(queue=agent.queue, talk_s=talk_s))
        agent.doing, agent.since = "wrapping", self.now
        self.tell(self.floor(agent.queue))
        self.end(attempt_id, "human", talk_s=talk_s)
        wrap_s = self.between(self.customers.wrap_s)
        self.at(wrap_s, lambda: self.wrapped(agent, attempt_id, wrap_s))

    def wrapped(self, agent: Agent, attempt_id: str, wrap_s: float) -> None:
        record = self.database[self.attempts[attempt_id].record_id]
        if self.dispose is not None and record.status == "connected":
            code = self.dispose(self, record)
            self.tell(
                inputs.RecordDisposed(
                    record=copy_of(record),
                    attempt_id=attempt_id,
                    code=code,
                    agent_id="8001",
                    callback_utc=self.wall + 900,
                )
            )
        if agent.doing == "away":
            return
        self.tell(inputs.AgentWrapped(queue=agent.queue, wrap_s=wrap_s))
        agent.doing, agent.since = "idle", self.now
        self.serve(agent.queue)
        self.tell(self.floor(agent.queue))

    def end(self, attempt_id: str, result: AttemptResult, **known: Any) -> None:
        if self.calls.pop(attempt_id, None) is not None:
            if attempt_id in self.waiting:
                self.waiting.remove(attempt_id)
            self.tell(inputs.AttemptEnded(attempt_id=attempt_id, result=result, **known))

    def place_by_agent(self, record: CampaignRecord, position: int, result: AttemptResult) -> None:
        """An agent calls him by himself: refused while the number is being called."""
        number = record.numbers[position].number
        attempt = Attempt(
            attempt_id=f"p{next(self._ids)}", campaign=record.campaign, record_id=record.record_id, number=number,
            mode="preview", position=position, agent_id="8009", started_utc=self.wall,
        )  # fmt: skip
        if record.record_id in self.loaded or number in {each.number for each in self.calls.values()}:
            return
        try:
            self.tell(inputs.AttemptPlaced(attempt, copy_of(record)))
        except WrongState:
            # It is being stored, to be called by the dialler.
            return
        record.status = "dialing"
        self.attempts[attempt.attempt_id] = self.calls[attempt.attempt_id] = attempt
        if result == "human":
            self.at(5.0, lambda: self.tell(inputs.AttemptAnswered(attempt.attempt_id)))
            self.at(5.1, lambda: self.tell(inputs.AttemptConnected(attempt_id=attempt.attempt_id, agent_id="8009")))
        self.at(20.0, lambda: self.end(attempt.attempt_id, result))

    def floor(self, queue: str) -> inputs.FloorSeen:
        here = [each for each in self.agents if each.queue == queue and each.doing != "away"]
        return inputs.FloorSeen(
            queue=queue,
            n_agents=len(here),
            n_idle=sum(each.doing == "idle" for each in here),
            talking_s=tuple(self.now - each.since for each in here if each.doing == "talking"),
            wrapping_s=tuple(self.now - each.since for each in here if each.doing == "wrapping"),
        )

    def leave(self, queue: str) -> None:
        """All agents sign out; who talks, when he has ended."""
        for agent in self.agents:
            if agent.queue == queue:
                agent.doing = "away"
        self.tell(self.floor(queue))

    # -- restart -------------------------------------------------------------------------------------------------------

    def restart(self, down_s: float = 5.0) -> None:
        """The switch is killed and starts again: calls are gone, the database has what it was told."""
        self._heap.clear()
        self.calls.clear()
        self.waiting.clear()
        self._pass(self.now + down_s)
        # Monotonic clocks begin anew.
        self.now = 50.0
        self.placed = [(at - 1e6, each) for at, each in self.placed]
        for agent in self.agents:
            agent.doing, agent.since = "idle", self.now
        self.engine = self.new_engine()
        for campaign in self.settings.values():
            state, document = self.documents.get(campaign.name, ("not_started", b""))
            if document:
                assert self.engine.restore(campaign, state, document, self.now, self.wall)  # type: ignore[arg-type]
            else:
                self.tell(inputs.CampaignChanges(campaign))
        for attempt in list(self.attempts.values()):
            if not attempt.result:
                record = self.database[attempt.record_id]
                self.tell(inputs.AttemptFound(attempt, copy_of(record)))
        self.loaded.clear()
        for queue in self.n_agents:
            self.tell(self.floor(queue))
        self.perform(self.engine.handle_timeout(self.now, self.wall))

    # -- results -------------------------------------------------------------------------------------------------------

    def results(self) -> Counter[str]:
        return Counter(each.result for each in self.attempts.values())

    def statuses(self) -> Counter[str]:
        return Counter(each.status for each in self.database.values())

    def told(self, kind: type) -> list[Any]:
        return [each for each in self.events if isinstance(each, kind)]
