"""Covers: `ringback record`, the sharing out of `ringback campaign`, `ringback appointment`: what is sent and shown.

Does not cover what the switch does with it (tests/scenarios/test_preview.py, test_appointments.py).
"""

import pytest

from model import commands_appointments as appointments
from model import commands_preview as preview
from tests.switch.test_cli_control import ringback, server

__all__ = ["ringback", "server"]

AT = "2026-12-31T18:00+08:00"
AT_UTC = 1798711200.0
SENT = [
    ("campaign shares spring", preview.ListShares(campaign="spring"), "2 new ones are nobody's"),
    (
        "campaign distribute spring a1 a2=5 --each 3 --limit 100",
        preview.DistributeRecords(campaign="spring", agents=["a1", "a2"], each=3, counts={"a2": 5}, limit=100),
        "-5",
    ),
    (
        "campaign reassign spring a2 a3 --from a1 --limit 10",
        preview.ReassignRecords(campaign="spring", to=["a2", "a3"], agent_id="a1", limit=10),
        "5 moved",
    ),
    (
        "campaign take-back spring --record r1 --record r2",
        preview.TakeBackRecords(campaign="spring", record_ids=["r1", "r2"]),
        "5 moved",
    ),
    (
        f"campaign agents --since {AT} --until {AT} --campaign spring --interval day",
        preview.CampaignAgents(campaign="spring", start_utc=AT_UTC, end_utc=AT_UTC, interval="day"),
        "12:00",
    ),
    (
        "record mine a1 --what callbacks --text 王",
        preview.ListOwnRecords(agent_id="a1", what="callbacks", text="王"),
        "138****1111",
    ),
    ("record next a1 --campaign spring", preview.NextRecord(agent_id="a1", campaign="spring"), "no: hours"),
    ("record pick a1 r1", preview.PickRecord(agent_id="a1", record_id="r1"), "成交"),
    ("record open a1 r1", preview.OpenRecord(agent_id="a1", record_id="r1"), "您好王芳"),
    ("record dial a1 r1 --position 1", preview.DialRecord(agent_id="a1", record_id="r1", position=1), "02166660000"),
    (
        f"record result a1 r1 later --note hello --callback {AT} --shared",
        preview.GiveResult(
            agent_id="a1", record_id="r1", code="later", note="hello", callback_utc=AT_UTC, is_shared=True
        ),
        "the offer",
    ),
    ("appointment list", appointments.ListAppointments(), "the offer"),
    (
        "appointment list a1 --state done --state open --shared",
        appointments.ListAppointments(agent_id="a1", is_shared=True, states=["done", "open"]),
        "王芳",
    ),
    (
        f"appointment add a1 {AT} --matter hello --record r1",
        appointments.CreateAppointment(agent_id="a1", at_utc=AT_UTC, matter="hello", record_id="r1"),
        "anna",
    ),
    (
        f"appointment move a1 p1 {AT}",
        appointments.ChangeAppointment(agent_id="a1", appointment_id="p1", at_utc=AT_UTC),
        "p1",
    ),
    (
        "appointment snooze a1 p1 60",
        appointments.SnoozeAppointment(agent_id="a1", appointment_id="p1", seconds=60),
        "p1",
    ),
    ("appointment done a1 p1", appointments.FinishAppointment(agent_id="a1", appointment_id="p1"), "p1"),
    ("appointment cancel a1 p1", appointments.CancelAppointment(agent_id="a1", appointment_id="p1"), "p1"),
]


@pytest.mark.parametrize(("line", "sent", "shown"), SENT, ids=[line for line, *_ in SENT])
def test_command_is_sent_and_its_result_shown(ringback, server, line, sent, shown) -> None:
    result = ringback(*line.split(), env={"COLUMNS": "250"})
    assert result.exit_code == 0, result.output
    assert [command for command, _ in server.rig.handlers.seen] == [sent]
    assert shown in result.stdout


def test_a_count_that_is_none_is_refused_before_anything_is_sent(ringback, server) -> None:
    result = ringback("campaign", "distribute", "spring", "a1=many")
    assert result.exit_code == 2
    assert not server.rig.handlers.seen
