"""Bodies of the event packages: message summaries (RFC 3842), dialog information (RFC 4235), presence (RFC 3863, 4480).

Pure. What is written is text of ours with values escaped; of what comes in only presence is read, by a parser that
refuses declarations of entities and anything deeper or longer than a phone has reason to send.
"""

import re
from collections.abc import Iterable
from xml.parsers import expat

import msgspec

MESSAGE_SUMMARY = "application/simple-message-summary"
DIALOG_INFO = "application/dialog-info+xml"
PIDF = "application/pidf+xml"

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_DEPTH = 16
_MAX_TEXT = 512


class MessageCounts(msgspec.Struct, frozen=True):
    """Messages in one mailbox."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    """Of `new`."""
    urgent_old: int = 0
    """Of `old`."""


class DialogState(msgspec.Struct, frozen=True, gc=False):
    """One dialog of a watched phone, as that phone sees it."""

    id: str
    state: str
    """trying, proceeding, early, confirmed, terminated"""
    direction: str
    """initiator: the phone called; recipient: it is called."""
    local: str
    """Address (URI) of the phone."""
    remote: str = ""
    """Address of the other party; "" when it is not told."""
    remote_display: str = ""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    """With them another phone can take the call by Replaces (RFC 3891); "" keeps them private."""
    is_held: bool = False
    """By the other party or by the phone (RFC 4235 §4.1.6.2, +sip.rendering)."""


class PresenceState(msgspec.Struct, frozen=True):
    """What is told of somebody."""

    is_open: bool = False
    """Can be reached."""
    activity: str = ""
    """on-the-phone, away, busy … (RFC 4480 §3.2); "" = none."""
    note: str = ""


def format_message_summary(account: str, counts: MessageCounts) -> bytes:
    """`account` is the mailbox's SIP URI (RFC 3842 §5.2)."""
    waiting = "yes" if counts.new else "no"
    numbers = f"{counts.new}/{counts.old} ({counts.urgent_new}/{counts.urgent_old})"
    return f"Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {numbers}\r\n".encode()


def format_dialog_info(entity: str, version: int, dialogs: Iterable[DialogState], *, is_full: bool) -> bytes:
    """The dialogs of `entity` (a SIP URI): all of them, or those that changed (RFC 4235 §4.1)."""
    state = "full" if is_full else "partial"
    inside = "".join(map(_dialog, dialogs))
    return (
        f'{_DECLARATION}<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="{state}" '
        f'entity="{xml(entity)}">{inside}</dialog-info>\n'
    ).encode()


def _dialog(one: DialogState) -> str:
    ids = ""
    if one.call_id:
        ids = f' call-id="{xml(one.call_id)}" local-tag="{xml(one.local_tag)}" remote-tag="{xml(one.remote_tag)}"'
    rendering = '<param pname="+sip.rendering" pval="no"/>' if one.is_held else ""
    remote = ""
    if one.remote:
        display = f' display="{xml(one.remote_display)}"' if one.remote_display else ""
        remote = f'<remote><identity{display}>{xml(one.remote)}</identity><target uri="{xml(one.remote)}"/></remote>'
    local = f'<local><identity>{xml(one.local)}</identity><target uri="{xml(one.local)}">{rendering}</target></local>'
    head = f'<dialog id="{xml(one.id)}"{ids} direction="{one.direction}">'
    return f"{head}<state>{one.state}</state>{remote}{local}</dialog>"


def format_pidf(entity: str, state: PresenceState) -> bytes:
    """Presence of `entity` (a SIP URI) in one tuple, its activity as RPID."""
    basic = "open" if state.is_open else "closed"
    note = f"<note>{xml(state.note)}</note>" if state.note else ""
    activity = f"<rpid:{state.activity}/>" if state.activity else ""
    person = f'<dm:person id="p1"><rpid:activities>{activity}</rpid:activities></dm:person>' if activity else ""
    return (
        f'{_DECLARATION}<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        f' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="{xml(entity)}"><tuple id="t1"><status><basic>{basic}'
        f"</basic></status><contact>{xml(entity)}</contact>{note}</tuple>{person}{note}</presence>\n"
    ).encode()


class BodyError(ValueError):
    """The document is not what its type promises."""


def parse_pidf(body: bytes) -> PresenceState:
    """What a phone publishes: open when any tuple is, the first activity and the first note.

    Raises:
        BodyError: no XML, no presence document, an entity declaration, or too deep.
    """
    reader = _PidfReader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise BodyError(f"presence document: {error}") from None
    return PresenceState(reader.is_open, reader.activity, reader.note.strip()[:_MAX_TEXT])


class _PidfReader:
    def __init__(self) -> None:
        self.is_open = False
        self.activity = ""
        self.note = ""
        self._path: list[str] = []
        self._basic = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        if not self._path and name != "presence":
            raise ValueError("the outermost element is not presence")
        if len(self._path) >= _MAX_DEPTH:
            raise ValueError("nested too deep")
        if self._path and self._path[-1] == "activities" and not self.activity and re.fullmatch(r"[a-z-]{1,32}", name):
            self.activity = "" if name == "unknown" else name
        self._path.append(name)

    def end(self, name: str) -> None:
        if self._path.pop() == "basic":
            self.is_open = self.is_open or self._basic.strip() == "open"
            self._basic = ""

    def text(self, data: str) -> None:
        where = self._path[-1]
        if where == "basic":
            self._basic = (self._basic + data)[:_MAX_TEXT]
        elif where == "note" and len(self.note) < _MAX_TEXT:
            self.note += data


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a document type declaration")


def xml(text: str) -> str:
    """Text fit for an element or an attribute; what XML cannot hold becomes "?"."""
    text = _NOT_IN_XML.sub("?", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
