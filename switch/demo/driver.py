"""Drives one `SipStack` on an asyncio loop: performs its actions, and arms one timer for all its deadlines."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from sip.actions import Resolve, Send
from sip.flow import Flow
from sip.stack import SipStack

_MIN_WAIT_S = 0.010


class Sender(Protocol):
    """What is needed of `sip.net.Transports`."""

    def send(self, data: bytes, flow: Flow) -> None: ...


class Machine(Protocol):
    """Another machine on the same timer, e.g. a registration."""

    @property
    def deadline(self) -> float | None: ...

    def poll(self, now: float) -> Sequence[object]: ...


class StackDriver:
    """A `Receiver` for transports. What is neither `Send` nor `Resolve` goes to `on_action`.

    Before `start` and after `stop` nothing is sent and no timer runs.
    """

    def __init__(self, stack: SipStack, on_action: Callable[[object], None]) -> None:
        self.stack = stack
        self.machines: list[Machine] = []
        self._on_action = on_action
        self._sender: Sender | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, sender: Sender) -> None:
        self._sender = sender

    def stop(self) -> None:
        self._sender = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @staticmethod
    def now() -> float:
        """Monotonic seconds, the loop's."""
        return asyncio.get_running_loop().time()

    def receive_batch(self, batch: Sequence[tuple[bytes, Flow]]) -> None:
        now = self.now()
        for data, flow in batch:
            self.perform(self.stack.receive(data, flow, now))

    def flow_failed(self, flow: Flow, why: str) -> None:
        self.perform(self.stack.flow_failed(flow, self.now()))

    def perform(self, actions: Sequence[object]) -> None:
        for action in actions:
            match action:
                case Send(data, flow):
                    if self._sender is not None:
                        self._sender.send(data, flow)
                case Resolve(token, uri):
                    self.perform(self.stack.resolved(token, literal_flows(uri), self.now()))
                case _:
                    self._on_action(action)
        self._rearm()

    def _rearm(self) -> None:
        deadlines = [self.stack.deadline, *(machine.deadline for machine in self.machines)]
        earliest = min((deadline for deadline in deadlines if deadline is not None), default=None)
        if self._timer is not None:
            if earliest is not None and self._timer.when() <= earliest:
                return
            self._timer.cancel()
            self._timer = None
        if earliest is not None and self._sender is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(earliest, loop.time() + _MIN_WAIT_S), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self.now()
        self.perform(self.stack.poll(now))
        for machine in self.machines:
            self.perform(machine.poll(now))


def literal_flows(uri: str) -> list[Flow]:
    """Where a SIP URI with an IP literal leads; [] for a name: a demo phone asks no DNS."""
    found = re.match(r"(sips?):(?:[^@]*@)?(\[[0-9A-Fa-f:.]+\]|[0-9.]+)(?::(\d+))?((?:;[^?]*)?)", uri)
    if found is None:
        return []
    named = re.search(r";transport=(\w+)", found[4], re.IGNORECASE)
    transport = "tls" if found[1] == "sips" else named[1].lower() if named else "udp"
    port = int(found[3] or (5061 if transport == "tls" else 5060))
    return [Flow(transport, found[2].strip("[]"), port)]
