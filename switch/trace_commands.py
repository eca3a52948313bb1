"""Handlers of `model.commands_trace`: a trace begins, is read as messages come, and ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import errors, views
from model.commands_trace import ReadTrace, StartTrace, StopTrace, TraceMessages, TraceStarted
from model.declare import Command
from sip.next_hop import split_host_port
from switch.trace import MIN_SUFFIX, TraceFilter, Tracer

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = TraceCommands(app)
    return {StartTrace: handlers.start, ReadTrace: handlers.read, StopTrace: handlers.stop}


class TraceCommands:
    def __init__(self, app: "App") -> None:
        runtime = app.runtime
        self._runtime = runtime
        self._env = runtime.calls.env
        self._tracer = Tracer(
            runtime.stack.listeners,
            runtime.calls.calls,
            clock=runtime.outside.clock,
            wall_offset=lambda: self._env.wall_offset,
            switch_on=runtime.tap,
        )
        self._waiting: dict[str, asyncio.Event] = {}
        self._tracer.arrived = self._arrived

    def start(self, command: StartTrace, caller: Caller) -> TraceStarted:
        if command.call_id and command.call_id not in self._runtime.calls.calls:
            raise errors.NoSuchCall(f"no live call {command.call_id}")
        if command.number and len(command.number) < MIN_SUFFIX and command.number not in self._env.directory.extensions:
            raise errors.InvalidValue(f"at least {MIN_SUFFIX} digits of the number", field="number")
        trace_id = self._env.ids.token(16)
        wanted = TraceFilter(
            call_id=command.call_id,
            number=command.number,
            extension=command.extension,
            peers=self._peers(command.peer),
            is_unmasked=command.is_unmasked,
        )
        try:
            self._tracer.start(trace_id, wanted)
        except OverflowError as error:
            raise errors.Congested(str(error)) from None
        return TraceStarted(trace_id=trace_id, node=self._env.config.node.name)

    async def read(self, command: ReadTrace, caller: Caller) -> TraceMessages:
        messages, n_lost = self._take(command)
        if not messages and command.wait_s:
            arrived = self._waiting.setdefault(command.trace_id, asyncio.Event())
            try:
                async with asyncio.timeout(command.wait_s):
                    await arrived.wait()
            except TimeoutError:
                pass
            finally:
                self._waiting.pop(command.trace_id, None)
            messages, n_lost = self._take(command)
        return TraceMessages(messages=messages, n_lost=n_lost)

    def stop(self, command: StopTrace, caller: Caller) -> views.Done:
        try:
            self._tracer.stop(command.trace_id)
        except KeyError:
            raise errors.NoSuchTrace(f"no trace {command.trace_id}") from None
        return views.Done()

    def _take(self, command: ReadTrace) -> tuple[list[Any], int]:
        try:
            return self._tracer.read(command.trace_id, command.limit)
        except KeyError:
            raise errors.NoSuchTrace(f"no trace {command.trace_id}") from None

    def _arrived(self, trace_id: str) -> None:
        waiting = self._waiting.get(trace_id)
        if waiting is not None:
            waiting.set()

    def _peers(self, text: str) -> frozenset[tuple[str, int]]:
        """What `peer` stands for: a trunk's addresses, or the one that is written."""
        if not text:
            return frozenset()
        trunk = self._env.directory.trunks.get(text)
        if trunk is not None:
            flows = {(flow.host, flow.port) for flow in trunk.flows} | set(trunk.sources)
            if not flows:
                raise errors.InvalidValue(f"trunk {text} has no address now", field="peer")
            return frozenset(flows)
        if text.count(":") > 1 and text[:1] != "[":
            return frozenset(((text, 0),))
        return frozenset((split_host_port(text),))
