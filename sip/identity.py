"""Who a request says it is from, and whether that may be shown: Privacy (RFC 3323) and P-Asserted-Identity (RFC 3325).

Whether the sender is to be believed is not decided here. Pure.
"""

from sip.message import Message
from sip.uri import NameAddr

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
"""From of a caller who is not to be shown (RFC 3323 §4.1.1.3)."""
_HIDING = frozenset(("id", "user", "header", "session"))


def privacy(message: Message) -> frozenset[str]:
    """Privacy values in lower case, those that ask for something: without `none` and `critical`."""
    values = message.headers.get("Privacy", "").lower().replace(",", ";").split(";")
    return frozenset(value.strip(" \t") for value in values) & _HIDING


def asserted_identity(message: Message) -> NameAddr | None:
    """The first P-Asserted-Identity.

    Raises:
        SipParseError: 400.
    """
    if "P-Asserted-Identity" not in message.headers:
        return None
    addresses = message.addresses("P-Asserted-Identity")
    return addresses[0] if addresses else None


def is_anonymous(address: NameAddr) -> bool:
    """A From that says nothing on purpose."""
    return address.uri.user.lower() in ("", "anonymous") or address.uri.host.lower().endswith("anonymous.invalid")


def identity_lines(kind: str, caller: str, host: str, *, is_private: bool) -> str:
    """P-Asserted-Identity (`kind` asserted), P-Preferred-Identity (preferred) or nothing; `caller` is a URI user."""
    if kind not in ("asserted", "preferred") or not caller:
        return ""
    name = "P-Asserted-Identity" if kind == "asserted" else "P-Preferred-Identity"
    return f"{name}: <sip:{caller}@{host}>\r\n" + "Privacy: id\r\n" * is_private


def may_be_heard(p_early_media: str) -> bool:
    """Whether a P-Early-Media value lets the caller hear what comes before the answer (RFC 5009 §8): the last of its
    directions counts."""
    directions = [part.strip(" \t").lower() for part in p_early_media.split(",")]
    known = [part for part in directions if part in ("sendrecv", "sendonly", "recvonly", "inactive")]
    return bool(known) and known[-1] in ("sendrecv", "sendonly")
