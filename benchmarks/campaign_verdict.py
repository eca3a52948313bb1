"""The accounts of `benchmarks.campaign`: what the carrier's side of the wire shows, what the switch told and stored,
and what it says of each customer in the end.
"""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from benchmarks.campaign_setting import PATIENCE_S, RETRY_S, RING_TIMEOUT_S, SETTLED, WRAP_S
from benchmarks.campaign_wire import Dialled, Wire

Told = Sequence[Mapping[str, Any]]
VERDICT_S = 2.0
"""A person's first word, and so long a silence after it that he is known as one."""


_TOLD_S = 0.1
"""An offer may be told so long after its INVITE is on the wire."""


class Attempt(msgspec.Struct, kw_only=True):
    """What was told, or is stored, of one attempt."""

    number: str
    result: str = ""
    cause: str = ""
    is_dropped: bool = False
    n_ends: int = 0


class Verdict(msgspec.Struct, kw_only=True):
    records: int = 0
    attempts: int = 0
    not_dialled: int = 0
    """Attempts besides that were given up before they were dialled: their agents had somebody else by then."""
    answered: int = 0
    """By persons."""
    connected: int = 0
    machines: int = 0
    abandon_pct: float = 0.0
    """Persons whom no agent had within two seconds, of those who answered, as the switch counts."""
    abandon_pct_on_wire: float = 0.0
    """The same by the capture alone."""
    served_late: int = 0
    """Of those on the wire, who reached an agent all the same."""
    records_without_result: int = 0
    dialled_twice: int = 0
    """By the wire: numbers with two calls at a time, or called again too soon."""
    offered_twice: int = 0
    unaccounted: int = 0
    """Calls at the carrier without an attempt and attempts without a call, without exactly one end, or without a record
    of the call."""
    results_match: bool = False
    """Of every attempt, what the switch says became of it is what the carrier did."""
    shares_switch: dict[str, float] = {}
    shares_carrier: dict[str, float] = {}
    calls_lost: int = 0
    """Conversations that were not ended by customer or agent."""
    assign_to_audio_ms_p50: float = 0.0
    assign_to_audio_ms_p99: float = 0.0
    """From the offer to an agent to the first packet of the customer at his phone."""
    invite_to_audio_ms_p99: float = 0.0
    """The same by the capture alone: from the INVITE to his phone."""
    answer_to_agent_ms_p99: float = 0.0
    """From the customer's answer to the agent's; it includes finding out that he is no machine."""
    not_heard: int = 0
    """Customers with an agent who heard nothing of him."""
    occupancy_pct: float = 0.0
    """Of agents: ringing, talk and wrap-up; the rest they wait."""
    differences: list[str] = []

    def result(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


def attempts_told(told: Told) -> dict[str, Attempt]:
    """By id, in the order in which they began."""
    found: dict[str, Attempt] = {}
    for each in told:
        if each["event"] == "attempt.started":
            found[each["attempt_id"]] = Attempt(number=_digits(each["number"]))
        elif each["event"] == "attempt.ended" and each["attempt_id"] in found:
            attempt = found[each["attempt_id"]]
            attempt.n_ends += 1
            attempt.result, attempt.cause, attempt.is_dropped = each["result"], each["cause"], each["is_dropped"]
    return found


def attempts_stored(rows: Told) -> dict[str, Attempt]:
    """The same from what the database holds."""
    return {
        each["attempt_id"]: Attempt(
            number=_digits(each["number"]),
            result=each["result"],
            cause=each["cause"],
            is_dropped=each["is_dropped"],
            n_ends=int(each["ended_utc"] > 0),
        )
        for each in sorted(rows, key=lambda each: each["started_utc"])
    }


def judge(
    told: Told,
    stored: Told,
    wire: Wire,
    records: Told,
    calls: Container[str],
    *,
    n_agents: int,
    lasted_s: float,
) -> Verdict:
    """What was `told` live; attempts as they are `stored`, `records` of the campaign, ids of `calls` that left one."""
    verdict = Verdict(records=len(records), differences=[])
    attempts, live = attempts_stored(stored), attempts_told(told)
    for attempt_id in [attempt_id for attempt_id, each in attempts.items() if each.result == "cancelled"]:
        if attempt_id not in live and attempt_id not in calls:
            verdict.not_dialled += 1
            del attempts[attempt_id]
    _compare(verdict, attempts, wire)
    _count_persons(verdict, attempts, wire)
    for attempt_id in attempts.keys() | live.keys():
        attempt = attempts.get(attempt_id)
        if attempt is None or attempt.n_ends != 1 or attempt != live.get(attempt_id) or attempt_id not in calls:
            verdict.unaccounted += 1
            problem = f"attempt {attempt_id}: stored {attempt}, told {live.get(attempt_id)}"
            verdict.differences.append(problem + ("" if attempt_id in calls else ", no record of the call"))
    for record in records:
        if not (record["status"] in SETTLED or record["last_result"]):
            verdict.records_without_result += 1
            verdict.differences.append(f"record {record['record_id']}: {record['status']}")
    twice = [*wire.dialled_twice(_wait_s)]
    verdict.dialled_twice, verdict.offered_twice = len(twice), len(wire.offered_twice())
    verdict.differences += [f"{number} was dialled twice" for number in twice]
    _time(verdict, told, attempts, wire)
    offers = [offer for offer in wire.offered.values() if offer.ended]
    busy_s = sum(offer.ended - offer.began + WRAP_S * (offer.answered > 0) for offer in offers)
    verdict.occupancy_pct = round(100 * busy_s / (n_agents * lasted_s), 1)
    verdict.differences = verdict.differences[:30]
    return verdict


def _compare(verdict: Verdict, attempts: Mapping[str, Attempt], wire: Wire) -> None:
    """The n-th call to a number at the carrier is the n-th attempt."""
    by_number: dict[str, list[Attempt]] = {}
    for attempt in attempts.values():
        by_number.setdefault(attempt.number, []).append(attempt)
    on_wire = wire.by_number()
    verdict.attempts = len(attempts)
    verdict.results_match = True
    here, there = Counter[str](), Counter[str]()
    for number in by_number.keys() | on_wire.keys():
        ours, theirs = by_number.get(number, []), on_wire.get(number, [])
        if len(ours) != len(theirs):
            verdict.unaccounted += abs(len(ours) - len(theirs))
            verdict.differences.append(f"{number}: {len(ours)} attempts, {len(theirs)} calls at the carrier")
        for attempt, call in zip(ours, theirs, strict=False):
            expected = call.result(RING_TIMEOUT_S) or attempt.result
            found = "human" if attempt.result == "dropped" else attempt.result
            here[found] += 1
            there[expected] += 1
            if expected != found:
                verdict.results_match = False
                verdict.differences.append(f"{number}: {attempt.result}, at the carrier {expected} ({call.status})")
    verdict.shares_switch, verdict.shares_carrier = _shares(here), _shares(there)
    verdict.results_match &= verdict.shares_switch == verdict.shares_carrier and not verdict.unaccounted


def _count_persons(verdict: Verdict, attempts: Mapping[str, Attempt], wire: Wire) -> None:
    results = Counter(attempt.result for attempt in attempts.values())
    n_dropped = sum(attempt.is_dropped for attempt in attempts.values())
    verdict.connected, verdict.machines = results["human"], results["machine"]
    verdict.answered = results["human"] + results["dropped"]
    verdict.abandon_pct = _percent(n_dropped, verdict.answered)
    live = [call for call in wire.dialled.values() if call.result(RING_TIMEOUT_S) == "human"]
    n_lost = 0
    for call in live:
        offer = wire.served(call)
        if offer is None or offer.answered - call.answered > VERDICT_S + PATIENCE_S:
            n_lost += 1
            verdict.served_late += offer is not None
    verdict.abandon_pct_on_wire = _percent(n_lost, len(live))
    if len(live) != verdict.answered:
        verdict.differences.append(f"{verdict.answered} persons answered, {len(live)} on the wire")
    verdict.calls_lost = sum(
        attempt.result == "human" and attempt.cause != "NORMAL_CLEARING" for attempt in attempts.values()
    )


def _time(verdict: Verdict, told: Told, attempts: Mapping[str, Attempt], wire: Wire) -> None:
    """How soon agents heard their customers."""
    assigned: dict[tuple[str, str], list[float]] = {}
    for each in told:
        if each["event"] == "offer.made" and each["call_id"] in attempts:
            key = each["agent_id"], attempts[each["call_id"]].number
            assigned.setdefault(key, []).append(datetime.fromisoformat(each["at"]).timestamp())
    from_offer, from_invite = [], []
    for offer in wire.offered.values():
        if not offer.answered:
            continue
        made = [at for at in assigned.get((offer.agent, offer.number), []) if at <= offer.began + _TOLD_S]
        if not offer.heard or not made:
            verdict.not_heard += 1
            verdict.differences.append(f"{offer.agent} heard nothing of {offer.number}")
            continue
        from_offer.append((offer.heard - min(made[-1], offer.began)) * 1000)
        from_invite.append((offer.heard - offer.began) * 1000)
    to_agent = [
        (served.answered - call.answered) * 1000
        for call in wire.dialled.values()
        if (served := wire.served(call)) is not None
    ]
    if from_offer and to_agent:
        verdict.assign_to_audio_ms_p50, verdict.assign_to_audio_ms_p99 = (_at(from_offer, q) for q in (50, 99))
        verdict.invite_to_audio_ms_p99 = _at(from_invite, 99)
        verdict.answer_to_agent_ms_p99 = _at(to_agent, 99)


def _wait_s(call: Dialled) -> float:
    """How long a number must be left alone after this call."""
    return RETRY_S.get(call.result(RING_TIMEOUT_S), 3600.0 if call.answered else 0.0)


def _at(values: list[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 1)


def _shares(counted: Counter[str]) -> dict[str, float]:
    return {name: round(n / counted.total(), 3) for name, n in sorted(counted.items())}


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _digits(number: str) -> str:
    return number.removeprefix("+").removeprefix("86")
