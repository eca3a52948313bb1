"""The menu that `benchmarks.ivr` walks is a good one, its prompts can be told apart, and its judge sees what is wrong.

Not covered: calls (`tests/live/test_ivr_channels.py`), any figure.
"""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.ivr import Journal, compare, judge, leaves_of, quantiles
from benchmarks.ivr_flow import document, node_of, paths, signals, write_flow
from benchmarks.ivr_load import FIRST_CALLER
from ivr.checks import flow_faults, read_flow
from media.g711 import LINEAR_TO_ULAW, ULAW_TO_LINEAR


def test_the_menu_has_three_levels_and_no_mistakes() -> None:
    flow, faults = read_flow(json.dumps(document()).encode())
    assert flow is not None and not faults
    assert not flow_faults(flow)
    assert len(paths()) == 1 + 3 + 9 + 27
    assert {node.id for node in flow.nodes} == {node_of(path) for path in paths()}


def test_prompts_begin_with_signals_whose_packets_are_all_the_same(tmp_path: Path) -> None:
    write_flow(tmp_path / "flows", tmp_path / "prompts")
    for level, packet in enumerate(signals()):
        with wave.open(str(tmp_path / "prompts" / f"signal{level}.wav")) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        codes = LINEAR_TO_ULAW.take(samples.view(np.uint16))
        for at in range(0, len(samples), 160):
            assert (ULAW_TO_LINEAR[codes[at : at + 160]] == packet).all()


def test_the_signal_of_one_level_is_never_taken_for_that_of_another() -> None:
    ends = [packet[-10:].astype(float) for packet in signals()]
    for level, wanted in enumerate(ends):
        alike = [other for other, each in enumerate(ends) if (np.abs(each - wanted) <= 0.15 * np.abs(wanted)).all()]
        assert alike == [level]


@pytest.mark.parametrize(
    ("sent", "told", "lost", "doubled"),
    [("123", "123", 0, 0), ("123", "13", 1, 0), ("123", "1223", 0, 1), ("123", "1332", 1, 2), ("12", "", 2, 0)],
)
def test_keys_are_compared(sent: str, told: str, lost: int, doubled: int) -> None:
    assert compare(sent, told) == (lost, doubled)


def journal_of(*events: tuple[str, dict[str, Any]]) -> Journal:
    journal = Journal()
    for name, fields in events:
        journal.take(name, fields)
    return journal


def walked(call: int, digits: str, leaves: list[str]) -> list[tuple[str, dict[str, Any]]]:
    call_id = f"u{call}"
    return [
        ("call.created", {"call_id": call_id, "caller": f"+86{FIRST_CALLER + call}"}),
        *(("call.digit", {"call_id": call_id, "digit": digit}) for digit in digits),
        *(("flow.visited", {"call_id": call_id, "at_node": node}) for node in ("menu", *leaves)),
    ]


def test_callers_who_get_where_they_want_are_right() -> None:
    journal = journal_of(*walked(1, "1233", ["leaf123"]), *walked(0, "311222", ["leaf311", "leaf222"]))
    assert leaves_of("1233") == ["leaf123"]
    assert judge(["311222", "1233"], journal) == {
        "digits_sent": 10, "digits_lost": 0, "digits_doubled": 0, "leaves_reached": 3, "wrong_leaf": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("digits", "leaves", "wanted"),
    [
        ("123", ["leaf123"], (3, 0, 1)),
        ("123123", ["leaf123", "leaf132"], (0, 0, 1)),
        ("1231233", ["leaf123", "leaf123"], (0, 1, 0)),
        ("", [], (6, 0, 2)),
    ],
    ids=["lost", "wrong leaf", "doubled", "never there"],
)
def test_what_goes_wrong_is_seen(digits: str, leaves: list[str], wanted: tuple[int, int, int]) -> None:
    found = judge(["123123"], journal_of(*walked(0, digits, leaves)))
    assert (found["digits_lost"], found["digits_doubled"], found["wrong_leaf"]) == wanted


def test_quantiles() -> None:
    values = [float(n) for n in range(1000)]
    assert quantiles(values, "ms") == {"ms_p50": 500.0, "ms_p99": 990.0, "ms_max": 999.0}
    assert quantiles([], "ms")["ms_p99"] == 0.0
