"""dialer/engine.py: the steps of an attempt one by one, with what may come between them; the hopper; what agents say.

How many are called: test_engine_pacing.py. Everything at random: test_engine_properties.py.
"""

from typing import Any

import msgspec
import pytest

from dialer import inputs
from dialer.actions import (
    BarNumber,
    DialerAction,
    LoadRecords,
    PlaceCall,
    ReturnRecords,
    ReviewRecords,
    StoreAttempt,
    StoreCampaign,
    StoreDisposition,
    StoreOutcome,
)
from dialer.dnc import DncBook
from dialer.engine import DialerEngine
from dialer.rules import Yes
from model.almanac import Almanac
from model.calendars import Calendar, Holiday
from model.campaigns import Campaign, Disposition, ShownNumber
from model.dialing import Attempt, CampaignRecord, RecordNumber
from model.errors import InvalidValue, NoSuchCampaign, WrongState
from model.events_campaign import AttemptEnded, AttemptStarted, CampaignPaused, RecordChanged
from tests.dialer.records_of import DAY, NOON, SHANGHAI, campaign_of, record_of
from tests.dialer.world import Calendars

SAYS = (
    Disposition(code="sold", effect="success"),
    Disposition(code="later", effect="callback"),
    Disposition(code="again", effect="retry"),
    Disposition(code="never", effect="dnc"),
)


class Bench:
    """One engine, told step by step; `now` and `wall` move together."""

    def __init__(self, *campaigns: Campaign, n_idle: int = 3, hopper: int = 10, wall: float = NOON) -> None:
        self.dnc, self.office = DncBook(), Calendars(Calendar(name="office"))
        self.ids = iter(f"a{n}" for n in range(1, 10_000))
        self.engine = DialerEngine(office=self.office, time_zone=SHANGHAI, dnc=self.dnc, new_id=lambda: next(self.ids))
        self.now, self.wall = 100.0, wall
        for campaign in campaigns:
            self.tell(inputs.CampaignChanges(campaign))
            self.floor(campaign.queue, n_idle)
            self.tell(inputs.CampaignStarts(campaign=campaign.name))

    def tell(self, told: inputs.DialerInput) -> list[DialerAction]:
        return self.engine.handle(told, self.now, self.wall)

    def floor(self, queue: str, n_idle: int, n_busy: int = 0, **known: Any) -> list[DialerAction]:
        talking = (60.0,) * n_busy
        return self.tell(
            inputs.FloorSeen(queue=queue, n_agents=n_idle + n_busy, n_idle=n_idle, talking_s=talking, **known)
        )

    def load(self, *records: CampaignRecord, n_open: int | None = None, campaign: str = "spring") -> list[DialerAction]:
        return self.tell(
            inputs.RecordsLoaded(
                campaign=campaign, records=list(records), n_open=len(records) if n_open is None else n_open
            )
        )

    def pass_(self, seconds: float) -> list[DialerAction]:
        """Time passes; whatever is due is done."""
        end, found = self.now + seconds, []
        while (deadline := self.engine.deadline) is not None and deadline <= end:
            self.wall += max(0.0, deadline - self.now)
            self.now = max(self.now, deadline)
            found += self.engine.handle_timeout(self.now, self.wall)
        self.wall += end - self.now
        self.now = end
        return found

    def dialled(self, *records: CampaignRecord) -> list[str]:
        """Ids of attempts that are dialled for them now."""
        found = of(StoreAttempt, self.load(*records))
        for each in found:
            assert of(PlaceCall, self.tell(inputs.AttemptStored(each.attempt.attempt_id)))
        return [each.attempt.attempt_id for each in found]


def of(kind: type, found: list[DialerAction]) -> list[Any]:
    return [each for each in found if isinstance(each, kind)]


def many(n: int, campaign: str = "spring") -> list[CampaignRecord]:
    return [record_of(f"{campaign}{i}", record_id=f"{campaign}{i}", campaign=campaign) for i in range(n)]


