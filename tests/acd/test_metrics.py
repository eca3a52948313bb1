"""Covers the figures of FEATURES 4.7 that queues and agents have: each by hand, the identity O = A + B + F + W under
random streams, the same from the log as live, midnight.

Does not cover intervals, groups, alarms.
"""

import asyncio
from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.metrics import Metrics
from acd.metrics_views import agent_metrics, queue_metrics
from model.declare import Event, event_spec
from model.events_agent import AgentAcwEnded, AgentCallEnded, AgentSignedIn, AgentSignedOut, AgentStateChanged
from model.events_queue import CallRated, OfferAccepted, OfferMade, OfferMissed, QueueEntered, QueueLeft
from model.records import EventRecord
from storage.memory import MemoryStorage
from switch import metrics as shell
from switch.days import midnight

DAY = 1_790_000_000.0
"""Far from the midnight of these tests, except where one is named."""


def make(day_end: float = DAY + 1e7) -> Metrics:
    return Metrics(lambda queue: (20.0, 5.0), lambda at: day_end if at < day_end else at + 1e7)


def entered(entry: str) -> QueueEntered:
    return QueueEntered(
        call_id=entry,
        entry_id=entry,
        queue="q",
        caller="1",
        rank="normal",
        position=1,
        priority=0,
        is_outbound=False,
        waited_s=0.0,
        n_hops=0,
        is_resumed=False,
    )


def left(entry: str, reason: str, wait_s: float) -> QueueLeft:
    return QueueLeft(
        call_id=entry,
        entry_id=entry,
        queue="q",
        reason=reason,
        wait_s=wait_s,
        agent_id="",
        target="",
        was_ringing=False,
    )


OFFER = {"call_id": "c", "entry_id": "c", "offer_id": "o", "queue": "q", "agent_id": "8001"}
WHY = {"waited_s": 0.0, "position": 1, "call_rule": "only", "agent_rule": "only", "agent_value": ""}


def call_ended(talk_s: float, hold_s: float, how: str = "caller") -> AgentCallEnded:
    return AgentCallEnded(
        call_id="c",
        agent_id="8001",
        group="g",
        queue="q",
        entry_id="c",
        call_type="queue",
        ring_s=4.0,
        talk_s=talk_s,
        hold_s=hold_s,
        n_holds=int(hold_s > 0),
        how=how,
    )


def acw(acw_s: float) -> AgentAcwEnded:
    return AgentAcwEnded(agent_id="8001", group="g", call_id="c", queue="q", acw_s=acw_s, code="", note="")


def state(name: str, reason: str = "") -> AgentStateChanged:
    return AgentStateChanged(
        agent_id="8001",
        group="g",
        state=name,
        reason=reason,
        previous="",
        previous_reason="",
        previous_s=0.0,
        call_id="",
        queue="",
        by="",
        pending="",
    )


SIGN_IN = AgentSignedIn(agent_id="8001", group="g", mode="extension", extension="8001", queues=["q"])
SIGN_OUT = AgentSignedOut(agent_id="8001", group="g", reason="requested", by="", signed_in_s=0.0)


def test_queue_figures_by_hand() -> None:
    metrics = make()
    ways = [("connected", 10.0), ("connected", 20.0), ("connected", 50.0)]
    ways += [("abandoned", 3.0), ("abandoned", 12.0), ("abandoned", 40.0), ("timeout", 60.0)]
    for n, _ in enumerate(ways):
        metrics.feed(entered(str(n)), DAY)
    for n, (reason, wait_s) in sorted(enumerate(ways), key=lambda way: way[1][1]):
        metrics.feed(left(str(n), reason, wait_s), DAY + wait_s)
    metrics.feed(entered("w"), DAY + 100)
    for _ in range(4):
        metrics.feed(OfferMade(**OFFER, **WHY), DAY + 100)
    metrics.feed(OfferAccepted(**OFFER, ring_s=4.0, waited_s=9.0), DAY + 104)
    metrics.feed(OfferMissed(**OFFER, outcome="no_answer", ring_s=20.0), DAY + 124)
    metrics.feed(call_ended(100.0, 20.0), DAY + 200)
    metrics.feed(call_ended(60.0, 0.0, "transferred"), DAY + 300)
    metrics.feed(acw(20.0), DAY + 330)
    for result in ("satisfied", "satisfied", "neutral", "dissatisfied", "hung_up"):
        metrics.feed(CallRated(call_id="c", queue="q", agent_id="8001", result=result, key=""), DAY + 340)
    shown = queue_metrics(metrics, "q", {}, DAY + 400)
    assert (shown.offered, shown.answered, shown.abandoned, shown.flowed_out, shown.waiting) == (8, 3, 3, 1, 1)
    assert (shown.sl1, shown.sl2, shown.sl3, shown.sl4) == (2 / 3, 4 / 6, 2 / 8, 2 / 7)
    assert (shown.answer_rate, shown.abandon_rate, shown.abandon_rate_without_short) == (3 / 8, 3 / 8, 2 / 7)
    assert (shown.asa_s, shown.avg_abandon_time_s, shown.avg_queue_time_s) == (80 / 3, 55 / 3, 195 / 7)
    assert (shown.longest_wait_current_s, shown.longest_wait_s) == (300.0, 60.0)
    assert (shown.no_answer_rate, shown.ring_s, shown.offers_accepted) == (1 / 4, 24.0, 1)
    assert (shown.aht_s, shown.att_s, shown.avg_hold_s, shown.avg_acw_s) == (100.0, 80.0, 10.0, 10.0)
    assert (shown.transferred, shown.csat) == (1, 2 / 4)
    assert shown.flowed == {"timeout": 1}


