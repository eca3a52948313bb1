"""Campaigns and attempts in memory; functions and errors of their queries."""

import itertools
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from model.campaigns import LEAST_RING_S
from model.dialing import NOT_DIALLED, Attempt, CampaignRecord, PacingEntry
from storage.attempts import (
    LIVE,
    AgentAttempts,
    AttemptFilter,
    AttemptTotals,
    add_up_agents,
    page_of_attempts,
    store_attempt,
)
from storage.backlog import Backlog, settle
from storage.campaign_rows import (
    AttemptEntry,
    AttemptWithdrawn,
    CampaignEntry,
    CampaignRow,
    DispositionEntry,
    RecordReturned,
    copy_record,
)
from storage.campaigns import page_of_pacing
from storage.errors import NotFoundError
from storage.event_log import check_limit
from storage.filters import Page, parse_cursor
from storage.memory_records import MemoryRecords


class MemoryAttempts:
    def __init__(self, backlog: Backlog, rows: dict[str, Attempt]) -> None:
        self.rows = rows
        self._backlog = backlog

    async def store_attempt(self, attempt: Attempt, record: CampaignRecord) -> None:
        await store_attempt(self._backlog, attempt, record)

    def store_outcome(self, attempt: Attempt, record: CampaignRecord) -> None:
        self._backlog.put(AttemptEntry(replace(attempt), copy_record(record)))

    def store_disposition(self, attempt_id: str, record: CampaignRecord) -> None:
        self._backlog.put(DispositionEntry(attempt_id, copy_record(record)))

    async def unfinished(self) -> list[Attempt]:
        await settle(self._backlog)
        return [replace(row) for row in self._sorted() if not row.ended_utc]

    async def get(self, attempt_id: str) -> Attempt:
        await settle(self._backlog)
        if attempt_id not in self.rows:
            raise NotFoundError("attempt", attempt_id)
        return replace(self.rows[attempt_id])

    async def of_record(self, record_id: str) -> list[Attempt]:
        await settle(self._backlog)
        return [replace(row) for row in self._sorted() if row.record_id == record_id]

    async def find(self, criteria: AttemptFilter, *, after: str = "", limit: int = 50) -> Page[Attempt]:
        check_limit(limit)
        before = parse_cursor(after) if after else (float("inf"), "")
        await settle(self._backlog)
        found = [row for row in reversed(self._sorted()) if (row.started_utc, row.attempt_id) < before]
        return page_of_attempts([replace(row) for row in found if _is_wanted(row, criteria)][: limit + 1], limit)

    async def totals(self, boundaries: Sequence[float], campaign: str = "") -> list[AttemptTotals]:
        await settle(self._backlog)
        found = []
        for start_utc, end_utc in itertools.pairwise(boundaries):
            groups: dict[str, list[Attempt]] = {}
            for row in self.rows.values():
                is_meant = start_utc <= row.started_utc < end_utc and campaign in ("", row.campaign)
                if is_meant and row.cause not in NOT_DIALLED:
                    groups.setdefault(row.campaign, []).append(row)
            found += [_totals(name, start_utc, rows) for name, rows in groups.items()]
        return sorted(found, key=lambda each: (each.campaign, each.start_utc))

    async def agent_totals(self, start_utc: float, end_utc: float, campaign: str = "") -> list[AgentAttempts]:
        await settle(self._backlog)
        groups: dict[tuple[str, str, str], list[Attempt]] = {}
        for row in self.rows.values():
            if row.agent_id and start_utc <= row.started_utc < end_utc and campaign in ("", row.campaign):
                groups.setdefault((row.agent_id, row.campaign, row.disposition), []).append(row)
        return add_up_agents(
            [
                (*key, len(rows), sum(row.connected_utc > 0 for row in rows), sum(row.talk_s for row in rows))
                for key, rows in groups.items()
            ]
        )

    def _sorted(self) -> list[Attempt]:
        return sorted(self.rows.values(), key=lambda row: (row.started_utc, row.attempt_id))


