"""All 49 messages of RFC 4475, each with the RFC's answer, one row each.

Covers what parser and validation decide together. Where the RFC leaves a choice (refuse with 400 or be liberal) the row
shows ours: refuse. Not covered here: what needs a dialog or a registrar (481 for the tagged To of wsinv, bindings of
cparam01), which the stack's and the registrar's tests hold; test_digest.py continues regaut01.
"""

import pytest

from sip.message import Request, build_response, serialize
from sip.parser import SipParseError, parse_message
from sip.validate import BODY_TYPES, METHODS, check_request, check_response
from tests.vectors import SHARED, rfc4475, rfc4475_names

ACCEPTED = "accepted"
DISCARDED = "discarded"

# name, section, answer, text the answer must carry
TABLE = [
    ("wsinv", "3.1.1.1", ACCEPTED, ""),
    ("intmeth", "3.1.1.2", 501, "Allow: "),
    ("esc01", "3.1.1.3", ACCEPTED, ""),
    ("escnull", "3.1.1.4", ACCEPTED, ""),
    ("esc02", "3.1.1.5", 501, "Allow: "),
    ("lwsdisp", "3.1.1.6", ACCEPTED, ""),
    ("longreq", "3.1.1.7", ACCEPTED, ""),
    ("dblreq", "3.1.1.8", ACCEPTED, ""),
    ("semiuri", "3.1.1.9", ACCEPTED, ""),
    ("transports", "3.1.1.10", ACCEPTED, ""),
    ("mpart01", "3.1.1.11", ACCEPTED, ""),
    ("unreason", "3.1.1.12", ACCEPTED, ""),
    ("noreason", "3.1.1.13", ACCEPTED, ""),
    ("badinv01", "3.1.2.1", 400, ""),
    ("clerr", "3.1.2.2", 400, ""),
    ("ncl", "3.1.2.3", 400, ""),
    ("scalar02", "3.1.2.4", 400, ""),
    ("scalarlg", "3.1.2.5", DISCARDED, ""),
    ("quotbal", "3.1.2.6", 400, ""),
    ("ltgtruri", "3.1.2.7", 400, ""),
    ("lwsruri", "3.1.2.8", 400, ""),
    ("lwsstart", "3.1.2.9", 400, ""),
    ("trws", "3.1.2.10", 400, ""),
    ("escruri", "3.1.2.11", 400, ""),
    ("baddate", "3.1.2.12", 400, ""),
    ("regbadct", "3.1.2.13", 400, ""),
    ("badaspec", "3.1.2.14", 400, ""),
    ("baddn", "3.1.2.15", 400, ""),
    ("badvers", "3.1.2.16", 505, ""),
    ("mismatch01", "3.1.2.17", 400, ""),
    ("mismatch02", "3.1.2.18", 501, ""),
    ("bigcode", "3.1.2.19", DISCARDED, ""),
    ("badbranch", "3.2.1", 400, ""),
    ("insuf", "3.3.1", 400, ""),
    ("unkscm", "3.3.2", 416, ""),
    ("novelsc", "3.3.3", 416, ""),
    ("unksm2", "3.3.4", 400, ""),
    ("bext01", "3.3.5", 420, "Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n"),
    ("invut", "3.3.6", 415, "Accept: application/sdp\r\n"),
    ("regaut01", "3.3.7", ACCEPTED, ""),
    ("multi01", "3.3.8", 400, ""),
    ("mcl01", "3.3.9", 400, ""),
    ("bcast", "3.3.10", DISCARDED, ""),
    ("zeromf", "3.3.11", 483, ""),
    ("cparam01", "3.3.12", ACCEPTED, ""),
    ("cparam02", "3.3.13", ACCEPTED, ""),
    ("regescrt", "3.3.14", ACCEPTED, ""),
    ("sdp01", "3.3.15", 406, ""),
    ("inv2543", "3.4.1", ACCEPTED, ""),
]

OUR_SENT_BYS = ("192.0.2.198", "192.0.2.105")


