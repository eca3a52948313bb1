"""sip/identity.py and sip/diversion.py: who a request is from and may be shown, who sent it on, P-Early-Media; read of
what is good and bad, written so that it can be read. Whom the switch believes is tests/scenarios/test_trust.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.diversion import CAUSES, Diverted, diversion_lines, history_line, read_diversions
from sip.errors import SipParseError
from sip.identity import asserted_identity, identity_lines, is_anonymous, may_be_heard, privacy
from sip.message import Request
from sip.parser import parse_message
from sip.uri import parse_name_addr
from tests.sip.two_stacks import request_text


def request(**changes: str) -> Request:
    parsed = parse_message(request_text("INVITE", **changes))
    assert isinstance(parsed, Request)
    return parsed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", set()),
        ("none", set()),
        ("id", {"id"}),
        ("ID; header ;critical", {"id", "header"}),
        ("user,id", {"user", "id"}),
        ("nonsense", set()),
    ],
)
def test_privacy(value: str, expected: set[str]) -> None:
    assert privacy(request(Privacy=value)) == expected


@pytest.mark.parametrize(
    ("from_", "expected"),
    [
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', True),
        ("<sip:Anonymous@carrier.example>", True),
        ("<sip:carrier.example>", True),
        ("<sip:c8oqz84zk7z@unknown.anonymous.invalid>", True),
        ("<sip:13800138000@carrier.example>", False),
    ],
)
def test_anonymous(from_: str, expected: bool) -> None:
    assert is_anonymous(parse_name_addr(from_)) is expected


def test_the_first_asserted_identity_counts() -> None:
    found = asserted_identity(request(P_Asserted_Identity='"Al" <sip:138@h>, <tel:+86138>'))
    assert found is not None and (found.display, found.uri.user) == ("Al", "138")
    assert asserted_identity(request()) is None
    with pytest.raises(SipParseError):
        asserted_identity(request(P_Asserted_Identity="<sip:138"))


@pytest.mark.parametrize(
    ("kind", "is_private", "expected"),
    [
        ("off", True, ""),
        ("asserted", False, "P-Asserted-Identity: <sip:138@h>\r\n"),
        ("asserted", True, "P-Asserted-Identity: <sip:138@h>\r\nPrivacy: id\r\n"),
        ("preferred", False, "P-Preferred-Identity: <sip:138@h>\r\n"),
    ],
)
def test_identity_lines(kind: str, is_private: bool, expected: str) -> None:
    assert identity_lines(kind, "138", "h", is_private=is_private) == expected
    assert identity_lines(kind, "", "h", is_private=is_private) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sendrecv", True),
        ("SendOnly", True),
        ("sendonly, gated", True),
        ("recvonly", False),
        ("inactive", False),
        ("sendrecv, inactive", False),
        ("supported", False),
        ("", False),
    ],
)
def test_p_early_media(value: str, expected: bool) -> None:
    assert may_be_heard(value) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, []),
        ({"Diversion": "<sip:1001@h>;reason=user-busy;counter=1"}, [Diverted("1001", "user-busy")]),
        (
            {"Diversion": '"B" <sip:1002@h>;reason="no-answer";privacy=full, <sip:1001@h>'},
            [Diverted("1002", "no-answer", is_private=True), Diverted("1001", "unknown")],
        ),
        (
            {"History_Info": "<sip:1001@h?Reason=SIP%3Bcause%3D486>;index=1, <sip:1002@h>;index=1.1;mp=1"},
            [Diverted("1001", "user-busy")],
        ),
        (
            {"History_Info": "<sip:1@h?Reason=SIP%3Bcause%3D302%3Btext%3D%22x%22&Privacy=history>;index=1,<sip:2@h>"},
            [Diverted("1", "unconditional", is_private=True)],
        ),
        ({"History_Info": "<sip:1001@h>;index=1"}, []),
        ({"Diversion": "<sip:1001"}, []),
        ({"Diversion": "<sip:1001@h>", "History_Info": "nonsense"}, [Diverted("1001", "unknown")]),
    ],
)
def test_who_sent_it_on(headers: dict[str, str], expected: list[Diverted]) -> None:
    assert read_diversions(request(**headers)) == expected


_NUMBER = st.text("0123456789*#+ab", min_size=1, max_size=12)
_DIVERTED = st.builds(Diverted, _NUMBER, st.sampled_from(sorted(CAUSES)), st.booleans())


@given(st.lists(_DIVERTED, min_size=1, max_size=5), _NUMBER)
def test_what_is_written_is_read(diverted: list[Diverted], to: str) -> None:
    lines = diversion_lines(diverted, "h").rstrip("\r\n").split("\r\n")
    joined = ", ".join(line.partition(": ")[2] for line in lines)
    assert read_diversions(request(Diversion=joined)) == diverted
    line = history_line(diverted, to, "h").rstrip("\r\n").partition(": ")[2]
    assert read_diversions(request(History_Info=line)) == diverted
    last = request(History_Info=line).addresses("History-Info")[-1]
    assert last.params["index"] == "1" + ".1" * len(diverted)
