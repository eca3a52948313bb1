"""The plain data of INVITE usages: the session, and what waits for its turn, an ACK or an address. No behaviour."""

import msgspec

from sip.credentials import Credentials
from sip.dialog import local_and_remote
from sip.flow import Flow
from sip.timers import Timed


class Session(msgspec.Struct, gc=False):
    """One INVITE usage.

    States of ours: calling, early, cancelling (the CANCEL waits for a 1xx), cancelled (it is sent), answered (the ACK
    with our answer is outstanding). Of theirs: incoming, early, answered (their ACK is outstanding). Of both:
    confirmed, closing.
    """

    id: str
    """Our tag; the key everywhere."""
    call_id: str
    role: str
    """uac or uas, of the first INVITE."""
    state: str
    flow: Flow
    """Where our requests go."""
    remote_tag: str = ""
    head: str = ""
    """From, To, Call-ID and Route lines of our requests (`dialog_head`)."""
    request_uri: str = ""
    remote_target: str = ""
    routes: tuple[str, ...] = ()
    contact_user: str = ""
    local_cseq: int = 0
    remote_cseq: int = -1
    infos: list[tuple[str, bytes]] = []
    """INFO on its way and the ones that wait for its answer: Content-Type, body."""
    invite_key: str = ""
    """Their first INVITE while unanswered; our INVITE or re-INVITE until it is acknowledged."""
    offer_key: str = ""
    """Their re-INVITE or UPDATE that waits for `accept_offer`."""
    has_offer: bool = False
    """Whether the INVITE in progress, of either side, carried an offer."""
    invite_cseq: int = 0
    """CSeq of our INVITE that waits for its ACK."""
    hop_uri: str = ""
    """A host name that has to be resolved before the next request; "" mostly."""
    is_behind_nat: bool = False
    credentials: Credentials | None = None
    reliability: str = ""
    """required, supported or "": what the caller said of 100rel (RFC 3262)."""
    rseq: int = 0
    remote_rseqs: dict[str, int] = {}
    """Of our INVITE: To tag -> RSeq of the last reliable response; replaced, never changed."""
    is_agreed: bool = False
    """Offer and answer went through before the INVITE's final response."""
    wanted_s: int = 0
    """Session interval (RFC 4028) we ask for; 0: none of ours, but the peer's is kept."""
    expires_s: int = 0
    """The one that is agreed on, or being asked for; 0: no session timer."""
    min_se_s: int = 90
    expires_at: float = 0.0
    is_refresher: bool = False
    timer_slot: int = 0
    peer_asks: bool = False
    """The peer's last INVITE or UPDATE spoke of a timer."""
    peer_updates: bool = False
    """The peer takes UPDATE."""
    is_refreshing: bool = False
    """Our re-INVITE only refreshes."""
    local_sdp: bytes = b""
    """Ours, to be repeated in a refresh; only for a peer that knows no UPDATE."""
    n_refers: int = 0
    """REFERs of the peer so far."""
    is_referring: bool = False
    """A REFER of ours is not through yet."""
    ending: str | None = None
    """Header lines of the BYE or CANCEL that has to wait (for an ACK, for a 1xx); None when none waits."""

    @property
    def local(self) -> str:
        """Our address with our tag, a header value."""
        return local_and_remote(self.head)[0]

    @property
    def remote(self) -> str:
        return local_and_remote(self.head)[1]


class Unacknowledged(Timed, gc=False):
    """A 2xx of ours that is repeated until its ACK comes (§13.3.1.4)."""

    session: str = ""
    data: bytes = b""
    flow: Flow = Flow("", "", 0)
    cseq: int = 0
    interval: float = 0.0
    left: float = 0.0
    is_first: bool = True
    is_answer_due: bool = False
    """Our 2xx carried the offer, so the ACK brings the answer."""


class Reliable(Timed, gc=False):
    """A provisional response of ours that is repeated until its PRACK comes (RFC 3262 §3)."""

    session: str = ""
    data: bytes = b""
    flow: Flow = Flow("", "", 0)
    rseq: int = 0
    cseq: int = 0
    interval: float = 0.0
    left: float = 0.0
    has_sdp: bool = False
    queue: list[tuple[int, str, str, bytes]] = msgspec.field(default_factory=list)
    """What follows: status, reason, header lines, body."""


class Reoffer(Timed, gc=False):
    """A re-INVITE of ours that waits: for its turn (no deadline), or for the end of a glare (§14.1)."""

    session: str = ""
    body: bytes = b""
    n_tries: int = 0
    is_refresh: bool = False


class ReferWatch(Timed, gc=False):
    """The subscription that a REFER of the peer made. It holds the dialog itself, because it outlives the session's
    place in the tables; its own time is bounded."""

    key: str = ""
    """Of the REFER's server transaction; names it everywhere."""
    session: Session = msgspec.field(default_factory=lambda: Session("", "", "", "", Flow("", "", 0)))
    event: str = ""
    """Value of the Event header."""
    is_wanted: bool = True
    is_accepted: bool = False
    expires_at: float = 0.0
    status: int = 100
    reason: str = "Trying"
    is_sending: bool = False
    """A NOTIFY waits for its answer."""
    has_news: bool = False
    """What changed meanwhile has to follow."""
    why_over: str = ""
    is_over: bool = False
    """The last NOTIFY is on its way."""


class Draft(msgspec.Struct, gc=False):
    """A request of ours before it has a flow."""

    method: str
    uri: str
    head: str
    cseq: int
    tail: str
    body: bytes
    user: str
    usage: str
    credentials: Credentials | None = None
    max_forwards: int = 70
    contact_user: str | None = None
    key: str = ""
    """ACK: the finished INVITE it belongs to."""


class Waiting(Timed, gc=False):
    """Requests that wait for `resolved`, in their order."""

    token: int = 0
    session: str = ""
    """"" for a request outside any session."""
    flow: Flow | None = None
    """Where they go if the name leads nowhere; None: then they fail."""
    drafts: list[Draft] = msgspec.field(default_factory=list)


class StackStats(msgspec.Struct):
    """Counters since the start."""

    n_received: int = 0
    n_malformed: int = 0
    """Could not be read; answered when enough of the head could."""
    n_unmatched: int = 0
    """Responses and ACKs that belong to nothing we know."""
    n_refused: int = 0
    """Requests answered 4xx-6xx by the stack itself."""
    n_overload: int = 0
    """Answered 503 because a table was full."""
    n_sessions: int = 0
    """INVITE usages begun, both ways."""
    n_no_ack: int = 0
    n_expired: int = 0
    """Sessions that nobody refreshed (RFC 4028)."""
    n_faults: int = 0
    """Exceptions of ours caught at the edge of a datagram; each is in the log."""
