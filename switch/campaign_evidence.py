"""How campaigns called, by day, held against the rules (XOUT-02): what is shown to who asks for evidence.

It is counted from the attempts in the database, not from what the dialler believes; only `windows` are its own.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from msgspec.structs import asdict, replace

from control.auth import Caller
from dialer.contact_hours import ContactHours, closed_days
from model import errors
from model.campaign_figures import FORMULAS, CallingFigures, abandon_limit, add_up, faults_of, share, zone_of_days
from model.campaign_views import AbandonWindow
from model.campaigns import LEAST_RING_S, Campaign
from model.commands_campaign_view import CallingDayView, CampaignEvidence, EvidenceReport, ReportCompliance
from storage.evidence import CallingDay, CallingMinute
from switch.campaign_lookup import readable
from switch.days import midnight

if TYPE_CHECKING:
    from switch.app import App

MAX_DAYS = 31
USUAL_DAYS = 30
WINDOW_DAYS = 30
_AT_ONCE = 500
"""Minutes looked at between two looks at other work."""
T = TypeVar("T")


class CampaignEvidences:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._storage = app.storage
        self._directory = app.core.directory

    async def report(self, command: ReportCompliance, caller: Caller) -> EvidenceReport:
        campaigns = self._directory.campaigns
        if command.campaign and command.campaign not in campaigns:
            raise errors.NoSuchCampaign(f"no campaign {command.campaign}")
        names = [command.campaign] if command.campaign else sorted(campaigns)
        wall = self._app.core.env.wall(self._app.core.dialer.now())
        end_utc = min(command.end_utc or wall, wall)
        start_utc = command.start_utc or end_utc - (USUAL_DAYS - 1) * 86_400.0
        if end_utc < start_utc:
            raise errors.InvalidValue("end_utc must come after start_utc", field="end_utc")
        made = []
        with readable():
            for name in names:
                campaign = campaigns.get(name)
                if campaign is None:
                    # It was removed while another was counted.
                    continue
                made.append(await self._of_campaign(campaign, start_utc, end_utc, wall, command.contact_hours))
        return EvidenceReport(
            start_utc=start_utc,
            end_utc=end_utc,
            made_utc=wall,
            campaigns=made,
            formulas=FORMULAS,
            is_clean=not any(each.faults for each in made),
        )

    async def _of_campaign(
        self, campaign: Campaign, start_utc: float, end_utc: float, wall: float, hours: str
    ) -> CampaignEvidence:
        config = self._directory.config
        zone = zone_of_days(campaign, config.numbering.time_zone)
        false_rate = campaign.amd_false_rate if campaign.detects_machines else 0.0
        limit = abandon_limit(campaign, self._cap)
        days = await self._days(campaign, _midnights(start_utc, end_utc, ZoneInfo(zone)), hours, false_rate)
        views = [_day_view(days[: i + 1], ZoneInfo(zone)) for i in range(WINDOW_DAYS - 1, len(days))]
        total = add_up([figures for _, figures in days[WINDOW_DAYS - 1 :]])
        counts = await self._storage.records.counts(campaign.name)
        return CampaignEvidence(
            campaign=campaign.name,
            title=campaign.title,
            mode=campaign.mode,
            zone=zone,
            max_abandon_rate=limit,
            legal_cap=self._cap,
            patience_s=campaign.patience_s,
            least_ring_s=LEAST_RING_S,
            contact_hours=hours or campaign.contact_hours,
            retry_min_s=campaign.retry_min_s,
            no_redial_after_drop_s=campaign.no_redial_after_drop_s,
            amd_false_rate=false_rate,
            total=total,
            days=views,
            windows=self._windows(campaign.name, wall),
            n_dnc=counts.by_status.get("dnc", 0),
            faults=[*faults_of(total), *(f"abandon_rate {each.day}" for each in views if is_over(each, limit))],
        )

    async def _days(
        self, campaign: Campaign, boundaries: Sequence[float], hours: str, false_rate: float
    ) -> list[tuple[float, CallingFigures]]:
        """By beginning; of the days before the period only how many answered and were abandoned counts."""
        evidence, shown = self._storage.evidence, boundaries[WINDOW_DAYS - 1 :]
        days = await evidence.days(campaign.name, boundaries)
        too_soon = await evidence.too_soon(
            campaign.name, shown, least_s=campaign.retry_min_s, ban_s=campaign.no_redial_after_drop_s
        )
        minutes = await evidence.minutes(campaign.name, shown[0], shown[-1])
        outside = await self._outside(campaign, hours, minutes, shown)
        return [
            (
                day.start_utc,
                replace(
                    figures_of_day(day, false_rate),
                    n_too_soon=too_soon.get(day.start_utc, 0),
                    n_outside_hours=outside.get(day.start_utc, 0),
                ),
            )
            for day in days
        ]

    def _windows(self, campaign: str, wall: float) -> list[AbandonWindow]:
        dialer = self._app.core.dialer
        try:
            return dialer.engine.progress(campaign, dialer.now(), wall).abandoned
        except errors.NoSuchCampaign:
            # It is being removed.
            return []

    @property
    def _cap(self) -> float:
        return self._directory.config.dialer.max_abandon_rate

    async def _outside(
        self, campaign: Campaign, hours: str, minutes: Sequence[CallingMinute], boundaries: Sequence[float]
    ) -> dict[float, int]:
        """How many calls began outside, by the beginning of the day. Raises InvalidValue."""
        calendar = campaign.contact_calendar
        known = self._directory.office.almanacs.get(calendar) if calendar else None
        held = replace(campaign, contact_hours=hours) if hours else campaign
        try:
            allowed = ContactHours(
                held, closed_days(known.calendar if known else None), self._directory.config.numbering.time_zone
            )
        except ValueError as error:
            raise errors.InvalidValue(str(error), field="contact_hours") from None
        found: dict[float, int] = {}
        for i, each in enumerate(minutes):
            if i % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            if not allowed.is_open(each.zone, each.minute_utc):
                day = max(at for at in boundaries if at <= each.minute_utc)
                found[day] = found.get(day, 0) + each.n
        return found


def figures_of_day(day: CallingDay, false_rate: float) -> CallingFigures:
    """Of one day alone; `false_rate`: share of the verdicts "machine" that are people."""
    counted: Mapping[str, float] = {name: value for name, value in asdict(day).items() if name != "start_utc"}
    as_people = day.n_machines * false_rate
    rate = share(day.n_dropped + as_people, day.n_live)
    return CallingFigures(**counted, n_machines_as_people=as_people, abandon_rate=rate)  # type: ignore[arg-type]


def _day_view(days: Sequence[tuple[float, CallingFigures]], zone: ZoneInfo) -> CallingDayView:
    """Of the last of `days`."""
    start_utc, figures = days[-1]
    return CallingDayView(
        **asdict(figures),
        day=datetime.fromtimestamp(start_utc, zone).date().isoformat(),
        abandon_rate_30_days=add_up([each for _, each in days[-WINDOW_DAYS:]]).abandon_rate,
    )


def is_over(day: CallingDayView, limit: float) -> bool:
    """Whether more were abandoned than allowed: on that day, or in the 30 that end with it."""
    rates = (day.abandon_rate, day.abandon_rate_30_days)
    return any(rate is not None and rate > limit + 1e-9 for rate in rates)


def _midnights(start_utc: float, end_utc: float, zone: ZoneInfo) -> list[float]:
    """Of the days asked for, of the 29 before, and of the end. Raises InvalidValue for too many."""
    first = midnight(start_utc, zone, 0)
    days: list[float] = []
    while not days or days[-1] <= end_utc:
        if len(days) > MAX_DAYS:
            raise errors.InvalidValue(f"{MAX_DAYS} days at most: ask for a shorter period", field="start_utc")
        days.append(midnight(first + 3600.0, zone, len(days)))
    before = [midnight(first + 3600.0, zone, -n) for n in range(WINDOW_DAYS - 1, 0, -1)]
    return [*before, *days]
