"""What `Runtime` is given to call: machines it drives, the door for new requests, a tap on the wire."""

from collections.abc import Sequence
from typing import Protocol

from sip import actions as sip
from sip.flow import Flow


class Machine(Protocol):
    """Anything pure with one deadline."""

    @property
    def deadline(self) -> float | None: ...


class Door(Protocol):
    """Takes the requests that are no part of a session (switch.door)."""

    def incoming_invite(self, action: sip.IncomingInvite, now: float) -> None: ...
    def incoming_request(self, action: sip.IncomingRequest, now: float) -> None: ...
    def request_done(self, action: sip.RequestDone, now: float) -> None: ...


class Tap(Protocol):
    """Sees every SIP message (switch.trace). Must not raise."""

    def received(self, batch: Sequence[tuple[bytes, Flow]], now: float) -> None: ...
    def sent(self, data: bytes, flow: Flow) -> None: ...
