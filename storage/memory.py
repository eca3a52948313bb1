"""A storage without disk, thread or timer, for whole-switch tests in virtual time; functions and errors of `Storage`.

`fail` and `recover` play a database that cannot be written: what is put meanwhile waits, in order.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Generic, get_args

import msgspec

from model.audit import FIRST_HASH, AuditRecord
from model.records import CallRecord, EventRecord, MessageRecord, RecordingRecord
from storage.audit import parse_seq
from storage.calls import CallTotals, GroupBy, StoredCall
from storage.campaign_rows import CampaignEntry
from storage.directory import (
    KINDS,
    AccessNumber,
    Entry,
    Extension,
    ExtensionServices,
    ExtensionState,
    Member,
    Setting,
    StoredRole,
    Trunk,
)
from storage.errors import ClosedError, DuplicateError, InUseError, NotFoundError
from storage.event_log import EventFilter, check_limit, page_of, parse_place
from storage.filters import (
    MAX_PAGE,
    AuditFilter,
    CallFilter,
    Filter,
    Page,
    RecordingFilter,
    T,
    equal_fields,
    format_cursor,
    parse_cursor,
)
from storage.memory_campaigns import MemoryOutbound
from storage.memory_customers import MemoryAppointments, MemoryBarred, MemoryCustomers
from storage.memory_evidence import MemoryEvidence
from storage.memory_flows import MemoryFlows
from storage.recordings import StoredRecording
from storage.rows import RECORD_TYPES, Record
from storage.voicemail import IN_BOX, BoxTotals, MessageFilter
from storage.voicemail import page_of as page_of_messages
from storage.writer import WriterState


class MemoryStorage:
    """Keeps everything in dictionaries; `wall` gives UTC seconds."""

    def __init__(
        self,
        wall: Callable[[], float] = lambda: 0.0,
        *,
        max_backlog: int = 50_000,
        on_state_change: Callable[[WriterState], None] | None = None,
    ) -> None:
        self.calls = MemoryCalls()
        self.recordings = MemoryRecordings()
        self.calls.recordings = self.recordings
        self.audit = MemoryAudit()
        self.events = MemoryEvents()
        self.messages = MemoryMessages()
        self.flows = MemoryFlows()
        self._outbound = MemoryOutbound(self)
        self.records = self._outbound.records
        self.attempts = self._outbound.attempts
        self.campaigns = self._outbound.campaigns
        self.evidence = MemoryEvidence(self, self._outbound.records)
        self.barred = MemoryBarred()
        self.customers = MemoryCustomers()
        self.appointments = MemoryAppointments(self)
        self.extensions: MemoryEntries[Extension] = MemoryEntries(Extension, wall)
        self.extension_services: MemoryEntries[ExtensionServices] = MemoryEntries(ExtensionServices, wall)
        self.access_numbers: MemoryEntries[AccessNumber] = MemoryEntries(AccessNumber, wall)
        self.extension_states: MemoryEntries[ExtensionState] = MemoryEntries(ExtensionState, wall)
        self.settings: MemoryEntries[Setting] = MemoryEntries(Setting, wall)
        self.members: MemoryEntries[Member] = MemoryEntries(Member, wall)
        self.roles: MemoryEntries[StoredRole] = MemoryEntries(StoredRole, wall)
        self.trunks: MemoryEntries[Trunk] = MemoryEntries(Trunk, wall, self.access_numbers)
        self.state = WriterState()
        self._wall = wall
        self._max_backlog = max_backlog
        self._on_state_change = on_state_change
        self._waiting: list[Record] = []
        self._works = asyncio.Event()
        self._works.set()
        self._is_closed = False

    @property
    def is_congested(self) -> bool:
        return self.state.is_congested

    def put(self, record: Record) -> None:
        if self._is_closed:
            raise ClosedError("the writer is closed")
        if type(record) not in RECORD_TYPES.values():
            raise TypeError(f"no table for {type(record).__name__}")
        self._waiting.append(record)
        if self.state.is_failing:
            self._set_state(is_congested=len(self._waiting) >= self._max_backlog)
        else:
            self._write()

    async def flush(self) -> None:
        await self._works.wait()

    def fail(self, error: str) -> None:
        """From now on nothing can be written."""
        self._works.clear()
        self._set_state(is_failing=True, error=error, since_utc=self._wall())

    def recover(self) -> None:
        """What waits is written."""
        self._write()
        self._set_state(is_failing=False, error="", since_utc=0.0, is_congested=False)
        self._works.set()

    async def close(self, timeout_s: float = 10.0) -> None:
        self._is_closed = True

    def _write(self) -> None:
        for record in self._waiting:
            if isinstance(record, CallRecord):
                self.calls.rows[record.call_id] = record
            elif isinstance(record, AuditRecord):
                self.audit.rows.setdefault(record.seq, record)
            elif isinstance(record, EventRecord):
                self.events.rows[record.node, record.seq] = record
            elif isinstance(record, MessageRecord):
                self.messages.rows[record.message_id] = record
            elif isinstance(record, CampaignEntry):
                self._outbound.write(record)
            else:
                self.recordings.write(record)
        written = self.state.written + len(self._waiting)
        self._waiting.clear()
        self.state = msgspec.structs.replace(self.state, written=written, backlog=0)

    def _set_state(self, **changes: Any) -> None:
        before = self.state
        self.state = msgspec.structs.replace(before, backlog=len(self._waiting), **changes)
        is_news = (before.error, before.is_congested) != (self.state.error, self.state.is_congested)
        if is_news and self._on_state_change is not None:
            self._on_state_change(self.state)


class MemoryEvents:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], EventRecord] = {}

    async def find(self, criteria: EventFilter | None = None, *, after: str = "", limit: int = 50) -> Page[EventRecord]:
        criteria = criteria or EventFilter()
        check_limit(limit)
        place = parse_place(after) if after else (-1.0, -1)
        found = [
            row
            for row in sorted(self.rows.values(), key=lambda row: (row.at_utc, row.seq))
            if (row.at_utc, row.seq) > place
            and row.at_utc >= criteria.start_utc
            and (not criteria.end_utc or row.at_utc < criteria.end_utc)
            and (not criteria.names or row.name in criteria.names)
            and all(getattr(criteria, name) in ("", getattr(row, name)) for name in ("queue", "agent_id", "call_id"))
        ]
        return page_of(found[: limit + 1], limit)

    async def forget_before(self, instant_utc: float, limit: int) -> int:
        old = [key for key, row in self.rows.items() if row.at_utc < instant_utc]
        old = sorted(old, key=lambda key: self.rows[key].at_utc)[:limit]
        for key in old:
            del self.rows[key]
        return len(old)


class MemoryCalls:
    recordings: "MemoryRecordings"

    def __init__(self) -> None:
        self.rows: dict[str, CallRecord] = {}

    async def get(self, call_id: str) -> StoredCall:
        if call_id not in self.rows:
            raise NotFoundError("call", call_id)
        of_call = [r for r in self.recordings.rows.values() if r.recording.call_id == call_id]
        of_call.sort(key=lambda r: (r.recording.started_utc, r.recording.recording_id))
        return StoredCall(self.rows[call_id], of_call)

    async def served_since(self, start_utc: float, limit: int) -> list[tuple[str, str, float]]:
        found = [
            (row.caller, row.agent_id, row.created_utc)
            for row in self.rows.values()
            if row.agent_id and row.created_utc >= start_utc
        ]
        return sorted(found, key=lambda each: -each[2])[:limit]

    async def find(self, criteria: CallFilter | None = None, *, after: str = "", limit: int = 50) -> Page[CallRecord]:
        found = [
            (call.created_utc, call.call_id, msgspec.structs.replace(call, legs=[], segments=[]))
            for call in self._matching(criteria)
        ]
        return _page(found, after, limit)

    async def totals(self, by: GroupBy, criteria: CallFilter | None = None) -> list[CallTotals]:
        if by not in get_args(GroupBy):
            raise ValueError(f"cannot group by {by}")
        groups: dict[str, list[CallRecord]] = {}
        for call in self._matching(criteria):
            groups.setdefault(getattr(call, by), []).append(call)
        return [_totals(key, groups[key]) for key in sorted(groups)]

    async def totals_by_interval(
        self, boundaries: Sequence[float], criteria: CallFilter | None = None
    ) -> list[CallTotals]:
        calls = self._matching(criteria)
        return [
            _totals(repr(start), [call for call in calls if start <= call.created_utc < end])
            for start, end in itertools.pairwise(boundaries)
        ]

    def _matching(self, criteria: CallFilter | None) -> list[CallRecord]:
        criteria = criteria or CallFilter()
        return [
            call
            for call in self.rows.values()
            if _matches(call, call.created_utc, criteria) and criteria.is_answered in (None, call.answered_utc > 0)
        ]


class MemoryRecordings:
    def __init__(self) -> None:
        self.rows: dict[str, StoredRecording] = {}

    def write(self, recording: RecordingRecord) -> None:
        before = self.rows.get(recording.recording_id, StoredRecording(recording))
        self.rows[recording.recording_id] = msgspec.structs.replace(before, recording=recording)

    async def get(self, recording_id: str) -> StoredRecording:
        if recording_id not in self.rows:
            raise NotFoundError("recording", recording_id)
        return self.rows[recording_id]

    async def find(
        self, criteria: RecordingFilter | None = None, *, after: str = "", limit: int = 50
    ) -> Page[StoredRecording]:
        criteria = criteria or RecordingFilter()
        found = [
            (row.recording.started_utc, recording_id, row)
            for recording_id, row in self.rows.items()
            if _matches(row.recording, row.recording.started_utc, criteria)
            and criteria.is_important in (None, row.is_important)
        ]
        return _page(found, after, limit)

    async def unfinished(self) -> list[RecordingRecord]:
        open_ones = [row.recording for row in self.rows.values() if row.recording.state in ("recording", "encoding")]
        return sorted(open_ones, key=lambda recording: recording.started_utc)

    async def annotate(
        self, recording_id: str, *, remark: str | None = None, is_important: bool | None = None
    ) -> StoredRecording:
        row = await self.get(recording_id)
        row = msgspec.structs.replace(
            row,
            remark=row.remark if remark is None else remark,
            is_important=row.is_important if is_important is None else is_important,
        )
        self.rows[recording_id] = row
        return row

    async def delete(self, recording_id: str) -> RecordingRecord:
        row = await self.get(recording_id)
        del self.rows[recording_id]
        return row.recording


class MemoryMessages:
    def __init__(self) -> None:
        self.rows: dict[str, MessageRecord] = {}

    async def get(self, message_id: str) -> MessageRecord:
        if message_id not in self.rows:
            raise NotFoundError("message", message_id)
        return self.rows[message_id]

    async def find(
        self, criteria: MessageFilter | None = None, *, after: str = "", limit: int = 50
    ) -> Page[MessageRecord]:
        check_limit(limit)
        found = sorted(self._matching(criteria), key=lambda row: (row.left_utc, row.message_id), reverse=True)
        if after:
            found = [row for row in found if (row.left_utc, row.message_id) < parse_cursor(after)]
        return page_of_messages(found[: limit + 1], limit)

    async def in_boxes(self) -> list[MessageRecord]:
        return sorted((row for row in self.rows.values() if row.state in IN_BOX), key=lambda row: row.left_utc)

    async def totals(self, criteria: MessageFilter | None = None) -> list[BoxTotals]:
        boxes: dict[str, list[MessageRecord]] = {}
        for row in self._matching(criteria):
            if row.state in ("new", "heard", "deleted"):
                boxes.setdefault(row.box, []).append(row)
        return [_box_totals(box, boxes[box]) for box in sorted(boxes)]

    def _matching(self, criteria: MessageFilter | None) -> list[MessageRecord]:
        criteria = criteria or MessageFilter()
        return [
            row
            for row in self.rows.values()
            if row.left_utc >= criteria.start_utc
            and (not criteria.end_utc or row.left_utc < criteria.end_utc)
            and (not criteria.states or row.state in criteria.states)
            and all(getattr(criteria, name) in ("", getattr(row, name)) for name in ("box", "queue", "caller"))
        ]


def _box_totals(box: str, rows: list[MessageRecord]) -> BoxTotals:
    waits = [row.heard_utc - row.left_utc for row in rows if row.heard_utc]
    return BoxTotals(
        box=box,
        queue=max(row.queue for row in rows),
        n_left=len(rows),
        n_new=sum(row.state == "new" for row in rows),
        n_called_back=sum(row.called_back_utc > 0 for row in rows),
        total_s=sum(row.duration_s for row in rows),
        heard_after_s=sum(waits) / len(waits) if waits else 0.0,
    )


class MemoryAudit:
    def __init__(self) -> None:
        self.rows: dict[int, AuditRecord] = {}

    async def head(self) -> tuple[int, str]:
        last = max(self.rows, default=0)
        return (last, self.rows[last].hash) if last else (0, FIRST_HASH)

    async def find(self, criteria: AuditFilter, *, after: str = "", limit: int = 50) -> Page[AuditRecord]:
        before = parse_seq(after) if after else float("inf")
        found = [
            row
            for seq, row in sorted(self.rows.items(), reverse=True)
            if seq < before
            and row.at_utc >= criteria.start_utc
            and (not criteria.end_utc or row.at_utc < criteria.end_utc)
            and (
                row.action.startswith(criteria.action)
                if criteria.action.endswith(".")
                else criteria.action in ("", row.action)
            )
            and all(getattr(criteria, name) in ("", getattr(row, name)) for name in ("who", "subject", "outcome"))
        ]
        return Page(found[:limit], str(found[limit - 1].seq) if len(found) > limit else "")

    async def pages(self) -> AsyncIterator[list[AuditRecord]]:
        if self.rows:
            yield [self.rows[seq] for seq in sorted(self.rows)]


class MemoryEntries(Generic[Entry]):
    def __init__(
        self, kind: type[Entry], wall: Callable[[], float], users: "MemoryEntries[AccessNumber] | None" = None
    ) -> None:
        self.rows: dict[str, Entry] = {}
        self._what, self._key, _ = KINDS[kind]
        self._wall = wall
        self._users = users

    async def add(self, entry: Entry) -> Entry:
        key = getattr(entry, self._key)
        if key in self.rows:
            raise DuplicateError(self._what, key)
        now_utc = self._wall()
        self.rows[key] = entry = msgspec.structs.replace(entry, created_utc=now_utc, updated_utc=now_utc)
        return entry

    async def get(self, key: str) -> Entry:
        if key not in self.rows:
            raise NotFoundError(self._what, key)
        return self.rows[key]

    async def all(self) -> list[Entry]:
        return [self.rows[key] for key in sorted(self.rows)]

    async def page(self, prefix: str = "", after: str = "", limit: int = 100) -> list[Entry]:
        return [self.rows[key] for key in sorted(self.rows) if key.startswith(prefix) and key > after][:limit]

    async def update(self, entry: Entry) -> Entry:
        key = getattr(entry, self._key)
        before = await self.get(key)
        self.rows[key] = entry = msgspec.structs.replace(
            entry, created_utc=before.created_utc, updated_utc=self._wall()
        )
        return entry

    async def delete(self, key: str) -> None:
        for number in self._users.rows.values() if self._users else ():
            if number.trunk == key:
                raise InUseError(self._what, key, f"access number {number.number}")
        await self.get(key)
        del self.rows[key]

    async def replace_source(self, source: str, entries: Sequence[Entry]) -> None:
        now_utc = self._wall()
        kept = {key: entry for key, entry in self.rows.items() if entry.source != source}
        for entry in entries:
            key = getattr(entry, self._key)
            if key in kept:
                raise DuplicateError(self._what, key)
            created_utc = self.rows[key].created_utc if key in self.rows else now_utc
            kept[key] = msgspec.structs.replace(entry, source=source, created_utc=created_utc, updated_utc=now_utc)
        self.rows = kept


def _matches(record: CallRecord | RecordingRecord, at_utc: float, criteria: Filter) -> bool:
    def is_number(number: str, wanted: str) -> bool:
        return number.endswith(wanted) if criteria.is_suffix else number == wanted

    return (
        not criteria.domain
        and at_utc >= criteria.start_utc
        and (not criteria.end_utc or at_utc < criteria.end_utc)
        and (not criteria.caller or is_number(record.caller, criteria.caller))
        and (not criteria.dialed or is_number(record.dialed, criteria.dialed))
        and (not criteria.number or any(is_number(n, criteria.number) for n in (record.caller, record.dialed)))
        and record.duration_s >= criteria.min_duration_s
        and (not criteria.max_duration_s or record.duration_s <= criteria.max_duration_s)
        and all(getattr(record, name) == value for name, value in equal_fields(criteria))
    )


def _page(found: Iterable[tuple[float, str, T]], after: str, limit: int) -> Page[T]:
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must be 1 to {MAX_PAGE}, not {limit}")
    rows = sorted(found, key=lambda row: row[:2], reverse=True)
    if after:
        cursor = parse_cursor(after)
        rows = [row for row in rows if row[:2] < cursor]
    page = rows[:limit]
    return Page([row[2] for row in page], format_cursor(*page[-1][:2]) if len(rows) > limit else "")


def _totals(key: str, calls: list[CallRecord]) -> CallTotals:
    answered = [call for call in calls if call.answered_utc > 0]
    return CallTotals(
        key,
        len(calls),
        len(answered),
        sum(call.duration_s for call in calls),
        sum(call.talk_s for call in calls),
        sum(call.hold_s for call in calls),
        sum(call.answered_utc - (call.ringing_utc or call.created_utc) for call in answered),
    )
