"""Offers: made, answered, not taken, withdrawn; and the conversation that follows. One agent, one offer at a time."""

from acd.actions import Connect, Explanation, Offer, Withdraw, WithdrawReason
from acd.busy import look_at_busy
from acd.core import Core
from acd.inputs import OfferAnswered, OfferFailed, ServiceEnds
from acd.leaving import callback_changed, forget_if_empty, left, send_on
from acd.state import RETRY_S, RETURNED, AgentState, Entry, OfferState, Tally
from model.events_queue import OfferAccepted, OfferMade, OfferMissed, QueueEntryChanged

_KEPT_CONNECTS = 64


def make(
    core: Core,
    entry: Entry,
    agent: AgentState,
    call_rule: str,
    agent_rule: str,
    passed_over: list[tuple[str, str]],
    now: float,
) -> None:
    """Rings the agent for the entry."""
    queue = core.queues[entry.queue]
    settings = queue.settings
    pool = core.idle[entry.queue]
    position = core.position(entry)
    n_eligible = max(1, len(pool.members))
    if entry.state == "waiting" and settings.strategy != "ring_all":
        core.step_out(entry)
    core.take_out(agent, "offered")
    if queue.all_busy_at:
        look_at_busy(core, queue, now)
    queue.n_turns += 1
    if settings.strategy == "random":
        core.lot_chosen(agent, queue)
    tally = agent.tallies.get(entry.queue)
    if tally is None:
        tally = agent.tallies[entry.queue] = Tally()
    value = _value(agent, agent_rule, entry, tally, now)
    tally.turn = queue.n_turns
    offer_id = f"{entry.entry_id}:{core.next_serial()}"
    core.offers[offer_id] = OfferState(
        offer_id=offer_id, entry_id=entry.entry_id, agent_id=agent.agent_id, queue=entry.queue, made_at=now
    )
    agent.offer_id = offer_id
    entry.state = "offered"
    entry.offers.append(offer_id)
    waited_s = now - entry.enter_time
    why = Explanation(
        call_rule=call_rule,
        agent_rule=agent_rule,
        agent_value=value,
        position=position,
        waited_s=waited_s,
        n_waiting=queue.n_waiting,
        n_eligible=n_eligible,
        passed_over=tuple(passed_over),
    )
    core.out += (
        Offer(
            offer_id=offer_id,
            entry_id=entry.entry_id,
            call_id=entry.call_id,
            queue=entry.queue,
            agent_id=agent.agent_id,
            ring_timeout_s=settings.ring_timeout_s,
            is_callback=bool(entry.callback_number),
            why=why,
        ),
        OfferMade(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            offer_id=offer_id,
            queue=entry.queue,
            agent_id=agent.agent_id,
            waited_s=waited_s,
            position=position,
            call_rule=call_rule,
            agent_rule=agent_rule,
            agent_value=value,
        ),
    )


def _value(agent: AgentState, rule: str, entry: Entry, tally: Tally, now: float) -> str:
    match rule:
        case "longest_idle" | "ring_all" | "ring_progressively" | "only":
            return f"idle {now - agent.idle_since:.1f} s"
        case "fewest_calls":
            return f"answered {tally.answered} today"
        case "least_talk_time":
            return f"talked {tally.talk_s:.0f} s today"
        case "login_order":
            return f"signed in for {now - agent.signed_in_at:.0f} s"
        case "round_robin":
            return f"turn {tally.turn}"
        case "level":
            return f"level {agent.level_in(entry.queue)}"
        case "area":
            return agent.area
        case _:
            return ""


