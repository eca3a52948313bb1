"""Performs what stack and calls return: each action by its class, until nothing is left to do.

The one driver of the pure machines: hands them datagrams, media events and due deadlines, and keeps one timer for all.
Holds no policy.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

import msgspec

from model import media
from model.declare import EVENTS, Event
from model.records import CallRecord, RecordingRecord
from sip import actions as sip
from sip.actions import Send
from sip.flow import Flow
from sip.stack import SipStack
from switch import actions as act
from switch.call import Call, Leg
from switch.call_moves import CallMoves
from switch.calls import Calls
from switch.guard import Guard, Verdict
from switch.leg_events import CallEvent, LegRefers
from switch.media_events import MediaEvents
from switch.media_pool import MediaPool
from switch.runtime_peers import Door, Machine, Tap
from switch.security_events import SecurityEvent, ignore
from switch.sip_legs import SipLegs, Told
from switch.strangers import answer_stranger

log = logging.getLogger(__name__)

EARLIEST_TIMER_S = 0.01
"""No timer is armed nearer than this: every wake-up of an idle loop costs more than it gains (SIGNALLING §1)."""
SOON_S = 0.02
"""A timer that fires within this time is near enough for whatever is due next."""


class Outside(msgspec.Struct):
    """Where actions go that leave the core."""

    send: Callable[[bytes, Flow], None]
    publish: Callable[[Event], None]
    keep: Callable[[CallRecord | RecordingRecord], None]
    resolve: Callable[[sip.Resolve], None]
    call_later: Callable[[float, Callable[[], None]], Any]
    """(delay in seconds, callback) → something with `cancel()`"""
    clock: Callable[[], float]
    """monotonic seconds"""
    report: Callable[[SecurityEvent], None] = ignore
    """What strangers did"""


class RuntimeCounters(msgspec.Struct):
    datagrams: int = 0
    unhandled_errors: int = 0


class Runtime:
    def __init__(self, stack: SipStack, calls: Calls, legs: SipLegs, pool: MediaPool, outside: Outside) -> None:
        self.stack = stack
        self.calls = calls
        self.legs = legs
        self.pool = pool
        self.counters = RuntimeCounters()
        self.recordings: dict[str, RecordingRecord] = {}
        """Recordings whose file is not finished, by id; their calls may be over."""
        self.recording_closed: list[Callable[[RecordingRecord, float], None]] = []
        """Told of every recording whose file is whole, or that failed."""
        self.outside = outside
        self.guard: Guard | None = None
        self.reply: Callable[[bytes, Flow], None] | None = None
        """In the place of `outside.send` while a stranger is answered (switch.strangers)."""
        self._tap: Tap | None = None
        self._untapped = outside.send
        self._timer: Any = None
        self._timer_at = 0.0
        self._extra: list[tuple[Machine, Callable[[float], None]]] = []
        self._extra_deadline: float | None = None
        self._flow_watchers: list[Callable[[Flow, float], None]] = []
        self._call_watchers: list[Callable[[Iterable[str], float], None]] = []
        self._sip_table: dict[type, Callable[[Any, float], None]] = {
            sip.Resolve: lambda action, now: outside.resolve(action),
        }
        self._call_table: dict[type, Callable[[Any, float], None]] = {
            act.StartLeg: self._start_leg,
            act.AdoptLeg: self._adopt_leg,
            act.RingLeg: self._on_leg(lambda action, call, leg, now: legs.ring(leg, now)),
            act.ProgressLeg: self._progress_leg,
            act.AnswerLeg: self._answer_leg,
            act.EndLeg: self._on_leg(lambda action, call, leg, now: legs.end(leg, action.cause, now)),
            act.LeaveIfSilent: self._leave_if_silent,
            act.ReofferLeg: self._on_leg(lambda action, call, leg, now: legs.reoffer(leg, action.body, now)),
            act.SendInfoDigits: self._on_leg(lambda action, call, leg, now: legs.send_digits(leg, action, now)),
            act.TakeRefer: self._on_leg(lambda action, call, leg, now: legs.transfers.take_refer(action, now)),
            act.RefuseRefer: self._on_leg(lambda action, call, leg, now: legs.transfers.refuse_refer(action, now)),
            act.ReportRefer: self._on_leg(lambda action, call, leg, now: legs.transfers.report_refer(action, now)),
            act.SendRefer: self._send_refer,
            act.TakeOffer: self._on_leg(lambda action, call, leg, now: legs.take_offer(leg, action.body, now)),
            act.RefuseOffer: self._on_leg(lambda action, call, leg, now: legs.refuse_offer(leg, action.status, now)),
            act.ReconfigureLeg: self._on_leg(lambda action, call, leg, now: legs.reconfigure(leg)),
            act.PreemptTrunk: lambda action, now: self.perform(calls.preempt(action.trunk, now), now),
            act.TellCall: lambda action, now: self.dispatch(action.event, now),
            **CallMoves(self).table,
            act.ForgetCall: self._forget,
            CallRecord: lambda action, now: outside.keep(action),
            RecordingRecord: self._keep_recording,
        }
        self._events = frozenset(event.params for event in EVENTS.values())
        for command in get_args(media.Command):
            self._call_table[command] = self._media_command
        self._media = MediaEvents(self)

    def open_door(self, door: Door) -> None:
        """Requests outside sessions go there."""
        self._sip_table[sip.IncomingInvite] = door.incoming_invite
        self._sip_table[sip.IncomingRequest] = door.incoming_request
        self._sip_table[sip.RequestDone] = door.request_done

    def also_drive(self, machine: Machine, on_timeout: Callable[[float], None]) -> None:
        """One more machine under the one timer (registrar, trunk registrations)."""
        self._extra.append((machine, on_timeout))

    def also_perform(self, kind: type, handle: Callable[[Any, float], None]) -> None:
        """Actions of this class are performed by `handle(action, now)`."""
        self._call_table[kind] = handle

    def extra_changed(self) -> None:
        """A machine given to `also_drive` may have another deadline now."""
        deadlines = [machine.deadline for machine, _ in self._extra]
        self._extra_deadline = min((one for one in deadlines if one is not None), default=None)

    def watch_calls(self, on_touched: Callable[[Iterable[str], float], None]) -> None:
        """Also told, once an input is done with, the ids of the calls that were handled."""
        self._call_watchers.append(on_touched)

    def watch_flows(self, on_failed: Callable[[Flow, float], None]) -> None:
        """Also told when a flow is gone."""
        self._flow_watchers.append(on_failed)

    def tap(self, tap: Tap | None) -> None:
        """Shows every message to `tap` from now on; None ends that, and it costs nothing again."""
        if self._tap is not None:
            self.outside.send = self._untapped
        self._tap = tap
        if tap is not None:
            plain = self._untapped = self.outside.send

            def send(data: bytes, flow: Flow) -> None:
                tap.sent(data, flow)
                plain(data, flow)

            self.outside.send = send

    # -- inputs -------------------------------------------------------------------------------------------------------

    def receive_batch(self, batch: list[tuple[bytes, Flow]]) -> None:
        """Datagrams of one wake-up (sip.net.Receiver)."""
        now = self.outside.clock()
        if self._tap is not None:
            self._tap.received(batch, now)
        receive, perform, guard = self.stack.receive, self.perform_sip, self.guard
        for data, flow in batch:
            try:
                if guard is None or (verdict := guard.sort(flow, now)) is Verdict.KNOWN:
                    perform(receive(data, flow, now), now)
                elif verdict is not Verdict.DROP:
                    answer_stranger(self, guard, data, flow, now, is_busy=verdict is Verdict.BUSY)
            except Exception:
                # The edge of one datagram: the next one must still be heard.
                self.counters.unhandled_errors += 1
                log.exception("x datagram from %s:%d", flow.host, flow.port)
        self.counters.datagrams += len(batch)
        self.rearm(now)

    def flow_failed(self, flow: Flow, why: str) -> None:
        """A connection or destination is gone (sip.net.Receiver)."""
        log.info("x flow %s %s:%d: %s", flow.transport, flow.host, flow.port, why)
        now = self.outside.clock()
        self._guarded("flow_failed", lambda: self.perform_sip(self.stack.flow_failed(flow, now), now))
        for on_failed in self._flow_watchers:
            self._guarded("flow_failed", lambda on_failed=on_failed: on_failed(flow, now))  # type: ignore[misc]
        self.extra_changed()
        self.rearm(now)

    def flow_moved(self, before: Flow, after: Flow, now: float) -> None:
        """A phone behind NAT registered again from elsewhere: its calls follow."""
        self.stack.flow_moved(before, after)
        self.legs.flow_moved(before, after)

    def resolved(self, token: int, flows: list[Flow]) -> None:
        now = self.outside.clock()
        self._guarded("resolved", lambda: self.perform_sip(self.stack.resolved(token, flows, now), now))
        self.rearm(now)

    def media_events(self, worker: int, batch: Iterable[media.Event]) -> None:
        """What a media worker told."""
        now = self.outside.clock()
        batch = list(batch)
        self.pool.told(worker, batch)
        for event in batch:
            self._guarded(
                type(event).__name__,
                lambda event=event: self._media.handle(worker, event, now),  # type: ignore[misc]
            )
        self.rearm(now)

    def tell(self, event: CallEvent) -> None:
        """An event from outside the phone network (control API, drain)."""
        now = self.outside.clock()
        self.dispatch(event, now)
        self.rearm(now)

    def run(self, step: Callable[[float], Sequence[Any]]) -> None:
        """Performs the call actions that `step(now)` returns."""
        now = self.outside.clock()
        self.perform(step(now), now)
        self.rearm(now)

    def rearm(self, now: float) -> None:
        """One timer for everything; one that would fire too early is left, it costs less than re-arming."""
        if self.calls.touched:
            self._tell_touched(now)
        if self._timer is not None and self._timer_at - now <= SOON_S:
            return
        deadline = self.stack.deadline
        other = self.calls.deadline
        if other is not None and (deadline is None or other < deadline):
            deadline = other
        other = self._extra_deadline
        if other is not None and (deadline is None or other < deadline):
            deadline = other
        if deadline is None:
            return
        deadline = max(deadline, now + EARLIEST_TIMER_S)
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self.outside.call_later(deadline - now, self._on_timer)

    def _tell_touched(self, now: float) -> None:
        touched, self.calls.touched = self.calls.touched, set()
        for watcher in self._call_watchers:
            try:
                watcher(touched, now)
            except Exception:
                # The edge of one input, as in `_guarded`.
                self.counters.unhandled_errors += 1
                log.exception("x watchers of calls")

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        now = self.outside.clock()
        self._guarded("timer", lambda: self.perform_sip(self.stack.poll(now), now))
        self._guarded("timer", lambda: self.perform(self.calls.handle_timeout(now), now))
        for machine, on_timeout in self._extra:
            deadline = machine.deadline
            if deadline is not None and deadline <= now:
                self._guarded("timer", lambda on_timeout=on_timeout: on_timeout(now))  # type: ignore[misc]
        self.extra_changed()
        self.rearm(now)

    def _guarded(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:
            # The edge of one input: the switch goes on.
            self.counters.unhandled_errors += 1
            log.exception("x %s", what)

    # -- performing ---------------------------------------------------------------------------------------------------

    def perform_sip(self, actions: Sequence[sip.Action], now: float) -> None:
        table, send = self._sip_table, self.reply or self.outside.send
        for action in actions:
            if type(action) is Send:
                send(action.data, action.flow)
                continue
            handle = table.get(type(action))
            if handle is not None:
                handle(action, now)
                continue
            more, told = self.legs.on_session(action, now)  # type: ignore[arg-type]
            # First the call, then the wire: a BYE that the call wants must not overtake the answer of this leg.
            if more:
                self.perform_sip(more, now)
            for event in told:
                self.dispatch(event, now)
                if type(event) is LegRefers:
                    # What no phase answered is forbidden (RFC 3515 §2.4.2: every REFER gets an answer).
                    self.perform_sip(self.stack.refuse_refer(event.refer, 403, "Forbidden", now), now)

    def dispatch(self, event: CallEvent, now: float) -> None:
        self.perform(self.calls.dispatch(event, now), now)

    def perform(self, actions: Sequence[Any], now: float) -> None:
        table, events, publish = self._call_table, self._events, self.outside.publish
        for action in actions:
            kind = type(action)
            if kind in events:
                publish(action)
            else:
                table[kind](action, now)

    def find(self, call_id: str, leg_id: str) -> tuple[Call, Leg] | None:
        """A live call and a leg of it."""
        call = self.calls.find(call_id)
        leg = call.legs.get(leg_id) if call is not None else None
        return (call, leg) if call is not None and leg is not None else None

    def _on_leg(self, step: Callable[[Any, Call, Leg, float], list[sip.Action]]) -> Callable[[Any, float], None]:
        """A handler that looks the leg up first; nothing for a leg that is gone."""

        def handle(action: Any, now: float) -> None:
            found = self.find(action.call_id, action.leg_id)
            if found is not None:
                self.perform_sip(step(action, *found, now), now)

        return handle

    def _start_leg(self, action: act.StartLeg, now: float) -> None:
        found = self.find(action.call_id, action.leg_id)
        if found is not None and not found[1].is_ended:
            self._both(self.legs.start(*found, now), now)

    def _leave_if_silent(self, action: act.LeaveIfSilent, now: float) -> None:
        found = self.find(action.call_id, action.leg_id)
        if found is not None and not found[1].is_ended:
            self._both(self.legs.leave_if_silent(*found, now), now)

    def _adopt_leg(self, action: act.AdoptLeg, now: float) -> None:
        found = self.find(action.call_id, action.leg_id)
        if found is not None:
            self.legs.adopt(found[1].session, *found)

    def _progress_leg(self, action: act.ProgressLeg, now: float) -> None:
        """`leg_id` is the leg that is heard; the caller gets the 183."""
        found = self.find(action.call_id, action.leg_id)
        if found is not None:
            call, peer = found
            self._both(self.legs.progress(call, call.legs[call.a], peer, now), now)

    def _answer_leg(self, action: act.AnswerLeg, now: float) -> None:
        found = self.find(action.call_id, action.leg_id)
        if found is not None:
            call, leg = found
            self._both(self.legs.answer(call, leg, call.asked_by(leg), now), now)

    def _send_refer(self, action: act.SendRefer, now: float) -> None:
        found = self.find(action.call_id, action.leg_id)
        if found is not None:
            self._both(self.legs.transfers.send_refer(found[1], action, now), now)

    def _both(self, result: Told, now: float) -> None:
        actions, told = result
        self.perform_sip(actions, now)
        for event in told:
            self.dispatch(event, now)

    def _media_command(self, command: media.Command, now: float) -> None:
        call = self.calls.calls.get(command.session)
        if call is not None:
            self.pool.send(call.worker, command)

    def _forget(self, action: act.ForgetCall, now: float) -> None:
        self.calls.forget(action.call_id)
        for worker, port in action.ports:
            self.pool.free_port(worker, port, now)

    def _keep_recording(self, record: RecordingRecord, now: float) -> None:
        self.recordings[record.recording_id] = record
        self.outside.keep(record)

    # -- media workers -------------------------------------------------------------------------------------------------

    def tell_worker_everything(
        self, worker: int, known_sessions: Iterable[str], *, is_new: bool
    ) -> list[RecordingRecord]:
        """A worker (re)connected: live calls are described to it again, sessions nobody knows are released.

        Recordings go on in their files. Returns those that an earlier worker was ending when it died.
        """
        closing = self.pool.describe_all(worker, known_sessions, is_new=is_new)
        lost = [self.recordings.pop(start.recording, None) for start in closing]
        return [record for record in lost if record is not None]
