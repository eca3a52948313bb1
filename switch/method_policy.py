"""The one table of who may send which SIP method (TRUST §2). What stands in no row is for nobody.

`switch.identity.Gatekeeper` reads it for every request that would open a transaction, outside dialogs and inside.
"""

from enum import Enum


class Sender(Enum):
    """Who may send it."""

    NOBODY = "nobody"
    ANYONE = "anyone"
    """Answered to strangers with nothing that a stranger may not know."""
    CALLER = "caller"
    """A trunk by its address or certificate, or an extension by its password."""
    EXTENSION = "extension"
    """An extension by its password; the user in From is that extension."""
    OWNER = "owner"
    """An extension by its password, for itself alone: the user in To (REGISTER) or in the Request-URI (PUBLISH)."""
    DIALOG = "dialog"
    """Whoever knows the dialog: its Call-ID and both tags, of which ours is 64 random bits."""
    PEER = "peer"
    """The dialog's other party: from where it has been, or from where its Contact is; an extension that has moved
    proves its password."""


OUTSIDE: dict[str, Sender] = {
    "INVITE": Sender.CALLER,
    "REGISTER": Sender.OWNER,
    "OPTIONS": Sender.ANYONE,
    "MESSAGE": Sender.EXTENSION,
    "SUBSCRIBE": Sender.EXTENSION,
    "PUBLISH": Sender.OWNER,
    "REFER": Sender.NOBODY,
    "NOTIFY": Sender.NOBODY,
    "INFO": Sender.NOBODY,
    "UPDATE": Sender.NOBODY,
    "PRACK": Sender.NOBODY,
}

INSIDE: dict[str, Sender] = {
    "INVITE": Sender.PEER,
    "UPDATE": Sender.PEER,
    "PRACK": Sender.PEER,
    "INFO": Sender.PEER,
    "REFER": Sender.PEER,
    "MESSAGE": Sender.PEER,
    "SUBSCRIBE": Sender.PEER,
    "NOTIFY": Sender.PEER,
    "OPTIONS": Sender.DIALOG,
    # Costs nobody anything, and a call that cannot be ended does.
    "BYE": Sender.DIALOG,
}


def may_send(method: str, *, is_in_dialog: bool) -> Sender:
    """Deny by default."""
    return (INSIDE if is_in_dialog else OUTSIDE).get(method, Sender.NOBODY)
