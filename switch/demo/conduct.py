"""Plays the plan: tells the phones when to call, dial, hold and hang up, and waits for each thing to happen."""

import asyncio
import contextlib

from control.client import ControlClient
from model.commands_agent import Ready, SignIn
from switch.demo import events
from switch.demo.plan import Plan, Step
from switch.demo.processes import DemoError, PhonesProcess
from switch.demo.setting import CARRIER, HOST, Setting
from switch.demo.stage import SIDES, CallState, Stage

_REGISTER_S = 30.0
_ANSWER_S = 30.0
_REACT_S = 10.0
_RECORD_S = 20.0
_LISTEN_S = 1.2
"""So long a caller listens to the menu, or to the question for his rating, before he presses a key."""
_ANSWER_AFTER_S = (0.8, 1.2, 1.6)


class Conductor:
    """Raises DemoError when it cannot begin; what goes wrong with one call is noted as that call's problem."""

    def __init__(self, plan: Plan, setting: Setting, stage: Stage, phones: PhonesProcess) -> None:
        self._plan = plan
        self._setting = setting
        self._stage = stage
        self._phones = phones

    async def open_phones(self) -> None:
        """Opens the carrier and all phones; returns when all are registered."""
        server = f"udp:{HOST}:{self._setting.sip_port}"
        self._phones.send(
            events.AddPhone(
                phone=CARRIER,
                server=server,
                port=self._setting.carrier_port,
                is_carrier=True,
                voice=1,
                answer_after_s=1.0,
            )
        )
        for i, extension in enumerate(self._plan.extensions):
            self._phones.send(
                events.AddPhone(
                    phone=extension,
                    server=server,
                    password=self._setting.passwords[extension],
                    display=self._plan.names[extension],
                    voice=2 + i,
                    codecs=("PCMU", "PCMA") if i % 4 else ("PCMA", "PCMU"),
                    answer_after_s=_ANSWER_AFTER_S[i % len(_ANSWER_AFTER_S)],
                )
            )
        stage, wanted = self._stage, set(self._plan.extensions)
        await stage.until(lambda: bool(stage.errors) or stage.registered >= wanted, _REGISTER_S)
        if not stage.registered >= wanted or CARRIER not in stage.ready:
            missing = sorted(wanted - stage.registered)
            raise DemoError("; ".join(stage.errors) or f"not registered within {_REGISTER_S:g} s: {', '.join(missing)}")

    async def sign_in(self, control: ControlClient) -> None:
        """All agents, at their phones, ready for calls."""
        for agent_id in self._setting.agents:
            await control.send(SignIn(agent_id=agent_id))
            await control.send(Ready(agent_id=agent_id))

    async def play(self) -> None:
        """All calls, each at its time; returns when the last one is over and its recording is closed."""
        try:
            async with asyncio.TaskGroup() as group:
                for state in self._stage.calls:
                    group.create_task(self._play_one(state), name=f"demo call {state.planned.index}")
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        stage = self._stage
        connected = [state for state in stage.calls if state.connected_at]
        await stage.until(
            lambda: (
                all(state.phase == "ended" for state in connected)
                and all(state.is_recorded or state.recording_error for state in connected)
            ),
            _RECORD_S,
        )

    async def _play_one(self, state: CallState) -> None:
        planned, stage = state.planned, self._stage
        await asyncio.sleep(planned.start_s)
        caller = CARRIER if planned.kind == "inbound" else planned.caller
        name = planned.caller if planned.kind == "inbound" else ""
        self._phones.send(events.Call(phone=caller, call=f"c{planned.index}", number=planned.dialed, caller=name))
        if planned.menu_key and await stage.until(lambda: state.phase == "menu" or bool(state.ended), _ANSWER_S):
            await self._press(state, planned.menu_key)
        await stage.until(lambda: len(state.answered) == 2 or bool(state.ended), _ANSWER_S)
        if len(state.answered) < 2:
            state.problems.append(state.problems[-1] if state.problems else f"not answered within {_ANSWER_S:g} s")
            self._hang_up(state)
            return
        answered_at = asyncio.get_running_loop().time()
        for step in planned.steps:
            await stage.until(lambda: bool(state.ended), max(0.0, answered_at + step.at_s - self._now()))
            if state.ended:
                state.problems.append(f"ended before {step.action}")
                break
            await self._do(state, step)
        if planned.rating_key and not state.problems:
            # The recording ends with the conversation; then he is asked.
            await stage.until(lambda: state.is_recorded or bool(state.recording_error), _REACT_S)
            await self._press(state, planned.rating_key)
        if not await stage.until(lambda: state.is_over, _REACT_S):
            state.problems.append("did not end")
            self._hang_up(state)

    async def _press(self, state: CallState, key: str) -> None:
        """The caller listens a while, then presses a key."""
        await self._stage.until(lambda: "caller" in state.ended, _LISTEN_S)
        if "caller" not in state.ended and "caller" in state.ids:
            phone = self._phone_of(state, "caller")
            self._phones.send(events.SendDigits(phone=phone, call=state.ids["caller"], digits=key))

    async def _do(self, state: CallState, step: Step) -> None:
        phone, call = self._phone_of(state, step.side), state.ids[step.side]
        match step.action:
            case "digits":
                self._phones.send(events.SendDigits(phone=phone, call=call, digits=step.digits))
            case "hold":
                self._phones.send(events.Hold(phone=phone, call=call))
                if not await self._stage.until(lambda: step.side in state.held, _REACT_S):
                    state.problems.append(f"{step.side}: hold was not answered")
            case "resume":
                self._phones.send(events.Resume(phone=phone, call=call))
                if not await self._stage.until(lambda: step.side not in state.held, _REACT_S):
                    state.problems.append(f"{step.side}: resume was not answered")
            case "hang_up":
                self._phones.send(events.HangUp(phone=phone, call=call))
            case other:
                raise ValueError(f"no such step: {other}")

    def _hang_up(self, state: CallState) -> None:
        for side in SIDES:
            if side in state.ids and side not in state.ended:
                self._phones.send(events.HangUp(phone=self._phone_of(state, side), call=state.ids[side]))

    def _phone_of(self, state: CallState, side: str) -> str:
        planned = state.planned
        number = planned.caller if side == "caller" else state.callee
        return number if number in self._plan.names else CARRIER

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def follow_switch(control: ControlClient, stage: Stage) -> None:
    """Passes the switch's events to the stage until the connection is closed."""
    async with contextlib.aclosing(control.events()) as told:  # type: ignore[type-var]
        async for event in told:
            stage.on_switch(event)
