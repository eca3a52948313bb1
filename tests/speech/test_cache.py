"""What was spoken is kept, within bounds, and a broken file counts as none."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.audio import to_wav
from speech.cache import SpeechCache, key_of
from speech.errors import SpeechError

ROOM = 10_000
SAMPLES = np.ones(1000, np.int16)
"""2044 bytes."""


def keys(n: int) -> list[str]:
    return [key_of(str(i), "zh", "", 1.0, "v1") for i in range(n)]


def test_a_key_is_of_everything_that_can_be_heard():
    base = ("您好", "zh", "cmn", 1.0, "espeak 1")
    others = [
        ("您 好", "zh", "cmn", 1.0, "espeak 1"),
        ("您好", "en", "cmn", 1.0, "espeak 1"),
        ("您好", "zh", "yue", 1.0, "espeak 1"),
        ("您好", "zh", "cmn", 1.1, "espeak 1"),
        ("您好", "zh", "cmn", 1.0, "espeak 2"),
    ]
    assert len({key_of(*each) for each in (base, *others)}) == 6
    assert key_of(*base) == key_of(*base)


def test_files_outlive_the_process(tmp_path):
    (key,) = keys(1)
    first = SpeechCache(tmp_path / "a" / "b", ROOM)
    assert first.find(key) is None
    path, gone = first.put(key, SAMPLES)
    assert not gone and Path(path).read_bytes() == to_wav(SAMPLES)
    assert oct(os.stat(tmp_path / "a" / "b").st_mode)[-3:] == "700"
    assert SpeechCache(tmp_path / "a" / "b", ROOM).find(key) == path


def test_the_least_recently_used_go_and_no_others(tmp_path):
    a, b, c, d, e, f = keys(6)
    cache = SpeechCache(tmp_path, ROOM)
    paths = [cache.put(key, SAMPLES)[0] for key in (a, b, c, d)]
    assert cache.find(a)
    cache.used([paths[1], "/elsewhere/" + "0" * 64 + ".wav"])
    assert cache.put(e, SAMPLES)[1] == [paths[2]]
    assert cache.put(f, SAMPLES)[1] == [paths[3]]
    assert [key for key in (a, b, c, d, e, f) if cache.find(key)] == [a, b, e, f]
    assert cache.n_bytes == sum(each.stat().st_size for each in tmp_path.iterdir()) <= ROOM


def test_after_a_restart_it_is_known_which_were_used(tmp_path):
    a, b, c, d, e = keys(5)
    cache = SpeechCache(tmp_path, ROOM)
    for n, key in enumerate((a, b, c, d)):
        path, _ = cache.put(key, SAMPLES)
        os.utime(path, (n, n))
    assert cache.find(a)
    again = SpeechCache(tmp_path, ROOM)
    assert again.put(e, SAMPLES)[1] == [str(tmp_path / f"{b}.wav")]


def test_a_smaller_cache_makes_room_at_the_start(tmp_path):
    cache = SpeechCache(tmp_path, ROOM)
    for key in keys(4):
        cache.put(key, SAMPLES)
    assert SpeechCache(tmp_path, 5000).n_bytes == 2 * 2044
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("harm", [lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:-7]),
                                  lambda p: p.write_bytes(b"\0" * 2044), lambda p: p.unlink()])  # fmt: skip
def test_a_broken_file_counts_as_none_and_is_made_anew(tmp_path, harm):
    (key,) = keys(1)
    cache = SpeechCache(tmp_path, ROOM)
    path = Path(cache.put(key, SAMPLES)[0])
    harm(path)
    assert cache.find(key) is None
    assert cache.n_bytes == 0
    assert cache.put(key, SAMPLES)[0] == str(path)
    assert cache.find(key) and cache.n_bytes == 2044


def test_what_is_not_of_the_cache_is_left_alone_and_what_was_unfinished_goes(tmp_path):
    (key,) = keys(1)
    (tmp_path / "holiday.wav").write_bytes(b"x" * 20_000)
    (tmp_path / f"{key}.wav.part").write_bytes(b"x")
    (tmp_path / f"{'0' * 64}.wav").symlink_to(tmp_path / "holiday.wav")
    cache = SpeechCache(tmp_path, ROOM)
    assert cache.n_bytes == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{'0' * 64}.wav", "holiday.wav"]


def test_what_cannot_be_kept_is_an_error(tmp_path):
    (key,) = keys(1)
    cache = SpeechCache(tmp_path / "c", ROOM)
    with pytest.raises(SpeechError, match="takes 12044 bytes"):
        cache.put(key, np.ones(6000, np.int16))
    (tmp_path / "c").rmdir()
    with pytest.raises(SpeechError, match="cannot be written"):
        cache.put(key, SAMPLES)
    assert cache.n_bytes == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.integers(1, 4000)),
        st.tuples(st.just("find"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("break"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_happens_it_holds_what_it_says_within_its_bounds(steps):
    """`kept` is what must be there: the last used ones, as many as have room."""
    with tempfile.TemporaryDirectory() as folder:
        cache, kept = SpeechCache(Path(folder), ROOM), dict[str, int]()
        for what, n, size in steps:
            key = keys(6)[n]
            path = Path(folder) / f"{key}.wav"
            if what == "put":
                gone = cache.put(key, np.ones(size, np.int16))[1]
                kept.pop(key, None)
                for each in gone:
                    kept.pop(Path(each).stem, None)
                kept[key] = 44 + 2 * size
            elif what == "find":
                found = cache.find(key)
                assert (found is not None) == (key in kept)
                if found:
                    kept[key] = kept.pop(key)
            elif what == "break" and key in kept:
                path.write_bytes(b"broken")
                assert cache.find(key) is None
                del kept[key]
            elif what == "restart":
                # Time stamps of files are too coarse to tell steps apart.
                for at, each in enumerate(kept):
                    os.utime(Path(folder) / f"{each}.wav", (at, at))
                cache = SpeechCache(Path(folder), ROOM)
            on_disk = {each.stem for each in Path(folder).iterdir() if each.stat().st_size > 6}
            assert on_disk == kept.keys()
            assert sum(kept.values()) <= ROOM
