"""A real worker is killed (SIGKILL) and a process that waited takes its place (media/standby.py, takeover.py): what
the phones hear goes on, same SSRC, no sequence number missing or twice, at the address that was learned; digits, plays
and recordings too. The whole stack, and how long it takes, is in benchmarks/takeover.py and tests/live."""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.beat import PAGE
from media.link import listen
from media.snapshot import SessionBook
from model.media import (
    Adopt,
    Command,
    ConfigureLeg,
    GetStatistics,
    Play,
    PlayFinished,
    RecordingFinished,
    RecordingStarted,
    ReleaseSession,
    SendDigits,
    Snapshot,
    SnapshotTaken,
    StartRecording,
    Statistics,
)
from rtp.events import EventReceiver
from tests.media.worker_process import TIMEOUT_S, Phone, SwitchSide, bind_pairs, bridge, configure, fields

FIRST_FD = 400
EVENTS = 101


class Succession:
    """One place, processes that wait for it, and the switch's side with its book."""

    def __init__(self, folder: Path, n_ports: int = 4, n_processes: int = 2) -> None:
        self.folder = folder
        self.path = str(folder / "w0.sock")
        self._listener = listen(self.path)
        self._memory = os.memfd_create("test")
        os.ftruncate(self._memory, PAGE)
        self._sockets = bind_pairs(n_ports)
        fds = []
        for i, sock in enumerate(self._sockets):
            os.dup2(sock.fileno(), FIRST_FD + i, inheritable=True)
            fds.append(FIRST_FD + i)
        slot = f"w0:{FIRST_FD}:{len(fds)}:{self._listener.fileno()}:{self._memory}"
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "media.worker", "--standby", "--slot", slot, "--priority", "none"],
                stdin=subprocess.PIPE,
                pass_fds=[*fds, self._listener.fileno(), self._memory],
                cwd=Path(__file__).parents[2],
            )
            for _ in range(n_processes)
        ]
        for fd in fds:
            os.close(fd)
        self._waiting = list(self.processes)
        self.book = SessionBook()
        self.broken_at = 0.0
        self.take_place()

    @property
    def ports(self) -> list[int]:
        return self.switch.hello.ports

    def take_place(self) -> None:
        """The next process becomes the worker; it knows of no session yet."""
        self.worker = self._waiting.pop(0)
        assert self.worker.stdin is not None
        self.worker.stdin.write(b"w0\n")
        self.worker.stdin.flush()
        self.switch = SwitchSide(self.path)
        assert self.switch.hello.sessions == []
        assert self.switch.hello.pid == self.worker.pid

    def tell(self, *commands: Command) -> None:
        """As the switch does: noted in the book, and carried out before anything that follows."""
        for command in commands:
            self.book.sent(command, time.monotonic(), is_delivered=True)
        self.switch.send(*commands, GetStatistics("s1"))
        self.switch.wait(Statistics)

    def kill(self) -> None:
        self.worker.send_signal(signal.SIGKILL)
        self.worker.wait(TIMEOUT_S)
        self.broken_at = time.monotonic()
        self.switch.close()

    def adopt(self) -> Adopt:
        """Tells the successor all there is."""
        (command,) = self.book.describe("s1", time.monotonic(), self.broken_at)
        assert isinstance(command, Adopt)
        self.switch.send(command, GetStatistics("s1"))
        self.switch.wait(Statistics)
        return command

    def close(self) -> None:
        self.switch.close()
        for process in self.processes:
            process.kill()
            process.wait(TIMEOUT_S)
            assert process.stdin is not None
            process.stdin.close()
        for sock in (*self._sockets, self._listener):
            sock.close()
        os.close(self._memory)
        while Phone.made:
            Phone.made.pop().close()


@pytest.fixture
def succession(request: pytest.FixtureRequest) -> Iterator[Succession]:
    with tempfile.TemporaryDirectory() as folder:
        one = Succession(Path(folder), n_processes=getattr(request, "param", 2))
        try:
            yield one
        finally:
            one.close()


def headers(packets: list[bytes]) -> list[tuple[int, int, int]]:
    """(sequence number, timestamp, SSRC)"""
    return [fields(packet)[1:4] for packet in packets]


