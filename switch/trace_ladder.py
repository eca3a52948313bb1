"""SIP messages as a ladder in a terminal: a column for the switch and for every peer, an arrow for every message.

Lines come as the messages do; a new peer gets the next column, and the heads of the columns are said again. Pure.
"""

import re
from datetime import UTC, datetime, tzinfo

from model.commands_trace import TraceMessage

COLUMN = 30
_TIME = 13
_MAX_COLUMNS = 8
_CSEQ = re.compile(rb"^cseq[ \t]*:[ \t]*\d+[ \t]+([A-Za-z]+)", re.IGNORECASE | re.MULTILINE)
_SDP = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*application/sdp", re.IGNORECASE | re.MULTILINE)


def summary(data: bytes) -> str:
    """ "INVITE 1002", "200 OK (INVITE)", with " SDP" when there is one; "?" for what is no SIP."""
    head = data.partition(b"\r\n\r\n")[0]
    start = head.partition(b"\r\n")[0].decode("utf-8", "replace")
    sdp = " SDP" if _SDP.search(head) is not None else ""
    if start.startswith("SIP/2.0 "):
        cseq = _CSEQ.search(head)
        method = f" ({cseq.group(1).decode()})" if cseq is not None else ""
        return _printable(start[8:40]) + method + sdp
    method, _, rest = start.partition(" ")
    uri = rest.partition(" ")[0]
    if not method.isalpha() or not uri:
        return "?"
    user = uri.partition(":")[2].partition("@")[0] if "@" in uri else ""
    return _printable(f"{method} {user}".rstrip()) + sdp


class Ladder:
    """`add` returns the lines of one message."""

    def __init__(self, *, timezone: tzinfo | None = UTC) -> None:
        self._timezone = timezone
        self._columns: list[str] = []

    def add(self, message: TraceMessage) -> list[str]:
        """The heads of the columns when they changed, and the arrow."""
        lines = []
        if message.remote not in self._columns:
            self._new_column(message.remote)
            lines = ["", self._heads()]
        return [*lines, self._arrow(message)]

    def _new_column(self, remote: str) -> None:
        # First a caller, then the switch, then whom it calls.
        if not self._columns or len(self._columns) >= _MAX_COLUMNS:
            self._columns = [remote, ""]
        else:
            self._columns.append(remote)

    def _heads(self) -> str:
        names = [name or "ringback" for name in self._columns]
        return " " * _TIME + "".join(name[: COLUMN - 1].center(COLUMN) for name in names).rstrip()

    def _arrow(self, message: TraceMessage) -> str:
        at = datetime.fromtimestamp(message.at_utc, self._timezone)
        here, there = self._columns.index(""), self._columns.index(message.remote)
        left, right = min(here, there), max(here, there)
        is_rightwards = (here < there) == message.is_sent
        width = (right - left) * COLUMN - 1
        text = summary(message.data)
        if len(text) > width - 4:
            text = text[: width - 5] + "…"
        shaft = f" {text} ".center(width - 1, "─")
        arrow = shaft + "►" if is_rightwards else "◄" + shaft
        line = [" "] * (len(self._columns) * COLUMN)
        for column in range(len(self._columns)):
            line[column * COLUMN + COLUMN // 2] = "│"
        start = left * COLUMN + COLUMN // 2 + 1
        line[start : start + width] = arrow
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} " + "".join(line).rstrip()


def full_text(message: TraceMessage) -> str:
    """The whole message, indented, control characters shown as such."""
    text = message.data.decode("utf-8", "replace").replace("\r\n", "\n")
    return "\n".join("    " + _printable(line) for line in text.rstrip("\n").split("\n"))


def _printable(text: str) -> str:
    """What a peer wrote must not steer the terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
