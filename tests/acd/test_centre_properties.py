"""acd/centre.py: the routing core and the agent desk together, under random interleavings of all that can happen.

What the desk shows and what the core decides agree, nobody ready is forgotten, nobody not ready is rung, each call of
an agent ends once, and after-call work ends.
"""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from acd.actions import Connect, Offer, Withdraw
from acd.centre import Centre
from acd.desk import AgentDesk
from acd.desk_inputs import (
    Activity,
    AgentRulesChange,
    AgentSettingsChange,
    CallOver,
    ClearNext,
    ClientLink,
    DeskDayBegins,
    DeviceState,
    EndAcw,
    ExtendAcw,
    GoNotReady,
    GoReady,
    OfferRings,
    SignIn,
    SignOut,
)
from acd.engine import AcdEngine
from acd.inputs import CallEnters, CallLeaves, OfferAnswered, OfferFailed, QueueChanges, QueueRemoved
from acd.seats import Seat, feed
from model.agents import Agent, AgentRules, Membership, NotReadyReason
from model.declare import ApiError, Event
from model.events_agent import (
    AgentAcwEnded,
    AgentCallEnded,
    AgentNextChanged,
    AgentSignedIn,
    AgentSignedOut,
    AgentStateChanged,
)
from model.events_queue import QueueLeft
from model.queues import Queue, WrapUp

QUEUES = [
    Queue(name="sales", wrap_up=WrapUp(post_call="acw", max_s=10, codes=("sold", "lost"), is_code_required=True)),
    Queue(name="help", strategy="ring_all", wrap_up=WrapUp(post_call="available")),
    Queue(name="long", wrap_up=WrapUp(post_call="acw", max_s=0)),
]
SERVES = tuple(Membership(queue=each.name) for each in QUEUES)
AGENTS = {name: Agent(agent_id=name, group=name[0], queues=SERVES) for name in ("a1", "a2", "b1", "b2")}
RULES = AgentRules(
    min_busy_s=5.0,
    rona_limit=2,
    link_grace_s=20.0,
    device_grace_s=4.0,
    reason=(
        NotReadyReason(code="lunch", max_s=30, max_per_day=3),
        NotReadyReason(code="break", max_at_once=1),
    ),
)
WHO = st.sampled_from(sorted(AGENTS))


