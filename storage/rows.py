"""Records to rows. Columns are written in the order of the record's fields, so a row is one C call away.

`plan(records)` turns a batch into the statements of one transaction: of the same record put twice the last counts, and
what an earlier version of a call had beyond the new one is removed.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import astuple

from model.audit import AuditRecord
from model.dialing import PacingEntry
from model.records import CallRecord, EventRecord, LegRecord, MessageRecord, RecordingRecord, SegmentRecord
from storage import schema
from storage.campaign_rows import (
    AttemptEntry,
    AttemptWithdrawn,
    CampaignEntry,
    CampaignPlan,
    CampaignRow,
    DispositionEntry,
    RecordReturned,
    describe_entry,
)
from storage.upsert import Row, Statement, delete_by, insert, insert_new, upsert

Record = CallRecord | RecordingRecord | MessageRecord | EventRecord | AuditRecord | CampaignEntry
"""What `Writer.put` takes."""

RECORD_TYPES: dict[str, type[Record]] = {
    "CallRecord": CallRecord,
    "RecordingRecord": RecordingRecord,
    "MessageRecord": MessageRecord,
    "AuditRecord": AuditRecord,
    "EventRecord": EventRecord,
    "AttemptEntry": AttemptEntry,
    "DispositionEntry": DispositionEntry,
    "AttemptWithdrawn": AttemptWithdrawn,
    "RecordReturned": RecordReturned,
    "CampaignRow": CampaignRow,
    "PacingEntry": PacingEntry,
}


def _fields(record: type[msgspec.Struct], *without: str) -> list[str]:
    return [name for name in record.__struct_fields__ if name not in without]


_REVERSED = ["caller_reversed", "dialed_reversed"]
CALL_COLUMNS = _fields(CallRecord, "legs", "segments") + _REVERSED
LEG_COLUMNS = ["position", *_fields(LegRecord)]
SEGMENT_COLUMNS = ["position", *_fields(SegmentRecord)]
RECORDING_COLUMNS = _fields(RecordingRecord) + _REVERSED
EVENT_COLUMNS = _fields(EventRecord)
MESSAGE_COLUMNS = _fields(MessageRecord)

AUDIT_COLUMNS = _fields(AuditRecord)

_UPSERT_CALLS = upsert(schema.calls, CALL_COLUMNS)
_DELETE_LEGS = delete_by(schema.legs, "call_id")
_DELETE_SEGMENTS = delete_by(schema.segments, "call_id")
_INSERT_LEGS = insert(schema.legs, LEG_COLUMNS)
_INSERT_SEGMENTS = insert(schema.segments, SEGMENT_COLUMNS)
_UPSERT_RECORDINGS = upsert(schema.recordings, RECORDING_COLUMNS)
_INSERT_AUDIT = insert_new(schema.audit_log, AUDIT_COLUMNS)

_UPSERT_MESSAGES = upsert(schema.voicemail_messages, MESSAGE_COLUMNS)
_UPSERT_EVENTS = upsert(schema.event_log, EVENT_COLUMNS)

_encode = msgspec.json.Encoder().encode
_N_BEHIND_CALL = 2
_LISTS = tuple(map(RECORDING_COLUMNS.index, ("pauses", "speech_s", "silent_because")))


def describe(record: Record) -> str:
    """Kind and id, for the log: no numbers, no names."""
    match record:
        case CallRecord():
            return f"call {record.call_id}"
        case EventRecord():
            return f"event {record.seq} {record.name}"
        case AuditRecord():
            return f"audit row {record.seq}"
        case MessageRecord():
            return f"message {record.message_id}"
        case RecordingRecord():
            return f"recording {record.recording_id}"
        case _:
            return describe_entry(record)


def plan(records: Iterable[Record]) -> list[tuple[Statement, Sequence[Row]]]:
    """The statements that write `records`, in order, each with its rows."""
    calls: dict[str, CallRecord] = {}
    recordings: dict[str, RecordingRecord] = {}
    messages: dict[str, MessageRecord] = {}
    events: dict[tuple[str, int], EventRecord] = {}
    audit: list[Row] = []
    campaigns = CampaignPlan()
    for record in records:
        if type(record) is CallRecord:
            calls[record.call_id] = record
        elif type(record) is EventRecord:
            events[record.node, record.seq] = record
        elif type(record) is AuditRecord:
            audit.append(astuple(record))
        elif type(record) is MessageRecord:
            messages[record.message_id] = record
        elif type(record) is RecordingRecord:
            recordings[record.recording_id] = record
        else:
            assert isinstance(record, CampaignEntry)
            campaigns.take(record)
    statements: list[tuple[Statement, Sequence[Row]]] = []
    if calls:
        ids = [(call_id,) for call_id in calls]
        legs = [(i, *astuple(leg)) for call in calls.values() for i, leg in enumerate(call.legs)]
        segments = [(i, *astuple(s)) for call in calls.values() for i, s in enumerate(call.segments)]
        statements += [
            (_UPSERT_CALLS, [_call_row(call) for call in calls.values()]),
            (_DELETE_LEGS, ids),
            (_DELETE_SEGMENTS, ids),
            (_INSERT_LEGS, legs),
            (_INSERT_SEGMENTS, segments),
        ]
    if recordings:
        statements.append((_UPSERT_RECORDINGS, [_recording_row(r) for r in recordings.values()]))
    if messages:
        statements.append((_UPSERT_MESSAGES, [astuple(message) for message in messages.values()]))
    if audit:
        statements.append((_INSERT_AUDIT, audit))
    if events:
        statements.append((_UPSERT_EVENTS, [astuple(event) for event in events.values()]))
    return statements + campaigns.statements()


def _call_row(call: CallRecord) -> Row:
    *values, data, absorbed = astuple(call)[:-_N_BEHIND_CALL]
    texts = [_encode(each).decode() if each else "" for each in (data, absorbed)]
    return (*values, *texts, call.caller[::-1], call.dialed[::-1])


def _recording_row(recording: RecordingRecord) -> Row:
    values = list(astuple(recording))
    for i in _LISTS:
        values[i] = _encode(values[i]).decode() if values[i] else ""
    return (*values, recording.caller[::-1], recording.dialed[::-1])
