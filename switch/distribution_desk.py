"""Whose records are: shares them out among agents, gives them to others, takes them back (OUT-02, OUT-03, OUT-09)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from dialer.distribution import deal, share_as_told, share_evenly
from model import commands_preview as preview
from model import errors
from model.campaigns import Campaign
from model.commands_preview import MOST_DEALT, Share, Shares
from storage.campaign_records import RecordCounts
from switch.asking import asked
from switch.preview_desk import TO_CALL

if TYPE_CHECKING:
    from switch.app import App


class DistributionDesk:
    def __init__(self, app: "App") -> None:
        self._directory = app.core.directory
        self._records = app.storage.records
        self._env = app.core.env
        self._floor = app.core.floor
        # Records change hands one after the other: an agent takes none that is being given to somebody.
        self._lock = app.campaign_work.lock
        self._appointments = app.appointments

    async def shares(self, command: preview.ListShares, caller: Caller) -> Shares:
        return await self._shares(self._campaign(command.campaign).name, {}, 0)

    async def distribute(self, command: preview.DistributeRecords, caller: Caller) -> Shares:
        campaign = self._preview(command.campaign)
        agents = self._agents([*command.agents, *command.counts])
        if not command.counts and command.each == 0:
            wanted = None
        else:
            wanted = dict.fromkeys(command.agents, command.each) | command.counts
        async with self._lock:
            ids = await asked(self._records.unassigned(campaign.name, command.limit or MOST_DEALT))
            if wanted is None:
                shares = share_evenly(len(ids), await self._open(campaign.name, agents))
            else:
                shares = share_as_told(len(ids), wanted)
            return await self._give(campaign.name, ids, shares)

    async def reassign(self, command: preview.ReassignRecords, caller: Caller) -> Shares:
        campaign = self._preview(command.campaign)
        agents = self._agents(command.to)
        async with self._lock:
            ids = await self._chosen(campaign.name, command.agent_id, command.record_ids, command.limit)
            shares = share_evenly(len(ids), await self._open(campaign.name, agents))
            return await self._give(campaign.name, ids, shares, command)

    async def take_back(self, command: preview.TakeBackRecords, caller: Caller) -> Shares:
        campaign = self._preview(command.campaign)
        async with self._lock:
            ids = await self._chosen(campaign.name, command.agent_id, command.record_ids, command.limit)
            return await self._give(campaign.name, ids, {"": len(ids)}, command)

    # -- parts ---------------------------------------------------------------------------------------------------------

    async def _chosen(self, campaign: str, agent_id: str, record_ids: Sequence[str], limit: int) -> list[str]:
        if not record_ids:
            if not agent_id:
                raise errors.InvalidValue("say whose records, or which", field="agent_id")
            return await asked(self._records.assigned(campaign, agent_id, limit or MOST_DEALT))
        found = await asked(self._records.get_many(record_ids))
        for record_id in record_ids:
            record = found.get(record_id)
            if record is None or record.campaign != campaign:
                raise errors.NoSuchRecord(f"campaign {campaign} has no record {record_id}")
            if record.status in ("queued", "dialing"):
                raise errors.WrongState(f"record {record_id} is being called", state=record.status)
        return list(dict.fromkeys(record_ids))

    async def _give(
        self,
        campaign: str,
        ids: Sequence[str],
        shares: Mapping[str, int],
        moved: preview.ReassignRecords | preview.TakeBackRecords | None = None,
    ) -> Shares:
        """`moved`: they were somebody's before."""
        n_moved = 0
        given: dict[str, int] = {}
        if moved is not None and moved.agent_id and not moved.record_ids:
            given[moved.agent_id] = -len(ids)
        for agent_id, hand in deal(ids, shares).items():
            if not hand:
                continue
            n = await asked(self._records.assign(hand, agent_id, self._wall()))
            given[agent_id] = given.get(agent_id, 0) + n
            n_moved += n
            if moved is not None and moved.record_ids:
                await self._promise_for(agent_id, hand)
        return await self._shares(campaign, given, n_moved)

    async def _promise_for(self, agent_id: str, record_ids: Sequence[str]) -> None:
        """The calls that were promised them are the new owner's to make, or anybody's."""
        for record in (await asked(self._records.get_many(record_ids))).values():
            if record.status == "callback" and record.callback_owner != agent_id:
                record.callback_owner = agent_id
                await asked(self._records.update(record))
            await self._appointments.hand_over(record.record_id, agent_id)

    async def _open(self, campaign: str, agents: Sequence[str]) -> dict[str, int]:
        counts = await asked(self._records.counts_by_owner(campaign))
        return {agent_id: counts[agent_id].n_open if agent_id in counts else 0 for agent_id in agents}

    async def _shares(self, campaign: str, given: Mapping[str, int], n_moved: int) -> Shares:
        counts = await asked(self._records.counts_by_owner(campaign))
        agents = sorted((counts.keys() | given.keys()) - {""})
        nobodys = counts.get("", RecordCounts())
        return Shares(
            campaign=campaign,
            n_moved=n_moved,
            n_unassigned=nobodys.by_status.get("new", 0),
            shares=[_share(each, counts.get(each, RecordCounts()), given.get(each, 0)) for each in agents],
        )

    def _wall(self) -> float:
        return self._env.wall(self._floor.now())

    def _campaign(self, name: str) -> Campaign:
        campaign = self._directory.campaigns.get(name)
        if campaign is None:
            raise errors.NoSuchCampaign(f"no campaign {name}")
        return campaign

    def _preview(self, name: str) -> Campaign:
        campaign = self._campaign(name)
        if campaign.mode != "preview":
            raise errors.WrongState(
                f"campaign {name} is dialled by the dialler ({campaign.mode}); those of mode preview are shared out",
                state=campaign.mode,
            )
        return campaign

    def _agents(self, agents: Sequence[str]) -> list[str]:
        for agent_id in agents:
            if agent_id not in self._directory.agents:
                raise errors.NoSuchAgent(f"no agent {agent_id}")
        return list(dict.fromkeys(agents))


def _share(agent_id: str, counts: RecordCounts, n_given: int) -> Share:
    by_status: dict[str, Any] = counts.by_status
    n_to_call = sum(by_status.get(status, 0) for status in TO_CALL)
    n_callbacks = by_status.get("callback", 0)
    return Share(
        agent_id=agent_id,
        n_given=n_given,
        n_records=counts.n_records,
        n_to_call=n_to_call,
        n_callbacks=n_callbacks,
        n_done=counts.n_records - n_to_call - n_callbacks,
    )
