"""The contact centre on the switch: tells the pure machine (`acd.centre`) what calls and people do, and carries out
what it decides. Holds no policy.

What the machine says is performed before it is told anything else, so that its decisions are carried out in order.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from acd.actions import AcdAction, Announce, CallBack, Connect, Offer, SendOn, Withdraw
from acd.centre import Centre
from acd.desk import AgentDesk
from acd.desk_inputs import AgentRulesChange, CallOver, ClientLink, DeskDayBegins, DeskInput, DeviceState, SeatKept
from acd.engine import AcdEngine
from acd.inputs import (
    AcdInput,
    CallbackAsked,
    CallEnters,
    CallLeaves,
    DayBegins,
    QueueChanges,
    QueueStateChanges,
    RulesChange,
    VipVerdict,
)
from acd.seats import Seat
from ivr.run import AskBack
from model.causes import HangupCause
from model.declare import ApiError, Event
from model.errors import WrongState
from model.events_queue import QueueCallbackChanged
from switch.actions import AskCallback, AskFlowCallback, TellCentre
from switch.agent_activity import AgentActivity
from switch.call import Call
from switch.callbacks import callback_call
from switch.days import midnight, zone_of
from switch.directory import Directory
from switch.entering import enters_of
from switch.environment import Environment
from switch.leg_events import (
    CallbackOver,
    CallbackTaken,
    CallEvent,
    ConnectAgent,
    CustomerTurn,
    FlowReplied,
    RingAgent,
    SentOn,
    TellPlace,
    WithdrawAgent,
)
from switch.runtime import Runtime

log = logging.getLogger(__name__)


class Floor:
    """`tell` for calls and phones, `ask` for commands (it raises what the machine refuses)."""

    def __init__(self, runtime: Runtime, directory: Directory, env: Environment, seed: int) -> None:
        self.centre = Centre(AcdEngine(seed=seed), AgentDesk())
        self._runtime = runtime
        self._directory = directory
        self._env = env
        self._inbox: deque[AcdInput | DeskInput] = deque()
        self._is_busy = False
        self._offers: dict[str, str] = {}
        """Offer -> call."""
        self._entries: dict[str, str] = {}
        """Call -> its entry that is not over."""
        self.on_enter: Callable[[CallEnters, str], None] = lambda told, called: None
        """Told of each call that has come to a queue, and what it called (switch.vip_check)."""
        self.entered: list[Callable[[str], None]] = []
        """Told the queue of each caller who has come to one."""
        self.on_change: Callable[[], None] = lambda: None
        """Told whenever agents or queues may be other than before (switch.dialer)."""
        self._watchers: list[Callable[[Event, float], None]] = []
        self._activity = AgentActivity(self, env)
        self._midnight = self._next_midnight(runtime.outside.clock())
        runtime.also_perform(TellCentre, lambda action, now: self.tell(action.told, now))
        runtime.also_perform(AskCallback, self._callback_wanted)
        runtime.also_perform(AskFlowCallback, self._booking_wanted)
        runtime.also_drive(self, self.handle_timeout)
        runtime.watch_calls(self._calls_touched)

    def begin(self) -> None:
        """What is configured, told once everything is wired."""
        now = self._runtime.outside.clock()
        config = self._directory.config
        self.tell(RulesChange(config.acd), now)
        self.tell(AgentRulesChange(config.agents), now)
        for queue in self._directory.queues.values():
            self.tell(QueueChanges(queue), now)
            if state := self._directory.queue_states.get(queue.name):
                log.warning("! queue %s is %s, as it was before the restart", queue.name, state)
                self.tell(QueueStateChanges(queue.name, state), now)

    @property
    def deadline(self) -> float | None:
        deadline = self.centre.deadline
        return self._midnight if deadline is None else min(deadline, self._midnight)

    def handle_timeout(self, now: float) -> None:
        if now >= self._midnight:
            self._midnight = self._next_midnight(now)
            self.tell(DayBegins(), now)
            self.tell(DeskDayBegins(), now)
        self._do(lambda: self.centre.handle_timeout(now), now)

    def tell(self, told: AcdInput | DeskInput, now: float) -> None:
        """What happened. Told while decisions are being carried out, it waits until they are."""
        if self._is_busy:
            self._inbox.append(told)
            return
        try:
            self._do(lambda: self.centre.handle(told, now), now)
        except ApiError as problem:
            self._refused(told, problem, now)
            return
        if isinstance(told, CallEnters):
            call = self._runtime.calls.find(told.call_id)
            self.on_enter(told, (call.access_number or call.dialed) if call is not None else "")
            for entered in self.entered if not told.is_outbound else ():
                entered(told.queue)

    def ask(self, told: AcdInput | DeskInput) -> None:
        """What somebody wants. Raises what the machine refuses it with (`acd.engine`, `acd.desk`)."""
        now = self._runtime.outside.clock()
        self._do(lambda: self.centre.handle(told, now), now)
        self._runtime.rearm(now)

    def watch(self, on_event: Callable[[Event, float], None]) -> None:
        """Also told, with its instant, every event of agents and queues once it is published."""
        self._watchers.append(on_event)

    @property
    def calls(self) -> dict[str, Call]:
        """The live ones."""
        return self._runtime.calls.calls

    def now(self) -> float:
        return self._runtime.outside.clock()

    def look_at_device(self, extension: str) -> None:
        """Tells whether a phone is registered there."""
        self.phones_changed(extension, self.now())

    def phones_changed(self, extension: str, now: float) -> None:
        """A phone registered there, or is gone (XAGT-05)."""
        desk = self.centre.desk.at(extension)
        if desk is not None:
            self.tell(DeviceState(desk.agent_id, bool(self._env.bindings(extension, now))), now)
            self._runtime.rearm(now)

    def is_vip(self, call_id: str, entry_id: str) -> None:
        """Somebody who was asked says that the caller is one; in the next queue he is one from the beginning."""
        now = self.now()
        call = self._runtime.calls.find(call_id)
        if call is not None:
            call.is_vip = True
        self.tell(VipVerdict(entry_id, True), now)
        self._runtime.rearm(now)

    def client_changed(self, agent_id: str, is_up: bool) -> None:
        """The agent's first control connection is there, or his last one is gone (AGT-18)."""
        now = self.now()
        self.tell(ClientLink(agent_id, is_up), now)
        self._runtime.rearm(now)

    def extension_of(self, agent_id: str) -> str:
        """Where he sits; "" = he is not signed in, or only looks."""
        desk = self.centre.desk.state.agents.get(agent_id)
        return desk.extension if desk is not None else ""

    def seat_kept(self, agent_id: str, seat: Seat, ago_s: float) -> None:
        """He was signed in when the switch stopped, since `ago_s` seconds."""
        agent = self._directory.agents.get(agent_id)
        if agent is None:
            log.warning("! agent %s was signed in and exists no more", agent_id)
            return
        now = self.now()
        kept = SeatKept(
            agent=agent,
            mode=seat.mode,
            extension=seat.extension,
            has_client=seat.has_client,
            has_device=bool(seat.extension and self._env.bindings(seat.extension, now)),
            presence=seat.presence,
            reason=seat.reason,
            signed_in_at=now - ago_s,
            n_answered=seat.n_answered,
        )
        self.tell(kept, now)

    def ask_callback(self, call: Call, number: str = "") -> str:
        """Who waits is called back at his number, or another, and hangs up; the id of the call in which that will be.

        Raises WrongState when the call does not wait, or the queue calls nobody back; InvalidValue for the number.
        """
        now = self.now()
        entry_id = call.stay.entry_id if call.stay is not None and call.phase == "queue" else ""
        entry = self.centre.engine.state.entries.get(entry_id)
        if entry is None or entry.state not in ("waiting", "listening", "offered"):
            raise WrongState(f"call {call.call_id} does not wait in a queue")
        queue = self._directory.queue_of(entry.queue)
        if queue is None or not queue.callback.is_enabled:
            raise WrongState(f"queue {entry.queue} calls nobody back (callback.is_enabled)")
        made = callback_call(call, queue, number or call.caller, now, self._env, entry_id)
        self._runtime.perform(self._runtime.calls.begin(made, now), now)
        self.tell(CallbackAsked(entry_id, made.variables["callback_number"], made.call_id), now)
        self._dispatch(CallbackTaken(call.call_id, ""), now)
        self._runtime.rearm(now)
        return made.call_id

    def _callback_wanted(self, action: AskCallback, now: float) -> None:
        call = self._runtime.calls.find(action.call_id)
        if call is None:
            return
        try:
            self.ask_callback(call)
        except ApiError as problem:
            log.info("x call %s: no callback: %s", action.call_id, problem.message)
            self._dispatch(CallbackTaken(action.call_id, "", problem.message), now)

    def book_callback(self, call: Call, wanted: AskBack) -> None:
        """Somebody who does not wait wants to be called back as if he did. Raises WrongState and InvalidValue."""
        now, name = self.now(), wanted.queue
        queue = self._directory.queue_of(name)
        if queue is None or not queue.callback.is_enabled:
            raise WrongState(f"queue {name} calls nobody back (callback.is_enabled)")
        entries = self.centre.engine.state.entries.values()
        if self.centre.engine.state.queues[name].state != "open":
            raise WrongState(f"queue {name} takes nobody now")
        number = wanted.number or call.caller
        if any(each.queue == name and each.callback_number == number for each in entries):
            raise WrongState("he will be called back already")
        made = callback_call(call, queue, number, now, self._env)
        self._runtime.perform(self._runtime.calls.begin(made, now), now)
        enters = msgspec.structs.replace(
            enters_of(call, name, None, made.call_id, now, self._env),
            call_id=made.call_id,
            caller=number,
            priority=max(call.queue_priority, wanted.priority),
            callback_number=number,
        )
        self.tell(enters, now)

    def _booking_wanted(self, action: AskFlowCallback, now: float) -> None:
        call = self._runtime.calls.find(action.call_id)
        if call is None:
            return
        problem = ""
        try:
            self.book_callback(call, action.asked)
        except ApiError as error:
            problem = error.message
        self._dispatch(FlowReplied(action.call_id, "", action.token, {}, problem), now)

    # -- carrying out --------------------------------------------------------------------------------------------------

    def _do(self, step: Callable[[], list[AcdAction]], now: float) -> None:
        actions = step()
        self._is_busy = True
        try:
            for action in actions:
                self._perform(action, now)
        finally:
            self._is_busy = False
        self.on_change()
        self._runtime.extra_changed()
        while self._inbox and not self._is_busy:
            self.tell(self._inbox.popleft(), now)

    def _perform(self, action: AcdAction, now: float) -> None:
        match action:
            case Offer():
                self._offer(action, now)
            case Withdraw(offer_id=offer_id, reason=reason):
                call_id = self._offers.pop(offer_id, "")
                self._dispatch(WithdrawAgent(call_id, "", offer_id, reason), now)
            case Connect(offer_id=offer_id, call_id=call_id, agent_id=agent_id):
                self._offers.pop(offer_id, None)
                self._dispatch(ConnectAgent(call_id, "", offer_id, agent_id), now)
                self._connected(call_id, agent_id, now)
            case SendOn():
                self._dispatch(
                    SentOn(
                        action.call_id,
                        "",
                        action.entry_id,
                        action.reason,
                        action.target,
                        action.enter_time,
                        action.n_hops,
                    ),
                    now,
                )
            case Announce():
                self._dispatch(
                    TellPlace(action.call_id, "", action.entry_id, action.position, action.is_more_than, action.ewt_s),
                    now,
                )
            case CallBack(call_id=call_id):
                self._dispatch(CustomerTurn(call_id, ""), now)
            case QueueCallbackChanged(call_id=call_id, state=state):
                self._runtime.outside.publish(action)
                if state in ("failed", "expired"):
                    self._dispatch(CallbackOver(call_id, "", HangupCause.NO_ANSWER), now)
            case Event():
                self._runtime.outside.publish(action)
                for on_event in self._watchers:
                    on_event(action, now)
            case _:
                raise AssertionError(f"nobody performs {action}")

    def _connected(self, call_id: str, agent_id: str, now: float) -> None:
        call = self._runtime.calls.find(call_id)
        if call is None or call.stay is None or call.stay.agent_id != agent_id:
            # His phone was gone in the very moment: the desk takes him for talking, and no leg of his will end.
            self.tell(CallOver(agent_id=agent_id, call_id=call_id, call_type="queue"), now)
            return
        # The customer of a callback is rung only now; the agent's leg is the first of its conversation.
        self._activity.connected(call, call.b or call.a, agent_id, now)
        self._directory.last_agents.note(call.customer_number, agent_id, self._env.wall(now))

    def _offer(self, offer: Offer, now: float) -> None:
        self._offers[offer.offer_id] = offer.call_id
        desk = self.centre.desk.find(offer.agent_id)
        self._dispatch(
            RingAgent(
                offer.call_id,
                "",
                offer.offer_id,
                offer.agent_id,
                desk.extension,
                offer.ring_timeout_s,
                desk.agent.auto_answer,
            ),
            now,
        )

    def _dispatch(self, event: CallEvent, now: float) -> None:
        self._runtime.dispatch(event, now)

    def _refused(self, told: AcdInput | DeskInput, problem: ApiError, now: float) -> None:
        """A call or phone told what makes no sense any more: a queue was removed, an agent has left."""
        log.warning("! %s: %s", type(told).__name__, problem)
        if isinstance(told, CallEnters):
            if told.callback_number:
                self._dispatch(CallbackOver(told.call_id, "", HangupCause.NO_ANSWER), now)
            else:
                self._dispatch(SentOn(told.call_id, "", told.entry_id, "closed", "hangup", now, 0), now)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _calls_touched(self, touched: Iterable[str], now: float) -> None:
        find = self._runtime.calls.find
        for call_id in touched:
            call = find(call_id)
            if call is not None and call.stay is not None and call.phase in ("queue", "callback"):
                self._entries[call_id] = call.stay.entry_id
            elif call_id in self._entries:
                # Whatever way it left the phase, the core knows by now, or is told.
                entry_id = self._entries.pop(call_id)
                entry = self.centre.engine.state.entries.get(entry_id)
                # It may be another call's, in which the caller is called back.
                if entry is not None and entry.state != "connected" and entry.call_id == call_id:
                    self.tell(CallLeaves(entry_id, "withdrawn"), now)
        self._activity.calls_touched(touched, now)

    # -- days ----------------------------------------------------------------------------------------------------------

    def _next_midnight(self, now: float) -> float:
        """Monotonic instant of the next midnight where the company is."""
        wall = self._env.wall(now)
        return now + midnight(wall, zone_of(self._directory.config.numbering.time_zone), 1) - wall
