"""Asks trunks by OPTIONS whether they are there, each address by itself (RFC 3261 §11). Pure: says whom to ask, takes
the answers, and keeps `TrunkState.health`.

Any answer but 408, 503 and 504 means that the address works: who refuses OPTIONS is there. An address goes down after
`qualify_down_after` silences in a row and up again after `qualify_up_after` answers in a row; in between it is asked
sooner than every `qualify_s`, so that neither takes long. What was never answered or missed counts at once.
"""

import math
from collections.abc import Mapping

import msgspec

from sip.flow import Flow
from switch.trunk_state import AddressKey, TrunkState

SOON_S = 1.0
"""Until an address is asked again whose state is in doubt."""
_SPREAD_S = 0.05
"""Between the first questions to many addresses."""
_SICK = frozenset((408, 503, 504))


class Probe(msgspec.Struct, frozen=True, gc=False):
    """Send an OPTIONS there."""

    trunk: str
    flow: Flow


class _Watch(msgspec.Struct):
    trunk: str
    flow: Flow
    at: float
    """When the next question, or the end of the wait for an answer, is due."""
    token: str = ""
    """Of the question that is not answered yet; "" = none."""
    asked_at: float = 0.0


class Qualifier:
    """All watched addresses. `now` is monotonic seconds."""

    def __init__(self, trunks: Mapping[str, TrunkState]) -> None:
        self.deadline: float | None = None
        """When `poll` wants to be called."""
        self._trunks = trunks
        self._watches: dict[tuple[str, AddressKey], _Watch] = {}
        self._tokens: dict[str, _Watch] = {}

    def watch(self, name: str, now: float) -> None:
        """The trunk's addresses are these now: new ones are asked soon, gone ones no more."""
        trunk = self._trunks[name]
        wanted = {(name, _key(flow)): flow for flow in trunk.flows} if trunk.config.qualify_s else {}
        for key in [key for key in self._watches if key[0] == name and key not in wanted]:
            self._tokens.pop(self._watches.pop(key).token, None)
        for key, flow in wanted.items():
            if key not in self._watches:
                self._watches[key] = _Watch(name, flow, now + _SPREAD_S * len(self._watches))
        self._note_deadline()

    def hurry(self, name: str, now: float) -> None:
        """A call to the trunk failed in a way that says an address may be gone: ask now."""
        for watch in self._watches.values():
            if watch.trunk == name and not watch.token:
                watch.at = now
        self._note_deadline()

    def poll(self, now: float) -> list[Probe]:
        """Notes who did not answer in time; says whom to ask. Tell `asked` of each."""
        probes = []
        for watch in self._watches.values():
            if watch.at > now:
                continue
            if watch.token:
                del self._tokens[watch.token]
                watch.token = ""
                self._note(watch, 408, now)
            else:
                watch.at = math.inf
                probes.append(Probe(watch.trunk, watch.flow))
        self._note_deadline()
        return probes

    def asked(self, probe: Probe, token: str, now: float) -> None:
        """The OPTIONS is sent; `token` names it."""
        watch = self._watches.get((probe.trunk, _key(probe.flow)))
        if watch is None:
            return
        watch.token, watch.asked_at = token, now
        watch.at = now + self._trunks[watch.trunk].config.qualify_timeout_s
        self._tokens[token] = watch
        self._note_deadline()

    def asked_for(self, token: str) -> str:
        """The trunk that the question is about; "" when it is none of ours, or given up already."""
        watch = self._tokens.get(token)
        return watch.trunk if watch is not None else ""

    def answered(self, token: str, status: int, now: float) -> None:
        """An answer to a question of ours, or 503 when it could not be sent."""
        watch = self._tokens.pop(token, None)
        if watch is None:
            return
        watch.token = ""
        health = self._trunks[watch.trunk].health_of(watch.flow)
        health.round_trip_ms = (now - watch.asked_at) * 1000
        self._note(watch, status, now)
        self._note_deadline()

    def _note(self, watch: _Watch, status: int, now: float) -> None:
        trunk = self._trunks[watch.trunk]
        config, health = trunk.config, trunk.health_of(watch.flow)
        health.status = status
        if status in _SICK:
            health.n_bad, health.n_good = health.n_bad + 1, 0
            if health.n_bad >= config.qualify_down_after:
                health.state = "down"
            is_in_doubt = health.state != "down"
        else:
            health.n_good, health.n_bad = health.n_good + 1, 0
            if health.state == "unknown" or health.n_good >= config.qualify_up_after:
                health.state = "up"
            is_in_doubt = health.state != "up"
            if not is_in_doubt:
                health.resting_until = 0.0
        watch.at = now + (min(SOON_S, config.qualify_s) if is_in_doubt else config.qualify_s)

    def _note_deadline(self) -> None:
        self.deadline = min((watch.at for watch in self._watches.values() if watch.at < math.inf), default=None)


def _key(flow: Flow) -> AddressKey:
    return flow.transport, flow.host, flow.port
