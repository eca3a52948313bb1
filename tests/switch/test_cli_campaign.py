"""Covers: `ringback campaign`: what is sent, what is shown, and what is refused before anything is sent.

Does not cover what the switch does with it (tests/scenarios).
"""

import json

import msgspec
import pytest

from model.commands_campaign import (
    CampaignSettings,
    CreateCampaign,
    DeleteCampaign,
    GetCampaign,
    ListCampaigns,
    StartCampaign,
    StopCampaign,
    UpdateCampaign,
)
from tests.switch.test_cli_control import ringback, server

__all__ = ["ringback", "server"]


def given(**settings):
    return msgspec.convert(settings, CampaignSettings)


SENT = [
    ("campaign list", ListCampaigns(), "春季回访"),
    ("campaign show spring", GetCampaign(campaign="spring"), "max_lines"),
    ("campaign start spring", StartCampaign(campaign="spring"), "suspended (hours_end)"),
    ("campaign stop spring", StopCampaign(campaign="spring"), "3"),
    (
        "campaign create spring --mode power --queue sales --set power_ratio=2",
        CreateCampaign(campaign="spring", settings=given(mode="power", queue="sales", power_ratio=2.0)),
        "in the database",
    ),
    (
        "campaign update spring --title Spring",
        UpdateCampaign(campaign="spring", settings=given(title="Spring")),
        "predictive",
    ),
    ("campaign delete spring", DeleteCampaign(campaign="spring"), "done"),
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


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("campaign create spring --mode fast", "settings.mode: invalid enum value"),
        ("campaign create spring --set max_line=4", "did you mean 'max_lines'?"),
        ("campaign create two+words", "campaign: "),
    ],
)
def test_failure_is_one_line_and_exit_status_2(ringback, line, says) -> None:
    result = ringback(*line.split())
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
