"""What one decision of predictive pacing costs, on a floor of 1,000 agents as the dialler of the switch tells it."""

import time

import numpy as np

from dialer import modes
from dialer.simulation import Floor, Simulation
from dialer.simulation_pacers import Engine, snapshot_of
from dialer.simulation_world import World
from dialer.snapshot import PacingConfig, PacingSnapshot

_WARM_UP_S = 60.0
"""By then the agents are busy and the model knows the answer rate."""


class _Timed(Engine):
    def __init__(self) -> None:
        super().__init__(PacingConfig())
        self.took_ms: list[float] = []

    def dials(self, floor: Floor) -> int:
        told = snapshot_of(floor)
        # Ages come as plain sequences, as the switch has them.
        snapshot = PacingSnapshot(
            at_utc=told.at_utc,
            idle_agents=told.idle_agents,
            talk_ages=tuple(np.asarray(told.talk_ages).tolist()),
            wrap_ages=tuple(np.asarray(told.wrap_ages).tolist()),
            ringing_ages=tuple(np.asarray(told.ringing_ages).tolist()),
            answered_waiting=told.answered_waiting,
            lines_in_use=told.lines_in_use,
        )
        began = time.perf_counter()
        decision = modes.plan(floor.now, snapshot, self.model, self.config, self.ledger)
        if floor.now > _WARM_UP_S:
            self.took_ms.append(1000.0 * (time.perf_counter() - began))
        return decision.n_dials


def plan_ms(length_s: float, n_agents: int = 1000) -> tuple[float, float, int]:
    """Median, 99 of 100, and of how many decisions."""
    pacer = _Timed()
    Simulation(World(n_agents=n_agents, length_s=length_s), pacer, 1).run()
    return float(np.percentile(pacer.took_ms, 50)), float(np.percentile(pacer.took_ms, 99)), len(pacer.took_ms)
