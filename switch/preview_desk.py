"""Agents who call by themselves: which record is whose, whom an agent calls next, and the calls that he places
(OUT-01…06). The engine of the dialler says who may be called, and counts the calls.
"""

import msgspec

from acd.desk_inputs import EndAcw
from acd.desk_state import DeskAgent
from dialer.inputs import AttemptPlaced
from dialer.rules import No, Yes
from model.agents import Agent
from model.campaigns import Campaign
from model.causes import HangupCause
from model.declare import ApiError
from model.dialing import Attempt, CampaignRecord
from model.errors import InvalidValue, NoRoute, NoSuchAgent, NoSuchRecord, PermissionDenied, WrongState
from storage.interface import AnyStorage
from switch.asking import asked
from switch.call import Call
from switch.campaign_work import CampaignWork
from switch.core import Core
from switch.preview_calls import make_agent_call
from switch.record_sheets import number_shown

TO_CALL = ("new", "retry_wait")
_CALLABLE = (*TO_CALL, "callback", "connected")
"""An agent may call them; what is over is not called again before somebody has reset it."""
AT_ONCE = 20
"""Records looked through for one that may be called."""


class PreviewDesk:
    """One per switch."""

    def __init__(self, core: Core, storage: AnyStorage, work: CampaignWork) -> None:
        self._core = core
        self._directory = core.directory
        self._dialer = core.dialer
        self._storage = storage
        self._work = work
        self._placing: set[str] = set()
        """Records and numbers that somebody is about to call."""

    def agent(self, agent_id: str) -> Agent:
        agent = self._directory.agents.get(agent_id)
        if agent is None:
            raise NoSuchAgent(f"no agent {agent_id}")
        return agent

    # -- whose a record is ---------------------------------------------------------------------------------------------

    async def next_record(self, agent: Agent, campaign: str) -> CampaignRecord:
        """Raises NoSuchRecord when there is none that may be called now."""
        names = [campaign] if campaign else sorted(self._directory.campaigns)
        running = [name for name in names if self._dialer.engine.state(name) == "running"]
        wall = self._wall()
        found = await asked(self._storage.records.next_of(agent.agent_id, running, wall, AT_ONCE))
        for record in found:
            is_his = record.status == "callback" or self._work.campaign(record.campaign).mode == "preview"
            if is_his and isinstance(self.verdict(record), Yes):
                return record
        taken = await self._take_any(agent, running)
        if taken is not None:
            return taken
        raise NoSuchRecord(f"there is nobody whom agent {agent.agent_id} could call now")

    async def pick(self, agent: Agent, record_id: str) -> CampaignRecord:
        async with self._work.lock:
            record = await self._work.get(record_id)
            if record.owner == agent.agent_id:
                return record
            campaign = self._work.campaign(record.campaign)
            if record.status not in (*TO_CALL, "callback"):
                raise WrongState(f"record {record_id} is {record.status}", state=record.status)
            owner = record.owner or record.callback_owner
            if owner or not self._may_take(agent, campaign, is_promised=record.status == "callback"):
                whose = f"agent {owner}'s" if owner else "not to be taken (may_take_unassigned)"
                raise PermissionDenied(f"record {record_id} is {whose}", needed="campaign.manage")
            return await self._take(record, agent.agent_id)

    async def _take_any(self, agent: Agent, running: list[str]) -> CampaignRecord | None:
        """One that is nobody's: promised a call that is due, or new where agents may help themselves."""
        records, campaigns = self._storage.records, [self._directory.campaigns[name] for name in running]
        shared = [each.name for each in campaigns if self._may_take(agent, each, is_promised=True)]
        open_ = [each.name for each in campaigns if self._may_take(agent, each)]
        async with self._work.lock:
            found = await asked(records.next_of("", shared, self._wall(), AT_ONCE)) if shared else []
            for name in open_:
                ids = await asked(records.unassigned(name, AT_ONCE))
                by_id = await asked(records.get_many(ids))
                found += [by_id[record_id] for record_id in ids if record_id in by_id]
            for record in found:
                if isinstance(self.verdict(record), Yes):
                    return await self._take(record, agent.agent_id)
        return None

    async def _take(self, record: CampaignRecord, agent_id: str) -> CampaignRecord:
        await asked(self._storage.records.assign([record.record_id], agent_id, self._wall()))
        record.owner = agent_id
        return record

    def _may_take(self, agent: Agent, campaign: Campaign, *, is_promised: bool = False) -> bool:
        """`is_promised`: whoever is free was to call."""
        is_his = not campaign.queue or any(each.queue == campaign.queue for each in agent.queues)
        return campaign.mode == "preview" and (is_promised or campaign.may_take_unassigned) and is_his

    def verdict(self, record: CampaignRecord, position: int = -1) -> Yes | No:
        """Whether an agent may call him now, on that number or on the one whose turn it is."""
        if position < 0:
            return self._dialer.engine.may_call(record, self._wall(), by_agent=True)
        alone = msgspec.structs.replace(record, numbers=[record.numbers[position]])
        verdict = self._dialer.engine.may_call(alone, self._wall(), by_agent=True)
        return Yes(position) if isinstance(verdict, Yes) else verdict

    # -- calls ---------------------------------------------------------------------------------------------------------

    async def dial(self, agent: Agent, record_id: str, position: int) -> Attempt:
        """Raises what keeps the agent, or the rules, from it; a call that is placed is in the database before."""
        self._check_free(agent.agent_id)
        if record_id in self._placing:
            raise WrongState(f"record {record_id} is being called", state="dialing")
        self._placing.add(record_id)
        try:
            record = await self._work.own_record(agent.agent_id, record_id)
            return await self._dial(agent, record, position)
        finally:
            self._placing.discard(record_id)

    async def _dial(self, agent: Agent, record: CampaignRecord, position: int) -> Attempt:
        campaign = self._work.campaign(record.campaign)
        state = self._dialer.engine.state(campaign.name)
        # What was promised is called also when nobody else is left.
        if state != "running" and not (state == "completed" and record.status == "callback"):
            raise WrongState(f"campaign {campaign.name} is {state}", state=state)
        is_dialers = campaign.mode != "preview" and record.status in TO_CALL
        if record.status not in _CALLABLE or is_dialers:
            whose = ", and the dialler's" if is_dialers else ""
            raise WrongState(f"record {record.record_id} is {record.status}{whose}", state=record.status)
        if position >= len(record.numbers):
            raise InvalidValue(f"record {record.record_id} has {len(record.numbers)} numbers", field="position")
        at = self._allowed(record, position)
        number = record.numbers[at].number
        if number in self._placing:
            raise WrongState(f"number {at} is being called", state="dialing", reason="in_flight")
        attempt = Attempt(
            attempt_id=self._core.env.ids.new(),
            campaign=campaign.name,
            record_id=record.record_id,
            number=number,
            mode="preview",
            position=at,
            caller_id=self._shown(agent, campaign, record, at),
            agent_id=agent.agent_id,
            started_utc=self._wall(),
        )
        self._placing.add(number)
        try:
            await self._place(agent, attempt, record, campaign)
        finally:
            self._placing.discard(number)
        return attempt

    async def _place(self, agent: Agent, attempt: Attempt, record: CampaignRecord, campaign: Campaign) -> None:
        agent_id = agent.agent_id
        begun = self._dialer.engine.as_begun(record, attempt.position, attempt.started_utc)
        await asked(self._storage.attempts.store_attempt(attempt, begun))
        try:
            # While it was stored the dialler, or he, may have begun something else.
            self._check_free(agent_id)
            self._allowed(record, attempt.position)
            self._end_acw(agent_id)
            call = self._call_of(agent, attempt, record, campaign)
            self._dialer.ask(AttemptPlaced(attempt, record))
        except ApiError:
            attempt.result, attempt.ended_utc = "cancelled", self._wall()
            self._storage.attempts.store_outcome(attempt, record)
            raise
        self._dialer.follow(call, record)
        self._core.runtime.run(lambda now: self._core.calls.begin(call, now))

    def _call_of(self, agent: Agent, attempt: Attempt, record: CampaignRecord, campaign: Campaign) -> Call:
        extension = self._core.floor.extension_of(agent.agent_id)
        is_whole = self._directory.sees_whole_numbers(agent.agent_id)
        shown = number_shown(attempt.number, is_whole=is_whole)
        now = self._core.floor.now()
        made = make_agent_call(attempt, record, campaign, extension, shown, now, self._core.env)
        if isinstance(made, HangupCause):
            raise NoRoute(f"the phone at extension {extension} cannot be rung", cause=made.value)
        return made

    def _allowed(self, record: CampaignRecord, position: int) -> int:
        verdict = self.verdict(record, position)
        if isinstance(verdict, Yes):
            return verdict.position
        raise WrongState(
            f"record {record.record_id} may not be called now: {verdict.reason}",
            state=record.status,
            reason=verdict.reason,
            retry_at_utc=verdict.retry_at_utc,
        )

    def _check_free(self, agent_id: str) -> DeskAgent:
        """Raises NoSuchAgent, WrongState: he has no phone, is on a call, or owes a word on the last one."""
        desk = self._core.floor.centre.desk.find(agent_id)
        if not desk.extension:
            raise WrongState(f"agent {agent_id} has no phone here (mode {desk.mode})", state=desk.display()[0])
        if desk.is_engaged:
            raise WrongState(f"agent {agent_id} is on a call", state=desk.display()[0])
        if desk.acw_since is not None and desk.served is not None and desk.served.owes_code:
            raise WrongState("a disposition is due first (record.result)", state="acw")
        return desk

    def _end_acw(self, agent_id: str) -> None:
        """Who goes on with somebody else has finished with the last one."""
        if self._core.floor.centre.desk.find(agent_id).acw_since is not None:
            self._core.floor.ask(EndAcw(agent_id=agent_id, by=agent_id))

    def _shown(self, agent: Agent, campaign: Campaign, record: CampaignRecord, position: int) -> str:
        if campaign.shows == "agent":
            return agent.outbound_number or campaign.caller_id
        return self._dialer.engine.choose_shown(campaign.name, record, position)

    def _wall(self) -> float:
        return self._core.env.wall(self._core.floor.now())
