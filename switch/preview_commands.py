"""Handlers of `model.commands_preview`: agents see their records, dial them, and say how it went."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import commands_preview as preview
from model import errors
from model.commands_preview import AgentFigures, AgentFiguresList, DialedRecord, OwnRecords, RecordSheet
from model.declare import Command
from model.dialing import CampaignRecord
from storage.attempts import AgentAttempts
from storage.campaign_records import RecordFilter
from switch.asking import asked
from switch.days import zone_of
from switch.distribution_desk import DistributionDesk
from switch.metrics_history import interval_end
from switch.preview_desk import TO_CALL
from switch.record_sheets import card_of, number_shown, sheet_of

if TYPE_CHECKING:
    from switch.app import App

MOST_INTERVALS = 100
_INTERVAL_S = {"hour": 3600.0, "day": 86_400.0}
_STATUSES: dict[str, tuple[str, ...]] = {
    "to_call": TO_CALL,
    "callbacks": ("callback",),
    "done": ("connected", "done", "failed", "dnc"),
    "all": (),
}


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk, handlers = DistributionDesk(app), PreviewCommands(app)
    return {
        preview.ListShares: desk.shares,
        preview.DistributeRecords: desk.distribute,
        preview.ReassignRecords: desk.reassign,
        preview.TakeBackRecords: desk.take_back,
        preview.ListOwnRecords: handlers.mine,
        preview.NextRecord: handlers.next,
        preview.PickRecord: handlers.pick,
        preview.OpenRecord: handlers.open,
        preview.DialRecord: handlers.dial,
        preview.GiveResult: handlers.result,
        preview.CampaignAgents: handlers.figures,
    }


class PreviewCommands:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._desk = app.preview
        self._work = app.campaign_work
        self._storage = app.storage
        self._directory = app.core.directory

    async def mine(self, command: preview.ListOwnRecords, caller: Caller) -> OwnRecords:
        criteria = RecordFilter(
            owner=self._desk.agent(command.agent_id).agent_id,
            campaign=command.campaign,
            statuses=_STATUSES[command.what],
            text=command.text,
            number=command.number,
        )
        page = await asked(self._storage.records.find(criteria, after=command.cursor, limit=command.limit))
        is_whole = self._sees(caller)
        return OwnRecords(records=[card_of(each, is_whole=is_whole) for each in page.items], cursor=page.after)

    async def next(self, command: preview.NextRecord, caller: Caller) -> RecordSheet:
        if command.campaign:
            self._work.campaign(command.campaign)
        record = await self._desk.next_record(self._desk.agent(command.agent_id), command.campaign)
        return self._sheet(record, caller)

    async def pick(self, command: preview.PickRecord, caller: Caller) -> RecordSheet:
        return self._sheet(await self._desk.pick(self._desk.agent(command.agent_id), command.record_id), caller)

    async def open(self, command: preview.OpenRecord, caller: Caller) -> RecordSheet:
        agent = self._desk.agent(command.agent_id)
        return self._sheet(await self._work.own_record(agent.agent_id, command.record_id), caller)

    async def dial(self, command: preview.DialRecord, caller: Caller) -> DialedRecord:
        self._app.check_room()
        attempt = await self._desk.dial(self._desk.agent(command.agent_id), command.record_id, command.position)
        return DialedRecord(
            call_id=attempt.attempt_id,
            record_id=attempt.record_id,
            number=number_shown(attempt.number, is_whole=self._sees(caller)),
            caller_id=attempt.caller_id,
        )

    async def result(self, command: preview.GiveResult, caller: Caller) -> RecordSheet:
        await self._work.give_result(
            self._desk.agent(command.agent_id),
            command.record_id,
            command.code,
            command.note,
            callback_utc=command.callback_utc,
            is_shared=command.is_shared,
            attempt_id=command.attempt_id,
        )
        return self._sheet(await self._work.get(command.record_id), caller)

    async def figures(self, command: preview.CampaignAgents, caller: Caller) -> AgentFiguresList:
        if command.campaign:
            self._work.campaign(command.campaign)
        if command.end_utc <= command.start_utc:
            raise errors.InvalidValue("end_utc must come after start_utc", field="end_utc")
        figures: list[AgentFigures] = []
        for start_utc, end_utc in self._intervals(command):
            totals = await asked(self._storage.attempts.agent_totals(start_utc, end_utc, command.campaign))
            figures += self._figures(start_utc, totals)
        return AgentFiguresList(figures=figures)

    def _intervals(self, command: preview.CampaignAgents) -> list[tuple[float, float]]:
        if not command.interval:
            return [(command.start_utc, command.end_utc)]
        ends = interval_end(_INTERVAL_S[command.interval], zone_of(self._directory.config.numbering.time_zone))
        found, start_utc = [], command.start_utc
        while start_utc < command.end_utc:
            end_utc = min(ends(start_utc), command.end_utc)
            found.append((start_utc, end_utc))
            start_utc = end_utc
            if len(found) > MOST_INTERVALS:
                raise errors.InvalidValue(f"that is more than {MOST_INTERVALS} intervals", field="interval")
        return found

    def _figures(self, start_utc: float, totals: list[AgentAttempts]) -> Iterator[AgentFigures]:
        for each in sorted(totals, key=lambda one: (one.campaign, one.agent_id)):
            campaign = self._directory.campaigns.get(each.campaign)
            deals = {one.code for one in campaign.dispositions if one.effect == "success"} if campaign else set()
            if each.agent_id:
                yield AgentFigures(
                    agent_id=each.agent_id,
                    campaign=each.campaign,
                    start_utc=start_utc,
                    n_attempts=each.n_attempts,
                    n_connected=each.n_connected,
                    talk_s=each.talk_s,
                    n_deals=sum(n for code, n in each.dispositions.items() if code in deals),
                    dispositions=dict(each.dispositions),
                )

    def _sheet(self, record: CampaignRecord, caller: Caller) -> RecordSheet:
        campaign = self._work.campaign(record.campaign)
        return sheet_of(record, campaign, self._desk.verdict(record), is_whole=self._sees(caller))

    def _sees(self, caller: Caller) -> bool:
        return self._app.gate.may(caller, "phone.view_full")