def assert_unbroken(packets: list[bytes]) -> None:
    """One stream, every packet in its place."""
    seen = headers(packets)
    assert len({ssrc for _, _, ssrc in seen}) == 1
    assert [(seq - seen[0][0]) & 0xFFFF for seq, _, _ in seen] == list(range(len(seen)))
    steps = [(b[1] - a[1]) & 0xFFFFFFFF for a, b in itertools.pairwise(seen)]
    assert all(0 <= step < 1 << 31 for step in steps)


@pytest.mark.parametrize("succession", [3], indirect=True)
def test_relayed_audio_goes_on_where_it_was(succession: Succession) -> None:
    a, b = Phone(ssrc=1), Phone(ssrc=2)
    # The address of its SDP is not where the phone's packets come from: that is learned.
    wrong = configure(succession, a, "a", 0, remote_port=9, learn_from="127.0.0.1")
    succession.tell(wrong, configure(succession, b, "b", 1), bridge(("a", "b")))
    for i in range(5):
        a.send(bytes([i]) * 160)
        b.wait_for(i + 1)
        b.send(bytes([i]) * 160)
        a.wait_for(i + 1)
    for n_killed in (1, 2):
        succession.kill()
        a.send(b"\x41" * 160)
        a.send(b"\x42" * 160)
        succession.take_place()
        succession.adopt()
        a.send(b"\x43" * 160)
        b.wait_for(5 + 3 * n_killed)
        b.send(b"\x44" * 160)
        a.wait_for(5 + n_killed)
    assert_unbroken(b.received)
    assert_unbroken(a.received)
    assert {fields(packet)[4][0] for packet in b.received[5:]} == {0x41, 0x42, 0x43}
    steps = np.diff([ts for _, ts, _ in headers(b.received)])
    assert set((steps % (1 << 32)).tolist()) == {160}
    succession.switch.send(GetStatistics("s1"))
    statistics = succession.switch.wait(Statistics).legs
    assert (statistics["a"].packets_received, statistics["b"].packets_sent) == (11, 11)
    assert statistics["a"].packets_lost == 0
    assert statistics["a"].remote == f"127.0.0.1:{a.port}"


@pytest.mark.parametrize("succession", [3], indirect=True)
def test_a_successor_killed_before_it_was_told_anything_leaves_all_as_it_was(succession: Succession) -> None:
    a, b = Phone(ssrc=1), Phone(ssrc=2)
    succession.tell(configure(succession, a, "a", 0), configure(succession, b, "b", 1), bridge(("a", "b")))
    a.send(b"\1" * 160)
    b.wait_for(1)
    for _ in range(2):
        succession.kill()
        succession.take_place()
    succession.adopt()
    a.send(b"\2" * 160)
    b.wait_for(2)
    assert_unbroken(b.received)


def test_mixed_audio_keeps_its_stream(succession: Succession) -> None:
    a, b = Phone(ssrc=1), Phone(ssrc=2)
    succession.tell(configure(succession, a, "a", 0), configure(succession, b, "b", 1), bridge(("a", "b"), gain=0.5))
    b.wait_for(5)
    succession.kill()
    n_before = len(b.collect())
    succession.take_place()
    succession.adopt()
    b.wait_for(n_before + 5)
    assert_unbroken(b.received)
    # What passed in silence counts in the timestamps, and the marker says that something begins.
    gap = (fields(b.received[n_before])[2] - fields(b.received[n_before - 1])[2]) & 0xFFFFFFFF
    assert gap >= 160 and fields(b.received[n_before])[0] & 0x80


def test_digits_half_sent_are_finished_and_none_is_sent_twice(succession: Succession) -> None:
    a = Phone(ssrc=1)
    succession.tell(configure(succession, a, "a", 0, dtmf_payload_type=EVENTS))
    succession.tell(SendDigits("s1", "a", "129", duration_ms=200, gap_ms=60))

    def heard() -> list[str]:
        receiver, digits = EventReceiver(), []
        for i, packet in enumerate(a.received):
            kind, _, ts, _, payload = fields(packet)
            if kind & 0x7F == EVENTS:
                digits += [each.digit for each in receiver.receive(payload, ts, i * 0.02)]
        return digits

    while heard() != ["1"] or fields(a.received[-1])[4][0] != 2:  # in the midst of the second
        a.wait_for(len(a.received) + 1)
    succession.kill()
    a.collect()
    succession.take_place()
    succession.adopt()
    while len(heard()) < 3:
        a.wait_for(len(a.received) + 1)
    assert heard() == ["1", "2", "9"]
    assert_unbroken(a.received)


