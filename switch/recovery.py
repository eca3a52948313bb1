"""Recordings whose writer or encoder was killed: repaired, measured, encoded, and closed in the database."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable

import msgspec

from media.encoders import ENCODE, Encoded
from media.wav import WavError, repair
from model.records import RecordingRecord
from storage.errors import UnavailableError
from storage.storage import Storage
from switch.runtime import Runtime

log = logging.getLogger(__name__)

Told = Callable[[RecordingRecord], None]

ADOPTION_S = 10.0
"""A media worker that outlived the switch says within this time how the recordings ended that it had open."""


async def recover_after_start(storage: Storage, runtime: Runtime, told: Told) -> None:
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
    await recover(storage, orphans, told)


async def recover(storage: Storage, records: Iterable[RecordingRecord], told: Told) -> None:
    """Repairs the files in a thread, makes the MP3s that were wanted in a process, and keeps what there is; `told` of
    each what it is in the end."""
    for record in records:
        recovered = await asyncio.to_thread(_recover, record)
        if record.format == "mp3" and recovered.state != "failed":
            # Playable from now on; the MP3 may take its time.
            storage.put(msgspec.structs.replace(recovered, state="encoding", format="mp3"))
            recovered = await _encode(recovered)
        storage.put(recovered)
        told(recovered)
        log.warning("= recording %s of call %s: %s", record.recording_id, record.call_id, recovered.state)


def _recover(record: RecordingRecord) -> RecordingRecord:
    if record.state == "encoding" and not os.path.exists(record.path):
        # The encoder ended, whoever waited for it did not hear of it: `_encode` finds the MP3.
        return msgspec.structs.replace(record, state="finished", format="wav")
    try:
        repaired = repair(record.path)
    except OSError as error:
        return _failed(record, f"{error.strerror}: {record.path}")
    except WavError as error:
        return _failed(record, str(error))
    if repaired is None:
        return _failed(record, "nothing had been written")
    was_whole = record.state == "encoding" and not repaired.is_changed
    return msgspec.structs.replace(
        record,
        state="finished" if was_whole else "recovered",
        format="wav",
        duration_s=repaired.duration_s,
        size=repaired.size,
        sha256=repaired.sha256,
        channels=repaired.channels,
        ended_utc=record.started_utc + repaired.duration_s,
        error=record.error if was_whole else "the switch or its media worker was killed",
    )


def _failed(record: RecordingRecord, error: str) -> RecordingRecord:
    return msgspec.structs.replace(record, state="failed", format="wav", error=error)


async def _encode(record: RecordingRecord) -> RecordingRecord:
    """The record with its MP3; as it is, and why, when that cannot be made."""
    process = await asyncio.create_subprocess_exec(*ENCODE, record.path, stdout=asyncio.subprocess.PIPE)
    try:
        answer, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    try:
        encoded = msgspec.json.decode(answer, type=Encoded)
    except msgspec.DecodeError:
        encoded = Encoded(record.path, 0.0, 0, "", f"the encoder died (status {process.returncode})")
    if encoded.error:
        is_lost = not await asyncio.to_thread(os.path.exists, record.path)
        error = f"{record.error}; {encoded.error}" if record.error else encoded.error
        return msgspec.structs.replace(record, state="failed" if is_lost else record.state, error=error)
    return msgspec.structs.replace(
        record,
        path=encoded.path,
        format="mp3",
        size=encoded.size,
        sha256=encoded.sha256,
        duration_s=encoded.duration_s,
    )
