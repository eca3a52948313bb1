"""Who serves whom: the agent for a call, and the call for an agent who has become free (DIALER-ACD §4).

After every input there is no idle agent left who could take a call that waits, but for those it is kept from for a
moment: `RETRY_S` after he did not take it, and the reserve for inbound calls.
"""

from collections.abc import Iterable

from acd.actions import CallBack
from acd.busy import look_at_busy
from acd.core import Core, demand_of
from acd.idle import is_able
from acd.limits import recheck_presence
from acd.lines import Ticket
from acd.offers import make
from acd.state import NORMAL, RANKS, RETRY_S, VIP, AgentState, Entry, QueueState
from model.events_queue import QueueCallbackChanged

_Choice = tuple[int, float, float, float, str]


def settle(core: Core, now: float) -> None:
    """Matches whom the input has left: first calls, then agents."""
    while core.unserved or core.freed:
        while core.unserved:
            entry = core.unserved.popleft()
            if entry.state == "waiting" and entry.entry_id in core.entries:
                match_entry(core, entry, now)
        if core.freed:
            agent = core.freed.popleft()
            is_free = agent.state == "away" and agent.is_ready and core.agents.get(agent.agent_id) is agent
            if is_free and not match_agent(core, agent, now):
                core.set_idle(agent)
                _look_at_queues_of(core, agent, now)
    if core.changed:
        recheck_presence(core, now)


def _look_at_queues_of(core: Core, agent: AgentState, now: float) -> None:
    """With one more idle agent not all are busy, and an outbound call may take one (ACD-16)."""
    for each in agent.queues:
        queue = core.queues.get(each.queue)
        if queue is None:
            continue
        if queue.all_busy_at:
            look_at_busy(core, queue, now)
        if queue.settings.is_reserve_strict and _is_beyond_reserve(core, queue, 0):
            for (is_outbound, _), line in core.lines[each.queue].by_demand.items():
                if is_outbound and (ticket := line.first()) is not None:
                    core.unserved.append(core.entries[ticket[3]])


def match_entry(core: Core, entry: Entry, now: float) -> None:
    """Finds an agent for a call that waits, if there is an idle one."""
    queue = core.queues[entry.queue]
    if not core.idle[entry.queue].members:
        look_at_busy(core, queue, now)
        return
    if not may_be_served(core, entry, queue) or _is_enough_called(core, entry, queue, 0):
        return
    found = choose_agent(core, entry, queue, now)
    if found is None:
        _retry_later(core, entry, now)
        return
    agent, rule, passed_over = found
    give(core, entry, agent, "only" if not queue.n_turns else "oldest", rule, passed_over, now)


def give(
    core: Core,
    entry: Entry,
    agent: AgentState,
    call_rule: str,
    agent_rule: str,
    passed_over: list[tuple[str, str]],
    now: float,
) -> None:
    """Offers the call to the agent, and to the others whom the strategy rings as well."""
    if entry.callback_number and core.queues[entry.queue].settings.callback.first == "customer":
        call_back(core, entry)
        # A call that is there already may have the agent meanwhile; who answers is the next one then.
        if agent.state == "away":
            core.freed.appendleft(agent)
        return
    queue = core.queues[entry.queue]
    strategy = queue.settings.strategy
    make(core, entry, agent, call_rule, agent_rule, passed_over, now)
    if strategy == "ring_all":
        for other in core.idle[entry.queue].able(demand_of(entry)):
            if not is_blocked(entry, other.agent_id, now):
                make(core, entry, other, call_rule, "ring_all", [], now)
    elif strategy == "ring_progressively" and len(entry.offers) == 1:
        core.arm(now + queue.settings.ring_step_s, "ring_more", entry.entry_id)


def ring_more(core: Core, entry: Entry, now: float) -> None:
    """ring_progressively: one more agent beside those who ring."""
    if entry.state != "offered":
        return
    queue = core.queues[entry.queue]
    core.arm(now + queue.settings.ring_step_s, "ring_more", entry.entry_id)
    found = choose_agent(core, entry, queue, now)
    if found is not None:
        make(core, entry, found[0], "only", found[1], found[2], now)


def match_agent(core: Core, agent: AgentState, now: float) -> bool:
    """Finds a call for an agent who is free and not yet among the idle; False when there is none."""
    kept = core.preferring.get(agent.agent_id)
    if kept:
        for entry_id in kept:
            entry = core.entries[entry_id]
            if is_able(agent, demand_of(entry)) and not is_blocked(entry, agent.agent_id, now):
                give(core, entry, agent, "only", "preferred", [], now)
                return True
    found = choose_call(core, agent, now)
    if found is None:
        return False
    entry, rule = found
    agent_rule = "only"
    if agent.agent_id == entry.dedicated_agent and core.queues[entry.queue].settings.has_dedicated_agent:
        agent_rule = "dedicated"
    give(core, entry, agent, rule, agent_rule, [], now)
    return True


