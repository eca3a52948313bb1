"""What the dialler keeps in the database and reads from it: records for the hopper, attempts before they are dialled,
what became of them, the state of campaigns, the log of its decisions. Every answer is an input of the engine.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from msgspec import convert

from dialer.actions import (
    BarNumber,
    LoadRecords,
    LogPacing,
    ReturnRecords,
    ReviewRecords,
    StoreAttempt,
    StoreCampaign,
    StoreDisposition,
    StoreOutcome,
)
from dialer.inputs import AttemptFound, AttemptNotStored, AttemptStored, CampaignChanges, RecordsChange, RecordsLoaded
from model.campaigns import Campaign, CampaignState
from model.dialing import DncEntry, PacingEntry
from storage.campaign_rows import CampaignRow
from storage.errors import UnavailableError
from storage.interface import AnyStorage
from switch.dialer import Dialer

log = logging.getLogger(__name__)

AGAIN_S = 5.0
"""After so long a database that could not be written is tried again."""
SWEEP_S = 3600.0
_DAY_S = 86_400.0
_PAGE = 1000


class DialerDesk:
    """One per switch; `own` sees the work through, `wall` tells UTC seconds. It is the `Store` of the dialler."""

    def __init__(
        self,
        dialer: Dialer,
        campaigns: Mapping[str, Campaign],
        storage: AnyStorage,
        own: Callable[[Coroutine[Any, Any, None]], None],
        wall: Callable[[], float],
        pacing_log_days: int,
    ) -> None:
        self._dialer = dialer
        self._campaigns = campaigns
        self._storage = storage
        self._own = own
        self._wall = wall
        self._pacing_log_days = pacing_log_days
        self._loading: set[str] = set()
        self._barring: list[DncEntry] = []

    async def restore(self) -> None:
        """Before the first call: campaigns go on where they were. Who was being called when the switch stopped is not
        called again at once. Raises UnavailableError."""
        stored = {row.campaign: row for row in await self._storage.campaigns.load_states()}
        unfinished = await self._storage.attempts.unfinished()
        records = await self._storage.records.get_many([attempt.record_id for attempt in unfinished])
        self._dialer.store = self
        for name, campaign in self._campaigns.items():
            if (row := stored.get(name)) is not None:
                self._dialer.take_up(campaign, convert(row.state, CampaignState), row.document)
            else:
                self._dialer.tell(CampaignChanges(campaign))
        for attempt in unfinished:
            log.warning("! attempt %s was cut off by the end of the switch", attempt.attempt_id)
            if attempt.record_id in records:
                self._dialer.tell(AttemptFound(attempt, records[attempt.record_id]))
        await self._storage.flush()
        await self._storage.records.requeue_hopper()
        self._dialer.go_on()

    async def sweep(self) -> None:
        """Forgets what is old; never ends."""
        while True:
            try:
                before = self._wall() - self._pacing_log_days * _DAY_S
                n_gone = _PAGE
                while n_gone == _PAGE:
                    n_gone = await self._storage.campaigns.forget_pacing(before, _PAGE)
            except UnavailableError as error:
                log.warning("! old entries of the dialler are not removed: %s", error)
            await asyncio.sleep(SWEEP_S)

    # -- Store ---------------------------------------------------------------------------------------------------------

    def load(self, action: LoadRecords) -> None:
        if action.campaign not in self._loading:
            self._loading.add(action.campaign)
            self._own(self._load(action))

    def put_back(self, action: ReturnRecords) -> None:
        self._storage.records.put_back(action.records)

    def review(self, action: ReviewRecords) -> None:
        self._own(self._review(action.campaign))

    def store_attempt(self, action: StoreAttempt) -> None:
        self._own(self._store_attempt(action))

    def keep_outcome(self, action: StoreOutcome) -> None:
        self._storage.attempts.store_outcome(action.attempt, action.record)

    def keep_campaign(self, action: StoreCampaign) -> None:
        row = CampaignRow(
            campaign=action.campaign, state=action.state, document=action.document, updated_utc=self._wall()
        )
        self._storage.campaigns.save_state(row)

    def log_pacing(self, action: LogPacing) -> None:
        entry = PacingEntry(
            campaign=action.campaign,
            at_utc=action.at_utc,
            n_dials=action.n_dials,
            reason=action.reason,
            inputs=action.inputs,
        )
        self._storage.campaigns.log_pacing([entry])

    def keep_disposition(self, action: StoreDisposition) -> None:
        self._storage.attempts.store_disposition(action.attempt_id, action.record)

    def bar(self, action: BarNumber) -> None:
        """The dialler knows it; in the database it is as soon as that takes it."""
        entry = DncEntry(
            number=action.number,
            campaign=action.campaign,
            reason=action.note,
            source="disposition",
            added_utc=self._wall(),
        )
        self._barring.append(entry)
        if len(self._barring) == 1:
            self._own(self._bar())

    # -- work ----------------------------------------------------------------------------------------------------------

    async def _load(self, action: LoadRecords) -> None:
        try:
            due = await self._storage.records.take_due(action.campaign, action.n, self._wall())
        except UnavailableError as error:
            log.warning("! campaign %s: records cannot be read: %s", action.campaign, error)
            # The dialler asks again.
            self._loading.discard(action.campaign)
            return
        self._loading.discard(action.campaign)
        self._dialer.answered(
            RecordsLoaded(
                campaign=action.campaign, records=due.records, n_open=due.n_open, next_due_utc=due.next_due_utc
            )
        )

    async def _review(self, campaign: str) -> None:
        try:
            await self._storage.records.review(campaign)
        except UnavailableError as error:
            log.warning("! campaign %s: whom its old rules put aside waits until then: %s", campaign, error)
        self._dialer.answered(RecordsChange(campaign=campaign))

    async def _store_attempt(self, action: StoreAttempt) -> None:
        attempt_id = action.attempt.attempt_id
        try:
            await self._storage.attempts.store_attempt(action.attempt, action.record)
        except UnavailableError as error:
            log.warning("! attempt %s is not dialled: %s", attempt_id, error)
            self._dialer.answered(AttemptNotStored(attempt_id))
            return
        self._dialer.answered(AttemptStored(attempt_id))

    async def _bar(self) -> None:
        while self._barring:
            waiting = [*self._barring]
            try:
                await self._storage.barred.add(waiting)
            except UnavailableError as error:
                log.error("x %d numbers are not on the do-not-call list yet: %s", len(waiting), error)
                await asyncio.sleep(AGAIN_S)
                continue
            del self._barring[: len(waiting)]
