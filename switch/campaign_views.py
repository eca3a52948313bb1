"""How campaigns stand (OUT-10, OUT-20, OUT-23): totals and rates of their records from the database, what they do at
this moment from the dialler."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from control.auth import Caller
from model import commands_campaign_view as views
from model import errors
from model.campaign_figures import (
    AttemptFigures,
    RecordFigures,
    abandon_limit,
    record_figures,
    share,
    zone_of_days,
)
from model.campaigns import Campaign, CampaignState
from model.commands_campaign_view import AgentProgress, CampaignProgress, GetProgress, ListProgress
from model.declare import Command
from storage.attempts import AttemptTotals
from storage.campaign_records import RecordCounts
from switch.campaign_diagnosis import CampaignDiagnosis
from switch.campaign_evidence import CampaignEvidences
from switch.campaign_lookup import CampaignLookup, readable
from switch.days import midnight

if TYPE_CHECKING:
    from switch.app import App

PACE_S = 3600.0
LEAST_CLOSED = 10
"""Records finished within `PACE_S`: of fewer nothing is concluded."""
DAYS_30_S = 30 * 86_400.0


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    lookup = CampaignLookup(app)
    return {
        views.GetProgress: CampaignProgresses(app).progress,
        views.ListNumbers: lookup.numbers,
        views.ListAttempts: lookup.attempts,
        views.ReadPacing: lookup.pacing,
        views.DiagnoseCampaign: CampaignDiagnosis(app).diagnose,
        views.ReportCompliance: CampaignEvidences(app).report,
    }


class CampaignProgresses:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._storage = app.storage
        self._directory = app.core.directory

    async def progress(self, command: GetProgress, caller: Caller) -> CampaignProgress:
        campaign = self._directory.campaigns.get(command.campaign)
        if campaign is None:
            raise errors.NoSuchCampaign(f"no campaign {command.campaign}")
        dialer = self._app.core.dialer
        now = dialer.now()
        wall = self._app.core.env.wall(now)
        live = dialer.engine.progress(campaign.name, now, wall)
        zone = ZoneInfo(zone_of_days(campaign, self._directory.config.numbering.time_zone))
        today_utc = midnight(wall, zone, 0)
        with readable():
            counts = await self._storage.records.counts(campaign.name)
            totals = await self._storage.attempts.totals([wall - DAYS_30_S, today_utc, wall + 1.0], campaign.name)
            pace_utc = max(wall - PACE_S, live.since_utc)
            n_closed = await self._storage.evidence.n_closed(campaign.name, pace_utc)
            lists = await self._lists(campaign) if "list" in command.by else []
            agents = await self._agents(campaign, wall) if "agent" in command.by else []
        left_s, why = time_left(live.state, counts.n_open, n_closed, wall - pace_utc)
        return CampaignProgress(
            campaign=campaign.name,
            title=campaign.title,
            mode=campaign.mode,
            state=live.state,
            at_utc=wall,
            records=figures_of_records(counts),
            today=figures_of_attempts([each for each in totals if each.start_utc == today_utc]),
            days_30=figures_of_attempts(totals),
            live=live,
            hit_rate=campaign.assumed_answer_rate or live.answer_rate,
            dial_level=share(live.n_lines, live.n_agents),
            max_abandon_rate=abandon_limit(campaign, self._directory.config.dialer.max_abandon_rate),
            left_s=left_s,
            left_why=why,
            lists=lists,
            agents=agents,
        )

    async def _lists(self, campaign: Campaign) -> list[ListProgress]:
        return [
            ListProgress(
                list_name=each.list_name,
                created_utc=each.created_utc,
                n_records=each.n_records,
                n_called=each.n_attempted,
                n_delivered=each.n_connected,
                n_open=each.n_open,
                called_rate=share(each.n_attempted, each.n_records),
            )
            for each in await self._storage.records.lists(campaign.name)
        ]

    async def _agents(self, campaign: Campaign, wall: float) -> list[AgentProgress]:
        owned = await self._storage.records.counts_by_owner(campaign.name)
        had = {
            each.agent_id: each
            for each in await self._storage.attempts.agent_totals(wall - DAYS_30_S, wall + 1.0, campaign.name)
        }
        deals = {each.code for each in campaign.dispositions if each.effect == "success"}
        found = []
        for agent_id in sorted({*owned, *had} - {""}):
            records, attempts = owned.get(agent_id, RecordCounts()), had.get(agent_id)
            said = {code: n for code, n in attempts.dispositions.items() if code} if attempts else {}
            found.append(
                AgentProgress(
                    agent_id=agent_id,
                    n_records=records.n_records,
                    n_called=records.n_attempted,
                    n_attempts=attempts.n_attempts if attempts else 0,
                    n_connected=attempts.n_connected if attempts else 0,
                    n_deals=sum(n for code, n in said.items() if code in deals),
                    talk_s=attempts.talk_s if attempts else 0.0,
                    dispositions=said,
                )
            )
        return found


def figures_of_records(counts: RecordCounts) -> RecordFigures:
    return record_figures(
        n_records=counts.n_records,
        n_called=counts.n_attempted,
        n_connected=counts.n_answered,
        n_delivered=counts.n_connected,
        n_open=counts.n_open,
        by_status=dict(sorted(counts.by_status.items())),
    )


def figures_of_attempts(totals: Sequence[AttemptTotals]) -> AttemptFigures:
    """Of several intervals together."""

    def n(name: str) -> int:
        return sum(getattr(each, name) for each in totals)

    talk_s, ring_s = sum(each.talk_s for each in totals), sum(each.ring_s for each in totals)
    names = ("attempts", "answered", "live", "connected", "dropped", "machines", "busy", "no_answer", "failed")
    return AttemptFigures(
        **{f"n_{name}": n(f"n_{name}") for name in names},
        talk_s=talk_s,
        contact_rate=share(n("n_live"), n("n_attempts")),
        drop_rate=share(n("n_dropped"), n("n_live")),
        avg_talk_s=share(talk_s, n("n_connected")),
        avg_ring_s=share(ring_s, n("n_answered")),
    )


def time_left(state: CampaignState, n_open: int, n_closed: int, within_s: float) -> tuple[float | None, str]:
    """(seconds of calling, why that cannot be said), at the pace at which `n_closed` records were finished."""
    if state != "running":
        return None, "not_running"
    if not n_open:
        return 0.0, ""
    if n_closed < LEAST_CLOSED:
        return None, "too_few"
    return n_open / n_closed * within_s, ""
