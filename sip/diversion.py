"""Who sent a call on before it came here, read and written: Diversion (RFC 5806) and History-Info (RFC 7044). Pure."""

from collections.abc import Sequence

import msgspec

from sip.errors import SipParseError
from sip.message import Request
from sip.uri import HEADER_SAFE, NameAddr, escape, parse_name_addr

MAX_READ = 10
"""Forwardings looked at; who sends more is not believed any more."""

CAUSES = {"unconditional": 302, "user-busy": 486, "no-answer": 408, "do-not-disturb": 480, "unavailable": 503}
"""Reason of a Diversion -> SIP cause in a History-Info (RFC 4458 §2, RFC 7044 §10.2)."""
_REASONS = {str(cause): reason for reason, cause in CAUSES.items()} | {"404": "unavailable", "480": "do-not-disturb"}


class Diverted(msgspec.Struct, frozen=True, gc=False):
    """One party that sent the call on."""

    number: str
    reason: str
    """unconditional, user-busy, no-answer, do-not-disturb, unavailable, or what the peer wrote; "unknown"."""
    is_private: bool = False
    """Not to be shown to who is called."""


def read_diversions(request: Request) -> list[Diverted]:
    """The last one first. Diversion is believed before History-Info; what cannot be read counts as not there: a call is
    not refused for its history."""
    try:
        if "Diversion" in request.headers:
            return [_of_diversion(parse_name_addr(value)) for value in request.all("Diversion")[:MAX_READ]]
        if "History-Info" in request.headers:
            return _of_history([parse_name_addr(value) for value in request.all("History-Info")[: MAX_READ + 1]])
    except SipParseError:
        pass
    return []


def _of_diversion(address: NameAddr) -> Diverted:
    is_private = address.params.get("privacy", "off").lower() != "off"
    return Diverted(address.uri.user, address.params.get("reason", "unknown").lower(), is_private)


def _of_history(entries: list[NameAddr]) -> list[Diverted]:
    """An entry whose URI has a Reason was sent on from; the last entry is where the call goes."""
    found = []
    for entry in entries:
        reason = entry.uri.headers.get("reason", "")
        cause = reason.lower().replace(" ", "").partition("cause=")[2][:3]
        if reason.upper().startswith("SIP") and cause:
            is_private = "history" in entry.uri.headers.get("privacy", "").lower()
            found.append(Diverted(entry.uri.user, _REASONS.get(cause, "unknown"), is_private))
    return found[::-1]


def diversion_lines(diverted: Sequence[Diverted], host: str) -> str:
    """Diversion lines, the last one first (RFC 5806 §4)."""
    return "".join(
        [
            f"Diversion: <sip:{escape(one.number)}@{host}>;reason={one.reason};counter=1"
            f"{';privacy=full' if one.is_private else ''}\r\n"
            for one in diverted
        ]
    )


def history_line(diverted: Sequence[Diverted], to: str, host: str) -> str:
    """One History-Info line: everybody it went to, in order, and at the end `to` (RFC 7044 §10)."""
    entries = []
    index = "1"
    for one in reversed(diverted):
        reason = escape(f"SIP;cause={CAUSES.get(one.reason, 302)}", HEADER_SAFE)
        privacy = "&Privacy=history" if one.is_private else ""
        before = f";mp={index.rpartition('.')[0]}" if "." in index else ""
        entries.append(f"<sip:{escape(one.number)}@{host}?Reason={reason}{privacy}>;index={index}{before}")
        index += ".1"
    entries.append(f"<sip:{escape(to)}@{host}>;index={index};mp={index.rpartition('.')[0]}")
    return f"History-Info: {', '.join(entries)}\r\n"
