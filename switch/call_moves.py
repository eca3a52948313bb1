"""Performs what takes legs from one port or call to another. Part of the runtime; holds no policy."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from model import media
from switch import actions as act

if TYPE_CHECKING:
    from switch.runtime import Runtime


class CallMoves:
    """`table`: what it performs, by class, as the runtime's own."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self.table: dict[type, Callable[[Any, float], None]] = {
            act.RelocateLeg: self._relocate,
            act.JoinCalls: self._join,
            act.LetGoAbsorbed: self._let_go_absorbed,
        }

    def _relocate(self, action: act.RelocateLeg, now: float) -> None:
        runtime = self._runtime
        found = runtime.find(action.call_id, action.leg_id)
        if found is None or not found[1].is_up:
            return
        actions, told = runtime.legs.moves.relocate(*found, now)
        runtime.perform_sip(actions, now)
        for event in told:
            runtime.dispatch(event, now)

    def _join(self, action: act.JoinCalls, now: float) -> None:
        runtime = self._runtime
        first = runtime.find(action.call_id, action.leg_id)
        second = runtime.find(action.other_call_id, action.other_leg_id)
        if first is not None and second is not None:
            runtime.perform(runtime.calls.join(*first, *second, action.refer, now), now)

    def _let_go_absorbed(self, action: act.LetGoAbsorbed, now: float) -> None:
        runtime = self._runtime
        into = runtime.calls.find(action.into_call_id)
        if into is not None:
            runtime.legs.moves.rehome(into)
        runtime.pool.send(action.worker, media.ReleaseSession(action.call_id))
        for worker, port in action.ports:
            runtime.pool.free_port(worker, port, now)
        for record in list(runtime.recordings.values()):
            if record.call_id == action.call_id:
                runtime.perform([msgspec.structs.replace(record, call_id=action.into_call_id)], now)
