"""sip/dialog.py and sip/next_hop.py: route sets, strict and loose routing, requests derived from sent ones, the choice
of the next hop with NAT, streams, names and size.

Not here: when a dialog is created or refreshed (test_stack_requests).
"""

import pytest

from sip import dialog
from sip.errors import SipParseError
from sip.flow import Flow
from sip.next_hop import Listener, choose_for_size, choose_hop, choose_listener, is_behind_nat, split_host_port
from sip.parser import parse_message
from tests.sip.two_stacks import request_text


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("<sip:a@b>", "sip:a@b"),
        ("<sip:a@b;lr>;q=1", "sip:a@b;lr"),
        ('"A <x> B" <sip:a@b>;tag=1', "sip:a@b"),
        ("Alice <sip:a@b>", "sip:a@b"),
        ("sip:a@b;tag=1", "sip:a@b"),
        ("tel:+8613912345678", "tel:+8613912345678"),
    ],
)
def test_address_uri(value: str, uri: str) -> None:
    assert dialog.address_uri(value) == uri


@pytest.mark.parametrize("value", ["", "<", "<>", "Alice", "<sip:a", '"x'])
def test_address_without_uri(value: str) -> None:
    with pytest.raises(SipParseError):
        dialog.address_uri(value)


def test_route_set_in_order_and_reversed() -> None:
    message = parse_message(request_text("INVITE", Record_Route="<sip:p2;lr>, <sip:p1;lr>"))
    assert dialog.route_set(message, reverse=False) == ("<sip:p2;lr>", "<sip:p1;lr>")
    assert dialog.route_set(message, reverse=True) == ("<sip:p1;lr>", "<sip:p2;lr>")


@pytest.mark.parametrize(
    ("routes", "uri", "lines"),
    [
        ((), "sip:target@t", ""),
        (("<sip:p1;lr>", "<sip:p2;lr>"), "sip:target@t", "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"),
        (("<sip:p1;lr=on>",), "sip:target@t", "Route: <sip:p1;lr=on>\r\n"),
        (("<sip:p1>", "<sip:p2;lr>"), "sip:p1", "Route: <sip:p2;lr>\r\nRoute: <sip:target@t>\r\n"),
        (("<sip:p1;transport=tcp?X=1>",), "sip:p1;transport=tcp", "Route: <sip:target@t>\r\n"),
        (("<sip:lr@p1>",), "sip:lr@p1", "Route: <sip:target@t>\r\n"),
    ],
    ids=["no route", "loose", "lr with value", "strict", "strict with parameters", "user called lr"],
)
def test_routing(routes: tuple[str, ...], uri: str, lines: str) -> None:
    assert dialog.routing("sip:target@t", routes) == (uri, lines)


def test_head_and_its_refresh() -> None:
    head = dialog.dialog_head("<sip:a@a>;tag=1", "<sip:b@b>;tag=2", "cid", "Route: <sip:p;lr>\r\n")
    assert head == "From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: cid\r\nRoute: <sip:p;lr>\r\n"
    assert dialog.local_and_remote(head) == ("<sip:a@a>;tag=1", "<sip:b@b>;tag=2")
    assert dialog.with_routes(head, "Route: <sip:q;lr>\r\n") == head.replace("sip:p", "sip:q")
    plain = dialog.dialog_head("<sip:a@a>", "<sip:b@b>", "cid", "")
    assert dialog.with_routes(plain, "Route: <sip:q;lr>\r\n") == f"{plain}Route: <sip:q;lr>\r\n"
    assert dialog.with_routes(head, "") == head.replace("Route: <sip:p;lr>\r\n", "")


INVITE = (
    b"INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a:5060;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: cid\r\nRoute: <sip:p;lr>\r\nCSeq: 7 INVITE\r\n"
    b"Contact: <sip:a@a:5060>\r\n"
    b'Authorization: Digest username="old"\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody'
)


def test_cancel_of_a_request() -> None:
    assert dialog.render_cancel(INVITE, "Reason: SIP;cause=200\r\n") == (
        b"CANCEL sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a:5060;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        b"From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: cid\r\nRoute: <sip:p;lr>\r\nCSeq: 7 CANCEL\r\n"
        b"Reason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n"
    )


def test_the_same_request_again() -> None:
    again = dialog.resubmit(
        INVITE, "SIP/2.0/TCP a:5060;branch=z9hG4bK2", 8, "Authorization: new\r\n", without="Authorization:"
    )
    assert parse_message(again).body == b"body"
    text = again.decode()
    assert "Via: SIP/2.0/TCP a:5060;branch=z9hG4bK2\r\n" in text and "z9hG4bK1" not in text
    assert "CSeq: 8 INVITE\r\n" in text
    assert "Authorization: new\r\n\r\nbody" in text and "old" not in text
    assert dialog.cseq_of(again) == 8
    assert dialog.credentials_of(again) == "Authorization: new\r\n"


