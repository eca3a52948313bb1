"""Covers `media/prompts.py`: every kind of source, its refusals, the cache's bounds and its notice of changed files.
Does not cover the resampler's figures (`test_resample.py`) nor playing (`test_playout.py`)."""

import os
import select
import threading

import numpy as np
import pytest

from media import prompts
from media.g711 import LINEAR_TO_ALAW, LINEAR_TO_ULAW
from media.melody import compose
from media.prompts import PreparedSource, PromptCache, SourceError, prepare
from media.tones import find_tone, render
from media.wav import WavFormat, make_header

TIMEOUT_S = 60


def wav(samples: np.ndarray, encoding: str = "pcm16", rate: int = 8000) -> bytes:
    """A file of int16 samples (n,) or (n, channels)."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    table = {"PCMU": LINEAR_TO_ULAW, "PCMA": LINEAR_TO_ALAW}.get(encoding)
    audio = samples.astype(np.int16) if table is None else table[samples.astype(np.int16).view(np.uint16)]
    return make_header(WavFormat(channels, encoding, rate), audio.nbytes) + audio.tobytes()


def sine(rate: int, seconds: float = 1.0, hz: float = 1000.0) -> np.ndarray:
    return np.rint(8000 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.int16)


class Cache:
    """A cache whose clock stands still unless moved, and waiting for it."""

    def __init__(self, *folders: str, **options) -> None:
        self.now = 0.0
        self.cache = PromptCache(folders, clock=lambda: self.now, **options)

    def wait(self) -> list:
        ready, _, _ = select.select([self.cache.wake_fd], [], [], TIMEOUT_S)
        assert ready, "nothing was loaded"
        return self.cache.poll()

    def load(self, source: str) -> PreparedSource | str:
        assert self.cache.get(source) is None
        self.cache.request(source)
        results = []
        while not results:
            results = self.wait()
        ((name, loaded),) = results
        assert name == source
        return loaded


@pytest.fixture
def make(tmp_path):
    made = []

    def factory(*folders: str, **options) -> Cache:
        made.append(Cache(*folders, **options))
        return made[-1]

    yield factory
    for each in made:
        each.cache.close(TIMEOUT_S)


def test_a_source_is_loaded_once_and_then_there(make):
    cache = make()
    loaded = cache.load("tone:ringback/cn")
    assert np.array_equal(loaded.samples, render(find_tone("ringback", "cn")))
    assert loaded.is_looped
    assert cache.cache.get("tone:ringback/cn") is loaded
    assert cache.cache.n_loading == 0
    with pytest.raises(ValueError, match="read-only"):
        loaded.samples[0] = 1


def test_asking_twice_is_asking_once(make):
    cache = make()
    for _ in range(3):
        cache.cache.request("silence:20")
    assert cache.cache.n_loading == 1
    ((source, _),) = cache.wait()
    assert source == "silence:20"
    # `load` fails when anything else comes with what it asked for.
    cache.load("silence:40")


@pytest.mark.parametrize(
    ("source", "n", "is_looped"),
    [
        ("silence:1", 8, False),
        ("silence:1500", 12000, False),
        ("tone:busy/us", 8000, True),
        ("tone:dial/eu", 8000, True),
        ("tone:special_info/us", 7920, False),
        ("moh:default", 384_000, True),
    ],
)
def test_sources_made_without_a_file(source, n, is_looped):
    prepared = prepare(source)
    assert prepared.samples.dtype == np.int16
    assert (len(prepared.samples), prepared.is_looped) == (n, is_looped)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("encoding", ["pcm16", "PCMU", "PCMA"])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_every_kind_become_8_khz(tmp_path, rate, encoding, channels):
    samples = sine(rate)
    if channels == 2:
        samples = np.stack([samples, samples], axis=1)
    path = tmp_path / "prompt.wav"
    path.write_bytes(wav(samples, encoding, rate))
    prepared = prepare(f"file:{path}")
    assert (prepared.samples.dtype, prepared.is_looped) == (np.int16, False)
    assert abs(len(prepared.samples) - 8000) <= 1
    error = (prepared.samples[:8000] - sine(8000).astype(float))[200:-200]
    assert np.sqrt(np.mean(error**2)) < (2 if encoding == "pcm16" else 150)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", 'a source is "tone:'),
        ("ringback", 'a source is "tone:'),
        ("http://example.com/a.wav", 'a source is "tone:'),
        ("tone:ringback", "no tone plan ''"),
        ("tone:ringback/atlantis", "no tone plan 'atlantis'; there are au, br"),
        ("tone:applause/cn", "no tone 'applause' in plan 'cn'; there are beep, busy"),
        ("silence:", "1 to 600000"),
        ("silence:0", "1 to 600000"),
        ("silence:-5", "1 to 600000"),
        ("silence:1e3", "1 to 600000"),
        ("silence:²", "1 to 600000"),
        ("silence:600001", "1 to 600000"),
        ("silence:00000000001", "1 to 600000"),
        ("moh:nowhere", "no nowhere.wav"),
        ("moh:../../etc/passwd", "the name of music"),
        ("moh:", "the name of music"),
        ("moh", "the name of music"),
        ("file:", "without a path"),
        ("file:/nowhere/at/all.wav", "No such file"),
        ("file:/dev/zero", "not a regular file"),
        ("file:/", "not a regular file"),
        ("file:a\0b", "null"),
    ],
)
def test_what_cannot_be_played_is_refused_with_a_reason(make, source, said):
    cache = make()
    loaded = cache.load(source)
    assert isinstance(loaded, str)
    assert loaded.startswith(f"{source}: ")
    assert said in loaded
    assert cache.cache.get(source) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "no RIFF"), (b"ID3" + bytes(100), "no RIFF"), (wav(np.zeros(0, np.int16)), "holds no audio")],
    ids=["empty file", "MP3", "no samples"],
)
def test_files_that_are_no_audio_are_refused(make, tmp_path, data, said):
    (tmp_path / "a.wav").write_bytes(data)
    assert said in make().load(f"file:{tmp_path}/a.wav")


def test_too_large_a_file_is_refused(make, tmp_path, monkeypatch):
    monkeypatch.setattr(prompts, "MAX_FILE_BYTES", 1 << 20)
    (tmp_path / "a.wav").write_bytes(bytes(1 + (1 << 20)))
    assert "larger than 1 MiB" in make().load(f"file:{tmp_path}/a.wav")


def test_a_refused_source_can_be_asked_for_again(make, tmp_path):
    cache, source = make(), f"file:{tmp_path}/a.wav"
    assert isinstance(cache.load(source), str)
    (tmp_path / "a.wav").write_bytes(wav(sine(8000)))
    assert isinstance(cache.load(source), PreparedSource)


def test_music_comes_from_the_first_folder_that_has_it(make, tmp_path):
    for name, level in (("first", 1), ("second", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "jazz.wav").write_bytes(wav(np.full(80, level)))
    (tmp_path / "second" / "default.wav").write_bytes(wav(np.full(80, 7)))
    cache = make(str(tmp_path / "first"), str(tmp_path / "second"))
    jazz, default = cache.load("moh:jazz"), cache.load("moh:default")
    assert (jazz.samples[0], jazz.is_looped) == (1, True)
    assert default.samples[0] == 7


def test_without_a_folder_the_built_in_music_plays(make, tmp_path):
    assert np.array_equal(make(str(tmp_path)).load("moh:default").samples, compose())


def test_the_cache_forgets_what_was_used_longest_ago(make):
    cache = make(max_bytes=3 * 1600)
    for ms in (100, 101):
        cache.load(f"silence:{ms}")
    assert cache.cache.get("silence:100") is not None
    cache.load("silence:102")
    assert cache.cache.get("silence:101") is None
    assert cache.cache.get("silence:100") is not None
    cache.load("silence:5000")
    assert [cache.cache.get(f"silence:{ms}") is not None for ms in (100, 102, 5000)] == [False, False, True]


def change(path, level: int) -> None:
    path.write_bytes(wav(np.full(80, level)))
    os.utime(path, ns=(level, level))


def test_a_changed_file_is_noticed_while_the_old_one_plays_on(make, tmp_path):
    path = tmp_path / "a.wav"
    change(path, 1)
    cache, source = make(), f"file:{path}"
    old = cache.load(source)
    change(path, 2)
    assert cache.cache.get(source) is old
    cache.now = 2 * prompts.RECHECK_S
    assert cache.cache.get(source) is old
    assert cache.wait() == []
    new = cache.cache.get(source)
    assert (new.samples[0], old.samples[0]) == (2, 1)


def test_an_unchanged_file_is_not_loaded_again_and_a_deleted_one_goes(make, tmp_path):
    path = tmp_path / "a.wav"
    change(path, 1)
    cache, source = make(), f"file:{path}"
    first = cache.load(source)
    cache.now = 2 * prompts.RECHECK_S
    cache.cache.get(source)
    assert cache.wait() == []
    assert cache.cache.get(source) is first
    path.unlink()
    cache.now = 4 * prompts.RECHECK_S
    assert cache.cache.get(source) is first
    assert cache.wait() == []
    assert cache.cache.get(source) is None


def test_a_bug_in_reading_one_file_does_not_silence_the_others(make, tmp_path, monkeypatch):
    def broken(path):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(prompts, "_read_file", broken)
    cache = make()
    (tmp_path / "a.wav").write_bytes(b"")
    assert "ZeroDivisionError" in cache.load(f"file:{tmp_path}/a.wav")
    assert isinstance(cache.load("silence:20"), PreparedSource)


def test_getting_never_waits_for_the_loader(make, monkeypatch):
    gate = threading.Event()
    load = prompts.prepare
    monkeypatch.setattr(prompts, "prepare", lambda *a: (gate.wait(TIMEOUT_S), load(*a))[1])
    cache = make()
    cache.cache.request("silence:20")
    assert cache.cache.get("silence:20") is None
    assert cache.cache.poll() == []
    assert cache.cache.n_loading == 1
    gate.set()
    ((source, loaded),) = cache.wait()
    assert (source, len(loaded.samples)) == ("silence:20", 160)


def test_prepare_raises_for_whoever_wants_to_know_at_once():
    with pytest.raises(SourceError):
        prepare("nonsense")
