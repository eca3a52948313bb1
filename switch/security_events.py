"""What the door notices about strangers, as data and as the line that fail2ban reads."""

import msgspec

KINDS = (
    "wrong_credentials",
    "locked_out",
    "wrong_identity",
    "wrong_pin",
    "scanner",
    "enumeration",
    "flood",
    "forbidden_method",
    "foreign_dialog",
    "ban",
    "unban",
)
"""All there are. Lines are only added, and their order of fields stays."""


class SecurityEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    kind: str
    source: str
    """IP address."""
    port: int
    transport: str
    method: str = ""
    user: str = ""
    """As the stranger wrote it; masked in the line."""
    is_known: bool = False
    """Phones of ours are at that address: fail2ban had better leave it alone."""
    is_verified: bool = False
    """Not spoofed: it came by a stream, or with a nonce that only that address was given."""
    detail: str = ""
    lasts_s: float = 0.0
    """Of a ban."""


def ignore(event: SecurityEvent) -> None:
    """For who keeps none."""


def line_of(event: SecurityEvent, node: str, instant: str) -> str:
    """`instant` ISO 8601 in UTC. What a stranger chose stands last and in quotes, without quotes of its own."""
    flags = f"known={_word(event.is_known)} verified={_word(event.is_verified)}"
    return (
        f"{instant} {node} SECURITY event={event.kind} source={event.source} port={event.port} "
        f"transport={event.transport} {flags} method={safe(event.method) or '-'} "
        f'user="{safe(event.user)}" detail="{safe(event.detail)}"'
    )


def safe(text: str) -> str:
    """A name that a stranger chose, fit for a log line: printable ASCII without quotes, 64 at most."""
    return "".join(c if " " <= c <= "~" and c not in "\"'\\" else "?" for c in text[:64])


def _word(value: bool) -> str:
    return "yes" if value else "no"
