"""switch/blocker_words.py: whatever the dialler says is said in Chinese, too, with its count; texts of the others."""

import re

import pytest
from msgspec.structs import replace

from model.campaign_views import Blocker
from model.campaigns import Campaign
from storage.campaign_records import RecordCounts
from storage.evidence import DeferredRecords
from switch import blocker_words as words
from tests.control.campaign_view_samples import LIVE

CAMPAIGN = Campaign(name="spring", queue="sales", calendar="work", max_lines=60)
REASONS = (
    "state",
    "hours",
    "database",
    "no_agents",
    "agents_busy",
    "inbound_first",
    "no_records",
    "deferred",
    "awaiting",
    "lines_full",
    "cps",
    "abandon_limit",
    "gate_closed",
    "warming_up",
    "trunk_trouble",
    "enough",
)
"""Of `dialer.diagnosis`."""


STOPPED = replace(LIVE, state="stopped")


def shown(reason: str, **given):
    blocker = Blocker(reason=reason, count=12, text="In English.", **given)
    return words.shown(blocker, CAMPAIGN, STOPPED if reason == "state" else LIVE, 0.03)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_dialler_has_chinese_words(reason: str) -> None:
    view = shown(reason)
    assert view.text == "In English."
    assert re.search("[\u4e00-\u9fff]", view.text_zh)


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("agents_busy", "12 名"),
        ("inbound_first", "12 个"),
        ("no_records", "12 条"),
        ("lines_full", "9 / 60"),
        ("abandon_limit", "3.00%"),
        ("no_agents", "sales"),
        ("awaiting", "12 通"),
        ("enough", "12 路"),
    ],
)
def test_words_carry_the_figures(reason: str, says: str) -> None:
    assert says in shown(reason).text_zh


def test_states_say_when_it_goes_on() -> None:
    assert shown("state").text_zh == "已停止"
    assert shown("state", until_utc=1_767_258_000.0).text_zh == "已停止，2026-01-01 09:00 UTC 自动启动"
    assert shown("hours", until_utc=1_767_258_000.0).text_zh.endswith("2026-01-01 09:00 UTC 自动恢复")


def test_records_that_wait_and_that_are_over() -> None:
    rows = [DeferredRecords(reason=name, n=3, next_utc=1_767_258_000.0) for name in ("hours", "owner", "redial_ban")]
    assert [each.of for each in words.waiting(rows)] == ["hours", "owner", "redial_ban"]
    assert all("3 条" in each.text_zh and "2026-01-01 09:00 UTC" in each.text_zh for each in words.waiting(rows))
    counts = RecordCounts(n_records=9, by_status={"dnc": 2, "done": 4, "new": 3})
    assert [(each.reason, each.of, each.count) for each in words.over(counts)] == [
        ("dnc", "", 2),
        ("closed", "done", 4),
    ]
