"""Formulas of FEATURES 4.7: sums become the figures that are shown. Shares are of sums, never means of shares."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec.structs import asdict

from acd.metrics import AgentFigures, Metrics
from model.commands_metrics import AgentMetrics, GroupMetrics, QueueMetrics, WorkMetrics

TALK = ("on_call", "consult", "conference")
HANDLING = (*TALK, "hold", "acw")
RINGING = ("reserved", "ringing")


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def csat(rated: Mapping[str, int]) -> float | None:
    """Satisfied of those who pressed a key that means something."""
    n = sum(rated.get(each, 0) for each in ("satisfied", "neutral", "dissatisfied"))
    return share(rated.get("satisfied", 0), n)


def queue_metrics(metrics: Metrics, queue: str, agents: Mapping[str, int], at_utc: float) -> QueueMetrics:
    f, waiting = metrics.queue(queue), metrics.waiting.get(queue, {})
    oldest_ms = min(waiting.values(), default=0)
    waits_ms = f.wait_answered_ms + f.wait_abandoned_ms + f.wait_flowed_ms
    n_left = f.answered + f.abandoned + f.flowed_out
    return QueueMetrics(
        queue=queue,
        carried=f.carried,
        offered=f.offered,
        answered=f.answered,
        abandoned=f.abandoned,
        abandoned_short=f.abandoned_short,
        flowed_out=f.flowed_out,
        flowed=dict(f.flowed),
        waiting=len(waiting),
        longest_wait_current_s=max(0, round(at_utc * 1000) - oldest_ms) / 1000 if waiting else 0.0,
        longest_wait_s=f.longest_wait_ms / 1000,
        answer_rate=share(f.answered, f.offered),
        abandon_rate=share(f.abandoned, f.offered),
        abandon_rate_without_short=share(f.abandoned - f.abandoned_short, f.offered - f.abandoned_short),
        asa_s=share(f.wait_answered_ms / 1000, f.answered),
        avg_queue_time_s=share(waits_ms / 1000, n_left),
        avg_abandon_time_s=share(f.wait_abandoned_ms / 1000, f.abandoned),
        sl1=share(f.answered_in_time, f.answered),
        sl2=share(f.answered_in_time + f.abandoned_in_time, f.answered + f.abandoned),
        sl3=share(f.answered_in_time, f.offered),
        sl4=share(f.answered_in_time, f.offered - f.abandoned_short),
        offers=f.offers,
        offers_accepted=f.offers_accepted,
        no_answer_rate=share(f.missed.get("no_answer", 0), f.offers),
        missed=dict(f.missed),
        ring_s=f.ring_ms / 1000,
        handled=f.handled,
        transferred=f.transferred,
        aht_s=share((f.talk_ms + f.hold_ms + f.acw_ms) / 1000, f.handled),
        att_s=share(f.talk_ms / 1000, f.handled),
        avg_hold_s=share(f.hold_ms / 1000, f.handled),
        avg_acw_s=share(f.acw_ms / 1000, f.handled),
        rated=dict(f.rated),
        csat=csat(f.rated),
        agents=dict(agents),
    )


def group_metrics(metrics: Metrics, group: str, members: Iterable[str], at_utc: float) -> GroupMetrics:
    """Sums of the agents who belong to it; shares are of the sums."""
    whole, states = AgentFigures(), Counter[str]()
    states_ms: dict[str, int] = {}
    for agent_id in members:
        _add(whole, metrics.agent(agent_id))
        for state, ms in metrics.state_ms(agent_id, at_utc).items():
            states_ms[state] = states_ms.get(state, 0) + ms
        now = metrics.now.get(agent_id)
        states[now.state if now else "offline"] += 1
    return GroupMetrics(group=group, agents=dict(states), **asdict(_work(whole, states_ms)))


def _add(whole: AgentFigures, part: AgentFigures) -> None:
    for name in AgentFigures.__struct_fields__:
        mine, others = getattr(whole, name), getattr(part, name)
        if isinstance(mine, dict):
            for key, n in others.items():
                mine[key] = mine.get(key, 0) + n
        else:
            setattr(whole, name, mine + others)


def agent_metrics(metrics: Metrics, agent_id: str, at_utc: float) -> AgentMetrics:
    now = metrics.now.get(agent_id)
    return AgentMetrics(
        agent_id=agent_id,
        state=now.state if now else "offline",
        reason=now.reason if now else "",
        state_s=max(0, round(at_utc * 1000) - now.since_ms) / 1000 if now else 0.0,
        **asdict(_work(metrics.agent(agent_id), metrics.state_ms(agent_id, at_utc))),
    )


def _work(f: AgentFigures, states_ms: Mapping[str, int]) -> WorkMetrics:

    def spent(states: tuple[str, ...]) -> int:
        return sum(states_ms.get(state, 0) for state in states)

    handling_ms, signin_ms, n = spent(HANDLING), sum(states_ms.values()), sum(f.handled.values())
    return WorkMetrics(
        sign_ins=f.sign_ins,
        signin_s=signin_ms / 1000,
        states_s={state: ms / 1000 for state, ms in states_ms.items()},
        not_ready_s={reason: ms / 1000 for reason, ms in f.not_ready_ms.items()},
        not_ready_n=dict(f.not_ready_n),
        occupancy=share(handling_ms, handling_ms + states_ms.get("available", 0)),
        utilization=share(handling_ms + spent(RINGING), signin_ms),
        utilization_talk=share(spent(TALK), signin_ms),
        offers=f.offers,
        offers_accepted=f.offers_accepted,
        missed=dict(f.missed),
        no_answer_rate=share(f.missed.get("no_answer", 0), f.offers),
        ring_s=f.ring_ms / 1000,
        handled=dict(f.handled),
        transferred=f.transferred,
        talk_s=f.talk_ms / 1000,
        hold_s=f.hold_ms / 1000,
        acw_s=f.acw_ms / 1000,
        aht_s=share((f.talk_ms + f.hold_ms + f.acw_ms) / 1000, n),
        att_s=share(f.talk_ms / 1000, n),
        rated=dict(f.rated),
        csat=csat(f.rated),
    )
