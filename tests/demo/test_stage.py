"""The stage and the verdict: what phones and switch tell becomes the state of each call, and is judged.

Not covered: listening to files (test_listening), real processes (test_demo).
"""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from control.client import ReceivedEvent
from model.records import RecordingRecord
from switch.demo.events import PhoneEvent
from switch.demo.plan import make_plan
from switch.demo.rtp import LineStatistics
from switch.demo.setting import CARRIER
from switch.demo.stage import CallState, Stage, same_number
from switch.demo.verdict import count_digits, file_error, log_faults


@pytest.fixture
def changes() -> list[str]:
    return []


@pytest.fixture
def stage(changes: list[str]) -> Stage:
    """Three calls: 1001 to 1002, 1003 to 13800138002, 13800138003 by 4008001001 to the agent at 1004."""
    return Stage(make_plan(3, 10.0), lambda state, text: changes.append(f"{state.planned.index} {text}"))


def told(stage: Stage, event: str, phone: str, call: str = "", **more: Any) -> None:
    stage.on_phone(PhoneEvent(event=event, phone=phone, call=call, **more))


def happened(stage: Stage, event: str, **fields: Any) -> None:
    stage.on_switch(ReceivedEvent(event, 1, "", "demo", fields))


def talk(stage: Stage) -> CallState:
    """The first call, answered."""
    told(stage, "calling", "1001", "c0", number="1002")
    told(stage, "incoming", "1002", "1002-1", number="1001", dialed="1002")
    told(stage, "answered", "1002", "1002-1")
    told(stage, "answered", "1001", "c0")
    return stage.calls[0]


def test_phones_are_counted(stage: Stage) -> None:
    told(stage, "ready", CARRIER)
    told(stage, "registered", "1001")
    told(stage, "registration_failed", "1002", status=403, reason="Forbidden")
    assert (stage.ready, stage.registered) == ({CARRIER}, {"1001"})
    assert stage.errors == ["1002 could not register: 403 Forbidden"]


def test_both_ends_of_a_call_come_together(stage: Stage) -> None:
    state = talk(stage)
    assert state.ids == {"caller": "c0", "callee": "1002-1"} and state.answered == {"caller", "callee"}
    told(stage, "held", "1002", "1002-1")
    assert state.held == {"callee"} and state.holds == 0
    told(stage, "resumed", "1002", "1002-1")
    assert state.holds == 1
    for phone, call in (("1001", "c0"), ("1002", "1002-1")):
        told(stage, "ended", phone, call, statistics=LineStatistics(digits_received="03#"))
    assert state.is_over and not state.problems


@pytest.mark.parametrize(
    ("phone", "dialed", "number", "index"),
    [(CARRIER, "13800138002", "1003", 1), ("1002", "1002", "1001", 0), ("1004", "1004", "+8613800138003", 2)],
    ids=["carrier", "phone", "agent"],
)
def test_who_is_called_is_found(stage: Stage, phone: str, dialed: str, number: str, index: int) -> None:
    told(stage, "incoming", phone, "x", number=number, dialed=dialed)
    assert stage.calls[index].ids == {"callee": "x"}
    assert stage.calls[index].callee == (dialed if phone == CARRIER else phone)


def test_what_nobody_planned_is_an_error(stage: Stage) -> None:
    told(stage, "incoming", CARRIER, "x", number="1", dialed="999")
    happened(stage, "call.created", call_id="u", caller="1", dialed="2", direction="internal")
    told(stage, "error", "", reason="no port")
    assert len(stage.errors) == 3


def test_a_refused_call_is_a_problem(stage: Stage) -> None:
    told(stage, "calling", "1001", "c0", number="1002")
    told(stage, "ended", "1001", "c0", status=486, reason="Busy Here")
    state = stage.calls[0]
    assert state.is_over and state.problems == ["caller: 486 Busy Here"]


def test_the_switch_tells_the_phase(stage: Stage, changes: list[str]) -> None:
    async def main() -> None:
        happened(stage, "call.created", call_id="u", caller="+8613800138003", dialed="4008001001", direction="inbound")
        for event, more in (
            ("call.ringing", {}),
            ("call.connected", {}),
            ("recording.started", {"path": "a.wav"}),
            ("call.digit", {"digit": "5"}),
            ("call.held", {}),
            ("call.resumed", {}),
            ("call.ended", {"cause": "NORMAL_CLEARING", "talk_s": 9.5}),
            ("recording.finished", {"path": "a.wav", "duration_s": 9.5}),
        ):
            happened(stage, event, call_id="u", **more)
        happened(stage, "call.ringing", call_id="another")

    asyncio.run(main())
    state = stage.calls[2]
    assert (state.call_id, state.phase, state.cause, state.talk_s) == ("u", "ended", "NORMAL_CLEARING", 9.5)
    assert (state.digits_seen, state.recording_path, state.is_recorded) == ("5", "a.wav", True)
    assert [line.partition(" ")[2] for line in changes] == [
        "calls", "rings", "talks", "digit 5", "is put on hold", "goes on", "ended: NORMAL_CLEARING", "recorded, 9.5 s",
    ]  # fmt: skip


