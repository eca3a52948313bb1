"""Handlers of `model.commands_audio`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import errors, views
from model.commands_audio import Collect, CollectStarted, StopCollect
from model.declare import Command
from switch.call import Call, Collecting, Leg
from switch.leg_events import CollectDigits

if TYPE_CHECKING:
    from switch.app import App

MAX_PROMPT_S = 300.0
"""The first key is waited for at the latest from then on, whatever is played."""


def make_handlers(
    app: "App", source: Callable[[str], str]
) -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    """`source` checks what may be played and names it as the worker takes it."""
    handlers = AudioCommands(app, source)
    return {Collect: handlers.collect, StopCollect: handlers.stop}


class AudioCommands:
    def __init__(self, app: "App", source: Callable[[str], str]) -> None:
        self._runtime = app.runtime
        self._calls = app.runtime.calls
        self._source = source

    def collect(self, command: Collect, caller: Caller) -> CollectStarted:
        call, leg = self._leg(command.call_id, command.leg_id)
        if call.phase != "bridged" or not leg.is_up or not leg.is_configured:
            raise errors.WrongState(f"leg {leg.leg_id} is not in a conversation by us", state=call.phase)
        wanted = Collecting(
            collect_id=self._calls.env.ids.token(16),
            sources=[self._source(source) for source in command.sources],
            max_digits=command.max_digits,
            terminators=command.terminators,
            first_digit_s=command.first_digit_s,
            next_digit_s=command.next_digit_s,
            max_prompt_s=MAX_PROMPT_S,
        )
        self._runtime.tell(CollectDigits(call.call_id, leg.leg_id, wanted))
        return CollectStarted(collect_id=wanted.collect_id)

    def stop(self, command: StopCollect, caller: Caller) -> views.Done:
        call, leg = self._leg(command.call_id, command.leg_id)
        self._runtime.tell(CollectDigits(call.call_id, leg.leg_id, None))
        return views.Done()

    def _leg(self, call_id: str, leg_id: str) -> tuple[Call, Leg]:
        call = self._calls.find(call_id)
        if call is None or call.phase == "releasing":
            raise errors.NoSuchCall(f"no live call {call_id}")
        leg = call.legs.get(leg_id)
        if leg is None or leg.is_ended:
            raise errors.NoSuchLeg(f"call {call.call_id} has no live leg {leg_id}")
        return call, leg
