"""acd/engine.py under random interleavings: what must hold after every input, whatever was told in whatever order.

Covers DIALER-ACD §4 "Properties to test": no call lost, one call per agent and one offer per call, order within a queue
and class, returned before VIP, work conservation, determinism by replay and through snapshots. The rules one by one are
in test_choosing.py, test_limits.py.
"""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from acd.actions import Connect, Offer, SendOn, Withdraw
from acd.core import demand_of
from acd.engine import AcdEngine
from acd.idle import is_able
from acd.inputs import (
    AcdInput,
    AgentNotReady,
    AgentReady,
    AgentSignsIn,
    AgentSignsOut,
    CallbackAnswered,
    CallbackAsked,
    CallbackFailed,
    CallEnters,
    CallLeaves,
    DayBegins,
    EntryChanges,
    EntryPlace,
    EntryPulled,
    OfferAnswered,
    OfferFailed,
    QueueChanges,
    QueueRemoved,
    QueueStateChanges,
    ServiceEnds,
    VipVerdict,
)
from acd.state import RETRY_S, Entry
from model.agents import Membership
from model.declare import ApiError
from model.events_queue import QueueEntered, QueueLeft
from model.queues import Callback, Queue, QueueLimits, QueueSound, RelaxStep

QUEUES = {
    "plain": Queue(name="plain"),
    "skilled": Queue(
        name="skilled",
        strategy="fewest_calls",
        skills={"en": 3},
        relax=(RelaxStep(after_s=5, lower_by=1), RelaxStep(after_s=12, is_any_agent=True)),
        weight=2,
    ),
    "limited": Queue(
        name="limited",
        strategy="random",
        vip_starve_s=15,
        abandon_resume_s=20,
        limits=QueueLimits(
            max_waiting=4, max_wait_s=20, timeout_to="queue:plain", has_no_agent_limit=True, no_agent_wait_s=6
        ),
    ),
    "all": Queue(name="all", strategy="ring_all", sound=QueueSound(distribute_after_s=2, position_every_s=7)),
    "more": Queue(name="more", strategy="ring_progressively", ring_step_s=3, has_dedicated_agent=True),
    "back": Queue(
        name="back",
        strategy="round_robin",
        reserve=1,
        is_reserve_strict=True,
        callback=Callback(is_enabled=True, retries=1, expires_s=300),
    ),
    "customer": Queue(name="customer", callback=Callback(is_enabled=True, first="customer")),
}
AGENTS = [f"a{n}" for n in range(7)]
SERVED = st.lists(st.sampled_from(sorted(QUEUES)), min_size=1, max_size=4, unique=True)


