"""What wallboards show, pushed: figures of queues that have changed, every two seconds (XSUP-01)."""

import asyncio
import time
from collections.abc import Callable

from acd.metrics import Metrics
from acd.metrics_views import queue_metrics
from model.declare import Event
from model.events_metrics import QueueFiguresChanged
from switch.floor import Floor
from switch.metrics import agents_by_state

INTERVAL_S = 2.0


class Wallboard:
    """One per switch. `is_watched`: whether anybody is told events at all."""

    def __init__(
        self, floor: Floor, metrics: Metrics, publish: Callable[[Event], None], is_watched: Callable[[], bool]
    ) -> None:
        self._floor = floor
        self._metrics = metrics
        self._publish = publish
        self._is_watched = is_watched
        self._told: dict[str, QueueFiguresChanged] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            if self._is_watched():
                self.look(time.time())
            else:
                # Whoever comes next is told everything once.
                self._told.clear()

    def look(self, now_utc: float) -> None:
        """Tells what is other than it was told last; a wait that only grows is none."""
        self._metrics.advance(now_utc)
        states = agents_by_state(self._floor, self._metrics)
        engine = self._floor.centre.engine
        for name in engine.state.queues:
            figures = queue_metrics(self._metrics, name, states.get(name, {}), now_utc)
            told = QueueFiguresChanged(
                queue=name,
                waiting=figures.waiting,
                waiting_since_utc=min(self._metrics.waiting.get(name, {}).values(), default=0) / 1000,
                offered=figures.offered,
                answered=figures.answered,
                abandoned=figures.abandoned,
                flowed_out=figures.flowed_out,
                service_level=figures.sl3,
                asa_s=figures.asa_s,
                available=engine.n_idle(name),
                agents=figures.agents,
            )
            if self._told.get(name) != told:
                self._told[name] = told
                self._publish(told)