def test_an_attempt_is_durable_before_it_is_dialled_and_ends_once() -> None:
    bench = Bench(campaign_of(caller_id="4001", ring_timeout_s=20.0))
    (store,) = of(StoreAttempt, bench.load(record_of("1")))
    attempt_id = store.attempt.attempt_id
    assert (store.attempt.number, store.attempt.caller_id, store.attempt.mode) == ("1", "4001", "progressive")
    assert (store.record.status, store.record.n_attempts) == ("dialing", 1)
    bench.pass_(2.0)
    found = bench.tell(inputs.AttemptStored(attempt_id))
    (place,) = of(PlaceCall, found)
    assert (place.attempt.attempt_id, place.ring_timeout_s, place.attempt.started_utc) == (attempt_id, 20.0, NOON + 2)
    assert [each.call_id for each in of(AttemptStarted, found)] == [attempt_id]
    assert not of(PlaceCall, bench.tell(inputs.AttemptStored(attempt_id))), "told twice"
    bench.pass_(1.0)
    bench.tell(inputs.AttemptRang(attempt_id))
    bench.pass_(3.0)
    bench.tell(inputs.AttemptAnswered(attempt_id))
    bench.floor("sales", 2, 1)
    bench.tell(inputs.AttemptConnected(attempt_id=attempt_id, agent_id="8001"))
    bench.pass_(30.0)
    found = bench.tell(inputs.AttemptEnded(attempt_id=attempt_id, result="human", talk_s=30.0, cause="normal_clearing"))
    (outcome,) = of(StoreOutcome, found)
    ended = outcome.attempt
    assert (ended.rang_utc, ended.answered_utc, ended.connected_utc) == (NOON + 3, NOON + 6, NOON + 6)
    assert (ended.ended_utc, ended.result, ended.talk_s, ended.agent_id) == (NOON + 36, "human", 30.0, "8001")
    assert (outcome.record.status, outcome.record.agent_id) == ("done", "8001")
    assert [each.result for each in of(AttemptEnded, found)] == ["human"]
    assert [each.status for each in of(RecordChanged, found)] == ["done"]
    for late in (inputs.AttemptEnded(attempt_id=attempt_id, result="busy"), inputs.AttemptDropped(attempt_id)):
        assert not of(StoreOutcome, bench.tell(late))


def full(bench: Bench) -> None:
    """An agent calls by himself meanwhile, and the campaign has fewer lines."""
    bench.tell(inputs.AttemptPlaced(*placed("9")))
    bench.tell(inputs.CampaignChanges(campaign_of(max_lines=1)))


@pytest.mark.parametrize(
    ("between", "result", "cause", "status"),
    [
        (lambda bench: bench.tell(inputs.NumberBarred(number="1")), "dnc_blocked", "dnc", "dnc"),
        (lambda bench: bench.tell(inputs.NumberBarred(number="1", is_prefix=True)), "dnc_blocked", "dnc", "dnc"),
        (lambda bench: bench.tell(inputs.CampaignStops(campaign="spring")), "cancelled", "not_running", "new"),
        (lambda bench: bench.floor("sales", 0), "cancelled", "no_agents", "new"),
        (lambda bench: bench.floor("sales", 0, 2), "cancelled", "no_agents", "new"),
        (lambda bench: bench.floor("sales", 1, n_inbound_waiting=1), "cancelled", "no_agents", "new"),
        (lambda bench: setattr(bench, "wall", NOON + 10 * 3600), "cancelled", "hours", "new"),
        (full, "cancelled", "lines_full", "new"),
    ],
    ids=["barred", "prefix_barred", "stopped", "agents_gone", "agents_busy", "callers_first", "night", "lines"],
)
def test_everything_is_asked_once_more_when_it_is_dialled(between: Any, result: str, cause: str, status: str) -> None:
    bench = Bench(campaign_of(), n_idle=1)
    (store,) = of(StoreAttempt, bench.load(record_of("1")))
    between(bench)
    found = bench.tell(inputs.AttemptStored(store.attempt.attempt_id))
    assert not of(PlaceCall, found)
    assert not of(AttemptEnded, found), "it has not begun"
    (outcome,) = of(StoreOutcome, found)
    assert (outcome.attempt.result, outcome.attempt.cause, outcome.record.status) == (result, cause, status)
    if result == "cancelled":
        assert (outcome.record.n_attempts, outcome.record.numbers[0].n_attempts) == (0, 0), "it was not called"