# -- the agent for a call ----------------------------------------------------------------------------------------------


def choose_agent(
    core: Core, entry: Entry, queue: QueueState, now: float
) -> tuple[AgentState, str, list[tuple[str, str]]] | None:
    """(agent, the rule that put him first, who was passed over and why); None when nobody is idle for it."""
    pool = core.idle[entry.queue]
    demand = demand_of(entry)
    missed = entry.missed
    passed_over = [(agent_id, "did not take this call") for agent_id in missed if agent_id in pool.members]
    settings = queue.settings
    if settings.has_dedicated_agent and entry.dedicated_agent:
        agent = pool.members.get(entry.dedicated_agent)
        if agent is not None and entry.dedicated_agent not in missed and is_able(agent, demand):
            return agent, "dedicated", passed_over
        passed_over.append((entry.dedicated_agent, _why_not(core, entry.dedicated_agent)))
    if entry.preferred:
        for agent_id in entry.preferred:
            agent = pool.members.get(agent_id)
            if agent is not None and agent_id not in missed and is_able(agent, demand):
                return agent, "preferred", passed_over
        return None
    found = _best(core, entry, queue, missed, passed_over)
    if found is None and missed:
        blocked = {agent_id for agent_id in missed if is_blocked(entry, agent_id, now)}
        found = _best(core, entry, queue, blocked, passed_over)
    return (*found, passed_over[:8]) if found is not None else None


def _best(
    core: Core,
    entry: Entry,
    queue: QueueState,
    without: dict[str, float] | set[str],
    passed_over: list[tuple[str, str]],
) -> tuple[AgentState, str] | None:
    """By the preferences in their order, then the strategy. The best of all is the best of three: the last agent, the
    first of the caller's area, the first of everybody."""
    pool, demand = core.idle[entry.queue], demand_of(entry)
    top = pool.best(demand, without)
    if top is None:
        return None
    prefer = queue.settings.prefer
    rivals = [top]
    if "last_agent" in prefer and entry.last_agent and entry.last_agent != top.agent_id:
        last = pool.members.get(entry.last_agent)
        if last is not None and entry.last_agent not in without and is_able(last, demand):
            rivals.append(last)
        else:
            passed_over.append((entry.last_agent, _why_not(core, entry.last_agent)))
    if "area" in prefer and entry.area and top.area != entry.area:
        near = pool.best(demand, without, entry.area)
        if near is not None:
            rivals.append(near)
    if len(rivals) == 1:
        return top, _single_rule(entry, queue, top, len(pool.members))

    def merits(agent: AgentState) -> tuple[float, ...]:
        figures: list[float] = []
        for rule in prefer:
            if rule == "last_agent":
                figures.append(agent.agent_id != entry.last_agent)
            elif rule == "area":
                figures.append(agent.area != entry.area)
            else:
                figures.append(-agent.level_in(entry.queue))
        return tuple(figures)

    # `top` comes first: of equals it is the one the strategy names.
    ranked = sorted(rivals, key=merits)
    best, second = merits(ranked[0]), merits(ranked[1])
    rule = next((name for name, a, b in zip(prefer, best, second, strict=True) if a != b), queue.settings.strategy)
    return ranked[0], rule


def _single_rule(entry: Entry, queue: QueueState, top: AgentState, n_idle: int) -> str:
    if n_idle == 1:
        return "only"
    prefer = queue.settings.prefer
    if "last_agent" in prefer and top.agent_id == entry.last_agent:
        return "last_agent"
    if "area" in prefer and entry.area and top.area == entry.area:
        return "area"
    return queue.settings.strategy


def _why_not(core: Core, agent_id: str) -> str:
    agent = core.agents.get(agent_id)
    if agent is None:
        return "signed out"
    return {"away": agent.why, "offered": "rings for another call", "serving": "on a call"}.get(agent.state, "not able")


# -- the call for an agent ---------------------------------------------------------------------------------------------


