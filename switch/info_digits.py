"""DTMF in the body of SIP INFO: application/dtmf-relay ("Signal=5\\r\\nDuration=160") and application/dtmf ("5")."""

_DIGITS = frozenset("0123456789*#ABCD")
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
DEFAULT_DURATION_MS = 100


INFO_TYPE = "application/dtmf-relay"


def format_info(digit: str, duration_ms: int) -> bytes:
    """The body of `INFO_TYPE` for one digit."""
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode("ascii")


def parse_info(content_type: str, body: bytes) -> tuple[str, int] | None:
    """(digit, duration in ms), or None when the body is no digit."""
    text = body[:256].decode("ascii", "replace")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dtmf":
        digit, duration = text.strip(), ""
    elif kind == "application/dtmf-relay":
        fields = {}
        for line in text.splitlines():
            name, _, value = line.partition("=")
            fields[name.strip().lower()] = value.strip()
        digit, duration = fields.get("signal", ""), fields.get("duration", "")
    else:
        return None
    digit = _NUMBERED.get(digit, digit.upper())
    if digit not in _DIGITS:
        return None
    milliseconds = int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 6 else 0
    return digit, milliseconds or DEFAULT_DURATION_MS
