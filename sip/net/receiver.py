"""What the transports call (`Receiver`), and the one way failures reach it (`Failures`)."""

import asyncio
from typing import Protocol

from sip.flow import Flow


class Receiver(Protocol):
    """Called on the loop's thread, never from inside `Transports.send`. Must not raise."""

    def receive_batch(self, batch: list[tuple[bytes, Flow]]) -> None:
        """What one wake-up brought, in order of arrival. For streams each item is one whole SIP message."""

    def flow_failed(self, flow: Flow, why: str) -> None:
        """A message could not be sent on the flow, or its connection is lost (RFC 3261 §18.4)."""


class Failures:
    """Collects failed flows and tells the receiver once the current callback is over, so that a send that fails never
    re-enters whoever was sending. A flow that fails many times in one callback is told once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receiver: Receiver) -> None:
        self._loop = loop
        self._receiver = receiver
        self._failed: dict[Flow, str] = {}
        self._handle: asyncio.Handle | None = None
        self._is_closed = False

    def report(self, flow: Flow, why: str) -> None:
        if self._is_closed:
            return
        self._failed.setdefault(flow, why)
        if self._handle is None:
            self._handle = self._loop.call_soon(self._tell)

    def close(self) -> None:
        """Nothing is told any more."""
        self._is_closed = True
        self._failed.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tell(self) -> None:
        self._handle = None
        failed, self._failed = self._failed, {}
        for flow, why in failed.items():
            self._receiver.flow_failed(flow, why)
