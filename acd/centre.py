"""The routing core and the agent desk as one machine: what one says, the other is told in the right order.

An offer is known to the desk before it is performed; an agent who does not answer is not ready before his call is
offered to somebody; who takes a call is busy before anything else is decided. Pure.
"""

from collections.abc import Sequence

from acd.actions import AcdAction, Connect, Offer, Withdraw
from acd.desk import AgentDesk
from acd.desk_inputs import DeskInput, OfferBegins, OfferEnds, ServedCall
from acd.engine import AcdEngine
from acd.inputs import AcdInput, OfferFailed
from model.declare import Event
from model.queues import WrapUp

_DESK = frozenset(DeskInput.__args__)


class Centre:
    """`handle` takes inputs of both. Actions are to be performed in their order; events are the log."""

    def __init__(self, engine: AcdEngine, desk: AgentDesk) -> None:
        self.engine = engine
        self.desk = desk
        self._agents = {offer.offer_id: offer.agent_id for offer in engine.state.offers.values()}

    @property
    def deadline(self) -> float | None:
        ours = [each for each in (self.engine.deadline, self.desk.deadline) if each is not None]
        return min(ours, default=None)

    def handle(self, told: AcdInput | DeskInput, now: float) -> list[AcdAction]:
        """Raises what `AcdEngine.handle` and `AgentDesk.handle` raise, and then nothing has changed."""
        out: list[AcdAction] = []
        self._feed(told, now, out)
        return out

    def handle_timeout(self, now: float) -> list[AcdAction]:
        out: list[AcdAction] = []
        self._from_engine(self.engine.handle_timeout(now), now, out)
        self._from_desk(self.desk.handle_timeout(now), now, out)
        return out

    def agent_of(self, offer_id: str) -> str:
        """Whom a live offer rings; "" when it is over."""
        return self._agents.get(offer_id, "")

    def _feed(self, told: AcdInput | DeskInput, now: float, out: list[AcdAction]) -> None:
        if type(told) in _DESK:
            self._from_desk(self.desk.handle(told, now), now, out)  # type: ignore[arg-type]
            return
        if type(told) is OfferFailed and (agent_id := self._agents.pop(told.offer_id, "")):
            ended = OfferEnds(agent_id, told.offer_id, told.outcome)
            self._from_desk(self.desk.handle(ended, now), now, out)
        self._from_engine(self.engine.handle(told, now), now, out)  # type: ignore[arg-type]

    def _from_desk(self, said: Sequence[AcdInput | Event], now: float, out: list[AcdAction]) -> None:
        for each in said:
            if isinstance(each, Event):
                out.append(each)
            else:
                self._from_engine(self.engine.handle(each, now), now, out)

    def _from_engine(self, actions: Sequence[AcdAction], now: float, out: list[AcdAction]) -> None:
        for action in actions:
            kind = type(action)
            if kind is Offer:
                self._offered(action, now, out)  # type: ignore[arg-type]
            elif kind is Withdraw:
                out.append(action)
                self._withdrawn(action, now, out)  # type: ignore[arg-type]
            elif kind is Connect:
                out.append(action)
                self._connected(action, now, out)  # type: ignore[arg-type]
            else:
                out.append(action)

    def _offered(self, offer: Offer, now: float, out: list[AcdAction]) -> None:
        self._agents[offer.offer_id] = offer.agent_id
        begins = OfferBegins(
            agent_id=offer.agent_id,
            offer_id=offer.offer_id,
            entry_id=offer.entry_id,
            call_id=offer.call_id,
            queue=offer.queue,
        )
        self._from_desk(self.desk.handle(begins, now), now, out)
        out.append(offer)

    def _withdrawn(self, withdraw: Withdraw, now: float, out: list[AcdAction]) -> None:
        agent_id = self._agents.pop(withdraw.offer_id, "")
        if agent_id:
            ended = OfferEnds(agent_id, withdraw.offer_id, withdraw.reason)
            self._from_desk(self.desk.handle(ended, now), now, out)

    def _connected(self, connect: Connect, now: float, out: list[AcdAction]) -> None:
        self._agents.pop(connect.offer_id, None)
        queue = self.engine.state.queues.get(connect.queue)
        served = ServedCall(
            agent_id=connect.agent_id,
            offer_id=connect.offer_id,
            entry_id=connect.entry_id,
            call_id=connect.call_id,
            queue=connect.queue,
            wrap_up=queue.settings.wrap_up if queue is not None else WrapUp(),
        )
        self._from_desk(self.desk.handle(served, now), now, out)