def judge(data: bytes) -> tuple[object, bytes]:
    """What is done with these bytes, and the answer that goes out."""
    try:
        message = parse_message(data)
    except SipParseError as error:
        head = error.request_head
        if head is None:
            return DISCARDED, b""
        return error.status, build_response(head, error.status, error.reason, to_tag="t1")
    if not isinstance(message, Request):
        return (DISCARDED if check_response(message, OUR_SENT_BYS) else ACCEPTED), b""
    refusal = check_request(
        message,
        supported_methods=METHODS | {"MESSAGE"},
        body_types=BODY_TYPES | {"MESSAGE": frozenset(("multipart/mixed",))},
    )
    if refusal is None:
        return ACCEPTED, b""
    return refusal.status, build_response(message, refusal.status, refusal.reason, to_tag="t1", headers=refusal.headers)


@pytest.mark.parametrize(("name", "section", "expected", "header"), TABLE, ids=[row[0] for row in TABLE])
def test_answer_of_the_rfc(name: str, section: str, expected: object, header: str) -> None:
    outcome, answer = judge(rfc4475(name))
    assert outcome == expected, section
    assert header.encode() in answer
    if isinstance(expected, int):
        assert answer.startswith(f"SIP/2.0 {expected} ".encode())
        assert b"\r\nVia" in answer


def test_every_message_has_its_row() -> None:
    assert sorted(row[0] for row in TABLE) == rfc4475_names()
    assert len(TABLE) == 49


@pytest.mark.parametrize("name", rfc4475_names())
def test_bytes_are_those_of_the_rfc(name: str) -> None:
    data = rfc4475(name)
    path = SHARED / "rfc4475" / f"{name}.dat"
    if path.exists():
        assert data == path.read_bytes()
    assert data


@pytest.mark.parametrize("name", [row[0] for row in TABLE if row[2] != DISCARDED])
def test_what_parses_survives_passing_through(name: str) -> None:
    try:
        message = parse_message(rfc4475(name))
    except SipParseError:
        return
    once = serialize(message)
    assert serialize(parse_message(once)) == once


def test_display_name_without_quotes_is_refused_for_itself() -> None:
    """baddn ends without a blank line in the archive; with one it must fall to the display name."""
    request = parse_message(rfc4475("baddn") + b"\r\n")
    assert isinstance(request, Request)
    refusal = check_request(request)
    assert refusal is not None
    assert refusal.status == 400


def test_details_of_the_short_tortuous_invite() -> None:
    request = parse_message(rfc4475("wsinv"))
    assert isinstance(request, Request)
    assert (request.method, request.cseq, request.max_forwards) == ("INVITE", 9, 68)
    assert (request.from_tag, request.to_tag, request.branch) == ("98asjd8", "1918181833n", "390skdjuw")
    assert request.from_.display == 'J Rosenberg \\"'
    assert [via.rpartition("branch")[2].lstrip(" =") for via in request.all("Via")] == [
        "390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239",
    ]  # fmt: skip
    assert request.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert request.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert request.get("Subject") == ""
    contact = request.contacts[0]
    assert (contact.display, contact.params) == (
        'Quoted string ""', {"newparam": "newvalue", "secondparam": "", "q": "0.33"},
    )  # fmt: skip
    assert len(request.body) == 150


def test_details_of_wide_range_of_characters() -> None:
    request = parse_message(rfc4475("intmeth"))
    assert request.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert request.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert request.from_tag == "_token~1'+`*%!-."
    assert request.get("extensionheader-!.%*+_`'~") == "\ufeff大停電"


def test_second_request_in_one_datagram_is_not_read() -> None:
    request = parse_message(rfc4475("dblreq"))
    assert (request.method, request.body) == ("REGISTER", b"")


def test_contact_parameters_in_and_outside_the_brackets() -> None:
    assert parse_message(rfc4475("cparam01")).contacts[0].params == {"unknownparam": ""}
    uri = parse_message(rfc4475("cparam02")).contacts[0].uri
    assert uri.params == {"unknownparam": ""}
    assert parse_message(rfc4475("regescrt")).contacts[0].uri.headers == {"route": "<sip:sip.example.com>"}


def test_escaped_null_in_a_user_is_kept() -> None:
    request = parse_message(rfc4475("escnull"))
    assert request.to.uri.user == "null-\x00-null"
    assert [contact.uri.user for contact in request.contacts] == ["\x00", "\x00\x00"]
