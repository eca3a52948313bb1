"""Which phone is in which call, as its watchers see it (RFC 4235): kept up to date call by call. Pure."""

from collections.abc import Mapping

from sip.event_bodies import DialogState
from sip.session_state import Session
from switch.call import Call, Leg

_STATES = {"trying": "trying", "ringing": "early", "early_media": "early", "answered": "confirmed"}
_NOTHING: Mapping[str, list[str]] = {}


class LineStates:
    """The dialogs of every extension's phones by leg id. `local` and `remote` of them are numbers, not yet URIs."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
        self._sessions = sessions
        self._lines: dict[str, dict[str, DialogState]] = {}
        self._of_call: dict[str, dict[str, str]] = {}
        """Call → leg → extension, of what is in `_lines`."""
        self._owner: dict[str, str] = {}
        """Leg → call: a leg may have gone over to another call."""

    def of(self, number: str) -> dict[str, DialogState]:
        """Leg id → dialog; none when the extension's phones are idle."""
        return self._lines.get(number, {})

    def is_busy(self, number: str) -> bool:
        """Talks, or is calling somebody; a phone that only rings is not busy."""
        return any(one.state == "confirmed" or one.direction == "initiator" for one in self.of(number).values())

    def touch(self, call_id: str, call: Call | None) -> Mapping[str, list[str]]:
        """Takes a call's present state (None: it is gone). Returns what changed: extension → leg ids."""
        known = self._of_call.get(call_id)
        legs = [each for each in call.legs.values() if each.kind == "extension"] if call is not None else ()
        if known is None and not legs:
            return _NOTHING
        changed: dict[str, list[str]] = {}
        live: dict[str, str] = {}
        for leg in legs:
            if leg.is_ended or not leg.name:
                continue
            assert call is not None
            live[leg.leg_id] = leg.name
            self._owner[leg.leg_id] = call_id
            state = self._state(call, leg)
            lines = self._lines.setdefault(leg.name, {})
            if lines.get(leg.leg_id) != state:
                lines[leg.leg_id] = state
                changed.setdefault(leg.name, []).append(leg.leg_id)
        for leg_id, number in (known or {}).items():
            if live.get(leg_id) != number and self._owner.get(leg_id) == call_id:
                del self._owner[leg_id]
                self._drop(number, leg_id)
                changed.setdefault(number, []).append(leg_id)
        if live:
            self._of_call[call_id] = live
        else:
            self._of_call.pop(call_id, None)
        return changed

    def _drop(self, number: str, leg_id: str) -> None:
        lines = self._lines.get(number)
        if lines is not None:
            lines.pop(leg_id, None)
            if not lines:
                del self._lines[number]

    def _state(self, call: Call, leg: Leg) -> DialogState:
        is_called = leg.direction == "out"
        call_id = local_tag = remote_tag = ""
        state = _STATES.get(leg.state, "trying")
        if is_called and state == "early":
            session = self._sessions.get(leg.session)
            if session is not None and session.remote_tag:
                call_id, local_tag, remote_tag = leg.sip_call_id, session.remote_tag, session.id
        return DialogState(
            id=leg.leg_id,
            state=state,
            direction="recipient" if is_called else "initiator",
            local=leg.name,
            remote=leg.caller if is_called else leg.dialed,
            remote_display=call.caller_name if is_called and leg.caller == call.caller else "",
            call_id=call_id,
            local_tag=local_tag,
            remote_tag=remote_tag,
            is_held=leg.is_away,
        )
