"""What every state of a session answers to every request of its peer: the whole table, both roles, none left out.

`asks`: the application is asked, and answers; `-`: nothing is said (ACK). RFC 3261 §12.2.2, §14.2, §15; RFC 3262, 3311,
3515, 5057. And every response, of every class, to what we send in a dialog. Not here: whole calls (test_session_calls).
"""

from collections.abc import Callable

import pytest

from sip.actions import Send
from sip.stack import SipStack
from tests.sip.test_stack_requests import invite, reply
from tests.sip.two_stacks import ANSWER, OFFER, RAW, A, B, header, kind, make_stack, request_text, udp

PEER = udp(B)
OK_TO_ANSWER = ("Offered", "Referred")


class Scene:
    """A stack with one session, and its peer as raw text."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.stack: SipStack = make_stack(A)
        self.sent: list[bytes] = []
        self.cseq = 100
        if role == "uas":
            self.hear(request_text("INVITE", uri=f"sip:alice@{A}", body=OFFER.decode(), Supported="100rel"))
            (self.session,) = self.stack.sessions
        else:
            self.session, actions = invite(self.stack)
            self.keep(actions)

    def keep(self, actions: list[object]) -> list[str]:
        self.sent += [action.data for action in actions if isinstance(action, Send)]
        return [type(action).__name__ for action in actions if not isinstance(action, Send)]

    def hear(self, data: bytes) -> list[str]:
        return self.keep(self.stack.receive(data, RAW if self.role == "uas" else PEER, 0.0))  # type: ignore[arg-type]

    def last(self, what: str) -> bytes:
        return next(data for data in reversed(self.sent) if kind(data) == what)

    def ask(self, method: str, body: bytes = b"", **headers: str) -> str:
        """The answer to a request of the peer: a status, asks, or -."""
        self.cseq += 1
        number = self.cseq
        if method in ("ACK", "CANCEL") and self.role == "uas":
            number = 1
        ours, theirs = ("rawtag", "<sip:raw@10.0.0.9>") if self.role == "uas" else ("peer", f"<sip:bob@{B}>")
        call_id = "rawcall" if self.role == "uas" else header(self.sent[0], "Call-ID")
        branch = "raw1" if method == "CANCEL" else f"{number}{method}"
        to = f"<sip:alice@{A}>" + ("" if method == "CANCEL" and self.role == "uas" else f";tag={self.session}")
        data = request_text(
            method,
            body=body.decode(),
            Via=f"SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK{branch}",
            From=f"{theirs};tag={ours}",
            To=to,
            Call_ID=call_id,
            CSeq=f"{number} {method}",
            **headers,
        )
        before = len(self.sent)
        events = self.hear(data)
        assert self.stack.stats.n_faults == 0
        answers = [kind(each) for each in self.sent[before:] if header(each, "CSeq") == f"{number} {method}"]
        finals = [each for each in answers if each.isdigit() and each >= "200"]
        assert len(finals) <= 1
        if finals:
            return finals[0]
        return "asks" if any(event in OK_TO_ANSWER for event in events) else "-"


def uas(*steps: Callable[[Scene], object]) -> Callable[[], Scene]:
    return lambda: _made("uas", steps)


def uac(*steps: Callable[[Scene], object]) -> Callable[[], Scene]:
    return lambda: _made("uac", steps)


def _made(role: str, steps: tuple[Callable[[Scene], object], ...]) -> Scene:
    scene = Scene(role)
    for step in steps:
        step(scene)
    return scene


def ring(scene: Scene) -> object:
    return scene.keep(scene.stack.progress(scene.session, 180, "Ringing", 0.0))  # type: ignore[arg-type]


def early(scene: Scene) -> object:
    return scene.keep(scene.stack.progress(scene.session, 183, "Progress", 0.0, ANSWER))  # type: ignore[arg-type]


def prack(scene: Scene) -> object:
    return scene.ask("PRACK", RAck=f"{header(scene.last('183'), 'RSeq')} 1 INVITE")


def answer(scene: Scene) -> object:
    return scene.keep(scene.stack.answer(scene.session, ANSWER, 0.0))  # type: ignore[arg-type]


def ack(scene: Scene) -> object:
    return scene.ask("ACK")


def bye(scene: Scene) -> object:
    return scene.keep(scene.stack.bye(scene.session, 0.0))  # type: ignore[arg-type]


def offered(scene: Scene) -> object:
    return scene.ask("INVITE", OFFER)


def reinvite(scene: Scene) -> object:
    return scene.keep(scene.stack.reinvite(scene.session, OFFER, 0.0))  # type: ignore[arg-type]


def refer(scene: Scene) -> object:
    return scene.keep(scene.stack.refer(scene.session, "sip:c@h", 0.0))  # type: ignore[arg-type]


def rung(scene: Scene) -> object:
    return scene.hear(reply(scene.last("INVITE"), 180))


def accepted(scene: Scene) -> object:
    return scene.hear(reply(scene.last("INVITE"), 200, ANSWER))


def cancel(scene: Scene) -> object:
    return scene.keep(scene.stack.cancel(scene.session, 0.0))  # type: ignore[arg-type]


STATES: dict[str, Callable[[], Scene]] = {
    "uas incoming": uas(),
    "uas ringing": uas(ring),
    "uas early, PRACK due": uas(early),
    "uas early, agreed": uas(early, prack),
    "uas answered, ACK due": uas(answer),
    "uas confirmed": uas(answer, ack),
    "uas offered": uas(answer, ack, offered),
    "uas offering": uas(answer, ack, reinvite),
    "uas closing": uas(answer, ack, bye),
    "uac calling": uac(),
    "uac ringing": uac(rung),
    "uac cancelled": uac(rung, cancel),
    "uac confirmed": uac(rung, accepted),
    "uac offering": uac(rung, accepted, reinvite),
    "uac referring": uac(rung, accepted, refer),
    "uac closing": uac(rung, accepted, bye),
}

REQUESTS: dict[str, Callable[[Scene], str]] = {
    "INVITE": lambda scene: scene.ask("INVITE", OFFER),
    "INVITE late": lambda scene: scene.ask("INVITE"),
    "ACK": lambda scene: scene.ask("ACK"),
    "BYE": lambda scene: scene.ask("BYE"),
    "CANCEL": lambda scene: scene.ask("CANCEL"),
    "INFO": lambda scene: scene.ask("INFO"),
    "UPDATE": lambda scene: scene.ask("UPDATE", OFFER),
    "UPDATE bare": lambda scene: scene.ask("UPDATE"),
    "PRACK": lambda scene: scene.ask("PRACK", RAck="1 1 INVITE"),
    "REFER": lambda scene: scene.ask("REFER", Refer_To="<sip:c@h>"),
    "NOTIFY": lambda scene: scene.ask("NOTIFY", Event="refer", Subscription_State="active"),
    "SUBSCRIBE": lambda scene: scene.ask("SUBSCRIBE", Event="refer"),
    "OPTIONS": lambda scene: scene.ask("OPTIONS"),
    "MESSAGE": lambda scene: scene.ask("MESSAGE"),
    "NONSENSE": lambda scene: scene.ask("NONSENSE"),
}

# fmt: off
TABLE = """
                      INVITE late ACK  BYE  CANCEL INFO UPDATE bare PRACK REFER NOTIFY SUBSCRIBE OPTIONS MESSAGE UNKNOWN