def test_one_number_is_not_called_by_two_campaigns_or_two_records_at_once() -> None:
    bench = Bench(campaign_of(), campaign_of(name="autumn"), n_idle=5)
    first, second = record_of("1", record_id="r1"), record_of("1", record_id="r2")
    found = bench.load(first, second)
    assert len(of(StoreAttempt, found)) == 1
    (back,) = of(ReturnRecords, found)
    assert [(each.record_id, each.deferred, each.next_utc) for each in back.records] == [("r2", "in_flight", NOON + 60)]
    found = bench.load(record_of("1", "2", record_id="r3", campaign="autumn"), campaign="autumn")
    assert [each.attempt.number for each in of(StoreAttempt, found)] == ["2"]


def test_a_database_that_cannot_be_written_keeps_everybody_from_being_called() -> None:
    bench = Bench(campaign_of(), n_idle=3)
    stores = of(StoreAttempt, bench.load(*many(8)))
    assert len(stores) == 3
    found = [each for store in stores for each in bench.tell(inputs.AttemptNotStored(store.attempt.attempt_id))]
    assert [each.reason for each in of(CampaignPaused, found)] == ["database"], "told once"
    assert not of(StoreAttempt, found)
    assert not of(StoreOutcome, found), "there is no attempt"
    assert not of(StoreAttempt, bench.pass_(4.9))
    # Then one is tried, and when it is stored the others follow.
    (probe,) = of(StoreAttempt, bench.pass_(1.0))
    assert probe.record.n_attempts == 1
    assert not of(StoreAttempt, bench.pass_(3.0))
    found = bench.tell(inputs.AttemptStored(probe.attempt.attempt_id))
    assert of(PlaceCall, found)
    assert len(of(StoreAttempt, bench.pass_(1.0))) == 2
    stopped = Bench(campaign_of(), n_idle=1)
    (store,) = of(StoreAttempt, stopped.load(record_of("1")))
    stopped.tell(inputs.CampaignStops(campaign="spring"))
    (back,) = of(ReturnRecords, stopped.tell(inputs.AttemptNotStored(store.attempt.attempt_id)))
    assert (back.records[0].status, back.records[0].n_attempts) == ("new", 0)


def test_records_that_may_not_be_called_now_do_not_stand_in_the_way() -> None:
    bench = Bench(campaign_of(max_attempts=2), n_idle=1)
    night = record_of(RecordNumber(number="1", zone="America/New_York"), record_id="night")
    used = record_of("2", record_id="used", n_attempts=2)
    bench.dnc.add("3")
    found = bench.load(night, used, record_of("3", record_id="barred"), record_of("4", record_id="good"), n_open=4)
    assert [each.attempt.record_id for each in of(StoreAttempt, found)] == ["good"]
    (back,) = of(ReturnRecords, found)
    told = {each.record_id: (each.status, each.deferred, each.reason) for each in back.records}
    assert told == {
        "night": ("new", "hours", ""),
        "used": ("failed", "", "attempts_used"),
        "barred": ("dnc", "", "dnc"),
    }
    assert back.records[0].next_utc == NOON + 9 * 3600, "eight in the morning in New York"
    assert {each.record_id for each in of(RecordChanged, found)} == {"used", "barred"}
    assert bench.engine.progress("spring", bench.now, bench.wall).n_open == 2


def test_more_are_asked_for_below_half_and_promised_calls_come_first() -> None:
    bench = Bench(campaign_of(), n_idle=1)
    bench.engine.handle(inputs.RulesChange(bench.engine._core.rules), bench.now, bench.wall)
    rules = msgspec.structs.replace(bench.engine._core.rules, hopper=10)
    assert not of(LoadRecords, bench.tell(inputs.RulesChange(rules))), "an answer is awaited"
    found = bench.load(*many(10), n_open=50)
    assert not of(LoadRecords, found), "nine are left"
    promised = record_of("9", record_id="promised", status="callback", callback_utc=NOON - 1)
    urgent = record_of("8", record_id="urgent", priority=5)
    # In spite of a full hopper: within a minute.
    (ask,) = of(LoadRecords, bench.pass_(60.5))
    assert ask.n == 10
    found = bench.load(urgent, promised, n_open=52)
    assert [len(each.records) for each in of(ReturnRecords, found)] == [1], "the last one goes back for it"
    order = []
    for _ in range(3):
        attempt_id = next(iter(bench.engine._core.live))
        bench.tell(inputs.AttemptStored(attempt_id))
        found = bench.tell(inputs.AttemptEnded(attempt_id=attempt_id, result="busy"))
        order += [each.attempt.record_id for each in of(StoreAttempt, found)]
    assert order[:2] == ["promised", "urgent"]


