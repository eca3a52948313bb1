"""Recordings whose writer was killed: repaired, measured, and closed in the database."""

import asyncio
import logging
from collections.abc import Iterable

import msgspec

from media.wav import WavError, repair
from model.records import RecordingRecord
from storage.errors import UnavailableError
from storage.storage import Storage
from switch.runtime import Runtime

log = logging.getLogger(__name__)

ADOPTION_S = 10.0
"""A media worker that outlived the switch says within this time how the recordings ended that it had open."""


async def recover_after_start(storage: Storage, runtime: Runtime) -> None:
    """Recordings an earlier run left open: a worker that still lives closes them, the others are repaired."""
    try:
        unfinished = await storage.recordings.unfinished()
    except UnavailableError as error:
        log.error("x unfinished recordings cannot be read: %s", error)
        return
    if not unfinished:
        return
    runtime.recordings |= {record.recording_id: record for record in unfinished}
    await asyncio.sleep(ADOPTION_S)
    orphans = [record for record in unfinished if runtime.recordings.get(record.recording_id) is record]
    for record in orphans:
        del runtime.recordings[record.recording_id]
    await recover(storage, orphans)


async def recover(storage: Storage, records: Iterable[RecordingRecord]) -> None:
    """Repairs the files in a thread and keeps what they hold."""
    for record in records:
        recovered = await asyncio.to_thread(_recover, record)
        storage.put(recovered)
        log.warning("= recording %s of call %s: %s", record.recording_id, record.call_id, recovered.state)


def _recover(record: RecordingRecord) -> RecordingRecord:
    try:
        repaired = repair(record.path)
    except OSError as error:
        return msgspec.structs.replace(record, state="failed", error=f"{error.strerror}: {record.path}")
    except WavError as error:
        return msgspec.structs.replace(record, state="failed", error=str(error))
    if repaired is None:
        return msgspec.structs.replace(record, state="failed", error="nothing had been written")
    return msgspec.structs.replace(
        record,
        state="recovered",
        duration_s=repaired.duration_s,
        size=repaired.size,
        sha256=repaired.sha256,
        channels=repaired.channels,
        ended_utc=record.started_utc + repaired.duration_s,
        error="the switch or its media worker was killed",
    )
