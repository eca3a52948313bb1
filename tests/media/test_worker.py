"""The worker process: its link, refusals, bad frames, a switch that comes back, sleep when idle, the end by SIGTERM."""

import os
import signal
import socket
import struct
import subprocess
import sys
import wave
from pathlib import Path

import msgspec
import pytest

from media.standby import inherit_pairs
from model.media import (
    PROTOCOL_VERSION,
    Command,
    CommandRefused,
    ConfigureLeg,
    ConnectMatrix,
    Edge,
    FirstPacket,
    GetStatistics,
    Health,
    Inactivity,
    LegReleased,
    PauseRecording,
    Play,
    RecordingFinished,
    RecordingStarted,
    ReleaseLeg,
    ReleaseSession,
    StartRecording,
    Statistics,
    StopPlay,
    StopRecording,
)
from tests.media.worker_process import TIMEOUT_S, Phone, SwitchSide, Worker, bind_pairs, bridge, configure


def test_hello():
    with Worker(3) as worker:
        hello = worker.switch.hello
        assert (hello.worker, hello.version, hello.sessions, hello.pid) == (
            "w0",
            PROTOCOL_VERSION,
            [],
            worker.process.pid,
        )
        assert len(hello.ports) == 3 and all(port % 2 == 0 for port in hello.ports)


def leg(worker, **more):
    settings = {"session": "s1", "leg": "a", "port": worker.ports[0], "remote_host": "127.0.0.1", "remote_port": 4000}
    return ConfigureLeg(**(settings | more))


def test_refusals_change_nothing():
    with Worker(2) as worker:
        good = leg(worker)
        bad = [
            (leg(worker, port=1), "port 1"),
            (leg(worker, session=""), "named"),
            (leg(worker, codec="G 729"), "G 729"),
            (leg(worker, clock_hz=0), "clock"),
            (leg(worker, payload_type=72), "72"),
            (leg(worker, payload_type=300), "300"),
            (leg(worker, dtmf_payload_type=0), "own"),
            (leg(worker, ptime_ms=25), "25"),
            (leg(worker, remote_host="phone.example"), "no IP"),
            (leg(worker, remote_host="224.0.0.1"), "224"),
            (leg(worker, learn_from="x"), "no IP"),
            (leg(worker, remote_port=70000), "port"),
            (leg(worker, inactivity_s=float("nan")), "inactivity"),
            (leg(worker, remote_host="::1"), "reached"),
            (ConnectMatrix(session="none", edges=[]), "none"),
            (Play(session="none", leg="a", play_id="p", sources=["silence:1"]), "no leg"),
            (StartRecording(session="none", recording="r", path="/tmp/r.wav", channels=[["a"]]), "none"),
            (PauseRecording(session="s", recording="r"), "no recording"),
        ]
        for command, word in bad:
            worker.switch.send(command)
            refused = worker.switch.wait(CommandRefused)
            assert refused.command == type(command).__name__ and word in refused.error, refused
        worker.switch.send(good)
        in_session = [
            (leg(worker, leg="b"), "belongs to leg a"),
            (leg(worker, port=worker.ports[1]), "cannot move"),
            (ConnectMatrix(session="s1", edges=[Edge("a", "b", 99.0)]), "gain"),
            (ConnectMatrix(session="s1", edges=[Edge("a", "b", float("nan"))]), "gain"),
            (Play(session="s1", leg="a", play_id="p", sources=[]), "sources"),
            (Play(session="s1", leg="a", play_id="p", sources=["silence:-1"]), "silence"),
            (StartRecording(session="s1", recording="r", path="r.wav", channels=[["a"]]), "absolute"),
            (StartRecording(session="s1", recording="r", path="/tmp/r.wav", channels=[]), "channels"),
            (StartRecording(session="s1", recording="r", path="/tmp/r", channels=[["a"]], encoding="mp3"), "mp3"),
        ]
        for command, word in in_session:
            worker.switch.send(command)
            refused = worker.switch.wait(CommandRefused)
            assert refused.command == type(command).__name__ and word in refused.error, refused
        worker.switch.send(GetStatistics())
        assert list(worker.switch.wait(Statistics).legs) == ["a"]


def test_commands_are_idempotent():
    with Worker(2) as worker:
        path = str(worker.folder / "r.wav")
        record = StartRecording(session="s1", recording="r", path=path, channels=[["a"]])
        play = Play(session="s1", leg="a", play_id="p", sources=["silence:100000"])
        for command in (leg(worker), record, play):
            worker.switch.send(command, command)
        worker.switch.send(*[StopRecording(session="s1", recording="r")] * 2, record)
        worker.switch.send(*[StopPlay(session="s1", leg="a", play_id="p")] * 2)
        worker.switch.send(*[ReleaseLeg(session="s1", leg="a")] * 2, *[ReleaseSession(session="s1")] * 2)
        worker.switch.send(GetStatistics())
        worker.switch.wait(Statistics)
        worker.switch.wait(RecordingFinished)
        names = [type(event).__name__ for event in worker.switch.events if not isinstance(event, Health)]
        assert sorted(names) == ["LegReleased", "PlayFinished", "RecordingStarted"]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\1\xc1",
        b"\0\0\0\3abc",
        struct.pack("!I", 1 << 30),
        b"\0\0\0\0",
        b"\0\0\0\x09\x81\xa4type\xa2xx",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["no msgpack", "no map", "huge", "empty", "unknown", "http"],
)
def test_bad_frame_closes_that_connection_only(data):
    with Worker(2) as worker:
        worker.switch.send(leg(worker))
        worker.switch.socket.sendall(data)
        with pytest.raises((EOFError, ConnectionError)):
            worker.switch.wait(LegReleased)
        assert worker.reconnect().hello.sessions == ["s1"]