def test_an_answer_that_never_comes_is_asked_for_again_and_a_late_one_doubles_nobody() -> None:
    bench = Bench(campaign_of(), n_idle=1)
    assert not of(LoadRecords, bench.pass_(9.0))
    assert len(of(LoadRecords, bench.pass_(2.0))) == 1
    records = many(3)
    assert len(of(StoreAttempt, bench.load(*records))) == 1
    again = [msgspec.structs.replace(each, status="new") for each in records]
    found = bench.load(*again)
    assert not of(StoreAttempt, found)
    assert not of(ReturnRecords, found), "it has them"
    assert bench.engine.progress("spring", bench.now, bench.wall).n_hopper == 2


def test_changed_records_are_loaded_anew_and_an_answer_from_before_goes_back() -> None:
    bench = Bench(campaign_of(), n_idle=0)
    bench.load(*many(6), n_open=9)
    found = bench.tell(inputs.RecordsChange(campaign="spring", record_ids=("spring1", "spring2")))
    (back,) = of(ReturnRecords, found)
    assert [each.record_id for each in back.records] == ["spring1", "spring2"]
    assert len(of(LoadRecords, found)) == 1
    found = bench.tell(inputs.RecordsChange(campaign="spring"))
    assert len(of(ReturnRecords, found)[0].records) == 4
    # The answer to the first question may have been read before the change.
    found = bench.load(*many(2))
    assert len(of(ReturnRecords, found)[0].records) == 2
    assert len(of(LoadRecords, found)) == 1
    assert bench.engine.progress("spring", bench.now, bench.wall).n_hopper == 0


def test_rules_that_change_are_asked_anew_of_those_whom_they_had_put_aside() -> None:
    campaign = campaign_of(contact_hours="mon-fri 09:00-18:00", contact_calendar="office")
    bench = Bench(campaign)
    (back,) = of(ReturnRecords, bench.load(*many(2)))
    assert {each.deferred for each in back.records} == {"hours"}, "it is Saturday"
    assert not of(ReviewRecords, bench.tell(inputs.CampaignChanges(msgspec.structs.replace(campaign, max_lines=3))))
    campaign = msgspec.structs.replace(campaign, contact_hours="mon-sun 09:00-18:00")
    assert of(ReviewRecords, bench.tell(inputs.CampaignChanges(campaign))) == [ReviewRecords("spring")]
    assert bench.engine.diagnose("spring", bench.now, bench.wall).deferred == {}
    # A holiday that is declared while it runs.
    bench.load(*many(3))
    assert len(bench.engine._core.live) == 3
    calendar = Calendar(name="office", holidays=(Holiday(first="11-28"),))
    bench.office.almanacs["office"] = Almanac(calendar, SHANGHAI)
    assert of(ReviewRecords, bench.pass_(1.1)) == [ReviewRecords("spring")]
    assert bench.engine.may_call(record_of("7"), bench.wall) != Yes(0)
    del bench.office.almanacs["office"]
    assert not of(ReviewRecords, bench.pass_(2.0)), "what is gone is kept as it was"