UDP, TCP, UDP6 = (
    Listener("udp", "10.0.0.1", 5060),
    Listener("tcp", "10.0.0.1", 5060),
    Listener("udp", "2001:db8::1", 5060),
)
LISTENERS = (UDP, TCP, UDP6)
PEER = Flow("udp", "10.0.0.2", 5062)
STREAM = Flow("tcp", "10.0.0.2", 40000, 1, 5)


@pytest.mark.parametrize(
    ("uri", "flow", "is_direct", "hop"),
    [
        ("sip:x@10.0.0.2:5062", PEER, True, PEER),
        ("sip:10.0.0.2:5062", PEER, True, PEER),
        ("sip:x@10.0.0.2", PEER, True, Flow("udp", "10.0.0.2", 5060)),
        ("sip:x@10.0.0.2:5070;transport=tcp", PEER, True, Flow("tcp", "10.0.0.2", 5070, 1)),
        ("sip:x@10.0.0.2;transport=tls", PEER, True, PEER),
        ("sip:x@192.168.1.5:5060", PEER, True, PEER),
        ("sip:192.168.1.5:5060;lr", PEER, False, Flow("udp", "192.168.1.5", 5060)),
        ("sip:x@phone.example.com", PEER, True, "sip:x@phone.example.com"),
        ("sip:x@anything", STREAM, True, STREAM),
        ("sip:x@[2001:db8::2]:5070", Flow("udp", "2001:db8::2", 1, 2), True, Flow("udp", "2001:db8::2", 5070, 2)),
        ("sip:x@[2001:DB8:0::2]:5070", Flow("udp", "2001:db8::2", 5070, 2), True, Flow("udp", "2001:db8::2", 5070, 2)),
        ("sip:x@[2001:db8::9]", PEER, False, Flow("udp", "2001:db8::9", 5060, 2)),
        ("tel:+861391234", PEER, True, PEER),
        ("::nonsense::", PEER, True, PEER),
        ("sip:evil:10.0.0.2:5062", PEER, True, PEER),
    ],
)
def test_next_hop(uri: str, flow: Flow, is_direct: bool, hop: Flow | str) -> None:
    found = choose_hop(uri, flow, LISTENERS, is_direct=is_direct)
    if isinstance(hop, Flow) and isinstance(found, Flow) and ":" in found.host:
        assert found[2:] == hop[2:]
    else:
        assert found == hop


@pytest.mark.parametrize(
    ("sent_by", "host", "is_behind"),
    [
        ("10.0.0.2:5060", "10.0.0.2", False),
        ("10.0.0.2", "10.0.0.2", False),
        ("10.0.0.20", "10.0.0.2", True),
        ("192.168.1.5:5060", "10.0.0.2", True),
        ("phone.local", "10.0.0.2", True),
        ("[2001:db8::2]:5060", "2001:db8::2", False),
        ("[2001:db8:0::2]", "2001:db8::2", False),
    ],
)
def test_nat_by_sent_by(sent_by: str, host: str, is_behind: bool) -> None:
    assert is_behind_nat(sent_by, Flow("udp", host, 5060)) is is_behind


def test_host_and_port() -> None:
    assert split_host_port("h") == ("h", 0)
    assert split_host_port("h:5070") == ("h", 5070)
    assert split_host_port("[::1]:5070") == ("::1", 5070)
    assert split_host_port("h:99999999") == ("h", 0)


def test_large_requests_take_tcp_when_there_is_a_listener() -> None:
    assert choose_for_size(PEER, 1300, LISTENERS) is PEER
    assert choose_for_size(PEER, 1301, LISTENERS) == Flow("tcp", "10.0.0.2", 5062, 1)
    assert choose_for_size(PEER, 1301, (UDP,)) is PEER
    assert choose_for_size(STREAM, 5000, LISTENERS) is STREAM


def test_listener_of_the_right_family() -> None:
    assert choose_listener(LISTENERS, "udp", 0, is_ipv6=True) == 2
    assert choose_listener(LISTENERS, "udp", 2, is_ipv6=True) == 2
    assert choose_listener(LISTENERS, "tls", 0, is_ipv6=False) is None
    assert Listener("udp", "::1", 5060).sent_by == "[::1]:5060"
    assert Listener("udp", "0.0.0.0", 5060, "203.0.113.9", 6060).sent_by == "203.0.113.9:6060"
