"""The speech worker's own side: real processes that are told nonsense, and when it thinks that it hangs."""

import socket
import struct
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from model.speech import DEFAULT_VOICES, FromSpeech, Setup, Speak, Spoken
from speech import desk as desks
from speech.worker import HANG_S, Link, Worker

LENGTH = struct.Struct(">I")


def frame(message: object) -> bytes:
    data = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(data)) + data


@pytest.fixture
def started():
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "speech.worker", "--fd", str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
    ours.settimeout(60)
    yield ours, process
    ours.close()
    process.kill()
    process.communicate()


def read(sock: socket.socket) -> FromSpeech:
    (size,) = LENGTH.unpack(sock.recv(4, socket.MSG_WAITALL))
    return msgspec.msgpack.decode(sock.recv(size, socket.MSG_WAITALL), type=FromSpeech)


def test_it_ends_with_the_switch(started, tmp_path):
    ours, process = started
    whole = frame(Setup(DEFAULT_VOICES, str(tmp_path), 1 << 20)) + frame(Speak(7, "您好", "zh", 60.0))
    # Messages come in any pieces.
    for i in range(0, len(whole), 11):
        ours.sendall(whole[i : i + 11])
    while not isinstance(answer := read(ours), Spoken):
        pass
    assert answer.number == 7 and answer.path
    ours.shutdown(socket.SHUT_WR)
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("nonsense", "why"),
    [
        (b"\xff\xff\xff\xff", b"a message of 4294967295 bytes"),
        (frame({"a": 1}), b"cannot go on"),
        (frame(Speak(1, "a", "zh", 1.0)), b"the first message is no Setup"),
    ],
)
def test_nonsense_ends_it(started, nonsense, why):
    ours, process = started
    ours.sendall(nonsense)
    assert process.wait(60) == 1
    assert why in process.stderr.read()


def test_a_provider_that_does_not_come_back_is_noticed(tmp_path, monkeypatch):
    may_end = threading.Event()
    begun = threading.Event()

    class Stuck:
        n_threads = 1
        version = "1"

        def synth(self, text, language, voice, rate):
            begun.set()
            may_end.wait(60)
            raise AssertionError("it came back")

    monkeypatch.setattr(desks, "make_provider", lambda voice: Stuck())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = Worker(Setup(DEFAULT_VOICES, str(tmp_path), 1 << 20), Link(theirs))
        assert not worker.hangs(time.monotonic() + HANG_S + 1)
        worker.take(Speak(1, "您好", "zh", 1.0))
        assert begun.wait(60)
        assert not worker.hangs(time.monotonic())
        assert worker.hangs(time.monotonic() + HANG_S + 1)
        may_end.set()
        ours.settimeout(60)
        assert "it came back" in read(ours).error
