"""`sip.message`: typed accessors, received/rport, responses, passing through.

Covers RFC 3261 §8.2.6, §18.2, RFC 3581 §4, and that nothing a caller passes can add a header line. Not covered: parsing
itself (test_parser.py) and URIs (test_uri.py).
"""

import pytest

from sip.errors import SipParseError
from sip.flow import Flow
from sip.headers import header_line, parse_params, quote, split_list, unquote
from sip.message import Message, Request, build_response, note_source, parse_via, reply_flow, serialize
from sip.parser import parse_message
from tests.vectors import captured, rfc4475

UDP = Flow("udp", "198.51.100.9", 40000, 1)


def invite(via: str = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1", extra: str = "", to: str = "<sip:b@x>") -> Request:
    message = parse_message(
        (
            f"INVITE sip:b@x SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@x>;tag=1\r\nTo: {to}\r\nCall-ID: c\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n{extra}\r\n"
        ).encode()
    )
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("via", "flow", "noted"),
    [
        ("SIP/2.0/UDP 198.51.100.9:5070;branch=z", UDP, "SIP/2.0/UDP 198.51.100.9:5070;branch=z"),
        ("SIP/2.0/UDP 192.0.2.1;branch=z", UDP, "SIP/2.0/UDP 192.0.2.1;branch=z;received=198.51.100.9"),
        ("SIP/2.0/UDP phone.example;branch=z", UDP, "SIP/2.0/UDP phone.example;branch=z;received=198.51.100.9"),
        ("SIP/2.0/UDP h;branch=z;rport", UDP, "SIP/2.0/UDP h;branch=z;received=198.51.100.9;rport=40000"),
        ("SIP/2.0/UDP h;rport;branch=z", UDP, "SIP/2.0/UDP h;received=198.51.100.9;rport=40000;branch=z"),
        (
            "SIP/2.0/UDP h;rport=1;received=9.9.9.9;branch=z", UDP,
            "SIP/2.0/UDP h;branch=z;received=198.51.100.9;rport=40000",
        ),
        ("SIP/2.0/UDP h;branch=z;received=9.9.9.9", UDP, "SIP/2.0/UDP h;branch=z;received=198.51.100.9"),
        ("SIP/2.0/UDP h ; rport ; branch=z", UDP, "SIP/2.0/UDP h;branch=z;received=198.51.100.9;rport=40000"),
        (
            "SIP/2.0/TCP [2001:db8::1]:5061;branch=z;rport", Flow("tcp", "2001:db8::1", 33000),
            "SIP/2.0/TCP [2001:db8::1]:5061;branch=z;received=2001:db8::1;rport=33000",
        ),
        (
            "SIP/2.0/TCP [2001:db8::1]:5061;branch=z", Flow("tcp", "2001:db8::1", 5061),
            "SIP/2.0/TCP [2001:db8::1]:5061;branch=z",
        ),
    ],
)  # fmt: skip
def test_note_source(via: str, flow: Flow, noted: str) -> None:
    request = invite(via + ", SIP/2.0/UDP second;branch=y")
    note_source(request, flow)
    assert request.flow == flow
    assert request.all("Via") == [noted, "SIP/2.0/UDP second;branch=y"]
    assert request.top_via.params == parse_via(noted).params


def test_note_source_with_via_on_several_lines() -> None:
    request = invite("SIP/2.0/UDP h;branch=z;rport", extra="Via: SIP/2.0/UDP g;branch=y\r\n")
    note_source(request, UDP)
    answer = parse_message(build_response(request, 200, "OK"))
    assert answer.all("Via") == [
        "SIP/2.0/UDP h;branch=z;received=198.51.100.9;rport=40000", "SIP/2.0/UDP g;branch=y",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("via", "flow", "port"),
    [
        ("SIP/2.0/UDP h:5070;branch=z", UDP, 5070),
        ("SIP/2.0/UDP h;branch=z", UDP, 5060),
        ("SIP/2.0/UDP h;branch=z;rport", UDP, 40000),
        ("SIP/2.0/UDP h;branch=z;maddr=203.0.113.1", UDP, 5060),
        ("SIP/2.0/TCP h:5070;branch=z", Flow("tcp", "198.51.100.9", 40000, 1, 7), 40000),
    ],
)
def test_reply_flow(via: str, flow: Flow, port: int) -> None:
    request = invite(via)
    note_source(request, flow)
    assert reply_flow(request) == flow._replace(port=port)


def test_reply_needs_a_flow() -> None:
    with pytest.raises(ValueError, match="flow"):
        reply_flow(invite())


def test_response_copies_what_it_must() -> None:
    routes = "Record-Route: <sip:p1;lr>\r\nVia: SIP/2.0/UDP g;branch=y\r\nRecord-Route: <sip:p2;lr>\r\n"
    request = invite(extra=f"{routes}Timestamp: 54\r\n")
    assert build_response(
        request, 180, "Ringing", to_tag="2", contact="<sip:us@192.0.2.9>", headers="Server: Ringback\r\n"
    ) == (
        b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP g;branch=y\r\n"
        b"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:p1;lr>\r\n"
        b"Record-Route: <sip:p2;lr>\r\nContact: <sip:us@192.0.2.9>\r\nServer: Ringback\r\nContent-Length: 0\r\n\r\n"
    )
    trying = build_response(request, 100, "Trying")
    assert b"Timestamp: 54\r\n" in trying
    assert b"Record-Route" not in trying
    assert b"Record-Route" not in build_response(request, 486, "Busy Here", to_tag="2")