class Routing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.engine = AcdEngine(seed=7)
        self.shadow = AcdEngine(seed=7)
        """Told the same, and restored from snapshots in between."""
        self.n_entries = 0
        self.entered: dict[str, int] = {}
        self.left: dict[str, int] = {}
        self.offers: dict[str, Offer] = {}
        self.over: list[str] = []
        self.n_sent_on = self.n_connected = 0

    @initialize()
    def queues(self) -> None:
        for queue in QUEUES.values():
            self._tell(QueueChanges(queue))

    def _tell(self, told: AcdInput) -> bool:
        try:
            actions = self.engine.handle(told, self.now)
        except ApiError as refused:
            try:
                self.shadow.handle(told, self.now)
            except type(refused):
                return False
            raise AssertionError(f"the restored engine took {told}") from refused
        assert self.shadow.handle(told, self.now) == actions
        self._perform(actions)
        return True

    def _perform(self, actions: list) -> None:
        for action in actions:
            match action:
                case QueueEntered():
                    self.entered[action.entry_id] = self.entered.get(action.entry_id, 0) + 1
                case QueueLeft():
                    self.left[action.entry_id] = self.left.get(action.entry_id, 0) + 1
                case Offer():
                    assert action.offer_id not in self.offers
                    assert all(each.agent_id != action.agent_id for each in self.offers.values()), "offered twice"
                    self.offers[action.offer_id] = action
                case Withdraw():
                    if self.offers.pop(action.offer_id, None) is not None:
                        self.over.append(action.offer_id)
                case Connect():
                    del self.offers[action.offer_id]
                    self.n_connected += 1
                case SendOn():
                    self.n_sent_on += 1

    def _some(self, data: st.DataObject, state: str = "") -> Entry | None:
        found = [each for each in self.engine.state.entries.values() if not state or each.state == state]
        return data.draw(st.sampled_from(sorted(found, key=lambda each: each.seq))) if found else None

    # -- calls ---------------------------------------------------------------------------------------------------------

    @rule(
        queue=st.sampled_from([*QUEUES, "none"]),
        is_vip=st.booleans(),
        is_outbound=st.booleans(),
        priority=st.integers(0, 2),
        caller=st.sampled_from(["1", "2", "3"]),
        skills=st.sampled_from([(), (("en", 5),), (("de", 1),)]),
        wanted=st.sampled_from(["", "a1", "a2"]),
        preferred_s=st.sampled_from([0.0, 4.0]),
        returned=st.sampled_from([None, False, True]),
    )
    def call_enters(self, queue, is_vip, is_outbound, priority, caller, skills, wanted, preferred_s, returned) -> None:
        self.n_entries += 1
        entry_id = f"e{self.n_entries}"
        place = EntryPlace(self.now - 30.0, 1, returned) if returned is not None else None
        self._tell(
            CallEnters(
                entry_id=entry_id,
                call_id=f"c{self.n_entries}",
                queue=queue,
                caller=caller,
                is_vip=is_vip,
                is_outbound=is_outbound,
                priority=priority,
                area=caller,
                skills=skills,
                dedicated_agent=wanted,
                last_agent=wanted,
                preferred=(wanted, "a3") if wanted and preferred_s else (),
                preferred_s=preferred_s,
                place=place,
            )
        )

    @rule(data=st.data(), reason=st.sampled_from(["abandoned", "exit_key", "withdrawn", "transferred"]))
    def call_leaves(self, data, reason) -> None:
        entry = self._some(data)
        if entry is not None:
            self._tell(CallLeaves(entry.entry_id, reason))

    @rule(data=st.data(), is_vip=st.booleans())
    def verdict(self, data, is_vip) -> None:
        entry = self._some(data)
        if entry is not None:
            self._tell(VipVerdict(entry.entry_id, is_vip))

    @rule(data=st.data(), priority=st.sampled_from([None, 0, 3]), is_first=st.booleans())
    def entry_changes(self, data, priority, is_first) -> None:
        entry = self._some(data)
        if entry is not None:
            self._tell(EntryChanges(entry.entry_id, priority, is_first))

    @rule(data=st.data(), agent=st.sampled_from(AGENTS))
    def entry_pulled(self, data, agent) -> None:
        """Out of its turn, only for an agent who is idle: he is rung at once."""
        entry = self._some(data)
        if entry is not None and self._tell(EntryPulled(entry.entry_id, agent)):
            assert self.engine.state.agents[agent].offer_id in self.engine.state.entries[entry.entry_id].offers

    @rule(data=st.data())
    def callback_asked(self, data) -> None:
        entry = self._some(data)
        if entry is not None:
            self._tell(CallbackAsked(entry.entry_id, "138"))

    @rule(data=st.data(), is_answered=st.booleans(), state=st.sampled_from(["calling", "connected"]))
    def customer_reached(self, data, is_answered, state) -> None:
        entry = self._some(data, state)
        if entry is not None:
            self._tell(CallbackAnswered(entry.entry_id) if is_answered else CallbackFailed(entry.entry_id))

    # -- agents --------------------------------------------------------------------------------------------------------

    @rule(
        agent=st.sampled_from(AGENTS),
        queues=SERVED,
        level=st.integers(0, 9),
        area=st.sampled_from(["1", "2"]),
        skills=st.sampled_from([(), (("en", 2),), (("en", 6), ("de", 1))]),
    )
    def signs_in(self, agent, queues, level, area, skills) -> None:
        served = tuple(Membership(queue=name) for name in queues)
        self._tell(AgentSignsIn(agent_id=agent, level=level, area=area, queues=served, skills=skills))
        self._tell(AgentReady(agent))

    @rule(agent=st.sampled_from(AGENTS))
    def signs_out(self, agent) -> None:
        self._tell(AgentSignsOut(agent))

    @rule(agent=st.sampled_from(AGENTS), takes_inbound=st.booleans(), takes_outbound=st.booleans())
    def ready(self, agent, takes_inbound, takes_outbound) -> None:
        self._tell(AgentReady(agent, takes_inbound, takes_outbound))

    @rule(agent=st.sampled_from(AGENTS), why=st.sampled_from(["not_ready", "acw", "busy", "unreachable"]))
    def not_ready(self, agent, why) -> None:
        self._tell(AgentNotReady(agent, why))

    @rule(data=st.data(), outcome=st.sampled_from(["answered", "no_answer", "rejected", "busy", "unreachable", "late"]))
    def offer_ends(self, data, outcome) -> None:
        choices = sorted(self.over if outcome == "late" else self.offers)
        if not choices:
            return
        offer_id = data.draw(st.sampled_from(choices))
        if outcome in ("answered", "late"):
            assert self._tell(OfferAnswered(offer_id))
        else:
            self.offers.pop(offer_id)
            self.over.append(offer_id)
            assert self._tell(OfferFailed(offer_id, outcome))

    @rule(data=st.data())
    def service_ends(self, data) -> None:
        entry = self._some(data, "connected")
        if entry is not None:
            self._tell(ServiceEnds(entry.entry_id, 12.0))

    # -- queues and time -----------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(sorted(QUEUES)), strategy=st.sampled_from(["longest_idle", "ring_all", "login_order"]))
    def queue_changes(self, name, strategy) -> None:
        self._tell(QueueChanges(msgspec.structs.replace(QUEUES[name], strategy=strategy)))

    @rule(name=st.sampled_from(sorted(QUEUES)), state=st.sampled_from(["open", "draining", "closed"]))
    def queue_state(self, name, state) -> None:
        self._tell(QueueStateChanges(name, state))

    @rule(name=st.sampled_from(["plain", "all", "limited", "back"]), is_drained=st.booleans())
    def queue_removed(self, name, is_drained) -> None:
        self._tell(QueueRemoved(name, is_drained))

    @rule()
    def day_begins(self) -> None:
        self._tell(DayBegins())

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 3.5, 10.0, 61.0]))
    def time_passes(self, seconds) -> None:
        self.now += seconds
        actions = self.engine.handle_timeout(self.now)
        assert self.shadow.handle_timeout(self.now) == actions
        self._perform(actions)

    @rule()
    def restore(self) -> None:
        self.shadow = AcdEngine.restore(self.shadow.snapshot())

    # -- always --------------------------------------------------------------------------------------------------------

    @invariant()
    def no_call_is_lost(self) -> None:
        state = self.engine.state
        for entry_id, n in self.entered.items():
            entry = state.entries.get(entry_id)
            waits = entry is not None and entry.state != "connected" and not entry.callback_number
            assert n == self.left.get(entry_id, 0) + waits, entry_id
        for name, queue in state.queues.items():
            here = [each for each in state.entries.values() if each.queue == name]
            n = sum(each.state != "connected" and not each.callback_number for each in here)
            assert queue.n_waiting == n, name
            assert queue.n_calling == sum(each.state == "calling" for each in here), name

    @invariant()
    def every_wait_is_explained(self) -> None:
        core = self.engine._core
        for entry in core.entries.values():
            found = self.engine.explain(entry.entry_id, self.now)
            assert found.state == entry.state
            served = [each for each in core.agents.values() if any(one.queue == entry.queue for one in each.queues)]
            assert sum(found.agents.values()) == (len(served) if entry.queue in core.queues else 0)
            if entry.entry_id in core.lines.get(entry.queue, ()):
                assert found.position == sum(n for _, n in found.before) + 1
                assert len(found.first_before) == min(found.position - 1, 8)

    @invariant()
    def one_call_one_agent(self) -> None:
        state = self.engine.state
        assert {each.offer_id for each in self.offers.values()} == set(state.offers)
        for agent in state.agents.values():
            assert (agent.state == "offered") == bool(agent.offer_id)
            assert not (agent.state == "away" and agent.is_ready), f"{agent.agent_id} is forgotten"
            if agent.state == "serving" and agent.entry_id in state.entries:
                assert state.entries[agent.entry_id].agent_id == agent.agent_id
        for entry in state.entries.values():
            assert (entry.state == "offered") == bool(entry.offers), entry

    @invariant()
    def nobody_waits_for_an_idle_agent(self) -> None:
        core = self.engine._core
        for entry in core.entries.values():
            if entry.state != "waiting" or entry.preferred:
                continue
            queue = core.queues[entry.queue]
            n_idle = len(core.idle[entry.queue].members)
            if entry.callback_number and queue.settings.callback.first == "customer" and queue.n_calling >= n_idle:
                continue
            for agent in core.idle[entry.queue].members.values():
                assert agent.state == "idle"
                if not is_able(agent, demand_of(entry)):
                    continue
                missed = entry.missed.get(agent.agent_id)
                is_blocked = missed is not None and self.now < missed + RETRY_S
                is_kept = entry.is_outbound and core.idle[entry.queue].n_inbound <= queue.settings.reserve
                assert is_blocked or (is_kept and queue.settings.is_reserve_strict), (entry, agent)

    @invariant()
    def lines_hold_who_waits_in_order(self) -> None:
        core = self.engine._core
        for name, lines in core.lines.items():
            in_line = {ticket[3] for ticket in lines.in_order()}
            waiting = {
                each.entry_id
                for each in core.entries.values()
                if each.queue == name and each.state == "waiting" and not each.preferred
            }
            offered = {
                each.entry_id for each in core.entries.values() if each.queue == name and each.state == "offered"
            }
            assert waiting <= in_line <= waiting | offered
            keys = [core.entries[one].key(core.queues[name].settings.priority_step_s) for one in in_line]
            assert [ticket[:3] for ticket in lines.in_order()] == sorted(keys)
            idle = {
                each.agent_id
                for each in core.agents.values()
                if each.state == "idle" and any(one.queue == name for one in each.queues)
            }
            assert set(core.idle[name].members) == idle
            assert core.idle[name].n_inbound == sum(core.agents[one].takes_inbound for one in idle)


TestRouting = Routing.TestCase
TestRouting.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
