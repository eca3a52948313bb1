"""All calls: events and `now` in, actions out. Pure: no socket, clock, task or random source of its own.

`Calls.dispatch` hands an event to the phase of its call and follows where the phase leads; a crash while handling one
call ends that call and nothing else.
"""

import logging
from collections.abc import Callable
from types import ModuleType

import msgspec

from model.causes import HangupCause
from switch import conference_calls, joining, supervision
from switch.actions import Action, RefuseRefer
from switch.call import Call, Leg
from switch.campaign_calls import late_verdict
from switch.deadlines import Deadlines
from switch.directory import ExtensionEntry, TrunkState
from switch.environment import Environment
from switch.leg_events import AnswererFound, CallEvent, LegJoins, LegRefers, Release, Timeout, TimerDue
from switch.originating import NoRouteError, make_call
from switch.phases import (
    bridged,
    callback,
    conference,
    dialed,
    echo,
    feature,
    ivr,
    mailbox,
    originate,
    queue,
    rating,
    releasing,
    ring,
    route,
    voicemail,
)
from switch.phases.outcome import Outcome
from switch.preemption import choose_victim
from switch.release import finish, release
from switch.ring_plan import OriginateOptions

__all__ = ["CallCounters", "Calls", "NoRouteError"]

log = logging.getLogger(__name__)

PHASES: dict[str, ModuleType] = {
    "route": route,
    "originate": originate,
    "feature": feature,
    "ring": ring,
    "conference": conference,
    "echo": echo,
    "queue": queue,
    "ivr": ivr,
    "voicemail": voicemail,
    "mailbox": mailbox,
    "callback": callback,
    "dialed": dialed,
    "bridged": bridged,
    "rating": rating,
    "releasing": releasing,
}
_ENTER: dict[str, Callable[[Call, float, Environment], Outcome]] = {name: phase.enter for name, phase in PHASES.items()}
_ON: dict[str, Callable[[Call, CallEvent, float, Environment], Outcome]] = {
    name: phase.on for name, phase in PHASES.items()
}


class CallCounters(msgspec.Struct):
    """What happened since the start."""

    calls_total: int = 0
    calls_answered: int = 0
    calls_failed: int = 0
    """Ended by a fault of ours."""
    unhandled_errors: int = 0


_PLAIN = OriginateOptions()
_FAULTS = frozenset(
    (
        HangupCause.SWITCH_CONGESTION,
        HangupCause.REQUESTED_CHAN_UNAVAIL,
        HangupCause.NORMAL_TEMPORARY_FAILURE,
        HangupCause.MEDIA_TIMEOUT,
    )
)


