"""A small contact centre for tests of single rules: queues, agents who answer or do not, calls, and a clock."""

from acd.actions import Connect, Offer, SendOn
from acd.engine import AcdEngine
from acd.inputs import (
    AcdInput,
    AgentReady,
    AgentSignsIn,
    CallEnters,
    OfferAnswered,
    OfferFailed,
    QueueChanges,
    ServiceEnds,
)
from model.agents import Membership
from model.queues import Queue


class Room:
    """`agents` are signed in and ready in the order given; each serves every queue."""

    def __init__(self, *queues: Queue, agents: str = "", seed: int = 5, **agent: object) -> None:
        self.engine = AcdEngine(seed=seed)
        self.now = 0.0
        self.queues = queues
        self.offers: list[Offer] = []
        self.sent: list[SendOn] = []
        self.connects: list[Connect] = []
        self.told: list[object] = []
        self.n = 0
        for queue in queues:
            self.tell(QueueChanges(queue))
        for agent_id in agents.split():
            self.now += 1.0
            self.sign_in(agent_id, **agent)

    def sign_in(self, agent_id: str, *, is_ready: bool = True, **fields: object) -> None:
        served = tuple(Membership(queue=queue.name) for queue in self.queues)
        self.tell(AgentSignsIn(agent_id=agent_id, **{"queues": served, **fields}))  # type: ignore[arg-type]
        if is_ready:
            self.tell(AgentReady(agent_id))

    def tell(self, told: AcdInput) -> list[object]:
        return self._note(self.engine.handle(told, self.now))

    def wait(self, seconds: float) -> list[object]:
        """Time passes; every timer is served when it is due."""
        end = self.now + seconds
        said: list[object] = []
        while self.engine.deadline is not None and self.engine.deadline <= end:
            self.now = max(self.now, self.engine.deadline)
            said += self._note(self.engine.handle_timeout(self.now))
        self.now = end
        return said

    def call(self, queue: str = "", **fields: object) -> str:
        self.n += 1
        entry_id = f"e{self.n}"
        self.tell(
            CallEnters(entry_id=entry_id, call_id=f"c{self.n}", queue=queue or self.queues[0].name, **fields)  # type: ignore[arg-type]
        )
        return entry_id

    def served(self, **fields: object) -> str:
        """A call comes, is answered, and is over: who had it."""
        entry_id = self.call(**fields)
        agent_id = self.answer(entry_id)
        self.tell(ServiceEnds(entry_id, 10.0))
        self.now += 1.0
        self.tell(AgentReady(agent_id))
        return agent_id

    def answer(self, entry_id: str) -> str:
        offer = self.offer_of(entry_id)
        self.tell(OfferAnswered(offer.offer_id))
        return offer.agent_id

    def miss(self, entry_id: str, outcome: str = "no_answer") -> str:
        offer = self.offer_of(entry_id)
        self.tell(OfferFailed(offer.offer_id, outcome))  # type: ignore[arg-type]
        return offer.agent_id

    def offer_of(self, entry_id: str) -> Offer:
        """The live one."""
        live = self.engine.state.offers
        return next(offer for offer in self.offers if offer.entry_id == entry_id and offer.offer_id in live)

    def rings(self, entry_id: str) -> list[str]:
        """Agents who are rung for it."""
        live = self.engine.state.offers
        return [each.agent_id for each in self.offers if each.entry_id == entry_id and each.offer_id in live]

    def order(self, queue: str = "") -> list[str]:
        return [entry.entry_id for entry in self.engine.waiting(queue or self.queues[0].name)]

    def _note(self, said: list) -> list[object]:
        self.told += said
        self.offers += [each for each in said if isinstance(each, Offer)]
        self.sent += [each for each in said if isinstance(each, SendOn)]
        self.connects += [each for each in said if isinstance(each, Connect)]
        return said
