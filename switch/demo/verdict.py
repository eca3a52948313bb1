"""Whether the demo was right: counts what the phones heard, what is in the database and what is in the files."""

import asyncio
import hashlib
import re
from pathlib import Path

import msgspec

from control.client import ControlClient
from model.commands import GetCall, GetStatus, ListRecordings, SearchHistory
from model.records import CallRecord, RecordingRecord
from switch.demo.listening import Heard, listen
from switch.demo.setting import Setting
from switch.demo.stage import SIDES, CallState, Stage

_WRITTEN_S = 15.0
_PAGE = 1000
_FAULT_LINE = re.compile(r"Traceback \(|Fatal |\S+ \[(?:error|critical)\s*\]|\d{4}-\S+ \S+ (?:ERROR|CRITICAL) ")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What `ringback demo --json` prints."""

    calls: int
    answered: int
    """Calls that both phones were connected in."""
    cdr_rows: int
    """Call records of these calls that say so too."""
    recordings: int
    """Finished recordings whose file has the recorded size and checksum."""
    recordings_with_both_sides: int
    """Files in which each channel has a voice of its own."""
    rtp_lost: int
    """Packets missing at the phones, and at the switch."""
    dtmf_sent: int
    dtmf_received: int
    """Digits that arrived at the other phone, in order."""
    holds: int
    """Holds that were put on and taken off again."""
    led_to_queue: int
    """Callers from outside whom the menu led to the queue that their key names."""
    rated: int
    """Those whose rating is what they pressed when the agent had hung up."""
    unhandled_errors: int
    """Faults the switch counted, and lines of level error in its log."""
    seconds: float
    """Wall time of the whole demo."""
    directory: str
    """Where configuration, log, database and recordings are."""


class Verdict(msgspec.Struct, kw_only=True):
    """The result with what it was made of."""

    result: Result
    problems: list[str]
    """Empty when everything was right."""
    rows: dict[str, CallRecord]
    """By call id."""
    heard: dict[str, Heard]
    recordings: Path
    database: Path


class Evidence(msgspec.Struct, kw_only=True):
    """What the switch has on record, asked for before it is stopped."""

    rows: dict[str, CallRecord]
    recordings: dict[str, RecordingRecord]
    """By call id."""
    unhandled_errors: int


async def gather_evidence(control: ControlClient, stage: Stage) -> Evidence:
    """Asks the switch until every call that was connected has its record and its recording, or time is up."""
    wanted = {state.call_id for state in stage.calls if state.connected_at}
    deadline = asyncio.get_running_loop().time() + _WRITTEN_S
    while True:
        written = {row.call_id for row in (await control.send(SearchHistory(limit=_PAGE))).calls}
        found = (await control.send(ListRecordings(limit=_PAGE, state="finished"))).recordings
        recordings = {recording.call_id: recording for recording in found}
        if (wanted <= written and wanted <= recordings.keys()) or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.1)
    # The pages of the history leave the legs out; the record of a single call has them.
    details = [await control.send(GetCall(call_id=call_id)) for call_id in sorted(wanted & written)]
    rows = {detail.record.call_id: detail.record for detail in details if detail.record is not None}
    status = await control.send(GetStatus())
    return Evidence(rows=rows, recordings=recordings, unhandled_errors=status.unhandled_errors)


def judge(stage: Stage, setting: Setting, evidence: Evidence, seconds: float, phone_errors: str) -> Verdict:
    """Compares what was planned with what the phones heard, the database says and the files hold."""
    verdicts = {state.planned.index: _judge_call(state, setting, evidence) for state in stage.calls}
    log_errors = log_faults(setting.log)
    rows = {each.row.call_id: each.row for each in verdicts.values() if each.row is not None}
    heard = {stage.calls[i].call_id: each.heard for i, each in verdicts.items() if each.heard is not None}
    counted = [state.statistics[side] for state in stage.calls for side in SIDES if side in state.statistics]
    result = Result(
        calls=len(stage.calls),
        answered=sum(len(state.answered) == 2 for state in stage.calls),
        cdr_rows=len(rows),
        recordings=len(heard),
        recordings_with_both_sides=sum(each.has_both_sides for each in heard.values()),
        rtp_lost=sum(each.packets_lost for each in counted)
        + sum(leg.packets_lost for row in rows.values() for leg in row.legs),
        dtmf_sent=sum(each.digits_sent for each in verdicts.values()),
        dtmf_received=sum(each.digits_received for each in verdicts.values()),
        holds=sum(state.holds for state in stage.calls),
        led_to_queue=sum(state.led_to == state.planned.queue != "" for state in stage.calls),
        rated=sum(state.rating == state.planned.rating != "" for state in stage.calls),
        unhandled_errors=evidence.unhandled_errors + len(log_errors),
        seconds=round(seconds, 1),
        directory=str(setting.directory),
    )
    problems = [*stage.errors]
    for i, each in verdicts.items():
        planned = stage.calls[i].planned
        name = f"call {i + 1} ({planned.caller} → {planned.dialed})"
        problems += [f"{name}: {text}" for text in dict.fromkeys(each.problems)]
    problems += [f"in the log: {line}" for line in log_errors[:10]]
    problems += [f"phones: {line}" for line in phone_errors.splitlines()[-3:]]
    planned_holds = sum(state.planned.has_hold for state in stage.calls)
    if result.rtp_lost:
        problems.append(f"{result.rtp_lost} RTP packets were lost")
    if evidence.unhandled_errors:
        problems.append(f"the switch counts {evidence.unhandled_errors} unhandled errors")
    if result.holds != planned_holds:
        problems.append(f"{result.holds} holds of {planned_holds}")
    return Verdict(
        result=result,
        problems=problems,
        rows=rows,
        heard=heard,
        recordings=setting.recordings,
        database=setting.directory / "data" / "ringback.db",
    )


class _CallVerdict(msgspec.Struct, kw_only=True):
    row: CallRecord | None
    """Its record, if that is right."""
    heard: Heard | None
    """What is in its recording, if the file is as recorded."""
    digits_sent: int
    digits_received: int
    problems: list[str]


def _judge_call(state: CallState, setting: Setting, evidence: Evidence) -> _CallVerdict:
    problems = list(state.problems)
    row = evidence.rows.get(state.call_id)
    if row is None:
        problems.append("no call record")
    elif not is_right(row, state):
        problems.append(f"its record says {describe(row)}")
        row = None
    heard = None
    recording = evidence.recordings.get(state.call_id)
    if recording is None:
        problems.append("no recording")
    else:
        path = setting.recordings / recording.path
        if error := file_error(path, recording):
            problems.append(f"recording: {error}")
        else:
            heard = listen(path)
            if not heard.has_both_sides:
                problems.append(f"recording: {heard}")
    planned = state.planned
    if state.led_to != planned.queue:
        problems.append(f'the menu led to "{state.led_to}", and the key to "{planned.queue}"')
    if state.rating != planned.rating:
        problems.append(f'rated "{state.rating}", and the key says "{planned.rating}"')
    sent, received = count_digits(state)
    if received < sent:
        problems.append(f"only {received} of {sent} digits arrived")
    return _CallVerdict(row=row, heard=heard, digits_sent=sent, digits_received=received, problems=problems)


def is_right(row: CallRecord, state: CallState) -> bool:
    """Whether the record tells the call that the phones had."""
    return (
        row.direction == state.planned.kind
        and row.answered_utc >= row.created_utc > 0
        and row.ended_utc >= row.bridged_utc > 0
        and row.talk_s > 0
        and row.hangup_cause == "NORMAL_CLEARING"
        and len(row.legs) == 2
    )


def describe(row: CallRecord) -> str:
    return f"{row.direction}, {row.hangup_cause}, {row.talk_s:.1f} s, {len(row.legs)} legs"


def file_error(path: Path, recording: RecordingRecord) -> str:
    """What is wrong with the file of a recording; "" when nothing is."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return f"{path}: {error.strerror}"
    if len(data) != recording.size:
        return f"{path}: {len(data)} bytes, {recording.size} on record"
    if hashlib.sha256(data).hexdigest() != recording.sha256:
        return f"{path}: another checksum than on record"
    return recording.error


def count_digits(state: CallState) -> tuple[int, int]:
    """Digits sent by both phones as planned, and how many of them the other phone heard, in order."""
    sent = received = 0
    for side, other in (SIDES, SIDES[::-1]):
        digits = state.planned.digits[side]
        heard = state.statistics[other].digits_received if other in state.statistics else ""
        sent += len(digits)
        received += len(digits) if heard == digits else min(len(heard), max(0, len(digits) - 1))
    return sent, received


def log_faults(path: Path) -> list[str]:
    """Lines of the processes' logs that tell of a fault: level error or worse, or a traceback."""
    lines = path.read_text("utf-8", "replace").splitlines()
    return [line[:300] for line in lines if _FAULT_LINE.match(line)]
