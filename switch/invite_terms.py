"""What an outgoing INVITE says besides its SDP: From, header lines, credentials, and what its party is asked for.

By party: extensions have the values of `[sip]`, trunks their own where they have some. Who is called by a trunk outside
our trust domain (RFC 3325) learns nothing of a caller who does not want to be shown. Pure.
"""

from collections.abc import Callable

import msgspec

from sip import actions as sip
from sip.credentials import Credentials
from sip.diversion import Diverted, diversion_lines, history_line
from sip.flow import Flow
from sip.identity import ANONYMOUS, identity_lines, may_be_heard
from sip.stack import SipStack
from switch.call import Call, Leg
from switch.config import Config
from switch.config_trunks import Trunk
from switch.directory import Directory
from switch.numbers import format_number
from switch.ring_plan import Diversion, Target
from switch.sip_transfers import transfer_lines
from switch.targets import uri_user
from switch.trunk_state import TrunkState


class _Party(msgspec.Struct, frozen=True, gc=False):
    """What is the same for every call to a trunk, or (the default) to an extension."""

    reliable: str
    trunk: Trunk | None = None
    credentials: Credentials | None = None

    @property
    def early_media(self) -> str:
        return self.trunk.early_media if self.trunk is not None else "sdp"


class InviteTerms:
    """Sends the INVITEs of legs, and knows what their parties may and shall be told."""

    def __init__(self, config: Config, directory: Directory, local_host: Callable[[Flow], str]) -> None:
        self._directory = directory
        self._region = config.numbering.region
        self._local_host = local_host
        # RFC 5373, and what phones understood before it.
        self._auto_answer = (
            f"Answer-Mode: Auto\r\nCall-Info: <sip:{config.sip.realm}>;answer-after=0\r\n"
            f"Alert-Info: <http://{config.sip.realm}>;info=alert-autoanswer\r\n"
        )
        self._extension = _Party(config.sip.prack)
        self._trunks = {state.config.name: _party(state, config.sip.prack) for state in directory.trunks.values()}

    def _of(self, kind: str, name: str) -> _Party:
        return self._trunks.get(name, self._extension) if kind == "trunk" else self._extension

    def invite(
        self, stack: SipStack, call: Call, leg: Leg, target: Target, body: bytes, now: float
    ) -> tuple[str, list[sip.Action]]:
        """(session, actions) of the INVITE to `target`."""
        party = self._of(target.kind, target.name)
        host = self._local_host(target.flow)
        user = uri_user(target.caller)
        if call.is_private:
            from_, contact_user = ANONYMOUS, ""
        else:
            name = f'"{_quoted(target.caller_name)}" ' if target.caller_name else ""
            # A URI has a user of at least one character, or none.
            from_, contact_user = f"{name}<sip:{user}@{host}>" if user else f"{name}<sip:{host}>", user
        headers = transfer_lines(target) + (self._auto_answer if target.auto_answer else "")
        if party.trunk is not None:
            headers += identity_lines(party.trunk.identity, user, host, is_private=call.is_private)
            if party.trunk.early_media == "p_early_media":
                headers += "P-Early-Media: supported\r\n"
        if call.received_diversions or _diversions_of(call, leg):
            headers += self._history(call, leg, target, party, host)
        if leg.max_breadth:
            headers += f"Max-Breadth: {leg.max_breadth}\r\n"
        is_untimed = party.trunk is not None and not party.trunk.session_timers
        return stack.invite(
            flow=target.flow if target.flow.host else None,
            uri=target.uri,
            from_=from_,
            to=f"<{target.uri}>",
            now=now,
            body=body,
            contact_user=contact_user,
            route=target.route,
            headers=headers,
            credentials=party.credentials,
            max_forwards=call.max_forwards - 1,
            reliable=party.reliable,
            session_expires_s=0 if is_untimed else None,
        )

    def _history(self, call: Call, leg: Leg, target: Target, party: _Party, host: str) -> str:
        """Who sent the call on, the last one first: our extensions, and before them what came with the call."""
        style = party.trunk.diversion if party.trunk is not None else "diversion"
        if style == "off":
            return ""
        ours = [Diverted(self._shown(each.extension, party), each.reason) for each in _diversions_of(call, leg)]
        diverted = [*reversed(ours), *call.received_diversions]
        lines = diversion_lines(diverted, host) if style in ("diversion", "both") else ""
        return lines + (history_line(diverted, target.number, host) if style in ("history_info", "both") else "")

    def _shown(self, extension: str, party: _Party) -> str:
        """An extension as the party may know it: a carrier wants a number of its own."""
        if party.trunk is None:
            return extension
        entry = self._directory.extensions.get(extension)
        number = (entry.caller_id if entry is not None else "") or party.trunk.caller_id or extension
        return format_number(number, self._region, party.trunk.number_format)

    # -- what the parties may -----------------------------------------------------------------------------------------

    def is_untimed(self, kind: str, name: str) -> bool:
        """Whether the party shall have no session timer of ours."""
        party = self._of(kind, name)
        return party.trunk is not None and not party.trunk.session_timers

    def may_be_heard(self, leg: Leg, p_early_media: str) -> bool:
        """Whether the caller hears what the leg sends before it answers (RFC 3960, RFC 5009)."""
        wanted = self._of(leg.kind, leg.name).early_media
        return wanted == "sdp" or (wanted == "p_early_media" and may_be_heard(p_early_media))

    def early_media_line(self, leg: Leg) -> str:
        """What a caller by a trunk of our trust domain is told of our early media."""
        return "P-Early-Media: sendrecv\r\n" if self._of(leg.kind, leg.name).early_media == "p_early_media" else ""


def _party(state: TrunkState, prack: str) -> _Party:
    trunk = state.config
    credentials = Credentials(trunk.username, trunk.password, realm=trunk.realm, audience=state.audience)
    return _Party(trunk.prack or prack, trunk, credentials if trunk.username else None)


def _diversions_of(call: Call, leg: Leg) -> list[Diversion]:
    if leg.ringing == call.ringing_id:
        return call.diversions
    ringing = call.ringings.get(leg.ringing)
    return ringing.diversions if ringing is not None else []


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
