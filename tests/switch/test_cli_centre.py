"""Covers: `ringback queue`, `agent`, `agent-group`, `caller-list`, `alarm`, `metrics` and `access-number set`: what is
sent, what is shown, and what is refused before anything is sent.

Does not cover what the switch does with it (tests/scenarios).
"""

import json

import msgspec
import pytest

from model import commands_agent, commands_metrics, commands_queue
from model import commands_members as members
from model.access_numbers import AccessNumber
from model.caller_lists import ListedCaller
from model.commands_access import SetAccessNumber
from model.commands_callers import AddListedCaller, FindListedCallers, RemoveListedCaller
from model.commands_centre import (
    AgentSettings,
    CreateAgent,
    CreateAgentGroup,
    CreateQueue,
    DeleteAgent,
    DeleteAgentGroup,
    DeleteQueue,
    GetAgentSettings,
    ListAgentGroups,
    QueueSettings,
    UpdateAgent,
    UpdateAgentGroup,
    UpdateQueue,
)
from model.commands_prompts import (
    DownloadPrompt,
    GetPrompt,
    ListPrompts,
    RemovePrompt,
    SetPrompt,
    UploadPrompt,
)
from model.events_alarm import AcknowledgeAlarm, ListAlarms
from switch.cli_centre import settings_of
from tests.switch.test_cli_control import ringback, server

__all__ = ["ringback", "server"]


def of(kind, **params):
    return msgspec.convert(params, kind)


