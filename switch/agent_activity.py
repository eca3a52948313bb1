"""What agents do on their phones, derived from the legs of calls: dialling, talking, holding, consulting; and how each
of their calls went once it is over for them.

Watches the calls that were handled; those of extensions where nobody is signed in cost one look-up a leg.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from acd.desk_inputs import Activity, CallOver, Doing
from switch.call import Call, Leg
from switch.environment import Environment

if TYPE_CHECKING:
    from switch.floor import Floor

_ORDER: tuple[Doing, ...] = ("conference", "consult", "on_call", "hold", "dialing", "ringing", "")
"""Of several calls at one phone the first of these counts."""


class _Part(msgspec.Struct, gc=False):
    """An agent's part in one call."""

    agent_id: str
    call_id: str
    doing: Doing = ""
    since: float = 0.0
    ring_s: float = 0.0
    talk_s: float = 0.0
    hold_s: float = 0.0
    n_holds: int = 0
    was_up: bool = False
    is_feature: bool = False
    """He only dials a feature code: it keeps him busy and counts as no call."""


class AgentActivity:
    def __init__(self, floor: "Floor", env: Environment) -> None:
        self._floor = floor
        self._env = env
        self._parts: dict[str, _Part] = {}
        """By leg."""
        self._legs_of_call: dict[str, set[str]] = {}

    def connected(self, call: Call, leg_id: str, agent_id: str, now: float) -> None:
        """He has a call of a queue: its end will be told, however soon it comes."""
        part = self._parts.get(leg_id)
        if part is None:
            part = self._parts[leg_id] = _Part(agent_id, call.call_id, since=now)
            self._legs_of_call.setdefault(call.call_id, set()).add(leg_id)
        _account(part, now)
        part.doing, part.was_up = "on_call", True

    def calls_touched(self, touched: Iterable[str], now: float) -> None:
        by_extension = self._floor.centre.desk.state.by_extension
        if not by_extension and not self._parts:
            return
        calls = self._floor.calls
        changed: dict[str, str] = {}
        for call_id in touched:
            call = calls.get(call_id)
            if call is None:
                for leg_id in self._legs_of_call.pop(call_id, ()):
                    self._end(leg_id, None, None, now, changed)
                continue
            for leg in call.legs.values():
                if leg.leg_id in self._parts:
                    self._look(call, leg, now, changed)
                elif leg.kind == "extension" and leg.name in by_extension and not leg.is_ended:
                    self._parts[leg.leg_id] = _Part(
                        by_extension[leg.name], call.call_id, since=now, is_feature=call.feature is not None
                    )
                    self._legs_of_call.setdefault(call.call_id, set()).add(leg.leg_id)
                    self._look(call, leg, now, changed)
        for agent_id, call_id in changed.items():
            self._tell(agent_id, call_id, now)

    def _look(self, call: Call, leg: Leg, now: float, changed: dict[str, str]) -> None:
        part = self._parts[leg.leg_id]
        if leg.is_ended:
            self._end(leg.leg_id, call, leg, now, changed)
            return
        doing = what(call, leg)
        if doing == part.doing:
            return
        _account(part, now)
        part.n_holds += doing == "hold"
        part.was_up = part.was_up or leg.is_up
        part.doing = doing
        changed[part.agent_id] = call.call_id

    def _end(self, leg_id: str, call: Call | None, leg: Leg | None, now: float, changed: dict[str, str]) -> None:
        part = self._parts.pop(leg_id, None)
        if part is None:
            return
        legs = self._legs_of_call.get(part.call_id)
        if legs is not None:
            legs.discard(leg_id)
            if not legs:
                del self._legs_of_call[part.call_id]
        _account(part, now)
        is_own = leg is not None and leg.direction == "in"
        if (part.was_up or is_own) and not part.is_feature:
            self._floor.tell(
                CallOver(
                    agent_id=part.agent_id,
                    call_id=part.call_id,
                    call_type=_type_of(call, leg),
                    ring_s=part.ring_s,
                    talk_s=part.talk_s,
                    hold_s=part.hold_s,
                    n_holds=part.n_holds,
                    how=_how(call, leg),
                ),
                now,
            )
        changed[part.agent_id] = ""

    def _tell(self, agent_id: str, call_id: str, now: float) -> None:
        parts = [part for part in self._parts.values() if part.agent_id == agent_id]
        best = min(parts, key=lambda part: _ORDER.index(part.doing), default=None)
        doing = best.doing if best is not None else ""
        self._floor.tell(
            Activity(agent_id=agent_id, doing=doing, call_id=best.call_id if best is not None and doing else ""), now
        )


def what(call: Call, leg: Leg) -> Doing:
    """What the leg's user does in this call."""
    if call.feature is not None:
        return "dialing"
    if not leg.is_up:
        # An agent whom a queue's call rings is the desk's own business.
        if leg.direction == "out":
            return "" if call.phase in ("queue", "callback") else "ringing"
        return "dialing"
    if any(consult.by == leg.leg_id for consult in call.consults.values()):
        return "consult"
    company = call.company(leg)
    if len(company) > 1:
        return "conference"
    if not company:
        return "dialing" if leg.leg_id == call.a and call.phase in ("ring", "originate", "callback") else "on_call"
    return "hold" if leg.is_away or company[0].is_held else "on_call"


def _account(part: _Part, now: float) -> None:
    spent = now - part.since
    if part.doing in ("ringing", "dialing"):
        part.ring_s += spent
    elif part.doing == "hold":
        part.hold_s += spent
    elif part.doing:
        part.talk_s += spent
    part.since = now


def _type_of(call: Call | None, leg: Leg | None) -> str:
    if call is None or leg is None:
        return "inbound"
    return "campaign" if call.dialing is not None else call.direction


def _how(call: Call | None, leg: Leg | None) -> str:
    if leg is None:
        return "system"
    if leg.leaves_because or leg.hangup_cause == "BLIND_TRANSFER":
        return "transferred"
    if leg.hangup_side == "remote":
        return "agent"
    return "caller" if call is not None and call.hangup_side in ("caller", "remote") else "system"
