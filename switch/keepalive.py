"""Keeps the way to phones behind NAT open, and notices when they come another way.

A router forgets a mapping that nothing leaves by for half a minute or more, and what comes in from us does not count
(RFC 4787 §4.3): so these phones are asked by OPTIONS, and their answer keeps it. One that has answered before and is
silent `MAX_SILENT` times cannot be rung any more: its binding goes until it registers again. A machine under the
runtime's one timer.
"""

import logging
from collections.abc import Callable

import msgspec

from sip import actions as sip
from sip.flow import Flow
from sip.next_hop import is_behind_nat
from sip.registrar import Binding
from sip.stack import SipStack
from switch.registrations import Registrations

log = logging.getLogger(__name__)

MAX_SILENT = 3
_AT_ONCE_S = 1.0
"""Those due within this time are asked in one go: waking up costs more than asking."""


class _Watched(msgspec.Struct, gc=False):
    """A phone behind NAT."""

    number: str
    contact: str
    flow: Flow
    route: tuple[str, ...]
    due: float
    has_answered: bool = False
    n_silent: int = 0


class KeepAlives:
    """`perform` takes stack actions; `moved(old, new, now)` is told when a phone registers again from elsewhere."""

    def __init__(
        self,
        stack: SipStack,
        registrations: Registrations,
        interval_s: float,
        *,
        local_name: Callable[[Flow], str],
        perform: Callable[[list[sip.Action], float], None],
        moved: Callable[[Flow, Flow, float], None],
    ) -> None:
        self._stack = stack
        self._registrations = registrations
        self._interval_s = interval_s
        self._local_name = local_name
        self._perform = perform
        self._moved = moved
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._flows: dict[tuple[str, str], Flow] = {}
        """Where each UDP binding was last."""
        self._asked: dict[str, tuple[str, str]] = {}
        registrations.on_register(self._changed)

    @property
    def deadline(self) -> float | None:
        return min((one.due for one in self._watched.values()), default=None)

    @property
    def n_watched(self) -> int:
        return len(self._watched)

    def handle_timeout(self, now: float) -> None:
        """Asks who is due."""
        for key, one in self._watched.items():
            if one.due > now + _AT_ONCE_S:
                continue
            one.due = now + self._interval_s
            host = self._local_name(one.flow)
            token, actions = self._stack.request(
                "OPTIONS",
                one.contact,
                flow=one.flow,
                from_=f"<sip:ping@{host}>",
                to=f"<{one.contact}>",
                now=now,
                route=one.route,
            )
            self._asked[token] = key
            self._perform(actions, now)

    def stop(self) -> None:
        """Nobody is asked any more."""
        self._watched.clear()

    def flow_failed(self, flow: Flow, now: float) -> None:
        """Nothing: a UDP destination that is out of reach is noticed by its silence."""

    def request_done(self, action: sip.RequestDone, now: float) -> bool:
        """Whether it was one of ours."""
        key = self._asked.pop(action.token, None)
        if key is None:
            return False
        one = self._watched.get(key)
        if one is None:
            return True
        if action.response is not None:
            one.has_answered, one.n_silent = True, 0
            return True
        one.n_silent += 1
        if one.has_answered and one.n_silent >= MAX_SILENT:
            log.info("x %s at %s:%d does not answer any more", one.number, one.flow.host, one.flow.port)
            self._registrations.lost(one.number, one.contact, now)
        return True

    def _changed(self, number: str, now: float) -> None:
        live: dict[str, Binding] = {}
        for binding in self._registrations.every_binding(number, now):
            if binding.flow.transport == "udp":
                live[binding.contact] = binding
        for key in [key for key in self._flows if key[0] == number and key[1] not in live]:
            del self._flows[key]
            self._watched.pop(key, None)
        for contact, binding in live.items():
            key = (number, contact)
            before = self._flows.get(key)
            self._flows[key] = binding.flow
            if before is not None and before != binding.flow:
                log.info("= %s comes from %s:%d now", number, binding.flow.host, binding.flow.port)
                self._moved(before, binding.flow, now)
            self._watch(key, binding, now)

    def _watch(self, key: tuple[str, str], binding: Binding, now: float) -> None:
        if not self._interval_s or binding.path or not _is_translated(binding):
            self._watched.pop(key, None)
            return
        one = self._watched.get(key)
        if one is None:
            self._watched[key] = _Watched(key[0], key[1], binding.flow, binding.path, now + self._interval_s)
        elif one.flow != binding.flow:
            one.flow, one.n_silent = binding.flow, 0


def _is_translated(binding: Binding) -> bool:
    """Whether the phone's own address is not the one its packets come from."""
    uri, flow = binding.uri, binding.flow
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    return is_behind_nat(host, flow) or (uri.port or 5060) != flow.port
