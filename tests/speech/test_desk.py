"""One voice: what is urgent comes first, nothing is spoken twice, and no failure holds up the next text."""

import queue
import threading

import numpy as np
import pytest

from model.speech import Gone, Speak, SpeechVoice, Spoken
from speech import desk as desks
from speech.cache import SpeechCache
from speech.desk import Desk
from speech.errors import SpeechError

VOICE = SpeechVoice(language="zh", provider="espeak", voice="v", rate=1.5)


@pytest.fixture
def room() -> int:
    return 100_000


class Spy:
    """A provider that speaks when it may."""

    n_threads = 1
    version = "spy 1"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, float]] = []
        self.may = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)

    def synth(self, text, language, voice, rate):
        self.asked.append((text, language, voice, rate))
        self.begun.release()
        assert self.may.acquire(timeout=20)
        if text == "bad":
            raise SpeechError("cannot")
        if text == "worse":
            raise ZeroDivisionError("a mistake of ours")
        return np.full(800, 9000, np.int16), 8000

    @property
    def texts(self) -> list[str]:
        return [each[0] for each in self.asked]


@pytest.fixture
def at_work(tmp_path, room):
    spy, told = Spy(), queue.Queue()
    return spy, told, Desk(VOICE, SpeechCache(tmp_path, room), told.put, spy)


def answer(told) -> Spoken | Gone:
    return told.get(timeout=20)


def ask(desk, number: int, text: str, **how) -> None:
    desk.ask(Speak(number, text, "zh", how.pop("timeout_s", 60.0), **how))


def test_a_text_is_spoken_once(at_work):
    spy, told, desk = at_work
    spy.may.release()
    ask(desk, 1, "您好")
    first = answer(told)
    assert first.number == 1 and first.path and not first.error
    ask(desk, 2, "您好")
    assert told.get_nowait() == Spoken(2, first.path)
    assert spy.asked == [("您好", "zh", "v", 1.5)]


def test_who_waits_comes_before_what_is_made_ahead(at_work):
    spy, told, desk = at_work
    ask(desk, 1, "first")
    assert spy.begun.acquire(timeout=20)
    ask(desk, 2, "ahead", is_ahead=True)
    ask(desk, 3, "late", timeout_s=0.0)
    ask(desk, 4, "now")
    ask(desk, 5, "now")
    for _ in range(3):
        spy.may.release()
    answers = {each.number: each for each in (answer(told) for _ in range(5))}
    assert spy.texts == ["first", "now", "ahead"]
    assert answers[3].error == "its turn did not come in time"
    assert answers[4].path == answers[5].path


def test_a_failure_is_told_and_the_next_text_is_spoken(at_work):
    spy, told, desk = at_work
    for n, text in enumerate(("bad", "worse", "good")):
        spy.may.release()
        ask(desk, n, text)
    answers = [answer(told) for _ in range(3)]
    assert answers[0].error == "cannot"
    assert answers[1].error == "ZeroDivisionError: a mistake of ours"
    assert answers[2].path
    assert desk.oldest is None


def test_who_speaks_for_too_long_is_known(at_work):
    spy, told, desk = at_work
    ask(desk, 1, "first")
    assert spy.begun.acquire(timeout=20)
    assert desk.oldest is not None
    spy.may.release()
    answer(told)


@pytest.mark.parametrize("room", [4000])
def test_the_room_of_others_is_told(at_work):
    spy, told, desk = at_work
    paths = []
    for n in range(3):
        spy.may.release()
        ask(desk, n, f"text {n}")
        told_now = answer(told)
        if isinstance(told_now, Gone):
            assert told_now.paths == (paths[0],)
            told_now = answer(told)
        paths.append(told_now.path)
    assert len(set(paths)) == 3
    spy.may.release()
    ask(desk, 9, "text 0")
    assert isinstance(answer(told), Gone)


def test_no_more_than_so_many_wait(at_work, monkeypatch):
    monkeypatch.setattr(desks, "MAX_WAITING", 2)
    spy, told, desk = at_work
    ask(desk, 1, "a")
    assert spy.begun.acquire(timeout=20)
    for n, text in enumerate("bcd", 2):
        ask(desk, n, text)
    assert told.get_nowait() == Spoken(4, error="2 texts wait for the voice")
    for _ in range(3):
        spy.may.release()
    assert {answer(told).number for _ in range(3)} == {1, 2, 3}