def answered(core: Core, told: OfferAnswered, now: float) -> None:
    offer = core.offers.get(told.offer_id)
    if offer is None:
        # Withdrawn while it was answered; whoever asks again is told again.
        core.out.append(Withdraw(told.offer_id, "lost_race"))
        return
    entry, agent = core.entries[offer.entry_id], core.agents[offer.agent_id]
    queue = core.queues[offer.queue]
    del core.offers[told.offer_id]
    entry.offers.remove(told.offer_id)
    core.step_out(entry)
    core.take_out(agent, "serving")
    agent.offer_id, agent.entry_id = "", entry.entry_id
    tally = agent.tallies[offer.queue] = agent.tallies.get(offer.queue) or Tally()
    tally.answered += 1
    entry.state, entry.agent_id = "connected", agent.agent_id
    # Nobody else rings for it any more when it is connected.
    for other in list(entry.offers):
        withdraw(core, other, "lost_race", now)
    waited_s, wait_s = now - entry.enter_time, now - entry.began
    core.out += (
        Connect(
            offer_id=told.offer_id,
            entry_id=entry.entry_id,
            call_id=entry.call_id,
            queue=offer.queue,
            agent_id=agent.agent_id,
            waited_s=waited_s,
        ),
        OfferAccepted(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            offer_id=told.offer_id,
            queue=offer.queue,
            agent_id=agent.agent_id,
            ring_s=now - offer.made_at,
            waited_s=waited_s,
        ),
    )
    if not entry.callback_number:
        queue.n_waiting -= 1
        _learn(queue.connects, now)
        queue.last_wait_s = wait_s
        if entry.predicted_s >= 0:
            queue.n_predicted += 1
            queue.squared_error += (wait_s - entry.predicted_s) ** 2
            queue.squared_error_of_head += (wait_s - max(0.0, entry.head_s)) ** 2
        core.out.append(left(entry, "connected", now, agent_id=agent.agent_id, was_ringing=True))
    look_at_busy(core, queue, now)


def _learn(connects: list[float], now: float) -> None:
    connects.append(now)
    if len(connects) > _KEPT_CONNECTS:
        del connects[0]


def failed(core: Core, told: OfferFailed, now: float) -> None:
    """He did not take it: the call is the next one to be served, by whoever is there (ACD-14, ACD-15)."""
    offer = core.offers.pop(told.offer_id, None)
    if offer is None:
        return
    entry, agent = core.entries[offer.entry_id], core.agents[offer.agent_id]
    entry.offers.remove(told.offer_id)
    agent.offer_id = ""
    entry.missed[agent.agent_id] = now
    penalty_s = core.queues[offer.queue].settings.no_answer_penalty_s
    core.arm(now + max(penalty_s, RETRY_S), "forgive", entry.entry_id)
    core.out.append(_missed(entry, offer, told.outcome, now))
    core.take_out(agent, "away")
    core.freed.append(agent)
    if not entry.offers:
        give_back(core, entry, now)


def give_back(core: Core, entry: Entry, now: float) -> None:
    """Nobody rings for it any more: to the very front, or where it goes when its time is up."""
    entry.state = "waiting"
    queue = core.queues[entry.queue]
    if entry.is_overdue or queue.state == "closed":
        send_on(core, entry, entry.overdue_reason or "closed", now)
        return
    core.lines[entry.queue].remove(entry.entry_id)
    entry.rank = min(entry.rank, RETURNED)
    core.stand(entry)
    core.out.append(
        QueueEntryChanged(
            call_id=entry.call_id,
            entry_id=entry.entry_id,
            queue=entry.queue,
            change="returned",
            position=core.position(entry),
        )
    )
    core.unserved.append(entry)


def withdraw(core: Core, offer_id: str, reason: WithdrawReason, now: float) -> None:
    """Stops ringing; the agent is free for another call."""
    offer = core.offers.pop(offer_id)
    entry, agent = core.entries[offer.entry_id], core.agents[offer.agent_id]
    entry.offers.remove(offer_id)
    agent.offer_id = ""
    core.take_out(agent, "away")
    core.freed.append(agent)
    core.out += (Withdraw(offer_id, reason), _missed(entry, offer, reason, now))


def service_ends(core: Core, told: ServiceEnds, now: float) -> None:
    entry = core.entries.get(told.entry_id)
    if entry is None or entry.state != "connected":
        return
    del core.entries[told.entry_id]
    agent = core.agents.get(entry.agent_id)
    if agent is not None and agent.entry_id == entry.entry_id:
        agent.entry_id = ""
        tally = agent.tallies.get(entry.queue)
        if tally is not None:
            tally.talk_s += told.talk_s
        if agent.state == "serving":
            core.take_out(agent, "away")
            agent.why = "acw"
            agent.takes_inbound = agent.takes_outbound = False
    if entry.callback_number:
        core.out.append(callback_changed(entry, "done"))
    forget_if_empty(core, entry.queue)


def _missed(entry: Entry, offer: OfferState, outcome: str, now: float) -> OfferMissed:
    return OfferMissed(
        call_id=entry.call_id,
        entry_id=entry.entry_id,
        offer_id=offer.offer_id,
        queue=offer.queue,
        agent_id=offer.agent_id,
        outcome=outcome,
        ring_s=now - offer.made_at,
    )