def test_agent_figures_by_hand() -> None:
    metrics = make()
    metrics.feed(SIGN_IN, DAY)
    steps = [("available", 10), ("ringing", 100), ("on_call", 110), ("hold", 170), ("on_call", 180), ("acw", 200)]
    for name, at in steps:
        metrics.feed(state(name), DAY + at)
    metrics.feed(state("not_ready", "lunch"), DAY + 230)
    shown = agent_metrics(metrics, "8001", DAY + 300)
    assert (shown.state, shown.reason, shown.state_s, shown.signin_s) == ("not_ready", "lunch", 70.0, 300.0)
    assert shown.states_s["on_call"] == 80.0
    assert shown.occupancy == (80 + 10 + 30) / (80 + 10 + 30 + 90)
    assert shown.utilization == (120 + 10) / 300
    assert shown.utilization_talk == 80 / 300
    metrics.feed(SIGN_OUT, DAY + 300)
    assert agent_metrics(metrics, "8001", DAY + 999).signin_s == 300.0
    assert agent_metrics(metrics, "8001", DAY + 999).not_ready_s == {"login": 10.0, "lunch": 70.0}


def test_what_a_flow_was_rated_is_no_figure_of_a_queue_or_an_agent() -> None:
    metrics = make()
    metrics.feed(CallRated(call_id="c", queue="", agent_id="", result="satisfied", key="1"), DAY)
    assert not metrics.queues and not metrics.agents


def test_nothing_is_a_share_of_nothing() -> None:
    shown = queue_metrics(make(), "q", {}, DAY)
    assert shown.sl3 is shown.asa_s is shown.aht_s is shown.csat is None


def test_at_midnight_sums_begin_anew_and_what_goes_on_is_split() -> None:
    metrics = make(day_end=DAY + 100)
    metrics.feed(SIGN_IN, DAY)
    metrics.feed(state("available"), DAY)
    metrics.feed(entered("a"), DAY + 90)
    metrics.feed(left("a", "connected", 15.0), DAY + 105)
    shown = queue_metrics(metrics, "q", {}, DAY + 110)
    assert (shown.carried, shown.offered, shown.answered, shown.waiting) == (1, 0, 1, 0)
    mine = agent_metrics(metrics, "8001", DAY + 110)
    assert (mine.states_s, mine.state_s) == ({"available": 10.0}, 110.0)


def test_a_clock_set_back_takes_no_time_away() -> None:
    metrics = make()
    metrics.feed(SIGN_IN, DAY + 50)
    metrics.feed(state("available"), DAY)
    metrics.feed(state("acw"), DAY + 60)
    assert metrics.agent("8001").state_ms == {"not_ready": 0, "available": 10_000}


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["enter", "connected", "abandoned", "timeout", "available", "not_ready", "on_call", "out"]),
        st.integers(0, 4),
        st.integers(0, 40_000),
    ),
    max_size=60,
)


def stream(moves: list[tuple[str, int, int]]) -> list[tuple[Event, float]]:
    at_ms, told, waiting = round(DAY * 1000), [], {}
    for n, (what, entry, step_ms) in enumerate(moves):
        at_ms += step_ms
        if what == "enter":
            waiting.setdefault(entry, []).append((f"{entry}/{n}", at_ms))
            told.append((entered(f"{entry}/{n}"), at_ms / 1000))
        elif what in ("connected", "abandoned", "timeout"):
            if waiting.get(entry):
                name, since_ms = waiting[entry].pop(0)
                told.append((left(name, what, (at_ms - since_ms) / 1000), at_ms / 1000))
        else:
            told.append((SIGN_OUT if what == "out" else state(what), at_ms / 1000))
    return told


@given(MOVES)
def test_every_caller_is_accounted_for_at_every_step(moves: list[tuple[str, int, int]]) -> None:
    metrics = make(day_end=DAY + 300)
    for event, at_utc in stream(moves):
        metrics.feed(event, at_utc)
        f = metrics.queue("q")
        assert f.carried + f.offered == f.answered + f.abandoned + f.flowed_out + len(metrics.waiting.get("q", {}))
    assert metrics.identity_violations == 0


@given(MOVES)
def test_the_log_gives_the_same_as_it_was_live(moves: list[tuple[str, int, int]]) -> None:
    live, again, storage = make(), make(), MemoryStorage()
    for seq, (event, at_utc) in enumerate(stream(moves)):
        live.feed(event, at_utc)
        body = msgspec.json.encode(event).decode()
        storage.put(EventRecord(node="n", seq=seq, at_utc=at_utc, name=event_spec(type(event)).name, body=body))
    live.restarted()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell, "time", SimpleNamespace(time=lambda: DAY + 1.0))
        asyncio.run(shell.rebuild(again, storage, "UTC"))
    assert (again.queues, again.agents) == (live.queues, live.agents)


def test_what_does_not_fit_together_is_not_counted_and_told() -> None:
    metrics = make()
    metrics.feed(left("x", "connected", 1.0), DAY)
    metrics.feed(entered("a"), DAY)
    metrics.feed(entered("a"), DAY)
    assert (metrics.identity_violations, metrics.queue("q").answered, metrics.queue("q").offered) == (2, 0, 1)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-27", 24)], ids=["spring", "autumn", "usual"]
)
def test_days_have_as_many_hours_as_they_have(day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone).timestamp()
    assert midnight(noon, zone, 1) - midnight(noon, zone, 0) == hours * 3600
