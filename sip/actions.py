"""What `SipStack` returns: things to do on the network, and things the application must know.

Actions are imperatives (`Send`, `Resolve`), events are facts about a session or a transaction. A session is one INVITE
usage seen from our side; its id is our tag of the dialog. All are plain data; the driver dispatches them by class.
"""

import msgspec

from sip.flow import Flow
from sip.message import Request, Response
from sip.refer import ReferTo


class _Action(msgspec.Struct, frozen=True, gc=False):
    pass


class Send(_Action, frozen=True):
    data: bytes
    flow: Flow


class Resolve(_Action, frozen=True):
    """Look up where `uri` leads (RFC 3263), then call `SipStack.resolved(token, flows, now)`; [] when nowhere."""

    token: int
    uri: str
    listener: int = 0


# -- sessions (INVITE usage) -------------------------------------------------------------------------------------------


class IncomingInvite(_Action, frozen=True):
    """A new INVITE outside a dialog. Answer with progress, answer or reject."""

    session: str
    request: Request


class Progressed(_Action, frozen=True):
    """A provisional response above 100 to our INVITE; `body` is SDP or b""."""

    session: str
    status: int
    reason: str
    body: bytes
    remote_tag: str
    p_early_media: str = ""
    """Value of P-Early-Media (RFC 5009), or ""."""


class Answered(_Action, frozen=True):
    """2xx to our INVITE. The ACK is sent already, unless our INVITE carried no offer (then call `acknowledge`)."""

    session: str
    response: Response
    body: bytes


class Rejected(_Action, frozen=True):
    """Our INVITE failed for good. `response` is None when it timed out (408) or could not be sent (503)."""

    session: str
    status: int
    reason: str
    response: Response | None


class Confirmed(_Action, frozen=True):
    """The ACK to our 2xx came; `body` is the answer when the INVITE carried no offer, else b"".

    It comes a second time for a re-INVITE that carried no offer, with the answer to ours; and before the 2xx when a
    PRACK brought the answer to the offer in a provisional response of ours.
    """

    session: str
    body: bytes


class Cancelled(_Action, frozen=True):
    """The caller gave up before a final response (487 is sent already)."""

    session: str
    reason: str
    """Value of the Reason header, or ""."""


class Offered(_Action, frozen=True):
    """A re-INVITE or UPDATE came; answer with `accept_offer` or `refuse_offer`. `body` b"": it asks us for an offer."""

    session: str
    body: bytes


class OfferAnswered(_Action, frozen=True):
    """Our re-INVITE was accepted; `body` is the answer (or the offer, if ours carried none)."""

    session: str
    body: bytes


class OfferRefused(_Action, frozen=True):
    """Our re-INVITE was refused; the session goes on as it was."""

    session: str
    status: int


class Refreshed(_Action, frozen=True):
    """Our refresh by re-INVITE was accepted; `body` is the answer to SDP that did not change."""

    session: str
    body: bytes


class InfoReceived(_Action, frozen=True):
    """INFO in the session, answered 200 already."""

    session: str
    content_type: str
    body: bytes


class Referred(_Action, frozen=True):
    """REFER came: the peer wants the other party to call somebody. Answer with `accept_refer` or `refuse_refer`."""

    session: str
    refer: str
    target: ReferTo
    by: str
    """Value of Referred-By, or ""."""


class ReferAnswered(_Action, frozen=True):
    """The final response to our REFER; `is_watched`: `ReferNotified` will tell how it goes."""

    session: str
    status: int
    is_watched: bool


class ReferNotified(_Action, frozen=True):
    """How the transfer goes that we asked for; `status` 0: the peer ended the subscription and did not say."""

    session: str
    status: int
    reason: str
    is_final: bool


class Ended(_Action, frozen=True):
    """The session is over: BYE came (200 is sent already), the peer lost the dialog (408, 481), or no ACK came."""

    session: str
    why: str
    """bye, no_ack, no_prack, dialog_lost, timer_expired, transport_failed"""
    reason: str
    """Value of the Reason header, or ""."""


class Closed(_Action, frozen=True):
    """Our BYE or CANCEL is through (or gave up): nothing of the session is left."""

    session: str


# -- outside sessions --------------------------------------------------------------------------------------------------


class IncomingRequest(_Action, frozen=True):
    """REGISTER, OPTIONS, MESSAGE … outside a session. Answer with `respond(transaction, …)`."""

    transaction: str
    request: Request
    tag: str = ""
    """Our To tag in the response: where the request makes a dialog (SUBSCRIBE), our half of its name."""


class RequestDone(_Action, frozen=True):
    """The final response to a request of ours made with `request()`; None when it timed out or could not be sent."""

    token: str
    response: Response | None


SessionEvent = (
    Progressed
    | Answered
    | Rejected
    | Confirmed
    | Cancelled
    | Offered
    | OfferAnswered
    | OfferRefused
    | Refreshed
    | InfoReceived
    | Referred
    | ReferAnswered
    | ReferNotified
    | Ended
    | Closed
)
"""Facts about a session that exists already."""

Action = Send | Resolve | IncomingInvite | IncomingRequest | RequestDone | SessionEvent
