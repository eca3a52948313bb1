"""A `Receiver` that keeps what it is told, and runs a test on both event loops."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from sip.flow import Flow
from sip.net.transports import Transports

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
on_both_loops = pytest.mark.parametrize("loop_name", list(LOOPS))
PATIENCE_S = 20.0


def run(loop_name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; whatever reaches the loop's exception handler fails the test."""
    unhandled: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        runner.run(work)
    assert unhandled == [], unhandled


class Recorder:
    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self.failed: list[tuple[Flow, str]] = []
        self.batches: list[int] = []
        self.on_message: Callable[[bytes, Flow], None] | None = None
        self._changed = asyncio.Event()

    def receive_batch(self, batch: list[tuple[bytes, Flow]]) -> None:
        self.batches.append(len(batch))
        self.received += batch
        for data, flow in batch:
            if self.on_message is not None:
                self.on_message(data, flow)
        self._changed.set()

    def flow_failed(self, flow: Flow, why: str) -> None:
        self.failed.append((flow, why))
        self._changed.set()

    async def until(self, is_reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_reached():
                self._changed.clear()
                await self._changed.wait()

    async def n_received(self, n: int) -> list[bytes]:
        await self.until(lambda: len(self.received) >= n)
        return [data for data, _ in self.received]

    async def n_failed(self, n: int) -> list[tuple[Flow, str]]:
        await self.until(lambda: len(self.failed) >= n)
        return self.failed


async def eventually(is_reached: Callable[[], bool]) -> None:
    """For what no callback tells: look after every round of the loop, up to the patience of a loaded machine."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_reached():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)


async def closing(transports: Transports, work: Awaitable[None]) -> None:
    try:
        await work
    finally:
        await transports.close()


def message(n: int = 0, body: bytes = b"") -> bytes:
    return b"OPTIONS sip:b%d SIP/2.0\r\nCall-ID: %d\r\nContent-Length: %d\r\n\r\n%b" % (n, n, len(body), body)