SENT = [
    ("queue list", commands_queue.ListQueues(), "销售"),
    ("queue show sales", commands_queue.GetQueue(queue="sales"), "limits.max_wait_s"),
    ("queue waiting sales --limit 5", commands_queue.ListWaiting(queue="sales", limit=5), "--cursor 1"),
    ("queue explain sales c", commands_queue.Explain(queue="sales", call_id="c"), "2 on a call"),
    (
        "queue raise sales c --priority 7 --first",
        commands_queue.RaiseCall(queue="sales", call_id="c", priority=7, is_first=True),
        "1380000�[31m",
    ),
    ("queue raise sales c", commands_queue.RaiseCall(queue="sales", call_id="c"), "8001"),
    ("queue move sales c small", commands_queue.MoveCall(queue="sales", call_id="c", to="small"), "done"),
    (
        "queue callback sales c --number 110",
        commands_queue.RequestCallback(queue="sales", call_id="c", number="110"),
        "call-2",
    ),
    ("queue open sales", commands_queue.SetQueueState(queue="sales", state="open"), "3 signed in, 1 idle"),
    ("queue drain sales", commands_queue.SetQueueState(queue="sales", state="draining"), "draining"),
    ("queue close sales", commands_queue.SetQueueState(queue="sales", state="closed"), "1 available, 2 on_call"),
    ("queue create sales", CreateQueue(queue="sales"), "in the database"),
    (
        "queue update sales --title 7 --strategy random --set limits.max_wait_s=60 --set sound.callback_key=1 "
        '--set prefer=["level"] --set skills.en=3',
        of(
            UpdateQueue,
            queue="sales",
            settings={
                "title": "7",
                "strategy": "random",
                "limits": {"max_wait_s": 60},
                "sound": {"callback_key": "1"},
                "prefer": ["level"],
                "skills": {"en": 3},
            },
        ),
        "random",
    ),
    ("queue delete sales", DeleteQueue(queue="sales"), "done"),
    (
        "queue delete sales --waiting overflow --to queue:small",
        DeleteQueue(queue="sales", waiting="overflow", to="queue:small"),
        "done",
    ),
    (
        "agent list --group south --queue sales --state on_call",
        commands_agent.ListAgents(group="south", queue="sales", state="on_call"),
        "7 not_ready",
    ),
    ("agent show 8001", commands_agent.GetAgent(agent_id="8001"), "not_ready (break) for 1:01"),
    (
        "agent sign-in 8001 --extension 1001 --mode softphone",
        commands_agent.SignIn(agent_id="8001", extension="1001", mode="softphone"),
        "1001 (no phone)",
    ),
    ("agent sign-out 8001", commands_agent.SignOut(agent_id="8001"), "李伟"),
    ("agent ready 8001", commands_agent.Ready(agent_id="8001"), "8001"),
    (
        "agent ready 8001 --presence auto_dial",
        commands_agent.Ready(agent_id="8001", presence="auto_dial"),
        "8001",
    ),
    ("agent not-ready 8001 break", commands_agent.NotReady(agent_id="8001", reason="break"), "break"),
    ("agent clear-next 8001", commands_agent.ClearNext(agent_id="8001"), "8001"),
    (
        "agent end-acw 8001 --code sold --note gladly",
        commands_agent.EndAcw(agent_id="8001", code="sold", note="gladly"),
        "8001",
    ),
    ("agent extend-acw 8001 60", commands_agent.ExtendAcw(agent_id="8001", seconds=60.0), "8001"),
    (
        "agent force 8001 not_ready --reason break",
        commands_agent.ForceState(agent_id="8001", state="not_ready", reason="break"),
        "8001",
    ),
    ("agent settings 8001", GetAgentSettings(agent_id="8001"), '[{"queue":"sales","level":4}]'),
    (
        "agent create 8001 --name Li --group south --role lead --extension 1001 --level 3 -q sales -q small:5 -s en:4 "
        "--set mobile=138",
        of(
            CreateAgent,
            agent_id="8001",
            group="south",
            role="lead",
            settings={
                "name": "Li",
                "extension": "1001",
                "level": 3,
                "queues": [{"queue": "sales"}, {"queue": "small", "level": 5}],
                "skills": {"en": 4},
                "mobile": "138",
            },
        ),
        "in the configuration file",
    ),
    ("agent create 8001", CreateAgent(agent_id="8001"), "8001"),
    (
        "agent update 8001 --disabled",
        of(UpdateAgent, agent_id="8001", settings={"is_enabled": False}),
        "south",
    ),
    ("agent update 8001 --role agent", UpdateAgent(agent_id="8001", role="agent"), "8001"),
    ("agent delete 8001", DeleteAgent(agent_id="8001"), "done"),
    ("agent-group list", ListAgentGroups(), "南区"),
    ("agent-group create south --title S", CreateAgentGroup(group="south", title="S"), "south"),
    ("agent-group update south S", UpdateAgentGroup(group="south", title="S"), "database"),
    ("agent-group delete south", DeleteAgentGroup(group="south"), "done"),
    ("queue pull sales c 8001", commands_queue.PullCall(queue="sales", call_id="c", agent_id="8001"), "8001"),
    ("agent help 8001 --note angry", commands_agent.AskHelp(agent_id="8001", note="angry"), "8001"),
    ("agent record 8001 pause", commands_agent.RecordAgent(agent_id="8001", what="pause"), "recording"),
    (
        "caller-list show vip --prefix 138 --limit 1",
        FindListedCallers(list="vip", prefix="138", limit=1),
        "--cursor 1380000*",
    ),
    (
        "caller-list add dedicated 1380000* --of sales --agent 8001 --reason good",
        AddListedCaller(
            caller=ListedCaller(list="dedicated", number="1380000*", of=("sales",), agent_id="8001", reason="good")
        ),
        "good customer",
    ),
    ("caller-list add blacklist 110", AddListedCaller(caller=ListedCaller(list="blacklist", number="110")), "anna"),
    ("caller-list remove blacklist 110", RemoveListedCaller(list="blacklist", number="110"), "removed"),
    ("members list --prefix 2 --limit 1", members.ListMembers(prefix="2", limit=1), "--cursor 2"),
    ("members create 2 --name Wang", members.CreateMember(member="2", name="Wang"), "locked"),
    ("members remove 2", members.RemoveMember(member="2"), "removed"),
    ("alarm list", ListAlarms(), "longest_wait_s"),
    ("alarm acknowledge long sales", AcknowledgeAlarm(alarm="long", queue="sales"), "critical"),
    (
        "access-number set 4001 --to queue:sales --priority 7 -s en:4",
        SetAccessNumber(access_number=AccessNumber(number="4001", to="queue:sales", priority=7, skills={"en": 4})),
        "set",
    ),
    ("prompts list --prefix w --limit 1", ListPrompts(prefix="w", limit=1), "--cursor welcome"),
    ("prompts get welcome", GetPrompt(prompt="welcome"), "used by flow main, node menu"),
    (
        "prompts add welcome --language en --text Hello --title T",
        SetPrompt(prompt="welcome", title="T", texts={"en": "Hello"}),
        "Hello",
    ),
    ("prompts remove welcome", RemovePrompt(prompt="welcome"), "removed"),
    ("metrics queues", commands_metrics.GetQueueMetrics(), "62.5%"),
    ("metrics agents", commands_metrics.GetAgentMetrics(), "75.5%"),
]