def test_an_agents_word_decides_what_becomes_of_him() -> None:
    campaign = campaign_of(dispositions=SAYS)
    bench = Bench(campaign, n_idle=3)
    first, second, third = bench.dialled(
        record_of("1", record_id="r1"), record_of("2", record_id="r2"), record_of("3", "4", record_id="r3")
    )
    for attempt_id in (first, second, third):
        bench.tell(inputs.AttemptAnswered(attempt_id))
        bench.tell(inputs.AttemptConnected(attempt_id=attempt_id, agent_id="8001"))
    live = {each.attempt.attempt_id: each.record for each in bench.engine._core.live.values()}
    said = inputs.RecordDisposed(record=live[first], attempt_id=first, code="sold", agent_id="8001", note="two of them")
    assert not of(StoreDisposition, bench.tell(said)), "he talks to him still"
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id=first, result="human", talk_s=9.0)))
    assert (outcome.attempt.disposition, outcome.record.status, outcome.record.note) == ("sold", "done", "two of them")
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id=second, result="human", talk_s=9.0)))
    assert outcome.record.status == "connected"
    with pytest.raises(InvalidValue, match="say when"):
        bench.tell(inputs.RecordDisposed(record=outcome.record, attempt_id=second, code="later"))
    with pytest.raises(InvalidValue, match="there are: sold"):
        bench.tell(inputs.RecordDisposed(record=outcome.record, attempt_id=second, code="lost"))
    found = bench.tell(
        inputs.RecordDisposed(
            record=outcome.record, attempt_id=second, code="later", callback_utc=NOON + DAY, callback_owner="8001"
        )
    )
    (stored,) = of(StoreDisposition, found)
    assert (stored.attempt_id, stored.record.status, stored.record.callback_utc) == (second, "callback", NOON + DAY)
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id=third, result="human", talk_s=9.0)))
    found = bench.tell(inputs.RecordDisposed(record=outcome.record, attempt_id=third, code="never", note="furious"))
    assert [each.number for each in of(BarNumber, found)] == ["3", "4"]
    assert bench.dnc.is_barred("4", "spring")
    assert not bench.dnc.is_barred("4", "autumn")


def test_a_word_on_an_earlier_call_holds_after_the_one_that_is_on() -> None:
    bench = Bench(campaign_of(dispositions=SAYS), n_idle=1)
    (attempt_id,) = bench.dialled(record_of("1"))
    record = bench.engine._core.live[attempt_id].record
    (stored,) = of(StoreDisposition, bench.tell(inputs.RecordDisposed(record=record, attempt_id="a0", code="never")))
    assert (stored.attempt_id, stored.record.status, stored.record.disposition) == ("a0", "dialing", "never")
    # Also when the campaign does not know that word any more.
    bench.tell(inputs.CampaignChanges(campaign_of()))
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id=attempt_id, result="no_answer")))
    assert (outcome.record.status, outcome.attempt.disposition) == ("dnc", "")


def placed(number: str = "1", attempt_id: str = "p1", position: int = 0) -> tuple[Attempt, CampaignRecord]:
    attempt = Attempt(
        attempt_id=attempt_id, campaign="spring", record_id="r1", number=number, mode="preview", position=position,
        agent_id="8001", started_utc=NOON,
    )  # fmt: skip
    return attempt, record_of(number, status="dialing")


def test_a_call_that_an_agent_places_himself_is_counted_and_teaches_nothing() -> None:
    bench = Bench(campaign_of(mode="preview"))
    assert not of(StoreAttempt, bench.load(*many(3)))
    bench.tell(inputs.AttemptPlaced(*placed()))
    for wrong in (placed(), placed(attempt_id="p2")):
        with pytest.raises(WrongState, match="being called"):
            bench.tell(inputs.AttemptPlaced(*wrong))
    with pytest.raises(InvalidValue, match="no number 3"):
        bench.tell(inputs.AttemptPlaced(*placed("2", "p3", position=3)))
    bench.tell(inputs.AttemptAnswered("p1"))
    bench.tell(inputs.AttemptConnected(attempt_id="p1", agent_id="8001"))
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id="p1", result="human", talk_s=3.0)))
    assert (outcome.record.n_attempts, outcome.record.status, outcome.attempt.agent_id) == (1, "done", "8001")
    live = bench.engine.progress("spring", bench.now, bench.wall)
    assert all(not each.n_answered for each in live.abandoned)
    # Whom he gave up before anything rang was not called.
    bench.tell(inputs.AttemptPlaced(*placed("2", "p4")))
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptEnded(attempt_id="p4", result="cancelled")))
    assert (outcome.record.n_attempts, outcome.record.n_today, outcome.record.status) == (0, 0, "new")