def choose_call(core: Core, agent: AgentState, now: float) -> tuple[Entry, str] | None:
    """The call he shall serve and the rule that put it before the other queues' heads."""
    best: _Choice | None = None
    second: _Choice | None = None
    chosen = ""
    is_urgent = core.rules.is_service_level_routed
    queues, all_lines = core.queues, core.lines
    for membership in agent.queues:
        name = membership.queue
        lines = all_lines.get(name)
        if lines is None or not lines.by_demand:
            continue
        settings = queues[name].settings
        for demand, line in lines.by_demand.items():
            if not is_able(agent, demand):
                continue
            ticket = line.first()
            if ticket is None or (demand[0] and not _is_beyond_reserve(core, queues[name], 1)):
                continue
            entry = core.entries[ticket[3]]
            if (entry.missed or entry.offers or entry.callback_number) and not _is_for(core, entry, agent.agent_id):
                entry_or_none = _next_for(core, line, agent.agent_id, now)
                if entry_or_none is None:
                    continue
                entry = entry_or_none
            urgency = -(now - entry.began) / max(settings.service_level_s, 1.0) if is_urgent else 0.0
            # Who rings already, or did not get this agent to answer, comes after everybody else.
            behind = 10 if entry.offers or agent.agent_id in entry.missed else 0
            since = ticket[1] if ticket[3] == entry.entry_id else entry.key(settings.priority_step_s)[1]
            choice: _Choice = (entry.rank + behind, -settings.weight, urgency, since, name)
            if best is None or choice < best:
                best, second, chosen = choice, best, entry.entry_id
            elif second is None or choice < second:
                second = choice
    if best is None:
        return None
    entry = core.entries[chosen]
    return entry, _call_rule(core, entry, best, second)


def _call_rule(core: Core, entry: Entry, best: _Choice, second: _Choice | None) -> str:
    if second is not None:
        if best[0] != second[0]:
            return "aged" if entry.is_aged and entry.rank == VIP else RANKS[entry.rank]
        for name, a, b in zip(("weight", "service_level"), best[1:3], second[1:3], strict=True):
            if a != b:
                return name
        return "oldest"
    if len(core.lines[entry.queue]) == 1:
        return "only"
    if entry.rank != NORMAL:
        return "aged" if entry.is_aged and entry.rank == VIP else RANKS[entry.rank]
    return "priority" if entry.priority else "oldest"


def _next_for(core: Core, line: Iterable[Ticket], agent_id: str, now: float) -> Entry | None:
    """The first in the line that he may be rung for; one that he missed, or that rings already, when no other is."""
    fallback = None
    for ticket in line:
        entry = core.entries[ticket[3]]
        if _is_enough_called(core, entry, core.queues[entry.queue], 1):
            continue
        if is_blocked(entry, agent_id, now) or any(core.offers[offer].agent_id == agent_id for offer in entry.offers):
            continue
        if not entry.offers and agent_id not in entry.missed:
            return entry
        fallback = fallback or entry
    return fallback


def _is_for(core: Core, entry: Entry, agent_id: str) -> bool:
    if entry.offers or agent_id in entry.missed:
        return False
    return not _is_enough_called(core, entry, core.queues[entry.queue], 1)


def _is_enough_called(core: Core, entry: Entry, queue: QueueState, n_more: int) -> bool:
    """Customer first: as many are rung already as agents are idle, `n_more` of them not counted yet."""
    if not entry.callback_number or queue.settings.callback.first != "customer":
        return False
    return queue.n_calling >= len(core.idle[entry.queue].members) + n_more


def is_blocked(entry: Entry, agent_id: str, now: float) -> bool:
    at = entry.missed.get(agent_id)
    return at is not None and now < at + RETRY_S


def _retry_later(core: Core, entry: Entry, now: float) -> None:
    """Agents are idle and none may be rung for it: some of them soon may again. Who may already and still is not able
    (he takes no such calls) is not waited for: the timer would be due at once, for ever."""
    members = core.idle[entry.queue].members
    blocked = [at for agent_id, at in entry.missed.items() if agent_id in members and is_blocked(entry, agent_id, now)]
    if blocked:
        core.arm(min(blocked) + RETRY_S, "retry", entry.entry_id)


def may_be_served(core: Core, entry: Entry, queue: QueueState) -> bool:
    return not entry.is_outbound or _is_beyond_reserve(core, queue, 0)


def _is_beyond_reserve(core: Core, queue: QueueState, n_more: int) -> bool:
    """Whether an outbound call may take an agent (ACD-16): with `n_more` of them not counted among the idle yet."""
    settings = queue.settings
    return not settings.is_reserve_strict or core.idle[settings.name].n_inbound + n_more > settings.reserve


def call_back(core: Core, entry: Entry) -> None:
    """Customer first: his turn has come."""
    core.step_out(entry)
    entry.state = "calling"
    core.queues[entry.queue].n_calling += 1
    entry.n_attempts += 1
    core.out.append(CallBack(entry_id=entry.entry_id, call_id=entry.call_id, number=entry.callback_number))
    core.out.append(
        QueueCallbackChanged(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            queue=entry.queue,
            state="calling",
            attempt=entry.n_attempts,
        )
    )
