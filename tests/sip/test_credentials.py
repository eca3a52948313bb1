"""sip/credentials.py and where the stack shows them: a digest only at the trunk's own address and for its own realm.

The digest itself is in tests/sip/test_digest.py.
"""

import pytest

from sip.actions import Answered, Rejected, Send
from sip.credentials import Audience, Credentials
from sip.flow import Flow
from sip.stack import Listener, SipStack

TRUNK = Flow("udp", "192.0.2.1", 5060)
CALLEE = Flow("udp", "198.51.100.9", 5060)


def challenge(realm, status=407):
    header = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return f'{header}: Digest realm="{realm}", nonce="abc", qop="auth", algorithm=MD5\r\n'


class World:
    def __init__(self, **audience):
        self.audience = Audience(hosts=frozenset((TRUNK.host,)), **audience)
        numbers = iter(range(10**9))
        self.stack = SipStack([Listener("udp", "10.0.0.1", 5060)], token=lambda n: f"{next(numbers):0{n}x}"[-n:])
        self.credentials = Credentials("us", "secret", audience=self.audience)

    def invite(self, flow=TRUNK):
        self.session, out = self.stack.invite(
            flow=flow, uri="sip:1@example.net", from_="<sip:us@x>", to="<sip:1@x>", now=0.0,
            credentials=self.credentials, body=b"v=0\r\n",
        )  # fmt: skip
        return self.sent(out)

    def sent(self, out):
        return [action.data.decode() for action in out if isinstance(action, Send)]

    def answer(self, request, status, extra="", flow=TRUNK, contact=""):
        lines = [
            line for line in request.split("\r\n") if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq", "To")
        ]
        lines = [line + (";tag=them" if line.startswith("To:") and "tag=" not in line else "") for line in lines]
        head = "\r\n".join([f"SIP/2.0 {status} X", *lines]) + "\r\n"
        contact = f"Contact: <sip:{contact}>\r\n" if contact else ""
        return self.stack.receive(f"{head}{extra}{contact}Content-Length: 0\r\n\r\n".encode(), flow, 1.0)


def proof_in(texts):
    return [text for text in texts if "Authorization: " in text]


@pytest.mark.parametrize(
    ("realm", "flow", "asked_by", "realms", "is_answered"),
    [
        ("trunk", TRUNK, TRUNK, {}, True),
        ("trunk", TRUNK, CALLEE, {}, False),
        ("trunk", CALLEE, CALLEE, {}, False),
        ("trunk", TRUNK, TRUNK, {"REGISTER": "trunk"}, True),
        ("proxy", TRUNK, TRUNK, {"REGISTER": "trunk"}, True),
        ("evil", TRUNK, TRUNK, {"INVITE": "trunk"}, False),
        ("trunk", TRUNK, TRUNK, {"INVITE": "trunk"}, True),
    ],
)
def test_a_challenge_is_answered_for_the_trunk_alone(realm, flow, asked_by, realms, is_answered):
    world = World(realms=dict(realms))
    [invite] = world.invite(flow)
    out = world.answer(invite, 407, challenge(realm), asked_by)
    assert bool(proof_in(world.sent(out))) is is_answered
    assert any(isinstance(action, Rejected) for action in out) is not is_answered
    if is_answered:
        assert realm in world.audience.realms.values()


@pytest.mark.parametrize(
    ("contact", "realm", "is_answered"),
    [("192.0.2.1", "trunk", True), ("192.0.2.1", "evil", False), ("198.51.100.9", "trunk", False)],
)
def test_inside_the_dialog_only_realms_known_before(contact, realm, is_answered):
    """The digest leak: a callee answers our BYE with a challenge of its own."""
    world = World(realms={"INVITE": "trunk"})
    [invite] = world.invite()
    out = world.answer(invite, 200, contact=contact)
    assert any(isinstance(action, Answered) for action in out)
    [bye] = [text for text in world.sent(world.stack.bye(world.session, 2.0)) if text.startswith("BYE")]
    out = world.answer(bye, 401, challenge(realm, 401), Flow("udp", contact, 5060))
    assert bool(proof_in(world.sent(out))) is is_answered
    assert world.audience.realms == {"INVITE": "trunk"}


def test_a_dialog_that_was_never_challenged_teaches_no_realm():
    world = World()
    [invite] = world.invite()
    world.answer(invite, 200, contact="192.0.2.1")
    [bye] = [text for text in world.sent(world.stack.bye(world.session, 2.0)) if text.startswith("BYE")]
    out = world.answer(bye, 401, challenge("evil", 401))
    assert not proof_in(world.sent(out)) and world.audience.realms == {}
