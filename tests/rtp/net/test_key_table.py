"""rtp/net/key_table.py: always says what a plain dict says, however keys come, go and collide. Not here: speed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtp.net.key_table import NOTHING, KeyTable

SMALL = st.integers(0, 40)
STEPS = st.lists(st.tuples(st.booleans(), SMALL, SMALL, st.integers(0, 1000)), max_size=120)


def words_of(keys, n_words):
    columns = np.array(keys, np.uint64).reshape(-1, n_words)
    return tuple(columns[:, i].copy() for i in range(n_words))


@pytest.mark.parametrize("n_words", [1, 2, 4])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS, is_crowded=st.booleans())
def test_like_a_dict(n_words, steps, is_crowded):
    homes = (lambda words: (words[0] & np.uint64(3)).view(np.int64) + 120) if is_crowded else None
    table, plain = KeyTable(64, n_words, homes, 128 if is_crowded else 0), {}
    for is_put, a, b, value in steps:
        key = (a, b, 7, 9)[:n_words]
        if is_put:
            table.put(key, value)
            plain[key] = value
        else:
            table.remove(key)
            plain.pop(key, None)
    asked = [(a, b, 7, 9)[:n_words] for a in range(42) for b in (range(42) if n_words > 1 else [0])]
    assert table.find(words_of(asked, n_words)).tolist() == [plain.get(key, NOTHING) for key in asked]
    assert [table.get(key) for key in asked] == [plain.get(key, NOTHING) for key in asked]
    assert len(table) == len(plain)


def test_full():
    table = KeyTable(4, 1)
    for i in range(4):
        table.put((i,), i)
    table.put((2,), 22)
    with pytest.raises(OverflowError):
        table.put((4,), 4)
    table.remove((0,))
    table.put((4,), 4)
    assert table.find((np.arange(5, dtype=np.uint64),)).tolist() == [NOTHING, 1, 22, 3, 4]


def test_nothing_is_asked():
    assert KeyTable(4, 1).find((np.zeros(0, np.uint64),)).tolist() == []
