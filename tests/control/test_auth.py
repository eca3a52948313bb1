"""Covers: tokens, their hashes, the table of users, the table of failed logins.

Does not cover how a connection logs in (test_server.py).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.auth import ApiUser, FailureTable, TokenTable, hash_token, new_token

TOKEN = new_token()
USER = ApiUser(name="console", role="operator", token_hash=hash_token(TOKEN))
TABLE = TokenTable([ApiUser(name="other", role="viewer", token_hash=hash_token(new_token())), USER])


def test_tokens_differ_and_have_256_bits() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {47}


def test_hash_does_not_hold_the_token() -> None:
    assert TOKEN[4:] not in hash_token(TOKEN)
    assert hash_token(TOKEN) == hash_token(TOKEN) != hash_token(new_token())


def test_token_finds_its_user() -> None:
    assert TABLE.authenticate(TOKEN) == USER


@given(st.text(max_size=60) | st.from_regex(r"rbk_[A-Za-z0-9_-]{43}", fullmatch=True) | st.just(TOKEN + "\n"))
def test_anything_else_finds_nobody(token) -> None:
    assert TABLE.authenticate(token) is None


@pytest.mark.parametrize(
    "token",
    ["", "secret", "rbk_short", TOKEN + "x", TOKEN[:-1], "x" + TOKEN, TOKEN + "\n"],
    ids=["empty", "word", "too short", "one more", "one less", "other prefix", "line end"],
)
def test_what_a_human_made_up_is_no_token(token) -> None:
    with pytest.raises(ValueError, match="ringback token"):
        hash_token(token)


@pytest.mark.parametrize(
    ("users", "why"),
    [
        ([ApiUser(name="a", role="viewer", token_hash="secret")], "hash"),
        ([ApiUser(name="a", role="viewer", token_hash=TOKEN)], "hash"),
        ([USER, USER], "twice"),
    ],
    ids=["plain text", "token itself", "twice"],
)
def test_faulty_user_is_refused(users, why) -> None:
    with pytest.raises(ValueError, match=why):
        TokenTable(users)


def test_answers_come_later_with_each_failure_up_to_a_limit() -> None:
    table = FailureTable(first_delay_s=0.5, max_delay_s=8.0, n_allowed=6)
    told = [table.failed("192.0.2.1", now=float(n)) for n in range(8)]
    assert [delay for delay, _ in told] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert [is_over for _, is_over in told] == [False] * 6 + [True] * 2


def test_sources_do_not_pay_for_each_other() -> None:
    table = FailureTable()
    table.failed("192.0.2.1", 0.0)
    assert table.failed("192.0.2.2", 0.0)[0] == table.first_delay_s


def test_failures_are_forgotten_after_the_window_and_after_success() -> None:
    table = FailureTable(window_s=60.0)
    for _ in range(3):
        table.failed("a", 0.0)
    assert table.failed("a", 60.1)[0] == table.first_delay_s
    table.failed("a", 60.2)
    table.succeeded("a")
    assert table.failed("a", 60.3)[0] == table.first_delay_s


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1000)), max_size=200))
def test_table_never_grows_beyond_its_size(tries) -> None:
    table = FailureTable(max_sources=10)
    for source, now in tries:
        delay, _ = table.failed(str(source), now)
        assert 0 < delay <= table.max_delay_s
        assert len(table) <= 10
