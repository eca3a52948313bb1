"""`ringback ivr check` and `ringback ivr run`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from switch.cli import app
from tests.ivr.flow_of import document

FLOWS = Path(__file__).parents[2] / "contrib" / "flows"


def invoke(*arguments: object):
    return CliRunner().invoke(app, ["ivr", *map(str, arguments)])


def test_check_tells_what_is_good_and_everything_that_is_not(tmp_path):
    good = invoke("check", FLOWS / "company.json")
    assert good.exit_code == 0 and "good: 7 nodes" in good.stdout
    bad = tmp_path / "bad.json"
    bad.write_text('{"name":"worse","start":"a","nodes":[{"id":"a","type":"play","say":[],"next":"b"}]}')
    found = invoke("check", bad, FLOWS / "company.json")
    assert found.exit_code == 1
    assert f'{bad}: name: is "worse" in a file for "bad"' in found.stdout
    assert f'{bad}: a.next: there is no node "b"' in found.stdout
    told = json.loads(invoke("check", bad, "--json").stdout)
    assert len(told[0]["faults"]) == 2


def test_xivr_01_a_walk_through_a_flow(tmp_path):
    replies = tmp_path / "replies.json"
    replies.write_text('["none", {"m3": 1003, "month": "2026-10"}, null]')
    walked = invoke(
        "run",
        FLOWS / "gas_utility.json",
        "--say",
        "1,7654321#,1234567#,*,2",
        "--replies",
        replies,
        "--hours",
        "off",
        "--json",
    )
    assert walked.exit_code == 0
    told = json.loads(walked.stdout)
    heard = [step["text"] for step in told["steps"] if step["what"] == "hears"]
    assert "没有找到该用户号。" in heard
    assert "您的用气量是 一 千 零 三 立方米。" in heard
    assert "暂时无法查询，正在为您转接人工服务。" in heard
    assert told["end"] == "ended"
    assert told["path"][-1] == "gas_utility/goodbye"


def test_secret_keys_are_not_shown():
    walked = invoke("run", FLOWS / "car_dealer.json", "--say", "1,3,12345#,654321")
    assert walked.exit_code == 0
    assert "654321" not in walked.stdout and "••••••" in walked.stdout
    assert "queue  workshop" in walked.stdout


@pytest.mark.parametrize(("how", "end"), [("answered", "transferred"), ("busy", "queue"), ("no_answer", "queue")])
def test_transfers(how, end):
    walked = invoke("run", FLOWS / "company.json", "--say", "1,1001", "--transfer", how, "--json")
    assert json.loads(walked.stdout)["end"] == end


def test_the_caller_hangs_up_and_keys_come_from_a_pipe():
    walked = CliRunner().invoke(app, ["ivr", "run", str(FLOWS / "company.json"), "--json"], input="1\n")
    assert json.loads(walked.stdout)["end"] == "hung_up"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", FLOWS / "none.json", "--say", "1"),
        ("run", FLOWS / "company.json", "--say", "x"),
        ("run", FLOWS / "company.json", "--say", "1", "--hours", "noon"),
        ("run", FLOWS / "company.json", "--say", "1", "--transfer", "maybe"),
        ("run", FLOWS / "company.json", "--say", "1", "--replies", FLOWS / "company.json"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(arguments):
    found = invoke(*arguments)
    assert found.exit_code == 2
    assert len(found.stderr.strip().splitlines()) == 1


def test_xivr_07_a_survey_is_walked():
    walked = invoke("run", FLOWS / "survey.json", "--say", "9,3,2", "--json")
    told = json.loads(walked.stdout)
    assert [step["text"] for step in told["steps"] if step["what"] == "survey"] == [
        "service: asked",
        "service: asked_again",
        "service: dissatisfied",
        "reason: asked",
        "reason: unsolved",
    ]
    assert told["end"] == "ended"


def test_a_callback_is_asked_for(tmp_path):
    replies = tmp_path / "replies.json"
    replies.write_text('["next", null]')
    back = {"id": "back", "type": "callback", "queue": "sales", "number": "n", "next": "again", "failed": "end"}
    again = {**back, "id": "again", "number": "", "next": "end"}
    ask = {"id": "ask", "type": "collect", "variable": "n", "next": "back"}
    path = tmp_path / "main.json"
    path.write_text(json.dumps(document(ask, back, again, {"id": "end", "type": "hang_up"})))
    walked = invoke("run", path, "--say", "138#", "--replies", replies, "--json")
    steps = json.loads(walked.stdout)["steps"]
    assert [step["text"] for step in steps if step["what"] == "asks"] == [
        "queue sales to call 138 back",
        "queue sales to call him back",
    ]
    assert [step["text"] for step in steps if step["what"] == "branch"] == ["failed"]
