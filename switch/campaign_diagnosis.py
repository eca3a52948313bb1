"""Why a campaign calls nobody, or not more (XOUT-12): what the dialler says, and what only the database and the trunks
know."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from control.auth import Caller
from model.campaign_views import Blocker
from model.campaigns import Campaign
from model.commands_campaign_view import BlockerView, CampaignDiagnosed, DiagnoseCampaign
from model.errors import NoSuchCampaign
from storage.campaign_records import RecordFilter
from storage.campaign_rows import OPEN
from storage.errors import UnavailableError
from switch import blocker_words as words
from switch.campaign_calls import as_dialed
from switch.config_trunks import Route
from switch.environment import Environment
from switch.routing import Origin, order_ways

if TYPE_CHECKING:
    from switch.app import App


class CampaignDiagnosis:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._directory = app.core.directory

    async def diagnose(self, command: DiagnoseCampaign, caller: Caller) -> CampaignDiagnosed:
        campaign = self._directory.campaigns.get(command.campaign)
        if campaign is None:
            raise NoSuchCampaign(f"no campaign {command.campaign}")
        dialer = self._app.core.dialer
        now = dialer.now()
        wall = self._app.core.env.wall(now)
        said = dialer.engine.diagnose(campaign.name, now, wall)
        live = dialer.engine.progress(campaign.name, now, wall)
        cap = self._directory.config.dialer.max_abandon_rate
        is_called_for = live.state == "running"
        found = [*self._database(said.blockers)] if is_called_for else []
        of_dialler = [words.shown(each, campaign, live, cap) for each in said.blockers]
        if is_called_for and campaign.mode == "preview":
            of_dialler.append(words.preview(live.n_agents))
        number = ""
        try:
            if not of_dialler or is_called_for or live.state == "completed":
                number, of_records = await self._records(campaign, wall)
                # Counted anew, and with those that the dialler has not looked at.
                of_dialler = [each for each in of_dialler if each.reason != "deferred"]
                if any(each.reason == "no_records" for each in of_dialler) or live.state == "completed":
                    of_dialler += of_records
        except UnavailableError as error:
            found = found or [words.database(str(error))]
        if is_called_for:
            found += ways_blocked(self._app.core.env, campaign, number, wall)
        return CampaignDiagnosed(
            campaign=campaign.name, state=live.state, at_utc=wall, blockers=_in_order([*found, *of_dialler])
        )

    def _database(self, said: list[Blocker]) -> Iterator[BlockerView]:
        state = self._app.storage.state
        if state.is_failing and all(each.reason != "database" for each in said):
            yield words.database(state.error)

    async def _records(self, campaign: Campaign, wall: float) -> tuple[str, list[BlockerView]]:
        """(a number that is to be called, what keeps the others)"""
        storage = self._app.storage
        waiting = await storage.records.find(RecordFilter(campaign=campaign.name, statuses=OPEN), limit=1)
        number = waiting.items[0].numbers[0].number if waiting.items and waiting.items[0].numbers else ""
        counts = await storage.records.counts(campaign.name)
        if not counts.n_records:
            return number, [words.no_lists()]
        deferred = await storage.evidence.deferred(campaign.name, wall)
        return number, [*words.waiting(deferred), *words.over(counts)]


def ways_blocked(env: Environment, campaign: Campaign, number: str, wall: float) -> Iterator[BlockerView]:
    """The trunks by which it would call `number` that cannot take a call now."""
    directory, dialed = env.directory, as_dialed(campaign, number, env)
    if campaign.trunks and dialed not in directory.extensions:
        route: Route | None = Route(name=campaign.name, pattern="X.", trunks=campaign.trunks)
    elif not number or dialed in directory.extensions:
        return
    else:
        route = directory.routes.find(dialed)
    if route is None:
        yield words.no_way(dialed)
        return
    for trunk in order_ways(directory, route, Origin(caller=campaign.caller_id, seed=campaign.name), wall):
        if not trunk.ways():
            yield words.trunk_down(trunk.config.name, trunk.state, trunk.reason)
        elif trunk.is_full:
            yield words.trunk_full(trunk.config.name, trunk.n_calls)


_FIRST = ("database", "trunk_down", "no_way", "trunk_full", "trunk_trouble")


def _in_order(blockers: list[BlockerView]) -> list[BlockerView]:
    """What is broken comes first; otherwise as they were found."""
    return sorted(blockers, key=lambda each: _FIRST.index(each.reason) if each.reason in _FIRST else len(_FIRST))
