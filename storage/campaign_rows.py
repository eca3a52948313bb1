"""Records and attempts of campaigns to rows and back, and what the dialler gives to the writer.

The dialler writes its own columns of a record only (its *story*), and of its numbers what befell them; what lists and
people say of it stays as it is. So neither overwrites what the other changed meanwhile.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from model.campaigns import RecordStatus
from model.dialing import Attempt, CampaignRecord, PacingEntry, RecordNumber
from storage import schema_campaigns as schema
from storage.upsert import Row, Statement, Update, delete_by, insert, upsert

OPEN = ("new", "queued", "dialing", "retry_wait", "callback")
"""Records that may be called sometime."""
WAITING = ("new", "retry_wait", "callback")


class AttemptEntry(msgspec.Struct, frozen=True):
    """An attempt as it is now, and its record: before it is dialled, and when it is over."""

    attempt: Attempt
    record: CampaignRecord


class DispositionEntry(msgspec.Struct, frozen=True):
    """What an agent said of an attempt that is in the database already, in the record's `disposition`."""

    attempt_id: str
    record: CampaignRecord


class AttemptWithdrawn(msgspec.Struct, frozen=True):
    """It was not dialled: the database took it too late."""

    attempt_id: str


class RecordReturned(msgspec.Struct, frozen=True):
    """Out of the hopper without having been called."""

    record: CampaignRecord


class CampaignRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign goes on from after a restart."""

    campaign: str
    state: str
    document: bytes
    updated_utc: float = 0.0


CampaignEntry = AttemptEntry | DispositionEntry | AttemptWithdrawn | RecordReturned | CampaignRow | PacingEntry


class _NumberStory(msgspec.Struct, omit_defaults=True):
    n_attempts: int = 0
    n_by_result: dict[str, int] = {}
    last_utc: float = 0.0
    last_result: str = ""
    is_bad: bool = False


class _Story(msgspec.Struct, omit_defaults=True):
    """What nobody searches for, of what the dialler knows."""

    day: str = ""
    n_today: int = 0
    n_connected: int = 0
    last_number: str = ""
    reason: str = ""
    callback_note: str = ""
    note: str = ""
    numbers: dict[str, _NumberStory] = {}


class _SaidNumber(msgspec.Struct, omit_defaults=True):
    number: str
    label: str = ""
    zone: str = ""
    area: str = ""


_SAID = ("record_id", "campaign", "list_name", "row", "name", "customer_id", "owner", "has_consent", "created_utc")
_TOLD = (
    "status",
    "n_attempts",
    "next_utc",
    "deferred",
    "callback_utc",
    "callback_owner",
    "last_utc",
    "last_result",
    "disposition",
    "agent_id",
    "updated_utc",
)
_IN_STORY = ("day", "n_today", "n_connected", "last_number", "reason", "callback_note", "note")
SAID_COLUMNS = (*_SAID, "numbers", "data", "urgency")
STORY_COLUMNS = (*_TOLD, "is_answered", "is_connected", "story")
RECORD_COLUMNS = (*SAID_COLUMNS, *STORY_COLUMNS)
ATTEMPT_COLUMNS = (*Attempt.__struct_fields__, "number_reversed")
_ANSWERED = ("human", "dropped")
"""By a person."""

INSERT_RECORDS = insert(schema.campaign_records, RECORD_COLUMNS)
UPDATE_RECORD = Update(schema.campaign_records, [name for name in RECORD_COLUMNS if name != "record_id"])
INSERT_NUMBERS = insert(schema.campaign_numbers, ("record_id", "position", "number_reversed", "campaign"))
DELETE_NUMBERS = delete_by(schema.campaign_numbers, "record_id")
_UPDATE_STORY = Update(schema.campaign_records, STORY_COLUMNS)
_UPDATE_RETURNED = Update(schema.campaign_records, STORY_COLUMNS, "status IN ('queued', 'dialing')")
_UPSERT_ATTEMPTS = upsert(schema.attempts, ATTEMPT_COLUMNS)
_DELETE_ATTEMPTS = delete_by(schema.attempts, "attempt_id")
_UPDATE_DISPOSITION = Update(schema.attempts, ("disposition",))
_UPSERT_STATES = upsert(schema.campaign_states, CampaignRow.__struct_fields__)
_UPSERT_PACING = upsert(schema.pacing_log, PacingEntry.__struct_fields__)

_encode = msgspec.json.Encoder().encode
_decode_numbers = msgspec.json.Decoder(list[_SaidNumber]).decode
_decode_data = msgspec.json.Decoder(dict[str, str]).decode
_decode_story = msgspec.json.Decoder(_Story).decode


def copy_record(record: CampaignRecord) -> CampaignRecord:
    """Of its own: what becomes of `record` later does not change it."""
    numbers = [replace(each, n_by_result={**each.n_by_result}) for each in record.numbers]
    return replace(record, numbers=numbers, data={**record.data})


def status_out_of_hopper(record: CampaignRecord) -> RecordStatus:
    """Of one that was queued, by what it tells."""
    return "callback" if record.callback_utc else "retry_wait" if record.n_attempts else "new"


def record_row(record: CampaignRecord) -> Row:
    """In the order of `RECORD_COLUMNS`."""
    said = [_SaidNumber(each.number, each.label, each.zone, each.area) for each in record.numbers]
    data = _encode(record.data).decode() if record.data else ""
    values = [getattr(record, name) for name in _SAID]
    return (*values, _encode(said).decode(), data, -record.priority, *_story_row(record))


def number_rows(record: CampaignRecord) -> list[Row]:
    return [
        (record.record_id, position, each.number[::-1], record.campaign) for position, each in enumerate(record.numbers)
    ]


def update_row(record: CampaignRecord) -> Row:
    """Of `UPDATE_RECORD`."""
    key, *values = record_row(record)
    return (*values, key)


def record_of(row: Any) -> CampaignRecord:
    """`row` has `RECORD_COLUMNS`."""
    values: dict[str, Any] = row._asdict()
    story = _decode_story(values.pop("story") or b"{}")
    numbers = [
        RecordNumber(**msgspec.structs.asdict(said), **_befallen(story.numbers.get(said.number)))
        for said in _decode_numbers(values.pop("numbers") or b"[]")
    ]
    data = _decode_data(values.pop("data") or b"{}")
    del values["is_answered"], values["is_connected"]
    for name in _IN_STORY:
        values[name] = getattr(story, name)
    return CampaignRecord(numbers=numbers, data=data, priority=-values.pop("urgency"), **values)


def attempt_of(row: Any) -> Attempt:
    """`row` has the fields of an attempt."""
    return Attempt(**row._asdict())


class CampaignPlan:
    """The statements of one transaction; of the same thing put twice the last counts."""

    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}
        self._dispositions: dict[str, str] = {}
        self._withdrawn: dict[str, None] = {}
        self._told: dict[str, CampaignRecord] = {}
        self._returned: dict[str, CampaignRecord] = {}
        self._states: dict[str, CampaignRow] = {}
        self._pacing: dict[tuple[str, float], PacingEntry] = {}

    def take(self, entry: CampaignEntry) -> None:
        match entry:
            case AttemptEntry():
                self._attempts[entry.attempt.attempt_id] = entry.attempt
                self._dispositions.pop(entry.attempt.attempt_id, None)
                # One that was returned before was queued anew since: this is the later word in any case.
                self._returned.pop(entry.record.record_id, None)
                self._told[entry.record.record_id] = entry.record
            case DispositionEntry():
                self._dispositions[entry.attempt_id] = entry.record.disposition
                self._returned.pop(entry.record.record_id, None)
                self._told[entry.record.record_id] = entry.record
            case AttemptWithdrawn():
                self._attempts.pop(entry.attempt_id, None)
                self._withdrawn[entry.attempt_id] = None
            case RecordReturned():
                self._returned[entry.record.record_id] = entry.record
            case CampaignRow():
                self._states[entry.campaign] = entry
            case PacingEntry():
                self._pacing[entry.campaign, entry.at_utc] = entry

    def statements(self) -> list[tuple[Statement, Sequence[Row]]]:
        found: list[tuple[Statement, Sequence[Row]]] = [
            (_UPSERT_ATTEMPTS, [(*astuple(each), each.number[::-1]) for each in self._attempts.values()]),
            (_UPDATE_DISPOSITION, [(code, key) for key, code in self._dispositions.items()]),
            (_DELETE_ATTEMPTS, [(key,) for key in self._withdrawn]),
            (_UPDATE_STORY, [(*_story_row(each), key) for key, each in self._told.items()]),
            (_UPDATE_RETURNED, [(*_story_row(each), key) for key, each in self._returned.items()]),
            (_UPSERT_STATES, [astuple(each) for each in self._states.values()]),
            (_UPSERT_PACING, [_pacing_row(each) for each in self._pacing.values()]),
        ]
        return [(statement, rows) for statement, rows in found if rows]


def describe_entry(entry: CampaignEntry) -> str:
    match entry:
        case AttemptEntry():
            return f"attempt {entry.attempt.attempt_id}"
        case DispositionEntry():
            return f"disposition of attempt {entry.attempt_id}"
        case AttemptWithdrawn():
            return f"withdrawal of attempt {entry.attempt_id}"
        case RecordReturned():
            return f"record {entry.record.record_id}"
        case _:
            return f"campaign {entry.campaign}"


def is_answered(record: CampaignRecord) -> bool:
    return any(each.n_by_result.get(result) for each in record.numbers for result in _ANSWERED)


def is_connected(record: CampaignRecord) -> bool:
    return record.n_connected > 0


def _story_row(record: CampaignRecord) -> Row:
    """In the order of `STORY_COLUMNS`."""
    befallen = {
        each.number: _NumberStory(each.n_attempts, each.n_by_result, each.last_utc, each.last_result, each.is_bad)
        for each in record.numbers
        if each.n_attempts or each.is_bad
    }
    story = _Story(**{name: getattr(record, name) for name in _IN_STORY}, numbers=befallen)
    told = [getattr(record, name) for name in _TOLD]
    return (*told, is_answered(record), is_connected(record), _encode(story).decode())


def _befallen(story: _NumberStory | None) -> dict[str, Any]:
    return {} if story is None else msgspec.structs.asdict(story)


def _pacing_row(entry: PacingEntry) -> Row:
    *values, inputs = astuple(entry)
    return (*values, _encode(inputs).decode())