class Floor(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 500.0
        self.centre = Centre(AcdEngine(seed=3), AgentDesk())
        self.offers: dict[str, Offer] = {}
        self.talks: dict[str, str] = {}
        """call id -> agent"""
        self.shown: dict[str, str] = {}
        self.n = 0
        self.n_ended: dict[str, int] = {}
        self.in_acw: set[str] = set()
        self.seats: dict[str, Seat] = {}
        """What a restarted switch would know."""

    @initialize()
    def begin(self) -> None:
        for queue in QUEUES:
            self._tell(QueueChanges(queue))
        self._tell(AgentRulesChange(RULES))

    def _tell(self, told) -> bool:
        try:
            actions = self.centre.handle(told, self.now)
        except ApiError:
            return False
        self._perform(actions)
        return True

    def _perform(self, actions) -> None:
        for action in actions:
            if isinstance(action, Event):
                feed(self.seats, action, self.now, 0.0)
            match action:
                case Offer():
                    desk = self.centre.desk.find(action.agent_id)
                    assert desk.presence in ("available", "auto_dial") and not desk.doing, desk
                    self.offers[action.offer_id] = action
                case Withdraw():
                    self.offers.pop(action.offer_id, None)
                case Connect():
                    del self.offers[action.offer_id]
                    self.talks[action.call_id] = action.agent_id
                case AgentStateChanged():
                    assert self.shown[action.agent_id] == action.previous
                    assert action.state != action.previous or action.reason != action.previous_reason
                    self.shown[action.agent_id] = action.state
                    if action.state == "acw":
                        self.in_acw.add(action.agent_id)
                case AgentNextChanged():
                    assert action.agent_id in self.shown
                case AgentSignedIn():
                    assert action.agent_id not in self.shown
                    self.shown[action.agent_id] = "offline"
                case AgentSignedOut():
                    del self.shown[action.agent_id]
                case AgentCallEnded():
                    self.n_ended[action.call_id] = self.n_ended.get(action.call_id, 0) + bool(action.entry_id)
                case AgentAcwEnded():
                    self.in_acw.discard(action.agent_id)
                case QueueLeft():
                    pass

    # -- people --------------------------------------------------------------------------------------------------------

    @rule(who=WHO, extension=st.sampled_from(["1", "2", "3", ""]), mode=st.sampled_from(["extension", "unbound"]))
    def sign_in(self, who, extension, mode) -> None:
        self._tell(SignIn(agent=AGENTS[who], mode=mode, extension=extension, by=who, has_client=True))

    @rule(who=WHO, extension=st.sampled_from(["1", "2", "3"]))
    def comes_to_work(self, who, extension) -> None:
        if self._tell(SignIn(agent=AGENTS[who], mode="extension", extension=extension, by=who)):
            assert self._tell(GoReady(agent_id=who))

    @rule(who=WHO)
    def sign_out(self, who) -> None:
        self._tell(SignOut(agent_id=who, by=who))

    @rule(who=WHO, presence=st.sampled_from(["available", "outbound_only", "auto_dial"]), is_forced=st.booleans())
    def ready(self, who, presence, is_forced) -> None:
        self._tell(GoReady(agent_id=who, presence=presence, by=who, is_forced=is_forced))

    @rule(who=WHO, reason=st.sampled_from(["lunch", "break", "rona", "nonsense"]), is_forced=st.booleans())
    def not_ready(self, who, reason, is_forced) -> None:
        taken = self._tell(GoNotReady(agent_id=who, reason=reason, by=who, is_forced=is_forced))
        assert not taken or is_forced or reason in ("lunch", "break")

    @rule(who=WHO)
    def clear_next(self, who) -> None:
        self._tell(ClearNext(who))

    @rule(who=WHO, code=st.sampled_from(["", "sold", "other"]))
    def end_acw(self, who, code) -> None:
        self._tell(EndAcw(agent_id=who, code=code, by=who))

    @rule(who=WHO)
    def extend_acw(self, who) -> None:
        self._tell(ExtendAcw(who, 7.0))

    @rule(who=WHO, is_up=st.booleans(), what=st.sampled_from([ClientLink, DeviceState]))
    def link(self, who, is_up, what) -> None:
        self._tell(what(who, is_up))

    @rule(who=WHO, n_queues=st.integers(1, 3))
    def settings(self, who, n_queues) -> None:
        changed = Agent(agent_id=who, group=who[0], queues=SERVES[:n_queues], level=n_queues)
        self._tell(AgentSettingsChange(changed))

    @rule(who=WHO, n_queues=st.integers(0, 3))
    def disabled(self, who, n_queues) -> None:
        changed = Agent(agent_id=who, group=who[0], queues=SERVES[:n_queues], is_enabled=False)
        assert self._tell(AgentSettingsChange(changed))
        assert who not in self.shown

    @rule(
        queue=st.sampled_from(QUEUES), strategy=st.sampled_from(["longest_idle", "ring_all", "random", "round_robin"])
    )
    def queue_changes(self, queue, strategy) -> None:
        n_signed_in, waiting = len(self.shown), set(self.centre.engine.state.entries)
        assert self._tell(QueueChanges(msgspec.structs.replace(queue, strategy=strategy)))
        assert (len(self.shown), set(self.centre.engine.state.entries)) == (n_signed_in, waiting)

    @rule(queue=st.sampled_from(QUEUES), is_drained=st.booleans())
    def queue_removed(self, queue, is_drained) -> None:
        waiting = set(self.centre.engine.state.entries)
        if self._tell(QueueRemoved(queue.name, is_drained)) and is_drained:
            assert set(self.centre.engine.state.entries) == waiting

    @rule()
    def day_begins(self) -> None:
        self._tell(DeskDayBegins())

    # -- calls ---------------------------------------------------------------------------------------------------------

    @rule(queue=st.sampled_from([each.name for each in QUEUES]))
    def call_enters(self, queue) -> None:
        self.n += 1
        self._tell(CallEnters(entry_id=f"e{self.n}", call_id=f"c{self.n}", queue=queue))

    @rule(data=st.data())
    def call_leaves(self, data) -> None:
        entries = sorted(self.centre.engine.state.entries)
        if entries:
            self._tell(CallLeaves(data.draw(st.sampled_from(entries)), "abandoned"))

    @rule(data=st.data(), outcome=st.sampled_from(["rings", "answered", "no_answer", "rejected", "unreachable"]))
    def offer(self, data, outcome) -> None:
        if not self.offers:
            return
        offer = self.offers[data.draw(st.sampled_from(sorted(self.offers)))]
        if outcome == "rings":
            self._tell(OfferRings(offer.agent_id, offer.offer_id))
        elif outcome == "answered":
            assert self._tell(OfferAnswered(offer.offer_id))
        else:
            del self.offers[offer.offer_id]
            assert self._tell(OfferFailed(offer.offer_id, outcome))

    @rule(data=st.data(), talk_s=st.sampled_from([0.0, 3.0, 60.0]))
    def hangs_up(self, data, talk_s) -> None:
        if not self.talks:
            return
        call_id = data.draw(st.sampled_from(sorted(self.talks)))
        agent_id = self.talks.pop(call_id)
        self._tell(CallOver(agent_id=agent_id, call_id=call_id, call_type="inbound", talk_s=talk_s, how="caller"))
        desk = self.centre.desk.state.agents.get(agent_id)
        assert desk is None or desk.call_id != call_id

    @rule(who=WHO, doing=st.sampled_from(["", "dialing", "on_call", "hold"]))
    def own_call(self, who, doing) -> None:
        desk = self.centre.desk.state.agents.get(who)
        if desk is not None and who not in self.talks.values():
            self._tell(Activity(agent_id=who, doing=doing, call_id="own" if doing else ""))

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.5, 11.0, 40.0]))
    def time_passes(self, seconds) -> None:
        self.now += seconds
        self._perform(self.centre.handle_timeout(self.now))

    @rule()
    def restart(self) -> None:
        self.centre = Centre(
            AcdEngine.restore(self.centre.engine.snapshot()), AgentDesk.restore(self.centre.desk.snapshot())
        )

    # -- always --------------------------------------------------------------------------------------------------------

    @invariant()
    def desk_and_core_agree(self) -> None:
        desk, core = self.centre.desk.state, self.centre.engine.state
        assert set(desk.agents) == set(core.agents) == set(self.shown)
        for agent_id, agent in desk.agents.items():
            routed = core.agents[agent_id]
            assert (agent.offer_id, bool(agent.offer_id)) == (routed.offer_id, routed.state == "offered")
            wants = agent.presence in ("available", "auto_dial") and agent.reason != "device_unreachable"
            is_free = not (agent.doing or agent.offer_id or agent.acw_since is not None)
            assert (routed.state == "idle") == (wants and is_free), (agent, routed)
            assert self.shown[agent_id] == agent.display()[0]
            assert (agent_id in self.in_acw) == (agent.acw_since is not None) or agent.doing or agent.offer_id

    @invariant()
    def the_log_says_who_is_signed_in_as_what(self) -> None:
        said = {who: (seat.mode, seat.extension, seat.has_client, seat.presence) for who, seat in self.seats.items()}
        desks = self.centre.desk.state.agents.items()
        assert said == {who: (desk.mode, desk.extension, desk.has_client, desk.wish()[0]) for who, desk in desks}
        for who, desk in desks:
            assert self.seats[who].reason == desk.wish()[1]
            assert self.seats[who].signed_in_utc == desk.signed_in_at

    @invariant()
    def a_link_that_is_missed_keeps_him_from_being_ready(self) -> None:
        for agent in self.centre.desk.state.agents.values():
            assert not ("client" in agent.missed_links and agent.is_client_up)
            assert not ("device" in agent.missed_links and agent.is_device_up)
            wish = agent.pending or agent.presence
            if "device" in agent.missed_links:
                assert wish == "not_ready", agent

    @invariant()
    def every_extension_has_one_agent(self) -> None:
        desk = self.centre.desk.state
        assert desk.by_extension == {each.extension: each.agent_id for each in desk.agents.values() if each.extension}

    @invariant()
    def a_queue_call_of_an_agent_ends_once(self) -> None:
        assert all(n <= 1 for n in self.n_ended.values())

    @invariant()
    def nothing_is_overdue(self) -> None:
        for agent in self.centre.desk.state.agents.values():
            assert agent.acw_until is None or agent.acw_since is not None
            waits = [
                at for at, _, kind, who, _ in self.centre.desk.state.timers if who == agent.agent_id and kind == "acw"
            ]
            assert agent.acw_until is None or agent.acw_until in waits


TestFloor = Floor.TestCase
TestFloor.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
