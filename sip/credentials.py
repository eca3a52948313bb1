"""What we prove ourselves with to a trunk, and to whom it may be shown (TRUST §2: no digest for who merely asks)."""

from collections.abc import Mapping

import msgspec


class Audience(msgspec.Struct):
    """Where credentials may be answered: at these addresses, for the realms that were asked for there first.

    A callee behind the trunk can ask too, inside the dialog or by an answer passed on: its realm is none of these.
    """

    hosts: frozenset[str] = frozenset()
    """IP addresses of the trunk; empty: none yet."""
    realms: dict[str, str] = {}
    """Method of the request outside dialogs that was challenged → realm."""

    def may_learn(self, method: str, realm: str, *, is_in_dialog: bool) -> bool:
        """Whether the realm is theirs, or becomes it: the first challenge to a REGISTER, and the first to an INVITE."""
        if realm in self.realms.values():
            return True
        return not is_in_dialog and method not in self.realms

    def learn(self, method: str, realm: str) -> None:
        if realm not in self.realms.values():
            self.realms[method] = realm


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """What a client proves itself with: a password, or the H(A1) per algorithm."""

    username: str
    password: str = ""
    ha1s: Mapping[str, str] = {}
    """Algorithm without -sess -> H(A1) in hex."""
    realm: str = ""
    """The only realm they answer; "" answers any that the audience lets."""
    audience: Audience | None = None
    """None: whoever asks (a phone, whose one server is its choice)."""

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, realm={self.realm!r})"
