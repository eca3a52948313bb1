"""What is known of each demo call while it goes: what the phones tell and what the switch tells, side by side."""

import asyncio
from collections.abc import Callable
from typing import Any

from control.client import ReceivedEvent
from switch.demo.events import PhoneEvent
from switch.demo.plan import Plan, PlannedCall
from switch.demo.rtp import LineStatistics
from switch.demo.setting import CARRIER

SIDES = ("caller", "callee")


class CallState:
    """One call as it goes. `phase` and what follows it come from the switch's events, the rest from the phones."""

    def __init__(self, planned: PlannedCall) -> None:
        self.planned = planned
        self.phase = "waiting"
        """waiting, calling, menu, queued, ringing, talking, hold, rating, ended"""
        self.callee = planned.callee
        """Who was called, or which agent took the call."""
        self.led_to = ""
        """The queue that the menu led to."""
        self.rating = ""
        self.call_id = ""
        self.cause = ""
        self.talk_s = 0.0
        self.digits_seen = ""
        self.recording_path = ""
        self.is_recorded = False
        self.recording_error = ""
        self.connected_at = 0.0
        self.ids: dict[str, str] = {}
        """Side -> id of the call at that phone."""
        self.answered: set[str] = set()
        self.ended: set[str] = set()
        self.held: set[str] = set()
        self.holds = 0
        """Holds that were put on and taken off again."""
        self.statistics: dict[str, LineStatistics] = {}
        self.problems: list[str] = []

    @property
    def is_over(self) -> bool:
        return len(self.ended) == 2 or (len(self.ended) == len(self.ids) > 0)


