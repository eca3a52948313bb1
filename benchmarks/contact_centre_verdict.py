"""The accounts of `benchmarks.contact_centre`: what was told, what is in the log, what was on the wire."""

from collections import Counter
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np

from acd.metrics import Metrics
from acd.metrics_views import queue_metrics
from benchmarks.contact_centre_callers import Callers
from benchmarks.contact_centre_capture import Wire
from control.client import ControlClient
from model.declare import EVENTS
from model.queues import Queue

Told = list[dict[str, Any]]
_LENGTH_S = 0.5


class Verdict(msgspec.Struct, kw_only=True):
    calls: int = 0
    """Callers on the wire."""
    served: int = 0
    abandoned: int = 0
    sent_on: int = 0
    """Entries that overflowed to another queue."""
    unaccounted: int = 0
    """Callers without a record, entries without exactly one end, calls whose story does not fit the wire's."""
    recordings: int = 0
    recordings_missing: int = 0
    """Served calls without a recording that holds both voices."""
    recordings_of_other_length: int = 0
    """Recordings that differ from their conversation by more than half a second."""
    offered_twice: int = 0
    """Agents or callers with two offers at a time, by the log and by the wire."""
    missed_offers: int = 0
    log_equals_live: bool = False
    capture_equals_log: bool = False
    differences: list[str] = []
    answer_to_audio_ms_p50: float = 0.0
    answer_to_audio_ms_p99: float = 0.0
    packets_dropped: int = 0
    """By the capture."""
    asa_s: float = 0.0
    asa_s_by_capture: float = 0.0

    def result(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


async def judge(
    told: Told, wire: Wire, n_dropped: int, callers: Callers, recordings: Path, control: ControlClient
) -> Verdict:
    verdict = Verdict(packets_dropped=n_dropped)
    differences: list[str] = []
    _count_wire(verdict, wire)
    stories = _stories(told)
    records = await _records(control)
    _account(verdict, stories, wire, records, callers, differences)
    verdict.offered_twice = _offered_twice(told) + wire.offered_twice()
    await _listen_to_recordings(verdict, stories, records, recordings, control, differences)
    await _compare_figures(verdict, told, wire, control, differences)
    verdict.differences = differences[:30]
    return verdict


def _count_wire(verdict: Verdict, wire: Wire) -> None:
    served = [call for call in wire.calls.values() if call.served]
    verdict.calls = len(wire.calls)
    verdict.served = len(served)
    verdict.abandoned = sum(call.ended_by_caller and not call.served for call in wire.calls.values())
    delays = [(call.heard - call.served) * 1000 for call in served if call.heard]
    if delays:
        verdict.answer_to_audio_ms_p50 = round(float(np.percentile(delays, 50)), 1)
        verdict.answer_to_audio_ms_p99 = round(float(np.percentile(delays, 99)), 1)
    if served:
        verdict.asa_s_by_capture = round(sum(call.served - call.answered for call in served) / len(served), 3)


class _Story(msgspec.Struct):
    """What was told of one call."""

    caller: str = ""
    entered: list[str] = []
    left: dict[str, tuple[str, float, str]] = {}
    """Entry -> (reason, wait, agent)."""
    n_ends: int = 0
    """Ends of entries, each counted."""


def _stories(told: Told) -> dict[str, _Story]:
    stories: dict[str, _Story] = {}
    for each in told:
        if each["event"] == "queue.entered":
            story = stories.setdefault(each["call_id"], _Story(caller=each["caller"]))
            story.entered.append(each["entry_id"])
        elif each["event"] == "queue.left":
            story = stories.setdefault(each["call_id"], _Story())
            story.left[each["entry_id"]] = (each["reason"], each["wait_s"], each["agent_id"])
            story.n_ends += 1
    return stories


async def _records(control: ControlClient) -> dict[str, dict[str, Any]]:
    """Every call's durable record, by call id."""
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        page = await control.call("call.history", limit=1000, cursor=cursor)
        found |= {record["call_id"]: record for record in page["calls"]}
        cursor = page["cursor"]
        if not cursor:
            return found


def _account(
    verdict: Verdict,
    stories: dict[str, _Story],
    wire: Wire,
    records: dict[str, dict[str, Any]],
    callers: Callers,
    differences: list[str],
) -> None:
    by_caller = {story.caller: (call_id, story) for call_id, story in stories.items()}
    n_lost = abs(callers.count()["created"] - len(wire.calls))
    if n_lost:
        differences.append(f"SIPp made {callers.count()['created']} calls, the wire shows {len(wire.calls)}")
    for caller, call in wire.calls.items():
        found = by_caller.get(caller)
        if found is None:
            problem = "no entry"
        else:
            call_id, story = found
            problem = _problem(story, call.agent if call.served else "", call_id in records)
        if problem:
            n_lost += 1
            differences.append(f"caller {caller}: {problem}")
    n_lost += sum(caller not in wire.calls for caller in by_caller)
    verdict.unaccounted = n_lost
    verdict.sent_on = sum(
        reason in ("timeout", "no_agent_timeout", "overflow_full")
        for story in stories.values()
        for reason, _, _ in story.left.values()
    )


def _problem(story: _Story, agent_on_wire: str, has_record: bool) -> str:
    if not has_record:
        return "no record"
    if story.n_ends != len(story.entered) or set(story.left) != set(story.entered):
        return f"entries {story.entered} and ends {sorted(story.left)} ({story.n_ends})"
    agents = [agent for reason, _, agent in story.left.values() if reason == "connected"]
    if agents != ([agent_on_wire] if agent_on_wire else []):
        return f"served by {agents} as told, by {agent_on_wire or 'nobody'} on the wire"
    return ""


def _offered_twice(told: Told) -> int:
    n = 0
    by_agent: dict[str, str] = {}
    by_entry: dict[str, str] = {}
    for each in told:
        if each["event"] == "offer.made":
            n += each["agent_id"] in by_agent
            n += each["entry_id"] in by_entry
            by_agent[each["agent_id"]] = by_entry[each["entry_id"]] = each["offer_id"]
        elif each["event"] in ("offer.accepted", "offer.missed"):
            by_agent.pop(each["agent_id"], None)
            by_entry.pop(each["entry_id"], None)
    return n


async def _listen_to_recordings(
    verdict: Verdict,
    stories: dict[str, _Story],
    records: dict[str, dict[str, Any]],
    folder: Path,
    control: ControlClient,
    differences: list[str],
) -> None:
    """Every served call has one, as long as its conversation, with both voices."""
    for call_id, story in stories.items():
        if not any(reason == "connected" for reason, _, _ in story.left.values()):
            continue
        detail = await control.call("call.get", call_id=call_id)
        files = [each["path"] for each in detail["recordings"] if each["path"]]
        verdict.recordings += len(files)
        talk_s = records.get(call_id, {}).get("talk_s", 0.0)
        length_s, problem = _look_at(folder / files[0], talk_s) if files else (0.0, "no recording")
        if problem:
            verdict.recordings_missing += 1
        elif abs(length_s - talk_s) > _LENGTH_S:
            verdict.recordings_of_other_length += 1
            problem = f"{files[0]} has {length_s:.2f} s of {talk_s:.2f} s"
        if problem:
            differences.append(f"call {call_id}: {problem}")


def _look_at(path: Path, talk_s: float) -> tuple[float, str]:
    """(its length in seconds, what is wrong with it)"""
    if not path.is_file():
        return 0.0, f"{path.name} is not there"
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
        rate = file.streams.audio[0].rate
    if not frames:
        return 0.0, "" if talk_s < _LENGTH_S else f"{path.name} is empty after {talk_s:.1f} s"
    samples = np.concatenate(frames, axis=1).reshape(-1, 2).T
    if talk_s > 1.0 and not all(np.abs(side.astype(np.int32)).mean() > 50 for side in samples):
        return samples.shape[1] / rate, f"{path.name}: a side is silent"
    return samples.shape[1] / rate, ""


async def _compare_figures(
    verdict: Verdict, told: Told, wire: Wire, control: ControlClient, differences: list[str]
) -> None:
    """The day's figures four times over: as the switch shows them, from what it told, from its log, from the wire."""
    live = _figures(told)
    logged = await _log(control)
    again = _figures(logged)
    verdict.asa_s = live["asa_s"]
    shown, anew = await _shown_metrics(control), _metrics_of(logged)
    verdict.log_equals_live = live == again and shown == anew and len(logged) > 0
    if live != again:
        differences.append(f"live {live}, from the log {again}")
    if shown != anew:
        differences.append(f"metrics shown {shown}, from the log {anew}")
    captured = {"answered": verdict.served, "abandoned": verdict.abandoned, "offers": len(wire.offers)}
    counted = {key: again[key] for key in captured}
    is_same_wait = abs(again["asa_s"] - verdict.asa_s_by_capture) < 0.1
    verdict.capture_equals_log = captured == counted and is_same_wait and not verdict.packets_dropped
    verdict.missed_offers = again["missed"]
    if captured != counted or not is_same_wait:
        differences.append(f"captured {captured} asa {verdict.asa_s_by_capture}, from the log {again}")


def _figures(told: Told) -> dict[str, Any]:
    """Computed from nothing but events."""
    names = Counter(each["event"] for each in told)
    left = [each for each in told if each["event"] == "queue.left"]
    entered = {each["entry_id"]: each for each in told if each["event"] == "queue.entered"}
    answered = [each for each in left if each["reason"] == "connected"]
    waits = [each["wait_s"] + entered[each["entry_id"]]["waited_s"] for each in answered]
    return {
        "offered": names["queue.entered"],
        "answered": len(answered),
        "abandoned": sum(each["reason"] == "abandoned" for each in left),
        "flowed_out": sum(each["reason"] not in ("connected", "abandoned") for each in left),
        "offers": names["offer.made"],
        "missed": names["offer.missed"],
        "asa_s": round(sum(waits) / len(waits), 3) if waits else 0.0,
        "talk_s": round(sum(each["talk_s"] for each in told if each["event"] == "agent.call_ended"), 3),
    }


_SHOWN = (
    *("offered", "answered", "abandoned", "abandoned_short", "flowed_out", "waiting", "longest_wait_s"),
    *("asa_s", "avg_queue_time_s", "avg_abandon_time_s", "sl1", "sl2", "sl3", "sl4"),
    *("offers", "offers_accepted", "missed", "ring_s", "handled", "aht_s", "att_s", "avg_hold_s", "avg_acw_s"),
)


async def _shown_metrics(control: ControlClient) -> dict[str, Any]:
    """Figures of each queue as the switch shows them, and whether O = A + B + F + W held all day."""
    found = await control.call("metrics.queue")
    return {
        "identity_violations": found["identity_violations"],
        **{each["queue"]: {name: each[name] for name in _SHOWN} for each in found["queues"]},
    }


def _metrics_of(logged: Told) -> dict[str, Any]:
    """The same from the log alone."""
    usual = Queue(name="usual")
    # The day of the log has no midnight in it.
    metrics = Metrics(lambda name: (usual.service_level_s, usual.short_abandon_s), lambda at_utc: at_utc + 86_400.0)
    at_utc = 0.0
    for each in logged:
        at_utc = each["at_utc"]
        fields = {name: value for name, value in each.items() if name not in ("event", "at_utc")}
        metrics.feed(msgspec.convert(fields, EVENTS[each["event"]].params), at_utc)
    views = {name: queue_metrics(metrics, name, {}, at_utc) for name in metrics.queues}
    return {
        "identity_violations": metrics.identity_violations,
        **{name: {field: getattr(view, field) for field in _SHOWN} for name, view in sorted(views.items())},
    }


async def _log(control: ControlClient) -> Told:
    """The durable log, from its beginning."""
    found: Told = []
    cursor = ""
    while True:
        page = await control.call("events.log", limit=1000, cursor=cursor)
        found += [{"event": each["event"], "at_utc": each["at_utc"], **each["fields"]} for each in page["events"]]
        cursor = page["cursor"]
        if not cursor:
            return found
