"""Call records for the tests of the storage."""

from typing import Any

from model.records import CallRecord, LegRecord, RecordingRecord, SegmentRecord

AT = 1_700_000_000.0


def make_call(call_id: str, at_utc: float = AT, *, n_legs: int = 2, n_segments: int = 2, **changes: Any) -> CallRecord:
    """A call that was answered after 3 s and lasted 30 s."""
    times = {"created_utc": at_utc, "ringing_utc": at_utc + 0.25, "answered_utc": at_utc + 3, "ended_utc": at_utc + 33}
    legs = [
        LegRecord(
            leg_id=f"{call_id}-leg{i}",
            call_id=call_id,
            direction="in" if i == 0 else "out",
            kind="extension",
            name=f"800{i}",
            sip_status=200,
            jitter_ms=1.75,
            packets_received=2**40,
            **times,
        )
        for i in reversed(range(n_legs))
    ]
    segments = [
        SegmentRecord(
            call_id=call_id, leg_id=f"{call_id}-leg0", purpose=purpose, started_utc=at_utc, ended_utc=at_utc + 3
        )
        for purpose in ("ring", "talk", "hold", "talk")[:n_segments]
    ]
    values = {
        "direction": "internal",
        "caller": "8001",
        "dialed": "8002",
        "extension": "8002",
        "duration_s": 33.0,
        "talk_s": 30.0,
        "hangup_cause": "NORMAL_CLEARING",
        "hangup_side": "caller",
        "legs": legs,
        "segments": segments,
    }
    return CallRecord(call_id=call_id, **(times | values | changes))


def make_recording(recording_id: str, call_id: str, at_utc: float = AT, **changes: Any) -> RecordingRecord:
    values = {
        "path": f"{recording_id}.wav",
        "started_utc": at_utc,
        "caller": "8001",
        "dialed": "8002",
        "duration_s": 30.0,
    }
    return RecordingRecord(recording_id=recording_id, call_id=call_id, **(values | changes))