class Stage:
    """All calls. `until` waits for something to become true; `on_change` hears of every change of a call."""

    def __init__(self, plan: Plan, on_change: Callable[[CallState, str], None]) -> None:
        self.calls = [CallState(planned) for planned in plan.calls]
        self.registered: set[str] = set()
        self.ready: set[str] = set()
        self.errors: list[str] = []
        self._on_change = on_change
        self._changed: set[asyncio.Future[None]] = set()
        self._by_phone: dict[tuple[str, str], tuple[CallState, str]] = {}
        self._by_call: dict[str, CallState] = {}
        self._by_recording: dict[str, CallState] = {}

    async def until(self, is_true: Callable[[], bool], timeout_s: float | None) -> bool:
        """Waits until `is_true()`; False when it did not become true within `timeout_s` seconds (None: no limit)."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        while not is_true():
            changed = loop.create_future()
            self._changed.add(changed)
            try:
                async with asyncio.timeout_at(deadline):
                    await changed
            except TimeoutError:
                return is_true()
            finally:
                self._changed.discard(changed)
        return True

    def wake(self) -> None:
        for changed in self._changed:
            if not changed.done():
                changed.set_result(None)

    # -- what the phones tell ------------------------------------------------------------------------------------------

    def on_phone(self, event: PhoneEvent) -> None:
        match event.event:
            case "ready":
                self.ready.add(event.phone)
            case "registered":
                self.registered.add(event.phone)
            case "unregistered":
                self.registered.discard(event.phone)
            case "registration_failed":
                self.errors.append(f"{event.phone} could not register: {event.status} {event.reason}".strip())
            case "calling":
                index = int(event.call.removeprefix("c"))
                self._join(event, self.calls[index], "caller")
            case "incoming":
                self._on_incoming(event)
            case "error" if not event.call:
                self.errors.append(f"{event.phone or 'phones'}: {event.reason}")
            case _:
                found = self._by_phone.get((event.phone, event.call))
                if found is not None:
                    self._on_phone_call(*found, event)
        self.wake()

    def _on_incoming(self, event: PhoneEvent) -> None:
        for state in self.calls:
            planned = state.planned
            if event.phone == CARRIER:
                is_his = planned.callee == event.dialed
            elif planned.kind == "inbound":
                # Any agent may get it: the caller tells which call it is.
                is_his = same_number(planned.caller, event.number)
            else:
                is_his = planned.callee == event.phone
            if is_his and "callee" not in state.ids:
                state.callee = state.callee or event.phone
                self._join(event, state, "callee")
                return
        self.errors.append(f"{event.phone} was called by {event.number} for {event.dialed}, and nobody planned it")

    def _join(self, event: PhoneEvent, state: CallState, side: str) -> None:
        state.ids[side] = event.call
        self._by_phone[event.phone, event.call] = (state, side)

    def _on_phone_call(self, state: CallState, side: str, event: PhoneEvent) -> None:
        match event.event:
            case "answered":
                state.answered.add(side)
            case "held":
                state.held.add(side)
            case "resumed":
                if side in state.held:
                    state.held.discard(side)
                    state.holds += 1
            case "ended":
                state.ended.add(side)
                if event.statistics is not None:
                    state.statistics[side] = event.statistics
                if side == "callee" and side in state.answered and state.planned.rating_key:
                    self._change(state, "rating", "is asked how he was served")
                if side not in state.answered:
                    state.problems.append(f"{side}: {event.status} {event.reason}".strip())
            case "refused" | "error":
                state.problems.append(f"{side}: {event.event} {event.status or ''} {event.reason}".strip())
            case _:
                return

    # -- what the switch tells -----------------------------------------------------------------------------------------

    def on_switch(self, event: ReceivedEvent) -> None:
        fields = event.fields
        if event.event == "call.created":
            self._on_created(fields)
        state = self._by_call.get(fields.get("call_id", ""))
        if state is not None:
            self._on_call_event(state, event.event, fields)
        self.wake()

    def _on_created(self, fields: dict[str, Any]) -> None:
        caller, dialed = fields["caller"], fields["dialed"]
        for state in self.calls:
            planned = state.planned
            if not state.call_id and same_number(planned.caller, caller) and same_number(planned.dialed, dialed):
                state.call_id = fields["call_id"]
                self._by_call[state.call_id] = state
                return
        self.errors.append(f"a call from {caller} to {dialed} that nobody planned")

    def _on_call_event(self, state: CallState, name: str, fields: dict[str, Any]) -> None:
        match name:
            case "call.created":
                self._change(state, "calling", "calls")
            case "flow.visited" if fields["kind"] == "menu":
                self._change(state, "menu", "hears the menu")
            case "queue.entered":
                state.led_to = fields["queue"]
                self._change(state, "queued", f"waits in the queue {state.led_to}")
            case "offer.made":
                self._change(state, "ringing", f"rings at agent {fields['agent_id']}")
            case "call.ringing":
                self._change(state, "ringing", "rings")
            case "call.connected":
                state.connected_at = state.connected_at or asyncio.get_running_loop().time()
                self._change(state, "talking", "talks")
            case "call.held":
                self._change(state, "hold", "is put on hold")
            case "call.resumed":
                self._change(state, "talking", "goes on")
            case "call.digit":
                state.digits_seen += fields["digit"]
                self._on_change(state, f"digit {fields['digit']}")
            case "call.rated":
                state.rating = fields["result"]
                self._on_change(state, f"rates: {state.rating}")
            case "call.ended":
                state.cause, state.talk_s = fields["cause"], fields["talk_s"]
                self._change(state, "ended", f"ended: {state.cause}")
            case "recording.started":
                state.recording_path = fields["path"]
            case "recording.finished":
                state.recording_path, state.is_recorded = fields["path"], True
                self._on_change(state, f"recorded, {fields['duration_s']:.1f} s")
            case "recording.failed":
                state.recording_path, state.recording_error = fields["path"], fields["error"]
                self._on_change(state, f"recording failed: {state.recording_error}")
            case _:
                return

    def _change(self, state: CallState, phase: str, text: str) -> None:
        if state.phase != phase:
            state.phase = phase
            self._on_change(state, text)


def same_number(ours: str, told: str) -> bool:
    """Whether the switch means our number: it may write it in another form (+86 …)."""
    digits = "".join(c for c in told if c.isdigit())
    return digits == ours or (len(ours) >= 7 and digits.endswith(ours))
