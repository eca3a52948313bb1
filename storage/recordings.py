"""What is asked of recordings, and what people add to them (REC-08, REC-09, REC-13)."""

from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from model.records import RecordingRecord
from storage import schema
from storage.database import Database
from storage.errors import NotFoundError
from storage.filters import Page, RecordingFilter, format_cursor, page_statement

_r = schema.recordings.c
_RECORD = RecordingRecord.__struct_fields__
_COLUMNS = [*(_r[name] for name in _RECORD), _r.remark, _r.is_important]


class StoredRecording(msgspec.Struct, frozen=True):
    """A recording, and what people noted about it."""

    recording: RecordingRecord
    remark: str = ""
    is_important: bool = False


class RecordingQueries:
    """UnavailableError when the database cannot be read (or written, for changes)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, recording_id: str) -> StoredRecording:
        """NotFoundError when there is none."""
        async with self._database.read() as connection:
            return await _get(connection, recording_id)

    async def find(
        self, criteria: RecordingFilter | None = None, *, after: str = "", limit: int = 50
    ) -> Page[StoredRecording]:
        """Newest first. ValueError for a bad limit, CursorError for a bad `after`."""
        criteria = criteria or RecordingFilter()
        table = schema.recordings
        statement = page_statement(table, "recording_id", "started_utc", _COLUMNS, criteria, after, limit)
        async with self._database.read() as connection:
            found = [_recording(row) for row in await connection.execute(statement)]
        items = found[:limit]
        if len(found) <= limit:
            return Page(items)
        last = items[-1].recording
        return Page(items, format_cursor(last.started_utc, last.recording_id))

    async def unfinished(self) -> list[RecordingRecord]:
        """All that are recorded or encoded yet, oldest first: after a crash, those to be repaired."""
        statement = select(*_COLUMNS).where(text(schema.UNFINISHED)).order_by(_r.started_utc)
        async with self._database.read() as connection:
            return [_recording(row).recording for row in await connection.execute(statement)]

    async def annotate(
        self, recording_id: str, *, remark: str | None = None, is_important: bool | None = None
    ) -> StoredRecording:
        """Changes what is not None and returns the result. NotFoundError when there is none."""
        changes: dict[str, object] = {"recording_id": recording_id}
        if remark is not None:
            changes["remark"] = remark
        if is_important is not None:
            changes["is_important"] = is_important
        change = update(schema.recordings).where(_r.recording_id == recording_id).values(changes)
        async with self._database.write() as connection:
            await connection.execute(change)
            return await _get(connection, recording_id)

    async def delete(self, recording_id: str) -> RecordingRecord:
        """Forgets the recording and returns what it was; the file is the caller's. NotFoundError when there is none."""
        async with self._database.write() as connection:
            recording = (await _get(connection, recording_id)).recording
            await connection.execute(delete(schema.recordings).where(_r.recording_id == recording_id))
            return recording


async def _get(connection: AsyncConnection, recording_id: str) -> StoredRecording:
    row = (await connection.execute(select(*_COLUMNS).where(_r.recording_id == recording_id))).first()
    if row is None:
        raise NotFoundError("recording", recording_id)
    return _recording(row)


async def recordings_of(connection: AsyncConnection, call_id: str) -> list[StoredRecording]:
    """The recordings of a call, in the order they were started."""
    statement = select(*_COLUMNS).where(_r.call_id == call_id).order_by(_r.started_utc, _r.recording_id)
    return [_recording(row) for row in await connection.execute(statement)]


_decode_pauses = msgspec.json.Decoder(list[tuple[float, float]]).decode
_decode_floats = msgspec.json.Decoder(list[float]).decode
_decode_texts = msgspec.json.Decoder(list[str]).decode


def _recording(row: Row[Any]) -> StoredRecording:
    values = row._asdict()
    remark, is_important = values.pop("remark"), values.pop("is_important")
    values["pauses"] = _decode_pauses(values["pauses"]) if values["pauses"] else []
    values["speech_s"] = _decode_floats(values["speech_s"]) if values["speech_s"] else []
    values["silent_because"] = _decode_texts(values["silent_because"]) if values["silent_because"] else []
    return StoredRecording(RecordingRecord(**values), remark, is_important)