def test_audio_and_events_survive_a_lost_switch():
    with Worker(2) as worker:
        a, b = Phone(ssrc=1), Phone(ssrc=2)
        worker.switch.send(configure(worker, a, "a", 0), configure(worker, b, "b", 1), bridge(("a", "b")))
        worker.switch.send(GetStatistics())
        worker.switch.wait(Statistics)
        worker.switch.close()
        for i in range(10):
            a.send(b"\1" * 160)
            b.wait_for(i + 1)
        switch = worker.reconnect()
        assert switch.hello.sessions == ["s1"]
        assert switch.wait(FirstPacket).leg == "a"  # it happened while nobody listened
        a.close()
        b.close()


def test_new_connection_replaces_the_old():
    with Worker(1) as worker:
        old = worker.switch
        worker.switch = SwitchSide(worker.path)
        with pytest.raises((EOFError, ConnectionError)):
            old.wait(LegReleased)
        old.close()
        worker.switch.send(GetStatistics())
        worker.switch.wait(Statistics)


def test_sigterm_closes_the_recordings():
    with Worker(2) as worker:
        a = Phone()
        path = str(worker.folder / "r.wav")
        worker.switch.send(
            configure(worker, a, "a", 0),
            StartRecording(session="s1", recording="r", path=path, channels=[["a"], []], encoding="pcm16"),
        )
        worker.switch.wait(RecordingStarted)
        for _ in range(10):
            a.send(b"\x10" * 160)
        worker.switch.wait(FirstPacket)
        worker.process.send_signal(signal.SIGTERM)
        finished = worker.switch.wait(RecordingFinished)
        assert worker.process.wait(TIMEOUT_S) == 0
        assert finished.error == "" and finished.size == os.path.getsize(path)
        with wave.open(path) as file:
            assert file.getnchannels() == 2 and file.getnframes() > 0
        assert not os.path.exists(worker.path)
        a.close()


def test_inactivity_is_told_once_and_again_after_audio():
    with Worker(1) as worker:
        a = Phone()
        worker.switch.send(configure(worker, a, "a", 0, inactivity_s=0.3))
        assert worker.switch.wait(Inactivity).silent_s >= 0.3
        a.send(b"\1" * 160)
        worker.switch.wait(FirstPacket)
        assert worker.switch.wait(Inactivity).leg == "a"
        # While its audio is not wanted nothing is due.
        worker.switch.send(configure(worker, a, "a", 0, inactivity_s=0.3, may_receive=False))
        worker.switch.send(configure(worker, a, "a", 0, inactivity_s=0.3, may_receive=True))
        assert worker.switch.wait(Inactivity).silent_s >= 0.3
        # Nor while nobody asks; when somebody does again, the silence before does not count.
        worker.switch.send(configure(worker, a, "a", 0, inactivity_s=0.0))
        worker.switch.send(configure(worker, a, "a", 0, inactivity_s=0.3))
        assert worker.switch.wait(Inactivity).silent_s >= 0.3
        assert not [event for event in worker.switch.events if isinstance(event, Inactivity)]
        a.close()


def test_last_release_is_followed_by_health_and_sleep():
    with Worker(1) as worker:
        worker.switch.send(leg(worker), ReleaseSession(session="s1"))
        worker.switch.wait(LegReleased)
        health = worker.switch.wait(Health)
        assert (health.sessions, health.legs) == (0, 0)
        # Idle: not a single switch of context but those of what we ask.
        before = voluntary_switches(worker.process.pid)
        worker.switch.send(GetStatistics())
        worker.switch.wait(Statistics)
        assert voluntary_switches(worker.process.pid) - before <= 3


def voluntary_switches(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("voluntary"))


def test_many_commands_at_once():
    with Worker(40) as worker:
        commands = []
        for i, port in enumerate(worker.ports):
            commands.append(leg(worker, session=f"s{i // 2}", leg=str(i), port=port))
            commands.append(bridge((str(i - i % 2), str(i - i % 2 + 1)), session=f"s{i // 2}"))
        worker.switch.send(*commands * 3, *[ReleaseSession(session=f"s{i}") for i in range(20)])
        assert {worker.switch.wait(LegReleased).leg for _ in range(40)} == {str(i) for i in range(40)}
        assert not [event for event in worker.switch.events if isinstance(event, CommandRefused)]


def test_descriptors_that_are_no_pairs_are_refused():
    sockets = bind_pairs(1)
    with pytest.raises(ValueError, match="neighbour"):
        inherit_pairs(os.dup(sockets[0].fileno()), 1)
    stream = socket.socket()
    with pytest.raises(ValueError, match="no UDP"):
        inherit_pairs(os.dup(stream.fileno()), 1)
    for sock in (*sockets, stream):
        sock.close()


def test_protocol_round_trip():
    """What this test speaks is what the switch speaks."""
    command = ConfigureLeg(session="s", leg="a", port=2)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=Command) == command


def test_freed_memory_is_kept():
    """Large temporary arrays, of which a tick makes many, must not be mapped anew each time."""
    script = """
import resource, numpy, media.worker
def use():
    return len([numpy.ones(size) for size in (50_000, 200_000, 400_000)])
media.worker.keep_memory()
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert int(done.stdout) < 300