@pytest.mark.parametrize(("line", "sent", "shown"), SENT, ids=[line for line, *_ in SENT])
def test_command_is_sent_and_its_result_shown(ringback, server, line, sent, shown) -> None:
    result = ringback(*line.split())
    assert result.exit_code == 0, result.stderr
    assert [command for command, _ in server.rig.handlers.seen] == [sent]
    assert shown in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("line", [line for line, *_ in SENT])
def test_json_is_json(ringback, line) -> None:
    result = ringback(*line.split(), "--json")
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


def test_a_prompt_is_sent_in_pieces_and_fetched(ringback, server, tmp_path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(bytes(40_000))
    result = ringback("prompts", "add", "welcome", str(path), "--language", "en")
    assert result.exit_code == 0, result.stderr
    first, second, given = [command for command, _ in server.rig.handlers.seen]
    assert isinstance(first, UploadPrompt) and isinstance(second, UploadPrompt)
    assert (first.upload_id, first.offset, first.is_last) == ("", 0, False)
    assert (second.upload_id, second.offset, second.is_last) == ("u1", 32_768, True)
    assert given == SetPrompt(prompt="welcome", audio={"en": "u1"})
    result = ringback("prompts", "get", "welcome", "--to", str(tmp_path / "b.wav"))
    assert result.exit_code == 0, result.stderr
    assert server.rig.handlers.seen[0][0] == DownloadPrompt(prompt="welcome", language="zh")
    assert (tmp_path / "b.wav").read_bytes() == b"abc"


def test_metrics_are_of_queues_and_of_agents(ringback, server) -> None:
    result = ringback("metrics")
    assert result.exit_code == 0, result.stderr
    kinds = [type(command) for command, _ in server.rig.handlers.seen]
    assert kinds == [commands_metrics.GetQueueMetrics, commands_metrics.GetAgentMetrics]
    assert "62.5%" in result.stdout
    assert "75.5%" in result.stdout
    found = json.loads(ringback("metrics", "--json").stdout)
    assert (found["queues"][0]["answered"], found["agents"][0]["handled"]) == (8, {"queue": 5})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("queue create sales --set limits", '"limits" is not KEY=VALUE'),
        ("queue create sales --set =3", '"=3" is not KEY=VALUE'),
        ("queue create sales --set limits=3 --set limits.max_wait_s=4", "limits is a value already"),
        ("queue create sales --set limits.max_waits=4", "did you mean 'max_wait_s'?"),
        ("queue create sales --set limits.max_wait_s=long", 'settings.limits.max_wait_s: expected "float", got "str"'),
        ("queue update sales --strategy mood", "settings.strategy: invalid enum value"),
        ("queue delete sales --waiting no", "waiting: invalid enum value"),
        ("agent create 8001 -s en", '"en" is not NAME:LEVEL'),
        ("agent create 8001 -q sales:high", '"sales:high" is not NAME:LEVEL'),
        ("agent create 8001 --set pin_hash", "is not KEY=VALUE"),
        ("prompts add two+words --text a", "prompt: "),
        ("prompts add welcome /not/there.wav", "No such file"),
        ("caller-list add vips 138", "list: invalid enum value"),
        ("caller-list add vip 138 --until tomorrow", '"tomorrow" is no instant'),
        ("agent force 8001 asleep", "state: invalid enum value"),
    ],
)
def test_failure_is_one_line_and_exit_status_2(ringback, line, says) -> None:
    result = ringback(*line.split())
    assert result.exit_code == 2
    assert not result.stdout
    assert result.stderr.startswith("ringback: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


@pytest.mark.parametrize(
    ("kind", "pair", "expected"),
    [
        (QueueSettings, "sound.callback_key=2", {"sound": {"callback_key": "2"}}),
        (QueueSettings, "title=", {"title": ""}),
        (QueueSettings, "title=a=b", {"title": "a=b"}),
        (QueueSettings, "weight=2", {"weight": 2}),
        (QueueSettings, "callback.is_enabled=true", {"callback": {"is_enabled": True}}),
        (QueueSettings, "unheard.of=x", {"unheard": {"of": "x"}}),
        (AgentSettings, "outbound_number=02188886666", {"outbound_number": "02188886666"}),
        (AgentSettings, "post_call=acw", {"post_call": "acw"}),
        (AgentSettings, 'modes=["unbound"]', {"modes": ["unbound"]}),
    ],
)
def test_values_are_what_the_setting_is(kind, pair, expected) -> None:
    assert settings_of(kind, [pair]) == expected