@pytest.mark.parametrize("is_own", [False, True])
def test_what_a_restart_cut_off_is_not_dialled_again_at_once(is_own: bool) -> None:
    bench = Bench(campaign_of(), n_idle=2)
    attempt, record = placed()
    # As the dialler stores it; an agent's own call is counted now.
    record.n_attempts = record.numbers[0].n_attempts = 0 if is_own else 1
    record.last_utc = 0.0 if is_own else NOON
    (outcome,) = of(StoreOutcome, bench.tell(inputs.AttemptFound(attempt, record)))
    assert (outcome.attempt.result, outcome.record.n_attempts, outcome.record.status) == (
        "interrupted",
        1,
        "retry_wait",
    )
    assert outcome.record.next_utc == NOON + 300
    with pytest.raises(NoSuchCampaign):
        bench.tell(inputs.AttemptFound(msgspec.structs.replace(attempt, campaign="autumn"), record))


def test_a_document_that_cannot_be_read_leaves_the_state_and_begins_to_count_anew() -> None:
    for document in (b"", b"{}", b"nonsense", b'{"model": {"slow": [0, 0]}}'):
        bench = Bench()
        assert not bench.engine.restore(campaign_of(), "running", document, bench.now, bench.wall)
        assert bench.engine.state("spring") == "running"
        assert of(LoadRecords, bench.pass_(1.0))


def test_who_was_abandoned_is_stored_at_once() -> None:
    bench = Bench(campaign_of(), n_idle=3)
    first, second, _ = bench.dialled(*many(3))
    for attempt_id in (first, second):
        bench.tell(inputs.AttemptAnswered(attempt_id))
        (kept,) = of(StoreCampaign, bench.tell(inputs.AttemptDropped(attempt_id)))
    other = Bench()
    assert other.engine.restore(campaign_of(), kept.state, kept.document, other.now, other.wall)
    life = next(
        each for each in other.engine.progress("spring", other.now, other.wall).abandoned if each.window == "life"
    )
    assert (life.n_answered, life.n_abandoned) == (2.0, 2.0)


def test_what_is_learnt_is_stored_now_and_then_and_on_demand() -> None:
    bench = Bench(campaign_of(), n_idle=3)
    first, second, third = bench.dialled(*many(3))
    assert not of(StoreCampaign, bench.tell(inputs.AttemptEnded(attempt_id=first, result="busy")))
    assert len(of(StoreCampaign, bench.pass_(6.0))) == 1
    assert not of(StoreCampaign, bench.pass_(6.0)), "nothing has changed"
    assert of(StoreCampaign, bench.tell(inputs.AttemptEnded(attempt_id=second, result="busy")))
    assert not of(StoreCampaign, bench.tell(inputs.AttemptEnded(attempt_id=third, result="busy")))
    (kept,) = bench.engine.store(bench.now)
    assert (kept.campaign, kept.state) == ("spring", "running")  # type: ignore[union-attr]
    assert not bench.engine.store(bench.now)


def test_xout_07_the_number_shown_is_of_the_customers_area_in_turn() -> None:
    shown = (
        ShownNumber(area="浙江", numbers=("0571-1", "0571-2")),
        ShownNumber(area="浙江省宁波", numbers=("0574-1",)),
        ShownNumber(area="", numbers=("400-1",)),
    )
    areas = {"1": "浙江省杭州市", "2": "浙江省宁波市", "3": "北京市", "4": "浙江省杭州市"}
    bench = Bench(campaign_of(shows="area", caller_id="4000", area_numbers=shown), n_idle=4)
    records = [record_of(RecordNumber(number=each, area=area), record_id=each) for each, area in areas.items()]
    stores = of(StoreAttempt, bench.load(*records))
    assert [each.attempt.caller_id for each in stores] == ["0571-1", "0574-1", "400-1", "0571-2"]
    nowhere = Bench(campaign_of(shows="area", caller_id="4000", area_numbers=shown[:2]), n_idle=1)
    (store,) = of(StoreAttempt, nowhere.load(record_of(RecordNumber(number="3", area="北京市"))))
    assert store.attempt.caller_id == "4000"
    assert nowhere.engine.choose_shown("spring", records[1], 0) == "0574-1"
