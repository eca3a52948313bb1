"""Attempts in flight: which there are, and whom they need."""

from dialer.state import PENDING, CampaignRun, Core, Live


def lives_for(core: Core, run: CampaignRun) -> list[Live]:
    """Attempts that need the same as the campaign's own: the same agents, or nothing but its lines."""
    return lives_of_queue(core, run.campaign.queue) if run.needs_agents else list(run.live.values())


def lives_of_queue(core: Core, queue: str) -> list[Live]:
    """Paced attempts of all campaigns whose customers the agents of the queue speak to."""
    return [live for run in core.with_queue(queue) for live in run.live.values() if live.is_paced]


def n_free_agents(core: Core, run: CampaignRun, lives: list[Live]) -> int:
    """Idle agents, less those for whom somebody waits already."""
    floor = core.floor_of(run)
    if floor is None:
        return 0
    return floor.seen.n_idle - floor.seen.n_inbound_waiting - sum(live.phase == "waiting" for live in lives)


def add(core: Core, run: CampaignRun, live: Live) -> None:
    attempt = live.attempt
    core.live[attempt.attempt_id] = run.live[attempt.attempt_id] = live
    core.in_flight[attempt.number] = attempt.attempt_id


def remove(core: Core, run: CampaignRun, live: Live) -> None:
    attempt = live.attempt
    core.live.pop(attempt.attempt_id, None)
    run.live.pop(attempt.attempt_id, None)
    core.in_flight.pop(attempt.number, None)


def n_pending(core: Core) -> int:
    return sum(live.phase in PENDING for live in core.live.values())
