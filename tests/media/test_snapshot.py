"""media/snapshot.py and media/legacy.py as pure parts: what a successor is told of a session, how far an old state is
moved ahead, and what is left of the columns in shared memory. Real workers are killed in `test_takeover.py`."""

import mmap
import os
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.beat import PAGE, Beat
from media.legacy import AddressNote, DigitsNote, Legacy
from media.snapshot import NOTHING, SAFE_PACKETS, SessionBook, later
from model.media import (
    Adopt,
    AnswerDetected,
    ConfigureLeg,
    ConnectMatrix,
    DetectAnswer,
    Edge,
    LegState,
    PauseRecording,
    Play,
    PlayFinished,
    RecordingFinished,
    ReleaseLeg,
    ReleaseSession,
    ResumeRecording,
    SecureLeg,
    SendDigits,
    SnapshotTaken,
    StartRecording,
    StopPlay,
    StopRecording,
)

A, B = ConfigureLeg("s", "a", 20000), ConfigureLeg("s", "b", 20002)
MATRIX = ConnectMatrix("s", [Edge("a", "b"), Edge("b", "a")])
RECORD = StartRecording("s", "r", "/tmp/r.wav", [["a"], ["b"]])


def book_of(*commands, began=100.0):
    book = SessionBook()
    for command in (A, B, MATRIX, *commands):
        book.sent(command, began, is_delivered=True)
    return book


def adopted(book, now=107.0, broken_at=106.0):
    commands = book.describe("s", now, broken_at)
    assert isinstance(commands[0], Adopt)
    return commands[0].snapshot


# -- the book ----------------------------------------------------------------------------------------------------------


def test_legs_and_matrix_are_the_newest():
    book = book_of()
    book.sent(msgspec.structs.replace(B, may_send=False), 101.0, is_delivered=True)
    book.sent(ConnectMatrix("s", [Edge("a", "b")]), 101.0, is_delivered=False)
    snapshot = adopted(book)
    assert [settings for settings, _ in snapshot.legs] == [A, msgspec.structs.replace(B, may_send=False)]
    assert [state for _, state in snapshot.legs] == [NOTHING, NOTHING]
    assert snapshot.matrix.edges == [Edge("a", "b")]


def test_it_goes_through_the_protocol():
    book = book_of(RECORD, Play("s", "a", "p", ["moh:x"], is_looped=True), SecureLeg("s", "a", True))
    command = book.describe("s", 107.0, 106.0)[0]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=Adopt) == command
    assert adopted(book).secure == ["a"]
    book.sent(SecureLeg("s", "a", False), 107.0, is_delivered=True)
    assert adopted(book).secure == []


def test_a_play_goes_on_from_where_it_broke_off():
    book = book_of(Play("s", "a", "p", ["file:x"]))
    book.sent(Play("s", "a", "p", ["file:x"]), 103.0, is_delivered=True)  # said again: it plays already
    (play,) = adopted(book, now=107.0, broken_at=104.5).plays
    assert (play.play_id, play.offset_s) == ("p", 4.5)
    # Adopted elsewhere and broken off there as well.
    second = SessionBook()
    for command in book.describe("s", 107.0, 104.5):
        second.sent(command, 107.0, is_delivered=True)
    (play,) = adopted(second, now=110.0, broken_at=109.0).plays
    assert play.offset_s == 6.5


