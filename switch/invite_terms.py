"""What an outgoing INVITE says besides its SDP: From, header lines, credentials, and what its party is asked for.

By party: extensions have the values of `[sip]`, trunks their own where they have some. Pure.
"""

from collections.abc import Callable

import msgspec

from sip.digest import Credentials
from sip.flow import Flow
from switch.call import Call, Target
from switch.config import Config
from switch.sip_transfers import transfer_lines
from switch.targets import uri_user


class Terms(msgspec.Struct, frozen=True, gc=False):
    """Keyword arguments of `SipStack.invite`."""

    from_: str
    headers: str
    credentials: Credentials | None
    max_forwards: int
    reliable: str
    session_expires_s: int | None


class InviteTerms:
    """Terms by party, worked out once."""

    def __init__(self, config: Config, local_host: Callable[[Flow], str]) -> None:
        self._local_host = local_host
        self._credentials = {
            trunk.name: Credentials(username=trunk.username, password=trunk.password, realm=trunk.realm)
            for trunk in config.trunk
            if trunk.username
        }
        self._prack = config.sip.prack
        self._prack_of = {trunk.name: trunk.prack for trunk in config.trunk if trunk.prack}
        self._untimed = {trunk.name for trunk in config.trunk if not trunk.session_timers}

    def of(self, call: Call, target: Target) -> Terms:
        """For the leg of `call` that rings `target`."""
        is_trunk = target.kind == "trunk"
        host = self._local_host(target.flow)
        name = f'"{_quoted(target.caller_name)}" ' if target.caller_name else ""
        return Terms(
            f"{name}<sip:{uri_user(target.caller)}@{host}>",
            transfer_lines(target),
            self._credentials.get(target.name) if is_trunk else None,
            call.max_forwards - 1,
            self._prack_of.get(target.name, self._prack) if is_trunk else self._prack,
            0 if is_trunk and target.name in self._untimed else None,
        )

    def is_untimed(self, kind: str, name: str) -> bool:
        """Whether the party shall have no session timer of ours."""
        return kind == "trunk" and name in self._untimed


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