class Calls:
    """The live calls and their deadlines."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.calls: dict[str, Call] = {}
        self.counters = CallCounters()
        self.touched: set[str] = set()
        """Ids of calls that were handled since whoever watches lines looked last."""
        self._absorbed: dict[str, str] = {}
        """Ids of calls that became part of another one, while that lives."""
        self._deadlines = Deadlines()

    @property
    def deadline(self) -> float | None:
        """Monotonic instant at which `handle_timeout` wants to be called."""
        return self._deadlines.next()

    def incoming(
        self,
        *,
        caller: str,
        caller_name: str,
        dialed: str,
        entry: ExtensionEntry | None,
        trunk: TrunkState | None,
        worker: int,
        max_forwards: int,
        now: float,
    ) -> tuple[Call, Leg]:
        """A call with its caller's leg, not yet routed: `begin` does that once the leg's SIP facts are filled in."""
        wall = self.env.wall(now)
        call_id = self.env.ids.new()
        if trunk is not None:
            kind, name, is_recorded = "trunk", trunk.config.name, trunk.config.is_recorded
            is_direct = trunk.config.media == "direct"
            trunk.n_calls += 1
            trunk.n_in += 1
            trunk.calls_total += 1
        else:
            assert entry is not None
            kind, name, is_recorded, is_direct = "extension", entry.number, entry.is_recorded, entry.media == "direct"
        leg = Leg(
            leg_id=call_id + ".0",
            call_id=call_id,
            direction="in",
            kind=kind,
            name=name,
            caller=caller,
            dialed=dialed,
            worker=worker,
            is_direct=is_direct,
            is_recorded=is_recorded,
            created_utc=wall,
        )
        call = Call(
            call_id=call_id,
            direction="inbound" if trunk is not None else "internal",
            caller=caller,
            caller_name=caller_name,
            dialed=dialed,
            trunk=name if trunk is not None else "",
            extension=name if trunk is None else "",
            legs={leg.leg_id: leg},
            a=leg.leg_id,
            is_direct=is_direct,
            worker=worker,
            max_forwards=max_forwards,
            created_utc=wall,
        )
        return call, leg

    def joining(
        self, call: Call, replaced: Leg, entry: ExtensionEntry | None, trunk: TrunkState | None, caller: str, now: float
    ) -> Leg:
        """A leg that called to take the place of `replaced` (RFC 3891); tell its call with LegReplaces."""
        call.n_legs += 1
        if trunk is not None:
            kind, name, is_recorded = "trunk", trunk.config.name, trunk.config.is_recorded
            trunk.n_calls += 1
            trunk.n_in += 1
            trunk.calls_total += 1
        else:
            assert entry is not None
            kind, name, is_recorded = "extension", entry.number, entry.is_recorded
        leg = call.legs[f"{call.call_id}.{call.n_legs}"] = Leg(
            leg_id=f"{call.call_id}.{call.n_legs}",
            call_id=call.call_id,
            direction="in",
            kind=kind,
            name=name,
            caller=caller,
            dialed=replaced.dialed,
            worker=call.worker,
            is_direct=call.is_direct,
            is_recorded=is_recorded,
            created_utc=self.env.wall(now),
        )
        return leg

    def begin(self, call: Call, now: float) -> list[Action]:
        """Takes a new call in and routes it; who has dialled a conference that is on becomes a leg of that."""
        if call.phase == "route":
            room = conference_calls.choose_live(self.calls.values(), call, now, self.env)
            if room is not None:
                leg, actions = conference_calls.move_in(room, call)
                return actions + self.dispatch(LegJoins(room.call_id, leg.leg_id), now)
        self.calls[call.call_id] = call
        self.counters.calls_total += 1
        try:
            return self._enter(call, call.phase, now)
        except Exception:
            return self._abandon(call, now)

    def originate(
        self,
        *,
        first: str,
        second: str,
        caller_id: str,
        ring_timeout_s: float,
        variables: dict[str, str],
        record: bool | None,
        has_ringback: bool,
        worker: int,
        now: float,
        options: OriginateOptions = _PLAIN,
    ) -> tuple[Call, list[Action]]:
        """Rings `first`, then connects it with `second`. Raises NoRouteError when nothing leads to `first`."""
        call = make_call(
            self.env,
            first=first,
            second=second,
            caller_id=caller_id,
            ring_timeout_s=ring_timeout_s,
            variables=variables,
            record=record,
            has_ringback=has_ringback,
            worker=worker,
            now=now,
            options=options,
        )
        return call, self.begin(call, now)

    def find(self, call_id: str) -> Call | None:
        """The live call of that id, or the one that it became part of."""
        return self.calls.get(call_id) or self.calls.get(self._absorbed.get(call_id, ""))

    def join(self, first: Call, b1: Leg, second: Call, b2: Leg, refer: str, now: float) -> list[Action]:
        """Attended transfer: the other parties of two calls are connected, and `b1` and `b2` end (JoinCalls)."""
        try:
            if (b1.kind, b1.name) != (b2.kind, b2.name):
                # Nobody may take over what is another one's.
                return [RefuseRefer(first.call_id, b1.leg_id, refer, HangupCause.OUTGOING_CALL_BARRED)]
            if second.phase == "ring" and second.a == b2.leg_id:
                # Who is consulted has not answered: the transfer rings it anew.
                actions = self.dispatch(Release(second.call_id, "", HangupCause.ORIGINATOR_CANCEL, "caller"), now)
                asked = LegRefers(first.call_id, b1.leg_id, refer, second.dialed, "")
                return actions + self.dispatch(asked, now)
            if not (joining.is_joinable(first, b1) and joining.is_joinable(second, b2)):
                return [RefuseRefer(first.call_id, b1.leg_id, refer, HangupCause.NORMAL_TEMPORARY_FAILURE)]
            actions = joining.connect(first, b1, second, b2, refer, now, self.env)
        except Exception:
            return self._abandon(first, now)
        keep, gone = (first, second) if second.call_id in first.absorbed else (second, first)
        self.touched |= {keep.call_id, gone.call_id}
        del self.calls[gone.call_id]
        self._deadlines.arm(gone.call_id, 0.0)
        self._absorbed |= dict.fromkeys(keep.absorbed, keep.call_id)
        self.arm(keep)
        return actions

    def dispatch(self, event: CallEvent, now: float) -> list[Action]:
        """Hands the event to its call's phase; an event for a call that is gone is nothing."""
        call = self.find(event.call_id)
        if call is None:
            return []
        try:
            if type(event) is AnswererFound and call.dialing is not None and call.phase != "dialed":
                event = late_verdict(call.dialing, event)
            if call.monitors and supervision.concerns(call, event):
                outcome = supervision.on(call, event, now, self.env)
            else:
                outcome = _ON[call.phase](call, event, now, self.env)
            return self._follow(call, outcome, now)
        except Exception:
            return self._abandon(call, now)

    def handle_timeout(self, now: float) -> list[Action]:
        """Tells the calls whose deadline has come."""
        actions: list[Action] = []
        for call_id in self._deadlines.due(now):
            call = self.calls.get(call_id)
            if call is None:
                continue
            for name in [name for name, at in call.timers.items() if at <= now]:
                # One that is due may have cancelled another.
                if call.timers.pop(name, None) is not None:
                    actions += self.dispatch(TimerDue(call_id, "", name), now)
            if call.deadline and call.deadline <= now:
                call.deadline = 0.0
                actions += self.dispatch(Timeout(call_id, ""), now)
        return actions

    def forget(self, call_id: str) -> None:
        """Everything the call asked for is done (ForgetCall)."""
        self.touched.add(call_id)
        call = self.calls.pop(call_id, None)
        if call is not None:
            self._deadlines.arm(call_id, 0.0)
            for absorbed in call.absorbed:
                self._absorbed.pop(absorbed, None)
            self.counters.calls_failed += call.hangup_cause in _FAULTS

    def preempt(self, trunk: str, now: float) -> list[Action]:
        """Ends the call of the trunk that is missed least, if there is one that is no emergency call."""
        victim = choose_victim(self.calls.values(), trunk)
        if victim is None:
            return []
        log.warning("! call %s gives its channel of trunk %s to an emergency call", victim.call_id, trunk)
        return self.dispatch(Release(victim.call_id, "", HangupCause.PRE_EMPTED), now)

    def release_all(self, cause: HangupCause, now: float) -> list[Action]:
        """Ends every call (the drain's time is up)."""
        actions: list[Action] = []
        for call_id in list(self.calls):
            actions += self.dispatch(Release(call_id, "", cause), now)
        return actions

    def _enter(self, call: Call, phase: str, now: float) -> list[Action]:
        call.phase = phase
        return self._follow(call, _ENTER[phase](call, now, self.env), now)

    def _follow(self, call: Call, outcome: Outcome, now: float) -> list[Action]:
        self.touched.add(call.call_id)
        actions = outcome.actions
        if call.monitors:
            if outcome.next_phase == "releasing":
                actions += supervision.release_all(call, "call_ended")
            elif not outcome.next_phase:
                actions += supervision.watch(call, now, self.env)
        if outcome.next_phase:
            if outcome.next_phase == "bridged":
                self.counters.calls_answered += 1
            return actions + self._enter(call, outcome.next_phase, now)
        self.arm(call)
        return actions

    def arm(self, call: Call) -> None:
        """Sets the call's deadline anew, after its timers were changed."""
        deadline = call.deadline
        for at in call.timers.values():
            if not deadline or at < deadline:
                deadline = at
        self._deadlines.arm(call.call_id, deadline)

    def _abandon(self, call: Call, now: float) -> list[Action]:
        """The edge of one call: whatever went wrong, the others go on and this one is let go."""
        self.counters.unhandled_errors += 1
        log.exception("x call %s crashed in phase %s", call.call_id, call.phase)
        actions = release(call, HangupCause.NORMAL_TEMPORARY_FAILURE, "system", now, self.env)
        call.phase = "releasing"
        self._deadlines.arm(call.call_id, 0.0)
        return actions + finish(call)