@pytest.mark.parametrize(
    "ended",
    [
        StopPlay("s", "a"),
        StopPlay("s", "a", "p"),
        PlayFinished("s", "a", "p"),
        ReleaseLeg("s", "a"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_play_that_ended_is_not_begun_again(ended):
    book = book_of(Play("s", "a", "p", ["file:x"]))
    if isinstance(ended, PlayFinished):
        book.told([ended])
    else:
        book.sent(ended, 101.0, is_delivered=True)
    assert adopted(book).plays == []


def test_the_end_of_a_replaced_play_says_nothing_of_the_new_one():
    book = book_of(Play("s", "a", "old", ["file:x"]), Play("s", "a", "new", ["file:y"]))
    book.told([PlayFinished("s", "a", "old", "replaced")])
    book.sent(StopPlay("s", "a", "old"), 101.0, is_delivered=True)
    assert [play.play_id for play in adopted(book).plays] == ["new"]


def test_a_recording_runs_on_with_its_pauses():
    book = book_of(RECORD)
    book.sent(PauseRecording("s", "r"), 101.0, is_delivered=True)
    book.sent(PauseRecording("s", "r"), 101.5, is_delivered=True)
    book.sent(ResumeRecording("s", "r"), 102.0, is_delivered=True)
    book.sent(ResumeRecording("s", "r"), 102.5, is_delivered=True)
    snapshot = adopted(book)
    assert snapshot.recordings == [msgspec.structs.replace(RECORD, continues_s=7.0, pauses=[(1.0, 2.0)])]
    assert snapshot.paused == []
    book.sent(PauseRecording("s", "r"), 105.0, is_delivered=False)
    snapshot = adopted(book)
    assert snapshot.recordings[0].pauses == [(1.0, 2.0), (5.0, 7.0)]
    assert snapshot.paused == ["r"]


def test_a_recording_runs_on_with_who_is_on_its_channels_now():
    book = book_of(RECORD)
    book.sent(msgspec.structs.replace(RECORD, channels=[["a"], ["c"]]), 102.0, is_delivered=True)
    [running] = adopted(book).recordings
    assert running.channels == [["a"], ["c"]] and running.continues_s == 7.0


def test_recordings_that_could_not_tell_how_they_ended():
    book = book_of(RECORD, msgspec.structs.replace(RECORD, recording="r2"), StopRecording("s", "r"))
    assert [start.recording for start in adopted(book).recordings] == ["r2"]
    book.sent(ReleaseSession("s"), 103.0, is_delivered=True)
    book.told([RecordingFinished("s", "r2", "/tmp/r.wav")])
    assert [start.recording for start in book.take_closing()] == ["r"]
    assert book.take_closing() == []


def test_sessions_end():
    book = book_of()
    book.sent(ReleaseLeg("s", "a"), 101.0, is_delivered=True)
    assert [settings.leg for settings, _ in adopted(book).legs] == ["b"]
    book.sent(ReleaseLeg("s", "b"), 101.0, is_delivered=True)
    assert book.sessions == [] and book.describe("s", 1.0, 1.0) == []
    # What is said of a session that is not there changes nothing.
    for command in (MATRIX, RECORD, PauseRecording("s", "r"), StopPlay("s", "a"), ReleaseLeg("s", "a")):
        book.sent(command, 101.0, is_delivered=True)
    assert book.sessions == []


def test_digits_and_questions_nobody_took_are_said_again_once():
    digits = SendDigits("s", "a", "12")
    book = book_of(digits, DetectAnswer("s", "b"))
    book.sent(digits, 106.0, is_delivered=False)
    assert book.describe("s", 107.0, 106.0)[1:] == [DetectAnswer("s", "b"), digits]
    book.told([AnswerDetected("s", "b", "human", 1.0)])
    assert book.describe("s", 107.0, 106.0)[1:] == []


def test_states_of_a_snapshot_are_kept_for_the_successor():
    book = book_of()
    state = LegState(7, 8, 9, 1000.0)
    command = book.describe("s", 100.0, 100.0)[0]
    legs = [(settings, state) for settings, _ in command.snapshot.legs]
    book.told([SnapshotTaken("s", msgspec.structs.replace(command.snapshot, legs=legs))])
    assert [state for _, state in adopted(book).legs] == [state, state]


# -- a state that is old -----------------------------------------------------------------------------------------------


@given(
    age_s=st.floats(0, 20),
    ptime_ms=st.sampled_from([10, 20, 30, 40, 60]),
    clock_hz=st.sampled_from([8000, 16000, 48000]),
    seq=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
)
def test_an_old_state_is_moved_beyond_all_that_may_have_been_sent(age_s, ptime_ms, clock_hz, seq, timestamp):
    settings = ConfigureLeg("s", "a", 2, ptime_ms=ptime_ms, clock_hz=clock_hz)
    old = LegState(5, seq, timestamp, 1000.0, srtp_roll_over=(3, 4))
    new = later(old, settings, 1000.0 + age_s)
    sent = int(age_s * 1000 / ptime_ms)
    ahead = (new.seq - seq) & 0xFFFF
    assert sent < ahead <= sent + SAFE_PACKETS + 1 < 3000
    assert (new.timestamp - timestamp) & 0xFFFFFFFF == ahead * ptime_ms * clock_hz // 1000
    assert new.srtp_roll_over == (3 + (new.seq < seq), 4)
    assert new.ssrc == 5


def test_what_sent_nothing_stays_as_it_is():
    assert later(NOTHING, A, 5.0) == NOTHING


# -- shared memory -----------------------------------------------------------------------------------------------------


class Tables:
    """Columns of 4 legs in the file `fd`."""

    def __init__(self, fd: int, kind: type = np.uint16) -> None:
        self.table = SimpleNamespace(seq=np.zeros(4, kind), relay_to=np.full(4, -1, np.int64))
        self.legacy = Legacy(fd, [(self.table, ("seq",))], (self.table, "relay_to"))

    def take(self, row: int, leg: str):
        saved = self.legacy.claim(row, "s", leg)
        self.table.seq[row] = 0
        if saved is not None:
            self.legacy.give(row)
        return saved


@pytest.fixture
def memory():
    fd = os.memfd_create("test")
    os.ftruncate(fd, PAGE)
    yield fd
    os.close(fd)


NOTE = AddressNote(("10.0.0.1", 4000), "10.0.0.1", ("10.0.0.1", 4002), ("10.0.0.1", 4002), False, 3, 0.5, 90.0)
DIGITS = DigitsNote(False, 7, ([(1, 800, 480)], (2, 800, 480), 320, 0, 0, 0))


def test_a_successor_finds_what_was_there(memory):
    first = Tables(memory)
    assert first.take(1, "a") is None
    first.table.seq[1] = 77
    first.table.relay_to[1] = 2
    first.legacy.note(1, NOTE)
    first.legacy.note_digits({1: DIGITS})
    # Two successors: the first of them is killed before it is told anything.
    for _ in range(2):
        second = Tables(memory)
        assert second.table.relay_to.tolist() == [-1] * 4
    saved = second.take(1, "a")
    assert second.table.seq[1] == 77
    assert (saved.relay_to, saved.addresses, saved.digits) == (2, NOTE, DIGITS)


def test_a_successor_that_dies_before_it_has_given_anything_back_loses_nothing(memory):
    first = Tables(memory)
    first.take(1, "a")
    first.table.seq[1] = 77
    second = Tables(memory)
    second.legacy.claim(1, "s", "a")
    second.table.seq[1] = 4711  # reset, a new random number
    third = Tables(memory)
    third.take(1, "a")
    assert third.table.seq[1] == 77
    # And what was given back is not put aside any more.
    third.table.seq[1] = 78
    assert Tables(memory).table.seq[1] == 78


def test_another_leg_on_the_row_inherits_nothing(memory):
    first = Tables(memory)
    first.take(1, "a")
    first.table.seq[1] = 77
    first.legacy.note(1, NOTE)
    second = Tables(memory)
    assert second.take(1, "b") is None
    assert second.table.seq[1] == 0
    third = Tables(memory)
    assert third.take(1, "a") is None
    assert third.take(1, "a").addresses is None


def test_a_leg_that_is_over_leaves_nothing(memory):
    first = Tables(memory)
    first.take(1, "a")
    first.legacy.forget(1)
    assert Tables(memory).take(1, "a") is None


def test_digits_that_were_sent_are_forgotten(memory):
    first = Tables(memory)
    first.take(1, "a")
    first.legacy.note_digits({1: DIGITS})
    first.legacy.note_digits({})
    assert Tables(memory).take(1, "a").digits is None


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_note_that_was_half_written_reads_as_none(memory, at):
    first = Tables(memory)
    first.take(1, "a")
    first.legacy.note(1, NOTE)
    with mmap.mmap(memory, 0) as page:
        begin = page.find(b"10.0.0.1") - 9  # length, checksum, two array headers, the string's length
        page[begin + at] ^= 0x55
    assert Tables(memory).take(1, "a").addresses is None


def test_columns_of_another_version_begin_anew(memory):
    first = Tables(memory)
    first.take(1, "a")
    first.table.seq[1] = 77
    second = Tables(memory, np.uint32)
    assert second.take(1, "a") is None
    assert second.table.seq.tolist() == [0] * 4


def test_the_beat_shares_the_file(memory):
    worker, supervisor = Beat(memory), Beat(memory)
    worker.promise(12.5)
    Tables(memory).take(0, "a")
    assert supervisor.due == 12.5
    worker.close()
    supervisor.close()
