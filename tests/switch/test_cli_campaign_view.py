"""Covers: `ringback campaign progress, watch, numbers, attempts, diagnose, pacing, compliance`: what is sent and shown,
and the files that are written.

Does not cover what the switch does with it (tests/scenarios/test_campaign_views.py).
"""

import csv
import json

import pytest
from openpyxl import load_workbook

from model.commands_campaign_view import (
    DiagnoseCampaign,
    GetProgress,
    ListAttempts,
    ListNumbers,
    ReadPacing,
    ReportCompliance,
)
from tests.switch.test_cli_control import ringback, server

__all__ = ["ringback", "server"]

SENT = [
    ("campaign progress spring", GetProgress(campaign="spring"), "2.25 for each agent"),
    (
        "campaign progress spring --by-list --by-agent",
        GetProgress(campaign="spring", by=["list", "agent"]),
        "may.xlsx",
    ),
    ("campaign numbers spring", ListNumbers(campaign="spring"), "more: --cursor r1"),
    (
        "campaign numbers spring --status new --status done --result busy --list may --number 01 --suffix --limit 5",
        ListNumbers(
            campaign="spring",
            statuses=["new", "done"],
            results=["busy"],
            list_name="may",
            number="01",
            is_suffix=True,
            limit=5,
        ),
        "retry_wait",
    ),
    ("campaign attempts", ListAttempts(), "dropped (abandoned)"),
    (
        "campaign attempts spring --result human --number +8613 --agent a1 --record r1 --dropped --limit 7",
        ListAttempts(
            campaign="spring",
            results=["human"],
            number="+8613",
            agent_id="a1",
            record_id="r1",
            is_dropped=True,
            limit=7,
        ),
        "138****0001",
    ),
    ("campaign diagnose spring", DiagnoseCampaign(campaign="spring"), "wait for their contact hours"),
    ("campaign pacing spring --limit 9", ReadPacing(campaign="spring", limit=9), "idle 2, p 0.31"),
]


@pytest.mark.parametrize(("line", "sent", "shown"), SENT, ids=[line for line, *_ in SENT])
def test_command_is_sent_and_its_result_shown(ringback, server, line, sent, shown) -> None:
    result = ringback(*line.split())
    assert result.exit_code == 0, result.stderr
    assert [command for command, _ in server.rig.handlers.seen] == [sent]
    assert shown in result.stdout


@pytest.mark.parametrize("line", [line for line, *_ in SENT])
def test_json_is_json(ringback, line) -> None:
    result = ringback(*line.split(), "--json")
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


def test_progress_says_every_rate(ringback) -> None:
    shown = " ".join(ringback("campaign", "progress", "spring").stdout.split())
    for text in (
        "not called 120 (60.0%)",
        "called 80 (40.0%)",
        "connected 30 (37.5% of called)",
        "not connected 50",
        "delivered 24 (80.0% of connected)",
        "days_30 2.00% of 250; limit 3.00%",
        "left 2:00:00",
    ):
        assert text in shown


def test_diagnosis_in_chinese(ringback) -> None:
    shown = ringback("campaign", "diagnose", "spring", "--zh").stdout
    assert "12 条在等可呼叫时段" in shown
    assert "wait for" not in shown


def test_watch_asks_again_and_again(ringback, server) -> None:
    result = ringback("campaign", "watch", "spring", "--every-s", "0.1", "--times", "3")
    assert result.exit_code == 0, result.stderr
    assert [command for command, _ in server.rig.handlers.seen] == [GetProgress(campaign="spring")] * 3
    assert "春季回访" in result.stdout


def test_evidence_that_is_not_clean_is_exit_status_1(ringback, server) -> None:
    result = ringback("campaign", "compliance", "spring", "--hours", "mon-sun 08:00-21:00")
    assert result.exit_code == 1
    sent = ReportCompliance(campaign="spring", contact_hours="mon-sun 08:00-21:00")
    assert [command for command, _ in server.rig.handlers.seen] == [sent]
    assert "spring: n_short_rings" in result.stdout
    assert json.loads(ringback("campaign", "compliance", "--json").stdout)["is_clean"] is False


def test_evidence_as_files(ringback, tmp_path) -> None:
    result = ringback("campaign", "compliance", "--csv", str(tmp_path / "a.csv"), "--xlsx", str(tmp_path / "a.xlsx"))
    assert result.exit_code == 1
    assert result.stdout == ""
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        head, day, total = list(csv.reader(file))
    assert head[:3] == ["campaign", "day", "n_dialled"]
    assert head[-1] == "abandon_rate_30_days"
    assert (day[1], day[-1], total[1], total[head.index("n_short_rings")]) == ("2026-11-27", "0.02", "total", "2")
    book = load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["days", "campaigns", "formulas"]
    _, of_spring = book["campaigns"].iter_rows()
    assert (of_spring[1].value, of_spring[1].data_type) == ("=春季回访", "s")
    formulas = {row[0].value: row[1].value for row in book["formulas"].iter_rows(min_row=2)}
    assert formulas["not_called_rate"] == "1 − called_rate"


def test_a_file_that_cannot_be_written_is_one_line_and_exit_status_2(ringback, tmp_path) -> None:
    result = ringback("campaign", "compliance", "--csv", str(tmp_path / "none" / "a.csv"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("campaign numbers spring --status called", "statuses"),
        ("campaign attempts --result no", "results"),
        ("campaign pacing spring --since today", "is no instant"),
        ("campaign numbers spring --number 1%", "number"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_status_2(ringback, line, says) -> None:
    result = ringback(*line.split())
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
