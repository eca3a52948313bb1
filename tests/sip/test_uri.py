"""`sip.uri`: RFC 3261 §19.1.3 and §19.1.4 tables, RFC 3966, name-addr of §20.10, escapes, what is refused.

Not covered: what a URI means for routing (test_dns.py, the registrar's tests).
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.errors import SipParseError
from sip.uri import NameAddr, SipUri, escape, parse_name_addr, parse_uri, render_uri, unescape, uris_equal


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:alice@atlanta.com", SipUri("sip", "alice", host="atlanta.com")),
        (
            "sip:alice:secretword@atlanta.com;transport=tcp",
            SipUri("sip", "alice", "secretword", "atlanta.com", params={"transport": "tcp"}),
        ),
        (
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            SipUri("sips", "alice", host="atlanta.com", headers={"subject": "project x", "priority": "urgent"}),
        ),
        (
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            SipUri("sip", "+1-212-555-1212", "1234", "gateway.com", params={"user": "phone"}),
        ),
        ("sips:1212@gateway.com", SipUri("sips", "1212", host="gateway.com")),
        ("sip:alice@192.0.2.4", SipUri("sip", "alice", host="192.0.2.4")),
        (
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            SipUri("sip", host="atlanta.com", params={"method": "REGISTER"}, headers={"to": "alice@atlanta.com"}),
        ),
        ("sip:alice;day=tuesday@atlanta.com", SipUri("sip", "alice;day=tuesday", host="atlanta.com")),
        ("SIP:[2001:db8::10]:5070;lr", SipUri("sip", host="2001:db8::10", port=5070, params={"lr": ""})),
        ("sip:*72#@pbx", SipUri("sip", "*72#", host="pbx")),
        ("sip:sips%3Auser%40example.com@example.net", SipUri("sip", "sips:user@example.com", host="example.net")),
        ("tel:+358-555-1234567;postd=pp22", SipUri("tel", "+358-555-1234567", params={"postd": "pp22"})),
        ("http://example.com/x", SipUri("http", text="http://example.com/x")),
    ],
)
def test_parse(text: str, uri: SipUri) -> None:
    parsed = parse_uri(text)
    assert parsed == uri
    assert str(parsed) == text
    assert parse_uri(render_uri(parsed)) == parsed
    assert hash(parsed) == hash(uri)


@pytest.mark.parametrize(
    "text",
    [
        "", "alice", "sip:", "sip:@host", "sip:alice@", "sip:alice@host:0", "sip:alice@host:65536", "sip:a@host:",
        "sip:a@host:123456789012", "sip:a b@host", "sip:a@ho st", "sip:a@host;", "sip:a@host;=1", "sip:a@host;a=b c",
        "sip:a@b@c", "sip:a%@host", "sip:a%zz@host", "sip:[::1", "sip:[xyz]", "sip:a@host?x", "sip:a@host?x=1&",
        "<sip:a@host>", "tel:", "tel:abc xyz", "tel:+1;", "1sip:a@b", "http:a b", "sip:a@host\r\n", "sip:a@host\x00",
        "sip:a@host" + ";p=1" * 65,
    ],
)  # fmt: skip
def test_refuse(text: str) -> None:
    if text == "sip:a@host" + ";p=1" * 65:
        text = "sip:a@host" + "".join(f";p{i}=1" for i in range(65))
    with pytest.raises(SipParseError) as caught:
        parse_uri(text)
    assert caught.value.status == 400


# RFC 3261 §19.1.4: the first group is equal within each row, the second is not.
EQUAL = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("tel:+1-201-555-0123", "tel:+12015550123"),
    ("tel:+1-201-555-0123;PHONE-CONTEXT=A", "tel:+1(201)5550123;phone-context=a"),
    ("http://a", "http://a"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("tel:+12015550123", "tel:12015550123"),
    ("http://a", "http://b"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a: str, b: str) -> None:
    assert uris_equal(parse_uri(a), parse_uri(b))
    assert uris_equal(parse_uri(b), parse_uri(a))


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert not uris_equal(parse_uri(a), parse_uri(b))
    assert not uris_equal(parse_uri(b), parse_uri(a))


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("<sip:a@b>", "", "sip:a@b", {}),
        ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
        ("<sip:a@b;x=1>;tag=1", "", "sip:a@b;x=1", {"tag": "1"}),
        ('"A. G. Bell" <sip:agb@bell.com> ;tag=a48s', "A. G. Bell", "sip:agb@bell.com", {"tag": "a48s"}),
        ("Anonymous <sip:c8oqz84@privacy.org>;tag=hyh8", "Anonymous", "sip:c8oqz84@privacy.org", {"tag": "hyh8"}),
        ("caller<sip:caller@example.com>;tag=323", "caller", "sip:caller@example.com", {"tag": "323"}),
        ('"<sip:no@no>" <sip:a@b>', "<sip:no@no>", "sip:a@b", {}),
        ('"" <sip:a@b>', "", "sip:a@b", {}),
        ('"Mr. Watson" <sip:watson@worcester.example.com>;q=0.7; expires=3600', "Mr. Watson",
         "sip:watson@worcester.example.com", {"q": "0.7", "expires": "3600"}),
        ("Zoë <sip:z@b>", "Zoë", "sip:z@b", {}),
        ("tel:+49301;x=1", "", "tel:+49301", {"x": "1"}),
    ],
)  # fmt: skip
def test_name_addr(text: str, display: str, uri: str, params: dict[str, str]) -> None:
    address = parse_name_addr(text)
    assert (address.display, str(address.uri), address.params) == (display, uri, params)
    assert address.tag == params.get("tag", "")
    assert parse_name_addr(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "<>", "<sip:a@b", "sip:a@b>", '"A <sip:a@b>', "Bell, Alexander <sip:a@b>", "A:B <sip:a@b>",
        '"A" < sip:a@b >', "sip:a@b?x=1", "sip:a,b@c", "<sip:a@b>x",  "<sip:a@b>;", '"A"', "<<sip:a@b>>",
        "A;x <sip:a@b>",
    ],
)  # fmt: skip
def test_refuse_name_addr(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_name_addr(text)


def test_names_for_humans() -> None:
    assert str(NameAddr('A "B"', SipUri("sip", "a", host="2001:db8::1"), {"q": "0.5", "x": "a b"})) == (
        '"A \\"B\\"" <sip:a@[2001:db8::1]>;q=0.5;x="a b"'
    )
    assert parse_uri("sip:a@b;transport=TLS").transport == "tls"
    assert parse_uri("sips:b").is_sip
    assert not parse_uri("tel:1").is_sip


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30))
def test_escape_round_trip(text: str) -> None:
    encodable = text.encode("utf-8", "replace").decode()
    assert unescape(escape(encodable)) == encodable
    user = encodable or "x"
    uri = SipUri("sip", user, user, "host", 5070, {"p": user}, {"h": user})
    assert parse_uri(str(uri)) == uri


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='sip:@;=?&<>",[]%4 1ab\\.\t\x00é', max_size=40))
def test_only_sip_parse_error(text: str) -> None:
    for parse in (parse_uri, parse_name_addr):
        try:
            parse(text)
        except SipParseError:
            continue