def test_a_play_goes_on_from_where_it_broke_off(succession: Succession) -> None:
    path = succession.folder / "levels.wav"
    levels = np.repeat(np.arange(1, 21, dtype=np.int16) * 500, 800)  # another one each 100 ms
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(levels.tobytes())
    a = Phone(ssrc=1)
    succession.tell(configure(succession, a, "a", 0), Play("s1", "a", "p", [f"file:{path}"]))
    a.wait_for(25)
    succession.kill()
    n_before = len(a.collect())
    succession.take_place()
    (play,) = succession.adopt().snapshot.plays
    assert play.offset_s > 0.3
    finished = succession.switch.wait(PlayFinished)
    assert (finished.play_id, finished.reason) == ("p", "finished")
    a.collect()
    assert_unbroken(a.received)
    # Two seconds in all, but for the packets of the time in which it was not known whether it still played.
    assert 60 <= len(a.received) <= 115
    before, after = a.received[5], a.received[n_before + 3]
    assert fields(before)[4] != fields(after)[4]


def test_a_recording_goes_on_in_its_file(succession: Succession) -> None:
    a = Phone(ssrc=1)
    path = succession.folder / "rec" / "r.wav"
    path.parent.mkdir()
    start = StartRecording("s1", "r", str(path), [["a"], []], encoding="pcm16")
    succession.tell(configure(succession, a, "a", 0), start)
    succession.switch.wait(RecordingStarted)
    began = time.monotonic()

    def speak(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            a.send(b"\x10" * 160)
            time.sleep(0.02)

    speak(1.5)
    succession.kill()
    succession.take_place()
    (recording,) = succession.adopt().snapshot.recordings
    assert recording.continues_s > 1.4
    speak(1.5)
    ran_s = time.monotonic() - began
    succession.switch.send(ReleaseSession("s1"))
    finished = succession.switch.wait(RecordingFinished)
    assert (finished.path, finished.error) == (str(path), "")
    assert os.listdir(path.parent) == ["r.wav"]
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    assert abs(len(samples) / 8000 - ran_s) < 1.0
    assert np.abs(samples[-4000:-2000, 0].astype(int)).mean() > 1000


def test_a_snapshot_is_enough_for_a_worker_that_shares_nothing(succession: Succession) -> None:
    """As on another machine: the sequence numbers go on a safe step ahead."""
    a, b = Phone(ssrc=1), Phone(ssrc=2)
    succession.tell(configure(succession, a, "a", 0), configure(succession, b, "b", 1), bridge(("a", "b")))
    for i in range(3):
        a.send(b"\1" * 160)
        b.wait_for(i + 1)
    succession.switch.send(Snapshot("s1"))
    taken = succession.switch.wait(SnapshotTaken).snapshot
    assert [edge.speaker for edge in taken.matrix.edges] == ["a", "b"]
    (state,) = [state for settings, state in taken.legs if settings.leg == "b"]
    assert (state.seq, state.timestamp, state.ssrc) == headers(b.received)[-1]
    succession.tell(ReleaseSession("s1"))
    # Another session's name: shared memory has nothing of it.
    legs = [(ConfigureLeg(**{**_settings(leg), "session": "s2"}), state) for leg, state in taken.legs]
    matrix = bridge(("a", "b"), session="s2")
    moved = Adopt("s2", type(taken)("s2", legs, matrix))
    succession.switch.send(moved, GetStatistics("s2"))
    succession.switch.wait(Statistics)
    a.send(b"\2" * 160)
    b.wait_for(4)
    before, after = headers(b.received)[2:4]
    assert after[2] == before[2]
    assert 0 < (after[0] - before[0]) & 0xFFFF < 3000
    assert 0 < (after[1] - before[1]) & 0xFFFFFFFF < 1 << 31


def _settings(leg: ConfigureLeg) -> dict[str, object]:
    return {name: getattr(leg, name) for name in leg.__struct_fields__}
