"""Evidence from memory; functions and errors of `storage.evidence.EvidenceQueries`."""

from collections import Counter
from collections.abc import Mapping, Sequence

from model.campaigns import LEAST_RING_S
from model.dialing import NOT_DIALLED, Attempt, CampaignRecord
from storage.backlog import Backlog, settle
from storage.campaign_rows import OPEN, WAITING
from storage.evidence import (
    GIVEN_UP_STATUS,
    LIVE,
    MINUTE_S,
    SLACK_S,
    UNHEARD,
    CallingDay,
    CallingMinute,
    DeferredRecords,
)
from storage.memory_records import MemoryRecords


class MemoryEvidence:
    def __init__(self, backlog: Backlog, records: MemoryRecords) -> None:
        self._records = records
        self._backlog = backlog

    async def days(self, campaign: str, boundaries: Sequence[float]) -> list[CallingDay]:
        found: dict[float, list[Attempt]] = {at: [] for at in boundaries[:-1]}
        for row in await self._rows():
            if row.campaign == campaign and row.mode != "preview":
                _put(found, boundaries, row)
        return [_day(at, rows) for at, rows in found.items()]

    async def minutes(self, campaign: str, start_utc: float, end_utc: float) -> list[CallingMinute]:
        found = Counter(
            (row.zone, row.started_utc // MINUTE_S * MINUTE_S)
            for row in await self._rows()
            if row.campaign == campaign and _is_dialled(row) and start_utc <= row.started_utc < end_utc
        )
        return [CallingMinute(zone=zone, minute_utc=at, n=n) for (zone, at), n in sorted(found.items())]

    async def too_soon(
        self, campaign: str, boundaries: Sequence[float], *, least_s: float, ban_s: float
    ) -> dict[float, int]:
        reach_utc = boundaries[0] - max(least_s, ban_s)
        of_record: dict[tuple[str, str], Attempt] = {}
        of_number: dict[str, Attempt] = {}
        found: dict[float, list[Attempt]] = {at: [] for at in boundaries[:-1]}
        for row in await self._rows():
            if not _is_call(row) or not reach_utc <= row.started_utc < boundaries[-1]:
                continue
            key = (row.campaign, row.record_id)
            before, there = of_record.get(key), of_number.get(row.number)
            of_record[key] = of_number[row.number] = row
            is_soon = before is not None and row.started_utc < before.ended_utc + least_s - SLACK_S
            is_banned = there is not None and there.is_dropped and row.started_utc < there.ended_utc + ban_s - SLACK_S
            if row.campaign == campaign and row.mode != "preview" and not row.is_promised and (is_soon or is_banned):
                _put(found, boundaries, row)
        return {at: len(rows) for at, rows in found.items() if rows}

    async def deferred(self, campaign: str, wall: float) -> list[DeferredRecords]:
        await settle(self._backlog)
        found: dict[str, list[CampaignRecord]] = {}
        for row in self._of(campaign):
            if row.status in WAITING and row.next_utc > wall:
                found.setdefault(row.deferred, []).append(row)
        made = [
            DeferredRecords(reason=reason, n=len(rows), next_utc=min(row.next_utc for row in rows))
            for reason, rows in found.items()
        ]
        return sorted(made, key=lambda each: (-each.n, each.reason))

    async def n_closed(self, campaign: str, since_utc: float) -> int:
        await settle(self._backlog)
        return sum(
            row.status not in OPEN and row.last_utc >= since_utc and row.n_attempts > 0 for row in self._of(campaign)
        )

    def _of(self, campaign: str) -> list[CampaignRecord]:
        return [row for row in self._records.rows.values() if row.campaign == campaign]

    async def _rows(self) -> list[Attempt]:
        await settle(self._backlog)
        return sorted(self._records.attempts.values(), key=lambda row: (row.started_utc, row.attempt_id))


def _put(found: Mapping[float, list[Attempt]], boundaries: Sequence[float], row: Attempt) -> None:
    if boundaries[0] <= row.started_utc < boundaries[-1]:
        found[max(at for at in boundaries[:-1] if at <= row.started_utc)].append(row)


def _is_dialled(row: Attempt) -> bool:
    return row.result != "dnc_blocked" and (row.result != "cancelled" or row.cause not in NOT_DIALLED)


def _is_call(row: Attempt) -> bool:
    is_noticed = row.rang_utc > 0 or row.answered_utc > 0 or row.result not in UNHEARD
    return not row.ended_utc or (_is_dialled(row) and is_noticed)


def _is_short(row: Attempt) -> bool:
    is_given_up = row.result == "cancelled" or (row.result == "no_answer" and row.sip_status in GIVEN_UP_STATUS)
    rang_s = row.ended_utc - (row.rang_utc or row.started_utc)
    return _is_dialled(row) and is_given_up and not row.answered_utc and rang_s < LEAST_RING_S - SLACK_S


def _day(start_utc: float, rows: list[Attempt]) -> CallingDay:
    heard = [row for row in rows if row.is_dropped and row.message_utc]
    return CallingDay(
        start_utc=start_utc,
        n_dialled=sum(map(_is_dialled, rows)),
        n_live=sum(row.result in LIVE for row in rows),
        n_connected=sum(row.connected_utc > 0 for row in rows),
        n_dropped=sum(row.is_dropped for row in rows),
        n_machines=sum(row.verdict == "machine" for row in rows),
        n_short_rings=sum(map(_is_short, rows)),
        n_messages=len(heard),
        message_after_s=max((row.message_utc - row.answered_utc for row in heard), default=0.0),
        n_dnc_blocked=sum(row.result == "dnc_blocked" for row in rows),
    )
