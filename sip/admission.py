"""Whom a stack listens to: asked once for every request that would open a transaction, before it costs one.

`Admission` is the application's; a stack without one serves everybody (a phone, a test).
"""

from typing import Protocol

from sip.message import Request
from sip.session_state import Session
from sip.validate import Refusal

SILENCE = Refusal(0, "")
"""No answer at all: for who is not worth one."""


class Admission(Protocol):
    def admit(self, request: Request, session: Session | None, now: float) -> Refusal | None:
        """None lets the request in; what it found out about the sender it may leave in `request.sender`.

        `session` is the one whose Call-ID and tags the request has, None outside dialogs. A `Refusal` is answered
        statelessly: it leaves nothing behind that a stranger could fill a table with. ACK and CANCEL are not asked
        about; they can only confirm or end what was let in.

        Raises:
            SipParseError: with the status to refuse with.
        """


class AdmitAll:
    """For peers that choose themselves whom they talk to."""

    def admit(self, request: Request, session: Session | None, now: float) -> Refusal | None:
        return None
