"""Looks at the measures of queues once a second, tells alarms, and shows those that are on."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from acd.alarms import Alarms, Standing, Values
from acd.metrics import Metrics
from acd.metrics_views import share
from control.auth import Caller
from model.alarms import AlarmRule
from model.campaign_views import CampaignLive
from model.declare import Command, Event
from model.errors import NoSuchAlarm
from model.events_alarm import AcknowledgeAlarm, AlarmList, AlarmView, ListAlarms
from switch.floor import Floor

if TYPE_CHECKING:
    from switch.app import App

INTERVAL_S = 1.0


class AlarmWatch:
    """One per switch."""

    def __init__(
        self,
        rules: Iterable[AlarmRule],
        floor: Floor,
        metrics: Metrics,
        publish: Callable[[Event], None],
        campaigns: Callable[[str], list[CampaignLive]],
    ) -> None:
        """`campaigns`: those of a queue, as they are."""
        self.alarms = Alarms(rules)
        self._campaigns = campaigns
        self._floor = floor
        self._metrics = metrics
        self._publish = publish

    async def run(self) -> None:
        """For ever; nothing without rules."""
        while self.alarms.rules:
            await asyncio.sleep(INTERVAL_S)
            self.look(time.time())

    def look(self, now_utc: float) -> None:
        """Tells what began and what is over."""
        self._metrics.advance(now_utc)
        signed_in: Counter[str] = Counter()
        for desk in self._floor.centre.desk.state.agents.values():
            if desk.mode != "unbound":
                signed_in.update(each.queue for each in desk.agent.queues)
        names = self._floor.centre.engine.state.queues
        queues = {name: self._values(name, signed_in[name], now_utc) for name in names}
        for event in self.alarms.look(queues, self._floor.now()):
            self._publish(event)

    def _values(self, queue: str, n_signed_in: int, now_utc: float) -> Values:
        figures, waiting = self._metrics.queue(queue), self._metrics.waiting.get(queue, {})
        oldest_ms = min(waiting.values(), default=0)
        campaigns = self._campaigns(queue)
        return {
            "waiting": float(len(waiting)),
            "longest_wait_s": now_utc - oldest_ms / 1000 if waiting else 0.0,
            "abandon_rate": share(figures.abandoned, figures.offered),
            "service_level": share(figures.answered_in_time, figures.offered),
            "available": float(self._floor.centre.engine.n_idle(queue)),
            "signed_in": float(n_signed_in),
            "campaign_abandon_rate": _highest_rate(campaigns),
            "campaigns_idle": float(sum(map(_is_idle, campaigns))),
        }

    # -- commands ------------------------------------------------------------------------------------------------------

    def list(self, command: ListAlarms, caller: Caller | None) -> AlarmList:
        now = self._floor.now()
        on = [(key, standing) for key, standing in self.alarms.standing.items() if standing.raised_at is not None]
        on.sort(key=lambda pair: (pair[1].raised_at, pair[0]))
        return AlarmList(alarms=[self._view(key, standing, now) for key, standing in on])

    def acknowledge(self, command: AcknowledgeAlarm, caller: Caller) -> AlarmView:
        key = (command.alarm, command.queue)
        standing = self.alarms.standing.get(key)
        if standing is None or standing.raised_at is None:
            raise NoSuchAlarm(f"alarm {command.alarm} is not on at queue {command.queue}")
        standing.acknowledged_by = caller.user
        return self._view(key, standing, self._floor.now())

    def _view(self, key: tuple[str, str], standing: Standing, now: float) -> AlarmView:
        rule = self.alarms.rules[key[0]]
        return AlarmView(
            alarm=rule.name,
            queue=key[1],
            measure=rule.measure,
            value=standing.value,
            limit=rule.limit,
            severity=rule.severity,
            since_s=now - (standing.raised_at or now),
            acknowledged_by=standing.acknowledged_by,
        )


def _highest_rate(campaigns: list[CampaignLive]) -> float | None:
    """Of those of whom anybody has answered, but for the rates of their whole life, which say little of now."""
    windows = [each for live in campaigns for each in live.abandoned if each.window != "life" and each.n_answered]
    return max((each.rate for each in windows), default=None)


def _is_idle(live: CampaignLive) -> bool:
    # Lines beyond those are attempts that the database has not taken yet.
    is_silent = not live.n_ringing + live.n_waiting + live.n_talking
    return live.state == "running" and is_silent and live.n_idle > 0 and live.n_hopper + live.n_lines > 0


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    return {ListAlarms: app.alarms.list, AcknowledgeAlarm: app.alarms.acknowledge}
