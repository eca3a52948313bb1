"""The agent desk: who is signed in where, and what each agent may be offered now (FEATURES 4.2, AGT-01…18, XAGT-01…05).

Pure: inputs and `now` (monotonic seconds) in; inputs for the routing core and events out, in the order in which they
are to be told; one deadline. A call that rings or is up is never ended by what an agent wants to be.
"""

from collections.abc import Callable
from heapq import heappop
from typing import Any

import msgspec

from acd import desk_calls, desk_inputs, desk_links, desk_presence
from acd.desk_inputs import DeskInput
from acd.desk_room import Told
from acd.desk_state import DeskAgent, DeskState
from model.errors import NoSuchAgent


class AgentDesk:
    """Give it every input in the order in which things happened, and call `handle_timeout` at `deadline`."""

    def __init__(self, state: DeskState | None = None) -> None:
        self.state = state if state is not None else DeskState()

    @property
    def deadline(self) -> float | None:
        return self.state.timers[0][0] if self.state.timers else None

    def handle(self, told: DeskInput, now: float) -> list[Told]:
        """Raises NoSuchAgent, WrongState or InvalidValue, and then nothing has changed."""
        return _HANDLERS[type(told)](self.state, told, now)

    def handle_timeout(self, now: float) -> list[Told]:
        timers, out = self.state.timers, []
        while timers and timers[0][0] <= now:
            _, _, kind, agent_id, epoch = heappop(timers)
            agent = self.state.agents.get(agent_id)
            if agent is not None:
                out += _TIMERS[kind](self.state, agent, epoch, now)
        return out

    def find(self, agent_id: str) -> DeskAgent:
        """A signed-in agent. Raises NoSuchAgent."""
        agent = self.state.agents.get(agent_id)
        if agent is None:
            raise NoSuchAgent(f"agent {agent_id} is not signed in")
        return agent

    def at(self, extension: str) -> DeskAgent | None:
        """Who sits there."""
        return self.state.agents.get(self.state.by_extension.get(extension, ""))

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    @classmethod
    def restore(cls, snapshot: bytes) -> "AgentDesk":
        """Raises msgspec.ValidationError for what is no snapshot of this version."""
        return cls(msgspec.msgpack.decode(snapshot, type=DeskState))


_HANDLERS: dict[type, Callable[[DeskState, Any, float], list[Told]]] = {
    desk_inputs.SignIn: desk_presence.sign_in,
    desk_inputs.SeatKept: desk_presence.seat_kept,
    desk_inputs.SignOut: desk_presence.sign_out,
    desk_inputs.GoReady: desk_presence.go_ready,
    desk_inputs.GoNotReady: desk_presence.go_not_ready,
    desk_inputs.ClearNext: desk_presence.clear_next,
    desk_inputs.AgentSettingsChange: desk_presence.settings_change,
    desk_inputs.AgentRulesChange: desk_presence.rules_change,
    desk_inputs.DeskDayBegins: desk_presence.day_begins,
    desk_inputs.ClientLink: desk_links.client_link,
    desk_inputs.DeviceState: desk_links.device_state,
    desk_inputs.OfferBegins: desk_calls.offer_begins,
    desk_inputs.OfferRings: desk_calls.offer_rings,
    desk_inputs.OfferEnds: desk_calls.offer_ends,
    desk_inputs.ServedCall: desk_calls.served_call,
    desk_inputs.CampaignCall: desk_calls.campaign_call,
    desk_inputs.ResultGiven: desk_calls.result_given,
    desk_inputs.Activity: desk_calls.activity,
    desk_inputs.CallOver: desk_calls.call_over,
    desk_inputs.EndAcw: desk_calls.end_acw,
    desk_inputs.ExtendAcw: desk_calls.extend_acw,
}
_TIMERS: dict[str, Callable[[DeskState, DeskAgent, int, float], list[Told]]] = {
    "acw": desk_calls.acw_over,
    "overtime": desk_presence.overtime,
    "client": desk_links.client_missed,
    "device": desk_links.device_missed,
}