def test_response_with_a_body() -> None:
    answer = build_response(invite(), 200, "OK", to_tag="2", body=b"v=0\r\n", content_type="application/sdp")
    assert answer.endswith(b"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n")


def test_response_in_a_dialog_keeps_the_tag() -> None:
    assert parse_message(build_response(invite(to="<sip:b@x>;tag=old"), 200, "OK", to_tag="new")).to_tag == "old"


@pytest.mark.parametrize(
    "passed",
    [
        {"reason": "OK\r\nEvil: 1"},
        {"to_tag": "2\nEvil: 1"},
        {"contact": "<sip:x>\r\nEvil: 1"},
        {"content_type": "a/b\rEvil: 1", "body": b"x"},
        {"headers": "Server: x"},
        {"headers": "Server: x\r\n\r\nEvil"},
        {"headers": "Server: x\nEvil: 1\r\n"},
    ],
)
def test_response_refuses_line_ends(passed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="line"):
        build_response(invite(), 200, str(passed.pop("reason", "OK")), **passed)  # type: ignore[arg-type]


def test_response_takes_any_other_text() -> None:
    assert "Занято\x07".encode() in build_response(invite(), 486, "Занято\x07")


def test_header_line() -> None:
    assert header_line("Reason", 'Q.850;text="a"') == 'Reason: Q.850;text="a"\r\n'
    for name, value in (("Reason", "a\r\nEvil: 1"), ("Reason", "a\nb"), ("Rea son", "x"), ("X:", "y"), ("", "z")):
        with pytest.raises(ValueError, match=r"name|line end"):
            header_line(name, value)


def test_serialize_keeps_order_and_counts_the_body() -> None:
    request = invite(extra="X-B: 2\r\nx-a: 1\r\nContent-Length: 0\r\nX-B: 3\r\nSubject: z\r\n")
    request.body = b"four"
    assert serialize(request).endswith(
        b"Contact: <sip:a@192.0.2.1>\r\nX-B: 2\r\nX-B: 3\r\nx-a: 1\r\nContent-Length: 4\r\nSubject: z\r\n\r\nfour"
    )


def test_typed_values() -> None:
    request = parse_message(captured("carrier"))
    assert request.max_forwards == 66
    assert request.expires is None
    assert request.content_type == "application/sdp"
    assert request.from_.uri.params == {"user": "phone", "isup-oli": "00"}
    assert [address.uri.scheme for address in request.addresses("P-Asserted-Identity")] == ["sip", "tel"]
    assert [str(route.uri) for route in request.addresses("Record-Route")] == [
        "sip:203.0.113.5;lr;ftag=gK0c3a21", "sip:203.0.113.6:5060;lr",
    ]  # fmt: skip
    assert request.tokens("Supported") == ["timer", "100rel", "precondition", "replaces"]
    assert request.from_ is request.from_
    assert request.top_via.host == "203.0.113.5"


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ("Max-Forwards: 256\r\n", "max_forwards"),
        ("Max-Forwards: x\r\n", "max_forwards"),
        ("Expires: 4294967296\r\n", "expires"),
        ("Expires: -1\r\n", "expires"),
        ("m: <sip:a\r\n", "contacts"),
        ("m: *\r\n", "contacts"),
        ('m: "x <sip:a@b>, <sip:c@d>\r\n', "contacts"),
    ],
)
def test_typed_values_out_of_range(extra: str, name: str) -> None:
    message = invite(extra=extra)
    with pytest.raises(SipParseError) as caught:
        getattr(message, name)
    assert caught.value.status == 400


def test_wildcard_contact() -> None:
    message = Message(headers={"Contact": "*"})
    assert message.has_wildcard_contact
    assert message.contacts == []


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b ,, c,", ["a", "b", "c"]),
        ('"a,b" <sip:x,y@z>, c', ['"a,b" <sip:x,y@z>', "c"]),
        ('"a\\",b", c', ['"a\\",b"', "c"]),
    ],
)
def test_split_list(value: str, items: list[str]) -> None:
    assert split_list(value) == items


@pytest.mark.parametrize("value", ['a, "b', "a, <b", ",".join("a" * 65)])
def test_split_list_refuses(value: str) -> None:
    with pytest.raises(SipParseError):
        split_list(value)


def test_parameters_and_quotes() -> None:
    assert parse_params(';A=1;b;c="x;\\"y\\"" ; d = [::1]') == {"a": "1", "b": "", "c": 'x;"y"', "d": "[::1]"}
    for bad in (";", ";=1", ";a=1 b", ';a="x', ";;a", "".join(f";a{i}" for i in range(65))):
        with pytest.raises(SipParseError):
            parse_params(bad)
    assert unquote(quote('a "b" \\c')) == 'a "b" \\c'
    with pytest.raises(ValueError, match="line end"):
        quote("a\nb")


def test_answer_to_a_request_without_mandatory_headers() -> None:
    with pytest.raises(SipParseError) as caught:
        parse_message(rfc4475("insuf"))
    assert caught.value.request_head is not None
    assert build_response(caught.value.request_head, 400, "Bad Request") == (
        b"SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\nCSeq: 193942 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
