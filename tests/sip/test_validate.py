"""`sip.validate`: what a request is refused for and in which order (RFC 3261 §8.2), what a response is dropped for.

The RFC 4475 messages themselves are in test_torture.py; dialog checks (481, 482, 491) belong to the stack.
"""

import pytest

from sip.message import Request, Response
from sip.parser import parse_message
from sip.validate import METHODS, Refusal, check_request, check_response
from tests.vectors import captured, captured_names


def request(
    extra: str = "", *, method: str = "INVITE", uri: str = "sip:b@x", to: str = "<sip:b@x>",
    sender: str = "<sip:a@x>;tag=1",
    contact: str = "Contact: <sip:a@192.0.2.1>\r\n", branch: str = "z9hG4bK1", body: str = "",
) -> Request:  # fmt: skip
    message = parse_message(
        (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nFrom: {sender}\r\nTo: {to}\r\n"
            f"Call-ID: c\r\nCSeq: 1 {method}\r\n{contact}{extra}\r\n{body}"
        ).encode()
    )
    assert isinstance(message, Request)
    return message


SDP = "Content-Type: application/sdp\r\n"

CASES: list[tuple[str, Request, int]] = [
    ("plain", request(), 0),
    ("sdp", request(SDP, body="v=0"), 0),
    ("sdp-capitals", request("c: Application/SDP ;charset=utf-8\r\n", body="v=0"), 0),
    ("no-type", request(body="v=0"), 400),
    ("other-type", request("Content-Type: text/plain\r\n", body="x"), 415),
    ("optional-body", request("Content-Type: text/x\r\nContent-Disposition: x; handling = optional\r\n", body="x"), 0),
    ("encoded", request(SDP + "Content-Encoding: gzip\r\n", body="x"), 415),
    ("type-without-body", request("Content-Type: text/plain\r\n"), 0),
    ("any-type-in-bye", request("Content-Type: text/plain\r\n", method="BYE", body="x"), 0),
    ("accept-sdp", request("Accept: text/plain, application/sdp;level=1\r\n"), 0),
    ("accept-any", request("Accept: */*\r\n"), 0),
    ("accept-other", request("Accept: text/plain\r\n"), 406),
    ("accept-nothing", request("Accept:\r\n"), 406),
    ("known-method", request(method="SUBSCRIBE"), 405),
    ("unknown-method", request(method="DANCE"), 501),
    ("tel", request(uri="tel:+4930"), 0),
    ("http", request(uri="http://x"), 416),
    ("bad-uri", request(uri="sip:"), 400),
    ("uri-headers", request(uri="sip:b@x?Subject=1"), 400),
    ("uri-method", request(uri="sip:b@x;method=BYE"), 400),
    ("uri-params", request(uri="sip:b@x:15060;transport=tcp;ob"), 0),
    ("no-hops", request("Max-Forwards: 0\r\n"), 483),
    ("hops-leading-zero", request("Max-Forwards: 00\r\n"), 483),
    ("one-hop", request("Max-Forwards: 1\r\n"), 0),
    ("bad-hops", request("Max-Forwards: 300\r\n"), 400),
    ("no-hops-in-dialog", request("Max-Forwards: 0\r\n", to="<sip:b@x>;tag=2"), 0),
    ("no-hops-to-the-switch", request("Max-Forwards: 0\r\n", method="OPTIONS", uri="sip:192.0.2.9"), 0),
    ("no-hops-cancel", request("Max-Forwards: 0\r\n", method="CANCEL"), 0),
    ("require-known", request("Require: TIMER\r\n"), 0),
    ("require-unknown", request("Require: timer, 100rel\r\nRequire: gruu\r\n"), 420),
    ("require-in-cancel", request("Require: 100rel\r\n", method="CANCEL"), 0),
    ("no-contact", request(contact=""), 400),
    ("no-contact-2543", request(contact="", branch="1"), 0),
    ("no-contact-options", request(contact="", method="OPTIONS"), 0),
    ("bad-contact", request(contact="Contact: <sip:a@\r\n"), 400),
    ("bad-second-contact", request("Contact: x y\r\n"), 400),
    ("star-contact", request(contact="Contact: *\r\n"), 400),
    ("star-in-register", request(contact="Contact: *\r\n", method="REGISTER"), 0),
    ("bad-from", request(sender="<sip:a b@x>;tag=1"), 400),
    ("bad-to", request(to='"B <sip:b@x>'), 400),
    ("unquoted-to", request(to="B, C <sip:b@x>"), 400),
    ("bad-route", request("Route: x\r\n"), 400),
    ("bad-record-route", request("Record-Route: <sip:p;lr>, q\r\n"), 400),
    ("bad-expires", request("Expires: soon\r\n"), 400),
    ("date", request("Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n"), 0),
    ("bad-date", request("Date: Fri, 01 Jan 2010 16:00:00 EST\r\n"), 400),
    ("register-tel", request(method="REGISTER", to="<tel:+4930>"), 400),
]


@pytest.mark.parametrize(("message", "status"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_refusal(message: Request, status: int) -> None:
    refusal = check_request(message, supported_extensions={"timer"})
    assert (refusal.status if refusal else 0) == status


@pytest.mark.parametrize("name", captured_names())
def test_captured_are_served(name: str) -> None:
    message = parse_message(captured(name))
    assert isinstance(message, Request)
    assert check_request(message) is None


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        (request(method="SUBSCRIBE"), f"Allow: {', '.join(sorted(METHODS))}\r\n"),
        (request("Require: a, timer, b\r\n"), "Unsupported: a, b\r\n"),
        (request("Content-Type: text/plain\r\n", body="x"), "Accept: application/sdp\r\n"),
        (
            request(SDP + "Content-Encoding: gzip\r\n", body="x"),
            "Accept: application/sdp\r\nAccept-Encoding: identity\r\n",
        ),
    ],
)
def test_refusal_says_what_would_do(message: Request, headers: str) -> None:
    refusal = check_request(message, supported_extensions={"timer"})
    assert isinstance(refusal, Refusal)
    assert refusal.headers == headers


def test_policy_is_the_callers() -> None:
    message = request(method="MESSAGE", uri="tel:1")
    assert check_request(message, supported_methods={"MESSAGE"}) is None
    refusal = check_request(message, supported_methods={"MESSAGE"}, supported_schemes={"sip"})
    assert refusal is not None
    assert refusal.status == 416


@pytest.mark.parametrize(
    ("vias", "is_discarded"),
    [
        ("Via: SIP/2.0/UDP us:5060;branch=z\r\n", False),
        ("Via: SIP/2.0/UDP us;branch=z\r\n", True),
        ("Via: SIP/2.0/UDP them:5060;branch=z\r\n", True),
        ("Via: SIP/2.0/UDP us:5060;branch=z, SIP/2.0/UDP us:5060\r\n", True),
        ("Via: SIP/2.0/UDP us:5060;branch=z\r\nVia: SIP/2.0/UDP us:5060\r\n", True),
    ],
)
def test_response(vias: str, is_discarded: bool) -> None:
    response = parse_message(
        f"SIP/2.0 200 OK\r\n{vias}From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n".encode()
    )
    assert isinstance(response, Response)
    assert bool(check_response(response, {"us:5060"})) == is_discarded