class MemoryCampaigns:
    def __init__(self, backlog: Backlog) -> None:
        self.states: dict[str, CampaignRow] = {}
        self.pacing: dict[tuple[str, float], PacingEntry] = {}
        self._backlog = backlog

    async def load_states(self) -> list[CampaignRow]:
        await settle(self._backlog)
        return [self.states[name] for name in sorted(self.states)]

    def save_state(self, row: CampaignRow) -> None:
        self._backlog.put(row)

    async def remove_state(self, campaign: str) -> None:
        await settle(self._backlog)
        self.states.pop(campaign, None)
        self.pacing = {key: entry for key, entry in self.pacing.items() if key[0] != campaign}

    def log_pacing(self, entries: Iterable[PacingEntry]) -> None:
        for entry in entries:
            self._backlog.put(entry)

    async def find_pacing(
        self, campaign: str, start_utc: float = 0.0, end_utc: float = 0.0, *, after: str = "", limit: int = 100
    ) -> Page[PacingEntry]:
        check_limit(limit)
        place = parse_cursor(after)[0] if after else -1.0
        await settle(self._backlog)
        found = [
            entry
            for (name, at_utc), entry in sorted(self.pacing.items())
            if name == campaign and at_utc > place and start_utc <= at_utc < (end_utc or float("inf"))
        ]
        return page_of_pacing(found[: limit + 1], limit)

    async def forget_pacing(self, before_utc: float, limit: int) -> int:
        old = sorted((key for key in self.pacing if key[1] < before_utc), key=lambda key: key[1])[:limit]
        for key in old:
            del self.pacing[key]
        return len(old)


class MemoryOutbound:
    """All of them, and what the writer does."""

    def __init__(self, backlog: Backlog) -> None:
        self.records = MemoryRecords(backlog)
        self.attempts = MemoryAttempts(backlog, self.records.attempts)
        self.campaigns = MemoryCampaigns(backlog)

    def write(self, entry: CampaignEntry) -> None:
        match entry:
            case AttemptEntry():
                self.attempts.rows[entry.attempt.attempt_id] = entry.attempt
                self.records.tell(entry.record)
            case DispositionEntry():
                if (attempt := self.attempts.rows.get(entry.attempt_id)) is not None:
                    attempt.disposition = entry.record.disposition
                self.records.tell(entry.record)
            case AttemptWithdrawn():
                self.attempts.rows.pop(entry.attempt_id, None)
            case RecordReturned():
                there = self.records.rows.get(entry.record.record_id)
                if there is not None and there.status in ("queued", "dialing"):
                    self.records.tell(entry.record)
            case CampaignRow():
                self.campaigns.states[entry.campaign] = entry
            case PacingEntry():
                self.campaigns.pacing[entry.campaign, entry.at_utc] = entry


def _is(number: str, criteria: AttemptFilter) -> bool:
    return number.endswith(criteria.number) if criteria.is_suffix else number == criteria.number


def _is_wanted(row: Attempt, criteria: AttemptFilter) -> bool:
    return (
        all(getattr(criteria, name) in ("", getattr(row, name)) for name in ("campaign", "record_id", "agent_id"))
        and (not criteria.number or _is(row.number, criteria))
        and (not criteria.results or row.result in criteria.results)
        and criteria.is_dropped in (None, row.is_dropped)
        and criteria.start_utc <= row.started_utc < (criteria.end_utc or float("inf"))
    )


def _totals(campaign: str, start_utc: float, rows: list[Attempt]) -> AttemptTotals:
    def n(*results: str) -> int:
        return sum(row.result in results for row in rows)

    answered = [row for row in rows if row.answered_utc]
    given_up = [row for row in rows if row.result == "cancelled" or (row.result, row.sip_status) in _GIVEN_UP]
    rang = [row.ended_utc - (row.rang_utc or row.started_utc) for row in given_up if not row.answered_utc]
    return AttemptTotals(
        campaign=campaign,
        start_utc=start_utc,
        n_attempts=len(rows),
        n_answered=len(answered),
        n_live=n(*LIVE),
        n_connected=sum(row.connected_utc > 0 for row in rows),
        n_dropped=sum(row.is_dropped for row in rows),
        n_machines=n("machine"),
        n_short_rings=sum(seconds < LEAST_RING_S for seconds in rang),
        n_busy=n("busy"),
        n_no_answer=n("no_answer"),
        n_failed=n("failed", "invalid", "congestion"),
        talk_s=sum(row.talk_s for row in rows),
        ring_s=sum(row.answered_utc - row.started_utc for row in answered),
    )


_GIVEN_UP = {("no_answer", 0), ("no_answer", 487)}
