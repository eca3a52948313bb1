"""Covers: every sub-command that talks to a running switch: what it sends, prints, and how it fails.

Does not cover what the switch then does, and the commands that run a switch.
"""

import asyncio
import json
import threading

import pytest
from typer.testing import CliRunner

from control.client import ReceivedEvent
from model import (
    commands,
    commands_conference,
    commands_extensions,
    commands_monitor,
    commands_originate,
    commands_parking,
    commands_security,
    commands_services,
    commands_trace,
    commands_transfer,
    events,
)
from model.causes import HangupCause
from switch import cli_tables
from switch.cli_control import app
from tests.control.rig import TOKENS, running


class Background:
    """A server in a thread of its own."""

    def __enter__(self):
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with running() as self.rig:
            table = self.rig.server._handlers
            for params in (commands.ListCalls, commands.GetCall, commands_extensions.GetExtension, commands.Drain):
                table[params] = self.rig.handlers.plain
            for params in (commands.Hold, commands.Resume, commands.StopPlay):
                table[params] = self.rig.handlers.plain
            self.address = "{}:{}".format(*self.rig.address)
            self._ready.set()
            await self._stop.wait()


@pytest.fixture(scope="module")
def server():
    with Background() as background:
        yield background


@pytest.fixture
def ringback(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RINGBACK_SERVER", server.address)
    monkeypatch.setenv("RINGBACK_TOKEN", TOKENS["administrator"])
    monkeypatch.delenv("RINGBACK_TOKEN_FILE", raising=False)

    def invoke(*words: str, **kw):
        server.rig.handlers.seen.clear()
        return CliRunner().invoke(app, list(words), **kw)

    return invoke


SENT = [
    ("ban list", commands_security.ListBans(), "192.0.2.9 port 5060"),
    (
        "ban add 192.0.2.9 --port 5060 --duration-s 60",
        commands_security.AddBan(address="192.0.2.9", port=5060, duration_s=60.0, reason="by hand"),
        "scanner",
    ),
    ("ban remove 192.0.2.9", commands_security.RemoveBan(address="192.0.2.9"), "done"),
    ("reload-tls", commands_security.ReloadTls(), "sip.example.net"),
    (
        "call park c l --orbit 701",
        commands_parking.Park(call_id="c", leg_id="l", orbit="701"),
        "701  1001  parked by 1002",
    ),
    ("call retrieve c 1003", commands_parking.Retrieve(call_id="c", to="1003"), "call-1"),
    ("call parked", commands_parking.ListParked(), "701  1001"),
    ("extension services 1001", commands_services.GetServices(extension="1001"), "all calls: to 1003"),
    (
        "extension set-services 1001 --always-to 1003 --busy-to default --no-answer-to= --dnd --no-call-waiting",
        commands_services.SetServices(
            extension="1001", always_to="1003", busy_to=None, no_answer_to="", is_dnd=True, has_call_waiting=False
        ),
        "do not disturb",
    ),
    (
        "call transfer c l 1003 --timeout-s 20 --no-recall",
        commands_transfer.Transfer(call_id="c", leg_id="l", to="1003", timeout_s=20.0, recall=False),
        "call-1",
    ),
    (
        "call redirect c 1003 --timeout-s 20",
        commands_transfer.RedirectCall(call_id="c", to="1003", timeout_s=20.0),
        "call-1",
    ),
    ("call mute c l", commands_transfer.Mute(call_id="c", leg_id="l"), "leg-1"),
    ("call mute c l --off", commands_transfer.Mute(call_id="c", leg_id="l", is_muted=False), "leg-1"),
    (
        "call set-data c order=7=8 note= gone",
        commands_transfer.SetCallData(call_id="c", data={"order": "7=8", "note": "", "gone": None}),
        "variable order",
    ),
    (
        "consult start c l agent:1003 --timeout-s 20",
        commands_transfer.ConsultStart(call_id="c", leg_id="l", to="agent:1003", timeout_s=20.0),
        "consult-1",
    ),
    ("consult cancel k", commands_transfer.ConsultCancel(consult_id="k"), "call-1"),
    ("consult complete k", commands_transfer.ConsultComplete(consult_id="k"), "call-1"),
    ("consult swap k", commands_transfer.ConsultSwap(consult_id="k"), "call-1"),
    ("consult merge k", commands_transfer.ConsultMerge(consult_id="k"), "call-1"),
    (
        "monitor start 1003 --call c --extension 1001 --leg l --mode barge --agent-audio listen_only --timeout-s 20",
        commands_monitor.StartMonitor(
            supervisor="1003",
            call_id="c",
            extension="1001",
            leg_id="l",
            mode="barge",
            agent_audio="listen_only",
            timeout_s=20.0,
        ),
        "monitor-1",
    ),
    (
        "monitor list --call c --supervisor 1003",
        commands_monitor.ListMonitors(call_id="c", supervisor="1003"),
        "whisper",
    ),
    ("monitor mode m whisper", commands_monitor.ChangeMonitor(monitor_id="m", mode="whisper"), "monitor-1"),
    ("monitor takeover m", commands_monitor.TakeOver(monitor_id="m"), "call-1"),
    ("monitor disconnect m", commands_monitor.Disconnect(monitor_id="m"), "call-1"),
    ("monitor stop m", commands_monitor.StopMonitor(monitor_id="m"), ""),
    (
        "supervisor call 1003 1001 --timeout-s 20",
        commands_monitor.CallAgent(supervisor="1003", agent="1001", timeout_s=20.0),
        "call-1",
    ),
    (
        "call dispatch c 1003 --leg l --timeout-s 20",
        commands_monitor.Dispatch(call_id="c", to="1003", leg_id="l", timeout_s=20.0),
        "call-1",
    ),
    ("conference list", commands_conference.ListConferences(), "locked"),
    ("conference get sales", commands_conference.GetConference(conference="sales"), "5551�[31m"),
    (
        "conference invite sales 1003 --role listener --caller-id 800 --timeout-s 20",
        commands_conference.Invite(conference="sales", to="1003", role="listener", caller_id="800", timeout_s=20.0),
        "deaf, floor",
    ),
    (
        "conference member sales l --role moderator --unmute --deaf --volume 1.5",
        commands_conference.ChangeMember(
            conference="sales", leg_id="l", role="moderator", is_muted=False, is_deaf=True, volume=1.5
        ),
        "trunk carrier",
    ),
    ("conference mute-all sales", commands_conference.MuteAll(conference="sales"), "sales"),
    ("conference mute-all sales --off", commands_conference.MuteAll(conference="sales", is_muted=False), "sales"),
    ("conference kick sales l", commands_conference.Kick(conference="sales", leg_id="l"), "sales"),
    ("conference lock sales", commands_conference.LockConference(conference="sales"), "sales"),
    ("conference lock sales --off", commands_conference.LockConference(conference="sales", is_locked=False), "sales"),
    ("conference end sales", commands_conference.EndConference(conference="sales"), ""),
    ("call get c", commands.GetCall(call_id="c"), "call-1"),
    (
        "call originate 1001 1002 --timeout-s 30 --record --variable order=7=8",
        commands_originate.Originate(from_="1001", to="1002", timeout_s=30.0, record=True, variables={"order": "7=8"}),
        "bridged",
    ),
    (
        "call originate trunk:a/110 sip:b@c --also-to 1003 --also-to 1004 --strategy serial --campaign spring "
        "--progress silence --confirm to --confirm-source file:one.wav --max-duration-s 60",
        commands_originate.Originate(
            from_="trunk:a/110",
            to="sip:b@c",
            also_to=["1003", "1004"],
            strategy="serial",
            campaign="spring",
            progress="silence",
            confirm="to",
            confirm_sources=["file:one.wav"],
            max_duration_s=60.0,
        ),
        "bridged",
    ),
    ("call hangup c --cause USER_BUSY", commands.Hangup(call_id="c", cause=HangupCause.USER_BUSY), "call-1"),
    ("call hold c l", commands.Hold(call_id="c", leg_id="l"), "leg-1"),
    ("call resume c l", commands.Resume(call_id="c", leg_id="l"), "leg-1"),
    ("call dtmf c l 12#", commands.SendDtmf(call_id="c", leg_id="l", digits="12#"), ""),
    (
        "call play c tone:busy/cn silence:100 --loop",
        commands.Play(call_id="c", sources=["tone:busy/cn", "silence:100"], loop=True),
        "play-1",
    ),
    ("call stop-play c --leg l", commands.StopPlay(call_id="c", leg_id="l"), ""),
    ("call list --extension 1001", commands.ListCalls(extension="1001"), "1 of 3 calls"),
    (
        "call history --number 5678 --suffix --cause NO_ANSWER",
        commands.SearchHistory(number="5678", is_suffix=True, hangup_cause=HangupCause.NO_ANSWER, limit=50),
        "--cursor 1.0~call-1",
    ),
    (
        "call history --since 2026-11-22T02:05:30+00:00 --until 2026-11-23T00:00+00:00",
        commands.SearchHistory(start_utc=1795313130.0, end_utc=1795392000.0, limit=50),
        "NORMAL_CLEARING",
    ),
    ("recording list --call c", commands.ListRecordings(call_id="c", limit=50), "2026/11/22/a.wav"),
    ("recording get r", commands.GetRecording(recording_id="r"), "1.0–2.5 s"),
    ("recording start c", commands.StartRecording(call_id="c"), "paused: 2026"),
    ("recording pause c", commands.PauseRecording(call_id="c"), "paused"),
    ("recording resume c", commands.ResumeRecording(call_id="c"), "paused"),
    ("recording stop c", commands.StopRecording(call_id="c"), "paused"),
    ("extension list --prefix 10", commands_extensions.ListExtensions(prefix="10"), "everywhere"),
    ("extension get 1001", commands_extensions.GetExtension(extension="1001"), "Ann"),
    (
        "extension create 1009 --name Bo --no-external",
        commands_extensions.CreateExtension(extension="1009", name="Bo", may_call_external=False),
        "correct-horse",
    ),
    (
        "extension update 1001 --disabled",
        commands_extensions.UpdateExtension(extension="1001", is_enabled=False),
        "Ann",
    ),
    ("extension delete 1001", commands_extensions.DeleteExtension(extension="1001"), ""),
    ("registration list", commands.ListRegistrations(), "udp:192.0.2.1:5060"),
    ("drain --timeout-s 5", commands.Drain(timeout_s=5.0), "2 calls left"),
    ("status", commands.GetStatus(), "failing: disk full"),
]


@pytest.mark.parametrize(("line", "sent", "shown"), SENT, ids=[line for line, *_ in SENT])
def test_command_is_sent_and_its_result_shown(ringback, server, line, sent, shown) -> None:
    result = ringback(*line.split())
    assert result.exit_code == 0, result.stderr
    assert [command for command, _ in server.rig.handlers.seen] == [sent]
    assert shown in result.stdout


@pytest.mark.parametrize("line", [line for line, *_ in SENT] + ["trunk list"])
def test_json_is_json(ringback, line) -> None:
    result = ringback(*line.split(), "--json")
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


def test_text_of_strangers_cannot_steer_the_terminal(ringback) -> None:
    shown = ringback("call", "get", "c").stdout
    assert "\x1b" not in shown
    assert "1001�[31m[red]" in shown


def test_password_comes_from_standard_input(ringback, server) -> None:
    ringback("extension", "update", "1001", "--password", input="a-long-secret\n")
    assert server.rig.handlers.seen[0][0].password == "a-long-secret"


def test_events_are_printed_one_a_line(ringback, server) -> None:
    first = server.rig.hub.next_seq
    for n in range(3):
        event = events.CallRinging(call_id=f"c{n}", leg_id="l")
        server._loop.call_soon_threadsafe(server.rig.hub.publish, event)
    result = ringback("events", "call.*", "--from-seq", str(first), "--count", "2", "--json")
    assert [json.loads(line)["fields"]["call_id"] for line in result.stdout.splitlines()] == ["c0", "c1"]
    result = ringback("events", "--from-seq", str(first), "--call", "c2", "--count", "1")
    assert "call.ringing" in result.stdout
    assert "call_id=c2" in result.stdout


def test_trace_prints_a_ladder_and_writes_a_capture_only_its_owner_reads(ringback, server, tmp_path) -> None:
    result = ringback("trace", "--extension", "1001", "--pcap", "a.pcap", "--count", "2")
    assert result.exit_code == 0, result.output
    assert "OPTIONS" in result.output
    assert "10.0.0.11:5060" in result.output
    (start, _), *_, (stop, _) = server.rig.handlers.seen
    assert start == commands_trace.StartTrace(extension="1001")
    assert stop == commands_trace.StopTrace(trace_id="trace-1")
    capture = tmp_path / "a.pcap"
    assert capture.read_bytes().count(b"OPTIONS sip:x SIP/2.0") == 2
    assert capture.stat().st_mode & 0o077 == 0
    shown = [json.loads(line) for line in ringback("trace", "--json", "--count", "1").stdout.splitlines()]
    assert shown[0]["remote"] == "10.0.0.11:5060"
    assert "    OPTIONS sip:x SIP/2.0" in ringback("trace", "--full", "--count", "1").output.splitlines()
    assert ringback("trace", "--pcap", "/no/such/folder/a.pcap").exit_code == 2


def test_event_line_leaves_out_what_is_empty() -> None:
    event = ReceivedEvent("call.ended", 1, "2026-11-22T02:05:30.606Z", "n", {"call_id": "c", "side": "", "talk_s": 0.0})
    assert cli_tables.event_line(event) == "02:05:30.606  call.ended             call_id=c  talk_s=0.0"


@pytest.mark.parametrize(
    ("line", "env", "says"),
    [
        ("call hangup c --cause NOPE", {}, "cause: invalid enum value"),
        ("call dtmf c l xyz", {}, "digits"),
        ("call originate 1 2 --variable x", {}, "NAME=VALUE"),
        ("call originate 1 2 --strategy random", {}, "strategy: invalid enum value"),
        ("monitor start 1003 --mode shout", {}, "mode: invalid enum value"),
        ("conference member sales l --volume 9", {}, "volume"),
        ("call set-data c =7", {}, "neither NAME=VALUE nor NAME"),
        ("call history --since yesterday", {}, "is no instant"),
        ("status --server nowhere", {}, "not host:port"),
        ("status --server 127.0.0.1:1", {}, "cannot reach the switch at 127.0.0.1:1"),
        ("status --token rbk_wrong", {}, "no such token"),
        ("status", {"RINGBACK_TOKEN": ""}, "no token"),
        ("status", {"RINGBACK_TOKEN": "", "RINGBACK_TOKEN_FILE": "/nonexistent"}, "/nonexistent"),
        ("extension delete 1001", {"RINGBACK_TOKEN": TOKENS["viewer"]}, "needs the permission extension.manage"),
    ],
)
def test_failure_is_one_line_and_exit_status_2(ringback, line, env, says) -> None:
    result = ringback(*line.split(), env=env)
    assert result.exit_code == 2
    assert not result.stdout
    assert result.stderr.startswith("ringback: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


@pytest.mark.parametrize("place", ["ringback.token", ".config/ringback/ringback.token", "named"])
def test_token_is_found_in_its_file(ringback, tmp_path, place) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TOKENS["viewer"] + "\n")
    file.chmod(0o600)
    env = {"RINGBACK_TOKEN": "", "RINGBACK_TOKEN_FILE": str(file) if place == "named" else ""}
    assert ringback("trunk", "list", env=env).exit_code == 0
    file.chmod(0o644)
    result = ringback("trunk", "list", env=env)
    assert result.exit_code == 2
    assert "chmod 600" in result.stderr


def test_the_audit_log_is_shown(ringback) -> None:
    result = ringback("audit", "list")
    assert result.exit_code == 0
    assert "extension.delete" in result.stdout
    assert "denied" in result.stdout


def test_a_broken_audit_log_is_exit_status_1(ringback) -> None:
    result = ringback("audit", "verify")
    assert (result.exit_code, result.stdout) == (1, "BROKEN: row 5 was changed\n")
