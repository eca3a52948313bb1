"""Campaigns by API: set up, start, stop. First the database is changed, then memory, then the dialler is told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from dialer.inputs import CampaignChanges, CampaignRemoved, CampaignStarts, CampaignStops
from model import commands_campaign as campaigns
from model import errors, views
from model.campaigns import Campaign
from model.commands_campaign import CampaignDetail, CampaignList, CampaignView
from model.declare import Command
from model.partial import merged
from storage.errors import UnavailableError
from switch.centre_store import Sources
from switch.config_campaigns import campaign_problem
from switch.settings_store import SettingsStore
from switch.sources import source_problem

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App", lock: asyncio.Lock) -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    """`lock`: of all who change the centre."""
    admin = CampaignsAdmin(app, lock)
    return {
        campaigns.ListCampaigns: admin.list,
        campaigns.GetCampaign: admin.get,
        campaigns.CreateCampaign: admin.create,
        campaigns.UpdateCampaign: admin.update,
        campaigns.DeleteCampaign: admin.delete,
        campaigns.StartCampaign: admin.start,
        campaigns.StopCampaign: admin.stop,
    }


class CampaignsAdmin:
    def __init__(self, app: "App", lock: asyncio.Lock) -> None:
        self._app = app
        self._lock = lock
        self._directory = app.core.directory
        self._dialer = app.core.dialer
        self._store = SettingsStore(app.storage.settings)
        self._sources = Sources(app.config)

    def list(self, command: campaigns.ListCampaigns, caller: Caller) -> CampaignList:
        return CampaignList(campaigns=[self._view(name) for name in sorted(self._directory.campaigns)])

    def get(self, command: campaigns.GetCampaign, caller: Caller) -> CampaignDetail:
        return self._detail(self._find(command.campaign).name)

    async def create(self, command: campaigns.CreateCampaign, caller: Caller) -> CampaignDetail:
        name = command.campaign
        async with self._lock:
            if name in self._directory.campaigns:
                raise errors.AlreadyExists(f"campaign {name} exists")
            await self._keep(merged(Campaign(name=name), command.settings))
            return self._detail(name)

    async def update(self, command: campaigns.UpdateCampaign, caller: Caller) -> CampaignDetail:
        name = command.campaign
        async with self._lock:
            await self._keep(merged(self._changeable(name), command.settings))
            return self._detail(name)

    async def delete(self, command: campaigns.DeleteCampaign, caller: Caller) -> views.Done:
        name = command.campaign
        async with self._lock:
            campaign = self._changeable(name)
            # Raises WrongState while it runs.
            self._dialer.ask(CampaignRemoved(name))
            try:
                await self._store.forget(f"campaign:{name}")
                await self._app.storage.records.remove_campaign(name)
                await self._app.storage.campaigns.remove_state(name)
            except (errors.StorageUnavailable, UnavailableError) as error:
                self._dialer.ask(CampaignChanges(campaign))
                raise errors.StorageUnavailable(str(error)) from None
            self._directory.campaigns.pop(name, None)
            return views.Done()

    def start(self, command: campaigns.StartCampaign, caller: Caller) -> CampaignView:
        name = self._find(command.campaign).name
        self._dialer.ask(CampaignStarts(campaign=name, by=caller.user))
        return self._view(name)

    def stop(self, command: campaigns.StopCampaign, caller: Caller) -> CampaignView:
        name = self._find(command.campaign).name
        self._dialer.ask(CampaignStops(campaign=name, by=caller.user))
        return self._view(name)

    async def _keep(self, campaign: Campaign) -> None:
        directory = self._directory
        keys, problem = campaign_problem(
            campaign,
            self._app.config.dialer,
            queues=directory.queues.keys(),
            calendars=directory.office.almanacs.keys(),
            ways=directory.trunks.keys() | directory.trunk_groups.keys(),
            flows=directory.flows,
            boxes=directory.boxes,
        )
        for key in ("abandon_message", "machine_message"):
            for source in getattr(campaign, key):
                if not problem and (problem := source_problem(source, directory.prompts)):
                    keys = [key]
        if problem:
            raise errors.InvalidValue(f"campaign {campaign.name}: {problem}", field=".".join(keys))
        await self._store.put(f"campaign:{campaign.name}", campaign)
        directory.campaigns[campaign.name] = campaign
        self._dialer.ask(CampaignChanges(campaign))

    def _view(self, name: str) -> CampaignView:
        campaign, now = self._directory.campaigns[name], self._dialer.live(name)
        return CampaignView(
            campaign=name,
            title=campaign.title,
            mode=campaign.mode,
            state=now.state,
            why=now.reason,
            queue=campaign.queue,
            n_calls=now.n_lines,
            source=self._sources.source(f"campaign:{name}"),
        )

    def _detail(self, name: str) -> CampaignDetail:
        return CampaignDetail(campaign=name, now=self._view(name), settings=self._directory.campaigns[name])

    def _find(self, name: str) -> Campaign:
        campaign = self._directory.campaigns.get(name)
        if campaign is None:
            raise errors.NoSuchCampaign(f"no campaign {name}")
        return campaign

    def _changeable(self, name: str) -> Campaign:
        campaign = self._find(name)
        self._sources.check_changeable(f"campaign:{name}")
        return campaign
