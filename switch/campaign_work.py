"""Conversations of agents with customers of campaigns, whoever dialled: what pops up, what the agent says of them, and
what was promised the customer (OUT-29…31, XAGT-02, XOUT-11). What becomes of a record the engine of the dialler says.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from acd.desk_inputs import CampaignCall, ResultGiven
from dialer.inputs import RecordDisposed, RecordsChange
from model.agents import Agent
from model.campaigns import NOT_SAID, Campaign, Disposition
from model.customers import Appointment
from model.declare import ApiError, Event
from model.dialing import CampaignRecord
from model.errors import InvalidValue, NoSuchCampaign, NoSuchRecord, PermissionDenied, StorageUnavailable
from model.events_agent import AgentAcwEnded
from model.queues import WrapUp
from storage.errors import NotFoundError
from storage.interface import AnyStorage
from switch.appointments_desk import AppointmentsDesk
from switch.asking import asked
from switch.call import Call
from switch.core import Core
from switch.record_sheets import offered

log = logging.getLogger(__name__)

AGAIN_S = 5.0
"""After so long a database that was away is asked again."""


class Work(msgspec.Struct, gc=False):
    """The customer of a campaign whom an agent speaks to, or has spoken to last."""

    call_id: str
    """Also the id of the attempt."""
    record_id: str
    campaign: str
    is_said: bool = False
    """He has said how it went."""


class CampaignWork:
    """One per switch. `own` sees the work through that calls ask for."""

    def __init__(
        self,
        core: Core,
        storage: AnyStorage,
        appointments: AppointmentsDesk,
        publish: Callable[[Event], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._core = core
        self._directory = core.directory
        self._dialer = core.dialer
        self._storage = storage
        self._appointments = appointments
        self._publish = publish
        self._own = own
        self.lock = asyncio.Lock()
        """Of all who change whose a record is."""
        self._work: dict[str, Work] = {}
        """By agent."""
        core.dialer.connected.append(self._connected)
        core.floor.watch(self._centre_said)

    async def get(self, record_id: str) -> CampaignRecord:
        """Raises NoSuchRecord, StorageUnavailable."""
        try:
            return await asked(self._storage.records.get(record_id))
        except NotFoundError:
            raise NoSuchRecord(f"no record {record_id}") from None

    async def own_record(self, agent_id: str, record_id: str) -> CampaignRecord:
        """One that he has to do with. Raises NoSuchRecord, PermissionDenied."""
        record = await self.get(record_id)
        work = self._work.get(agent_id)
        is_his = agent_id in (record.owner, record.callback_owner, record.agent_id)
        if not is_his and (work is None or work.record_id != record_id):
            raise PermissionDenied(f"record {record_id} is not one of agent {agent_id}", needed="campaign.manage")
        return record

    def campaign(self, name: str) -> Campaign:
        campaign = self._directory.campaigns.get(name)
        if campaign is None:
            raise NoSuchCampaign(f"no campaign {name}")
        return campaign

    # -- conversations -------------------------------------------------------------------------------------------------

    def _connected(self, call: Call, record: CampaignRecord, agent_id: str, now: float) -> None:
        """An agent speaks to a customer, whoever dialled."""
        campaign, agent = self._directory.campaigns.get(record.campaign), self._directory.agents.get(agent_id)
        if campaign is None or agent is None:
            return
        self._work[agent_id] = Work(call.call_id, record.record_id, campaign.name)
        wrap_up = self._wrap_up(campaign)
        is_due = campaign.is_disposition_required
        told = CampaignCall(agent_id=agent_id, call_id=call.call_id, wrap_up=wrap_up, is_result_due=is_due)
        self._core.floor.tell(told, now)
        is_whole = self._directory.sees_whole_numbers(agent_id)
        self._publish(offered(call, record, campaign, agent_id, agent.group, is_whole=is_whole))

    def _wrap_up(self, campaign: Campaign) -> WrapUp:
        """After-call work of the queue, with the campaign's dispositions for codes."""
        queue = self._directory.queue_of(campaign.queue) if campaign.queue else None
        dispositions = tuple(each.code for each in campaign.dispositions)
        if queue is not None:
            base = queue.wrap_up
        else:
            base = WrapUp(post_call="acw" if dispositions else "available", max_s=campaign.wrap_up_s)
        others = () if campaign.is_disposition_required else base.codes
        return msgspec.structs.replace(
            base,
            codes=tuple(dict.fromkeys(dispositions + others)),
            is_code_required=base.is_code_required or campaign.is_disposition_required,
        )

    async def give_result(
        self,
        agent: Agent,
        record_id: str,
        code: str,
        note: str,
        *,
        callback_utc: float = 0.0,
        is_shared: bool = False,
        attempt_id: str = "",
    ) -> None:
        """Kept with the record, and with the attempt ("": the last one). Raises NoSuchRecord, PermissionDenied,
        InvalidValue, StorageUnavailable."""
        work = self._work.get(agent.agent_id)
        attempt_id = attempt_id or await self._last_attempt(record_id, agent.agent_id, work)
        # Read last: what it is now is what the engine goes on from.
        record = await self.own_record(agent.agent_id, record_id)
        campaign = self.campaign(record.campaign)
        is_promise = self._disposition(campaign, code).effect == "callback"
        if is_promise and callback_utc <= self._wall():
            raise InvalidValue(f"{code} promises a call: say when, in the future", field="callback_utc")
        owner = agent.agent_id if is_promise and not is_shared else ""
        self._dialer.ask(
            RecordDisposed(
                record=record,
                attempt_id=attempt_id,
                code=code,
                note=note,
                agent_id=agent.agent_id,
                callback_utc=callback_utc if is_promise else 0.0,
                callback_owner=owner,
            )
        )
        if work is not None and work.call_id == attempt_id:
            work.is_said = True
            told = ResultGiven(agent_id=agent.agent_id, call_id=attempt_id, code=code, note=note, by=agent.agent_id)
            self._core.floor.ask(told)
        await self._settle_promise(agent.agent_id, record, campaign, callback_utc if is_promise else 0.0, owner, note)

    async def _settle_promise(
        self, by: str, record: CampaignRecord, campaign: Campaign, at_utc: float, owner: str, note: str
    ) -> None:
        """What was agreed on before has been kept; what is agreed on now somebody is reminded of, unless the dialler
        calls by itself."""
        await self._appointments.kept(record.record_id, by)
        is_dialers = not owner and campaign.mode != "preview"
        if not at_utc or is_dialers:
            return
        if record.owner != owner:
            async with self.lock:
                await asked(self._storage.records.assign([record.record_id], owner, self._wall()))
        if not owner and not campaign.queue:
            # Nobody could be reminded; whoever asks for his next record gets it.
            return
        await self._appointments.make(
            Appointment(
                appointment_id="",
                agent_id=owner,
                campaign=campaign.name,
                record_id=record.record_id,
                customer_id=record.customer_id,
                number=record.last_number or (record.numbers[0].number if record.numbers else ""),
                name=record.name,
                at_utc=at_utc,
                matter=note,
            ),
            by,
        )

    async def _last_attempt(self, record_id: str, agent_id: str, work: Work | None) -> str:
        if work is not None and work.record_id == record_id:
            return work.call_id
        attempts = await asked(self._storage.attempts.of_record(record_id))
        return next((each.attempt_id for each in reversed(attempts) if each.agent_id == agent_id), "")

    def _disposition(self, campaign: Campaign, code: str) -> Disposition:
        found = next((each for each in campaign.dispositions if each.code == code), None)
        if found is None:
            known = ", ".join(each.code for each in campaign.dispositions) or "none: it has none"
            raise InvalidValue(f"campaign {campaign.name} has no disposition {code!r}, only {known}", field="code")
        return found

    # -- after-call work -----------------------------------------------------------------------------------------------

    def check_code(self, agent_id: str, code: str) -> None:
        """Before after-call work ends by hand: a code that promises a call needs a time. Raises InvalidValue."""
        work, desk = self._work.get(agent_id), self._core.floor.centre.desk.find(agent_id)
        if work is None or work.is_said or desk.acw_call_id != work.call_id:
            return
        campaign = self._directory.campaigns.get(work.campaign)
        effect = next((each.effect for each in campaign.dispositions if each.code == code), "") if campaign else ""
        if effect == "callback":
            raise InvalidValue(f"{code} promises a call: record.result says when", field="code")

    def _centre_said(self, event: Event, now: float) -> None:
        """After-call work that ends with a code says by it how the conversation went."""
        if type(event) is not AgentAcwEnded:
            return
        work = self._work.get(event.agent_id)
        campaign = self._directory.campaigns.get(work.campaign) if work is not None else None
        if work is None or campaign is None or work.call_id != event.call_id or work.is_said:
            return
        code = event.code
        if not code and campaign.is_disposition_required:
            # He has signed out instead.
            code = NOT_SAID
        if code == NOT_SAID or any(each.code == code for each in campaign.dispositions):
            work.is_said = True
            self._own(self._said_by_code(event.agent_id, work, code, event.note))

    async def _said_by_code(self, agent_id: str, work: Work, code: str, note: str) -> None:
        """Tried until the database is there."""
        while True:
            try:
                record = await self.get(work.record_id)
                told = RecordDisposed(record=record, attempt_id=work.call_id, code=code, note=note, agent_id=agent_id)
                self._dialer.ask(told)
                await self._appointments.kept(record.record_id, agent_id)
                return
            except StorageUnavailable as problem:
                log.warning("! record %s: what agent %s said waits: %s", work.record_id, agent_id, problem)
                await asyncio.sleep(AGAIN_S)
            except ApiError as problem:
                log.error("x record %s: what agent %s said (%s) is lost: %s", work.record_id, agent_id, code, problem)
                return

    # -- promises that change ------------------------------------------------------------------------------------------

    async def promise_moved(self, appointment: Appointment) -> None:
        """The record that a call was promised to follows its appointment."""
        record = await self._promised(appointment)
        if record is None:
            return
        if appointment.state == "cancelled":
            record.callback_utc, record.callback_owner, record.callback_note = 0.0, "", ""
            record.status = "retry_wait" if record.n_attempts else "new"
            record.next_utc, record.deferred = self._wall(), ""
        else:
            record.callback_utc = record.next_utc = appointment.at_utc
            record.callback_owner, record.callback_note = appointment.agent_id, appointment.matter
        await asked(self._storage.records.update(record))
        self._dialer.tell(RecordsChange(campaign=record.campaign, record_ids=(record.record_id,)))

    async def _promised(self, appointment: Appointment) -> CampaignRecord | None:
        if not appointment.record_id:
            return None
        try:
            record = await self.get(appointment.record_id)
        except NoSuchRecord:
            return None
        return record if record.status == "callback" else None

    def _wall(self) -> float:
        return self._core.env.wall(self._core.floor.now())
