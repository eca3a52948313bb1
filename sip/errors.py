"""What can be wrong with what a peer sent. Every error says which status answers it (RFC 3261 §21)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sip.message import Request


class SipParseError(ValueError):
    """A message, header or URI is malformed, over a limit, or of another SIP version.

    `status` and `reason` are what to answer. `request_head` is what could be read of a request, good enough for
    `build_response`; None when the bytes were a response or not SIP, which are discarded (RFC 3261 §18.1.2), and an ACK
    is never answered.
    """

    def __init__(
        self, detail: str, status: int = 400, reason: str = "Bad Request", request_head: Request | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.reason = reason
        self.request_head = request_head