def test_menu_queue_and_rating_are_told(stage: Stage, changes: list[str]) -> None:
    happened(stage, "call.created", call_id="u", caller="+8613800138003", dialed="4008001001", direction="inbound")
    state, phases = stage.calls[2], []
    for event, more in (
        ("flow.visited", {"kind": "menu"}),
        ("flow.visited", {"kind": "queue"}),
        ("queue.entered", {"queue": "service"}),
        ("offer.made", {"agent_id": "1004"}),
        ("call.rated", {"result": "satisfied"}),
    ):
        happened(stage, event, call_id="u", **more)
        phases.append(state.phase)
    assert phases == ["menu", "menu", "queued", "ringing", "ringing"]
    told(stage, "calling", CARRIER, "c2", number="4008001001")
    for event in ("incoming", "answered", "ended"):
        told(stage, event, "1004", "x", number="13800138003", dialed="1004")
    assert state.phase == "rating" and not state.is_over
    assert (state.led_to, state.rating) == ("service", "satisfied")
    assert [line.partition(" ")[2] for line in changes] == [
        "calls", "hears the menu", "waits in the queue service", "rings at agent 1004", "rates: satisfied",
        "is asked how he was served",
    ]  # fmt: skip


def test_waiting(stage: Stage) -> None:
    async def main() -> None:
        assert not await stage.until(lambda: False, 0.0)
        waiting = asyncio.create_task(stage.until(lambda: "1001" in stage.registered, None))
        await asyncio.sleep(0)
        told(stage, "registered", "1002")
        await asyncio.sleep(0)
        assert not waiting.done()
        told(stage, "registered", "1001")
        assert await waiting

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ours", "theirs", "is_same"),
    [
        ("1001", "1001", True),
        ("1001", "11001", False),
        ("13800138003", "+8613800138003", True),
        ("13800138003", "13800138002", False),
    ],
)
def test_numbers_may_be_written_otherwise(ours: str, theirs: str, is_same: bool) -> None:
    assert same_number(ours, theirs) == is_same


@pytest.mark.parametrize(
    ("heard", "received"),
    [("03#", 3), ("03", 2), ("", 0), ("0#3", 2), ("003#", 2)],
    ids=["all", "one lost", "none", "wrong order", "doubled"],
)
def test_digits_are_right_only_in_order(stage: Stage, heard: str, received: int) -> None:
    state = talk(stage)
    state.statistics = {"callee": LineStatistics(digits_received=heard), "caller": LineStatistics(digits_received="A0")}
    assert count_digits(state) == (5, received + 2)


LOG_LINES = {
    "2026-01-01T00:00:00.1Z [info] = ready [switch]": 0,
    "2026-01-01T00:00:00.1Z [error] x storage fails [switch.app]": 1,
    "2026-01-01 00:00:00,123 INFO w0 media.worker: fine": 0,
    "2026-01-01 00:00:00,123 ERROR w0 media.worker: broken": 1,
    "Traceback (most recent call last):": 1,
    '  File "x.py", line 1': 0,
    "Fatal Python error: Segmentation fault": 1,
}


@pytest.mark.parametrize(("line", "n"), LOG_LINES.items(), ids=[line[:40] for line in LOG_LINES])
def test_faults_in_the_log(tmp_path: Path, line: str, n: int) -> None:
    path = tmp_path / "log"
    path.write_text(f"{line}\n")
    assert len(log_faults(path)) == n


def test_a_recording_must_be_as_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    data = b"audio"
    record = RecordingRecord(
        recording_id="r", call_id="c", path="a.wav", started_utc=1.0, size=5, sha256=hashlib.sha256(data).hexdigest()
    )
    assert "No such file" in file_error(path, record)
    path.write_bytes(data + b"!")
    assert "6 bytes" in file_error(path, record)
    path.write_bytes(b"Audio")
    assert "checksum" in file_error(path, record)
    path.write_bytes(data)
    assert file_error(path, record) == ""
