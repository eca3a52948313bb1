"""sip/event_bodies.py: the documents as other parsers read them, and presence documents of any kind coming in."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.event_bodies import (
    BodyError,
    DialogState,
    MessageCounts,
    PresenceState,
    format_dialog_info,
    format_message_summary,
    format_pidf,
    parse_pidf,
)

NAMESPACE = {"d": "urn:ietf:params:xml:ns:dialog-info"}


@pytest.mark.parametrize(
    ("counts", "waiting", "numbers"),
    [
        (MessageCounts(), "no", "0/0 (0/0)"),
        (MessageCounts(2, 8, 0, 2), "yes", "2/8 (0/2)"),
        (MessageCounts(0, 3), "no", "0/3 (0/0)"),
    ],
)
def test_message_summary(counts: MessageCounts, waiting: str, numbers: str) -> None:
    """RFC 3842 §5.2."""
    assert format_message_summary("sip:1@x", counts).decode() == (
        f"Messages-Waiting: {waiting}\r\nMessage-Account: sip:1@x\r\nVoice-Message: {numbers}\r\n"
    )


def test_dialog_info() -> None:
    """RFC 4235 §4.1, §4.3."""
    dialog = DialogState(
        "leg<1>", "early", "recipient", "sip:1@x", "sip:2@x", 'A "B" & C', "call", "lt", "rt", is_held=True
    )
    root = ElementTree.fromstring(format_dialog_info("sip:1@x", 7, [dialog], is_full=False))
    assert root.tag == "{urn:ietf:params:xml:ns:dialog-info}dialog-info"
    assert root.attrib == {"version": "7", "state": "partial", "entity": "sip:1@x"}
    (one,) = root.findall("d:dialog", NAMESPACE)
    assert one.attrib == {
        "id": "leg<1>",
        "call-id": "call",
        "local-tag": "lt",
        "remote-tag": "rt",
        "direction": "recipient",
    }
    assert one.findtext("d:state", namespaces=NAMESPACE) == "early"
    identity = one.find("d:remote/d:identity", NAMESPACE)
    assert identity is not None and (identity.text, identity.get("display")) == ("sip:2@x", 'A "B" & C')
    param = one.find("d:local/d:target/d:param", NAMESPACE)
    assert param is not None and param.attrib == {"pname": "+sip.rendering", "pval": "no"}
    empty = ElementTree.fromstring(format_dialog_info("sip:1@x", 0, [], is_full=True))
    assert (empty.get("state"), len(empty)) == ("full", 0)


TEXTS = st.text(max_size=40)


@given(st.booleans(), st.sampled_from(["", "busy", "on-the-phone", "away"]), TEXTS)
def test_presence_comes_back_as_it_went(is_open: bool, activity: str, note: str) -> None:
    body = format_pidf("sip:1@x", PresenceState(is_open, activity, note))
    told = ElementTree.fromstring(body).findtext("{urn:ietf:params:xml:ns:pidf}note") or ""
    read = parse_pidf(body)
    assert (read.is_open, read.activity) == (is_open, activity)
    assert read.note in (told.strip(), (told + told).strip())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<presence",
        b"<dialog-info/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><presence>&a;</presence>',
        b"<presence>" + b"<a>" * 20 + b"</a>" * 20 + b"</presence>",
        b"\xff\xfe",
        b'<?xml version="1.0" encoding="nonsense"?><presence/>',
    ],
)
def test_what_is_no_presence_document(body: bytes) -> None:
    with pytest.raises(BodyError):
        parse_pidf(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for text in (body, b"<presence><note>" + body + b"</note></presence>"):
        try:
            parse_pidf(text)
        except BodyError:
            continue
