"""The state of the routing core with its indexes and timers; what an input may do to it is in the modules beside."""

import math
from collections import deque
from heapq import heappop, heappush

from acd.actions import AcdAction
from acd.idle import IdleAgents
from acd.lines import Demand, Lines
from acd.state import AcdState, AgentState, Entry, QueueState

_MASK = (1 << 64) - 1


class Core:
    """`state` is all that is kept; the rest follows from it."""

    def __init__(self, state: AcdState) -> None:
        self.state = state
        self.rules = state.rules
        self.queues = state.queues
        self.agents = state.agents
        self.entries = state.entries
        self.offers = state.offers
        self.out: list[AcdAction] = []
        self.freed: deque[AgentState] = deque()
        self.unserved: deque[Entry] = deque()
        """Whom this input has left to be matched; `acd.matching.settle` does it at its end."""
        self.lines: dict[str, Lines] = {}
        self.idle: dict[str, IdleAgents] = {}
        self.n_agents: dict[str, int] = {}
        """Signed in, by queue."""
        self.present: dict[str, set[str]] = {}
        """Of these, who count as there."""
        self.changed: list[AgentState] = []
        """Agents whose state this input has changed, while that can change who is there."""
        self.has_lots = False
        """Some queue leaves the choice to chance."""
        self.has_absences = False
        """Some queue says which signed-in agents do not count as there."""
        self.preferring: dict[str, list[str]] = {}
        """Agent -> entries that are his for a while."""
        for name in self.queues:
            self.index_queue(name)
        for entry in self.entries.values():
            self._index_entry(entry)

    # -- indexes -------------------------------------------------------------------------------------------------------

    def index_queue(self, name: str) -> None:
        """Makes the queue's indexes anew, without its entries."""
        queue = self.queues[name]
        self.lines[name] = Lines()
        pool = self.idle[name] = IdleAgents(queue.settings)
        self.n_agents[name] = 0
        present = self.present[name] = set()
        self.has_lots = any(each.settings.strategy == "random" for each in self.queues.values())
        self.has_absences = any(each.settings.limits.absent for each in self.queues.values())
        for agent in self.agents.values():
            if any(each.queue == name for each in agent.queues):
                self.n_agents[name] += 1
                if is_present(agent, queue):
                    present.add(agent.agent_id)
                if agent.state == "idle":
                    if name not in agent.lots:
                        self.draw_lot(agent, name)
                    pool.add(agent)

    def _index_entry(self, entry: Entry) -> None:
        if entry.state == "waiting":
            if entry.preferred:
                for agent_id in entry.preferred:
                    self.preferring.setdefault(agent_id, []).append(entry.entry_id)
            else:
                self.stand(entry)
        elif entry.state == "offered" and self.queues[entry.queue].settings.strategy == "ring_all":
            self.stand(entry)

    def reindex_queue(self, name: str) -> None:
        """After its settings changed."""
        self.index_queue(name)
        for entry in self.entries.values():
            if entry.queue == name and not entry.preferred:
                self._index_entry(entry)

    def stand(self, entry: Entry) -> None:
        """Puts it in its line."""
        step_s = self.queues[entry.queue].settings.priority_step_s
        self.lines[entry.queue].add(entry.entry_id, demand_of(entry), entry.key(step_s))

    def step_out(self, entry: Entry) -> None:
        """Takes it out of the line, or of the hands of those it was kept for."""
        self.lines[entry.queue].remove(entry.entry_id)
        if entry.preferred:
            self.unprefer(entry)

    def unprefer(self, entry: Entry) -> None:
        """It is everybody's from now on."""
        for agent_id in entry.preferred:
            kept = self.preferring.get(agent_id, [])
            if entry.entry_id in kept:
                kept.remove(entry.entry_id)
                if not kept:
                    del self.preferring[agent_id]
        entry.preferred = ()

    def position(self, entry: Entry) -> int:
        """1 = next."""
        step_s = self.queues[entry.queue].settings.priority_step_s
        return self.lines[entry.queue].n_before(entry.key(step_s)) + 1

    # -- idle agents ---------------------------------------------------------------------------------------------------

    def set_idle(self, agent: AgentState) -> None:
        """He can be chosen from now on."""
        agent.state = "idle"
        agent.epoch += 1
        self.note(agent)
        for each in agent.queues:
            pool = self.idle.get(each.queue)
            if pool is not None:
                pool.add(agent)

    def take_out(self, agent: AgentState, state: str) -> None:
        """He cannot."""
        if agent.state == "idle":
            for each in agent.queues:
                pool = self.idle.get(each.queue)
                if pool is not None:
                    pool.remove(agent)
        agent.state = state
        agent.epoch += 1
        self.note(agent)

    def note(self, agent: AgentState) -> None:
        """His state, or why he is away, has changed."""
        if self.has_absences:
            self.changed.append(agent)

    def draw_lot(self, agent: AgentState, name: str) -> None:
        """His place among the idle of a queue with the random strategy: exponential, from the lot chosen last.

        An exponential law has no memory: what is left of the lots of those who wait longer is as long as a new one, so
        everybody is as likely to be the next, and nobody is passed over for an unlucky lot of long ago.
        """
        queue = self.queues.get(name)
        if queue is not None and queue.settings.strategy == "random":
            begin = queue.clocks.get(self._lot_level(agent, queue), 0.0)
            agent.lots[name] = begin - math.log((self.draw() + 1) / 2**64)

    def lot_chosen(self, agent: AgentState, queue: QueueState) -> None:
        level = self._lot_level(agent, queue)
        lot = agent.lots.get(queue.settings.name, 0.0)
        queue.clocks[level] = max(queue.clocks.get(level, 0.0), lot)

    def _lot_level(self, agent: AgentState, queue: QueueState) -> int:
        """Those who are compared by their lots have one clock."""
        return agent.level_in(queue.settings.name) if "level" in queue.settings.prefer else 0

    def draw(self) -> int:
        """The next lot: splitmix64 (Steele, Lea, Flood 2014) of seed and serial."""
        z = (self.state.seed + self.next_serial() * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def next_serial(self) -> int:
        self.state.serial += 1
        return self.state.serial

    # -- timers --------------------------------------------------------------------------------------------------------

    def arm(self, at: float, kind: str, name: str) -> None:
        """One more timer; nothing cancels it, whoever it wakes looks whether it still matters."""
        timers = self.state.timers
        heappush(timers, (at, self.next_serial(), kind, name))
        if len(timers) > 1000 and len(timers) > 8 * (len(self.entries) + len(self.queues)):
            living = [timer for timer in timers if timer[3] in self.entries or timer[3] in self.queues]
            # A sorted list is a heap.
            timers[:] = sorted(living)

    def due(self, now: float) -> tuple[float, int, str, str] | None:
        timers = self.state.timers
        return heappop(timers) if timers and timers[0][0] <= now else None


def demand_of(entry: Entry) -> Demand:
    return (entry.is_outbound, entry.skills)


def is_present(agent: AgentState, queue: QueueState) -> bool:
    """Whether the agent counts as there (XACD-09)."""
    return agent.state != "away" or agent.why not in queue.settings.limits.absent
