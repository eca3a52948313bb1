"""How campaigns stand, pushed: every second, when something of it has changed and somebody is told (OUT-20)."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from model.campaign_figures import share
from model.campaigns import Campaign
from model.declare import Event
from model.errors import NoSuchCampaign
from model.events_campaign import CampaignProgressChanged
from storage.campaign_records import RecordBook, RecordCounts
from storage.errors import UnavailableError
from switch.dialer import Dialer

if TYPE_CHECKING:
    from switch.app import App

INTERVAL_S = 1.0
COUNT_EVERY_S = 5.0


def make_board(app: "App") -> "CampaignBoard":
    core = app.core
    return CampaignBoard(
        core.dialer,
        core.directory.campaigns,
        app.storage.records,
        app.hub.publish,
        lambda: app.hub.stats.subscribers > 0,
        lambda: core.env.wall(core.dialer.now()),
    )


class CampaignBoard:
    """One per switch. `is_watched`: whether anybody is told events at all; `wall` tells UTC seconds."""

    def __init__(
        self,
        dialer: Dialer,
        campaigns: Mapping[str, Campaign],
        records: RecordBook,
        publish: Callable[[Event], None],
        is_watched: Callable[[], bool],
        wall: Callable[[], float],
    ) -> None:
        self._dialer = dialer
        self._campaigns = campaigns
        self._records = records
        self._publish = publish
        self._is_watched = is_watched
        self._wall = wall
        self._told: dict[str, CampaignProgressChanged] = {}
        self._counts: dict[str, tuple[float, RecordCounts | None]] = {}
        """When they were taken; None: the database did not say."""

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            if self._is_watched():
                await self.look()
            else:
                # Whoever comes next is told everything once.
                self._told.clear()

    async def look(self) -> None:
        """Tells what is other than it was told last."""
        for name in self._told.keys() - self._campaigns.keys():
            del self._told[name]
        for name in [*self._campaigns]:
            counts = await self._count(name)
            try:
                told = self._shown(name, counts)
            except NoSuchCampaign:
                # It is being removed.
                continue
            if self._told.get(name) != told:
                self._told[name] = told
                self._publish(told)

    async def _count(self, name: str) -> RecordCounts | None:
        now = self._dialer.now()
        at, counts = self._counts.get(name, (-COUNT_EVERY_S, None))
        if now >= at + COUNT_EVERY_S:
            try:
                counts = await self._records.counts(name)
            except UnavailableError:
                counts = None
            self._counts[name] = now, counts
        return counts

    def _shown(self, name: str, counts: RecordCounts | None) -> CampaignProgressChanged:
        live = self._dialer.engine.progress(name, self._dialer.now(), self._wall())
        return CampaignProgressChanged(
            campaign=name,
            state=live.state,
            n_records=counts.n_records if counts else None,
            n_called=counts.n_attempted if counts else None,
            n_connected=counts.n_answered if counts else None,
            n_lines=live.n_lines,
            n_ringing=live.n_ringing,
            n_waiting=live.n_waiting,
            n_talking=live.n_talking,
            n_agents=live.n_agents,
            n_idle=live.n_idle,
            occupancy=live.occupancy,
            answer_rate=round(live.answer_rate, 4),
            dial_level=share(live.n_lines, live.n_agents),
            abandon_rates={each.window: each.rate for each in live.abandoned},
            pacing=live.pacing,
        )