uas incoming          500    500  -    200  200    200  500    200  481   491   481    481       200     405     501
uas ringing           500    500  -    200  200    200  500    200  481   491   481    481       200     405     501
uas early, PRACK due  500    500  -    200  200    200  500    200  481   491   481    481       200     405     501
uas early, agreed     500    500  -    200  200    200  asks   200  481   491   481    481       200     405     501
uas answered, ACK due asks   asks -    200  200    200  asks   200  481   491   481    481       200     405     501
uas confirmed         asks   asks -    200  200    200  asks   200  481   asks  481    481       200     405     501
uas offered           500    500  -    200  200    200  500    500  481   asks  481    481       200     405     501
uas offering          491    491  -    200  200    200  491    491  481   asks  481    481       200     405     501
uas closing           481    481  -    200  200    200  481    481  481   481   481    481       200     405     501
uac calling           481    481  -    481  481    481  481    481  481   481   481    481       481     481     481
uac ringing           491    491  -    481  481    200  491    200  481   491   481    481       200     405     501
uac cancelled         491    491  -    481  481    200  491    200  481   491   481    481       200     405     501
uac confirmed         asks   asks -    200  481    200  asks   200  481   asks  481    481       200     405     501
uac offering          491    491  -    200  481    200  491    491  481   asks  481    481       200     405     501
uac referring         asks   asks -    200  481    200  asks   200  481   asks  200    481       200     405     501
uac closing           481    481  -    200  481    200  481    481  481   481   481    481       200     405     501
"""
# fmt: on
EXPECTED = {line[:22].strip(): line[22:].split() for line in TABLE.strip("\n").split("\n")[1:]}


@pytest.mark.parametrize("state", STATES)
def test_every_request_in_every_state(state: str) -> None:
    assert len(EXPECTED[state]) == len(REQUESTS)
    answers = {name: request(STATES[state]()) for name, request in REQUESTS.items()}
    assert answers == dict(zip(REQUESTS, EXPECTED[state], strict=True))


@pytest.mark.parametrize("request_name", [name for name in REQUESTS if name not in ("BYE", "CANCEL", "ACK")])
def test_no_request_but_bye_ends_a_call(request_name: str) -> None:
    for role in ("uas confirmed", "uac confirmed"):
        scene = STATES[role]()
        REQUESTS[request_name](scene)
        assert scene.stack.sessions[scene.session].state == "confirmed"


def update(scene: Scene) -> object:
    """A refresh, as session_timer sends it."""
    session = scene.stack._endpoint.sessions[scene.session]
    actions: list[object] = []
    scene.stack._endpoint.request(session, "UPDATE", "refresh", 0.0, actions)  # type: ignore[arg-type]
    return scene.keep(actions)


def info(scene: Scene) -> object:
    return scene.keep(scene.stack.info(scene.session, "application/dtmf", b"5", 0.0))  # type: ignore[arg-type]


OURS = {"INVITE": reinvite, "UPDATE": update, "INFO": info, "REFER": refer, "BYE": bye}
STATUSES = (100, 180, 200, 202, 302, 401, 404, 405, 407, 408, 422, 480, 481, 488, 491, 500, 501, 503, 600, 603)


@pytest.mark.parametrize("role", ["uas confirmed", "uac confirmed"])
@pytest.mark.parametrize("method", OURS)
def test_every_response_to_every_request_of_ours(method: str, role: str) -> None:
    """408 and 481 say that the peer has lost the dialog (§12.2.1.2); after any other refusal the call goes on."""
    for status in STATUSES:
        scene = STATES[role]()
        OURS[method](scene)
        n_acks = len([data for data in scene.sent if kind(data) == "ACK"])
        events = scene.hear(reply(scene.last(method), status, ANSWER if (method, status) == ("INVITE", 200) else b""))
        assert scene.stack.stats.n_faults == 0
        is_lost = status in (408, 481) and method != "BYE"
        is_closed = method == "BYE" and status >= 200
        assert (scene.session not in scene.stack.sessions) is (is_lost or is_closed), status
        assert ("Ended" in events) is is_lost
        assert ("Closed" in events) is is_closed
        acks = len([data for data in scene.sent if kind(data) == "ACK"]) - n_acks
        assert acks == (method == "INVITE" and status >= 200)
