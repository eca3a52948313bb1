"""Addresses that lead to one phone of several (GRUU, RFC 5627): public ones and ones that tell nothing. Pure.

A public GRUU names the phone by its instance. A temporary one is a random name kept with the binding: every REGISTER
makes another, and of those before the last `MAX_KEPT` still lead to the phone while it is registered.
"""

from sip.uri import SipUri

MAX_KEPT = 16
_PREFIX = "tgruu."


def public_gruu(user: str, host: str, instance: str) -> str:
    """`instance` is the +sip.instance, with or without its angle brackets."""
    return f"sip:{user}@{host};gr={bare_instance(instance)}"


def temporary_gruu(name: str, host: str) -> str:
    return f"sip:{name}@{host};gr"


def temporary_name(random_hex: str) -> str:
    """A user part that tells nothing."""
    return f"{_PREFIX}{random_hex}"


def bare_instance(instance: str) -> str:
    """The URN without brackets and quotes, in lower case as URNs compare."""
    return instance.strip('<>"').lower()


def read_gruu(uri: SipUri) -> tuple[str, str] | None:
    """("", instance) of a public GRUU, (name, "") of a temporary one; None when the URI is no GRUU."""
    if "gr" not in uri.params:
        return None
    value = uri.params["gr"]
    if value:
        return "", bare_instance(value)
    return (uri.user, "") if uri.user.startswith(_PREFIX) else None
