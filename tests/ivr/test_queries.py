"""What flows may ask databases: one SELECT, whose variables are bound and never put into its text."""

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from ivr.queries import QueryError, for_driver, parameters


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("SELECT 1", []),
        ("  select a from b where c = :account and d = :account;  ", ["account"]),
        ("WITH x AS (SELECT 1) SELECT * FROM x WHERE y < :n OR z = :m", ["n", "m"]),
        ("SELECT ':no', \"a:b\" FROM t WHERE at > '12:30' AND c::date = :day", ["day"]),
        ("SELECT replace(a, 'delete; --', 'it''s') FROM t", []),
    ],
)
def test_what_may_be_asked(query, names):
    assert parameters(query) == names
    made = sqlalchemy.text(for_driver(query))
    assert sorted(made._bindparams) == sorted(names)
    wanted = query.strip().removesuffix(";")
    assert str(made.compile(compile_kwargs={"render_postcompile": True})) == wanted


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "begins with SELECT"),
        ("  ", "begins with SELECT"),
        ("(SELECT 1)", "begins with SELECT"),
        ("DELETE FROM t", "DELETE has no place here"),
        ("UPDATE t SET a = 1", "UPDATE has no place here"),
        ("EXPLAIN SELECT 1", "begins with SELECT"),
        ("SELECT 1; DROP TABLE t", "; has no place here"),
        ("SELECT 1 -- all", "comments"),
        ("SELECT 1 /* all */", "comments"),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "DELETE has no place here"),
        ("SELECT a INTO b FROM c", "INTO has no place here"),
        ("SELECT 'a", "' has no place here"),
        ("SELECT $$a$$", "$ has no place here"),
        ("SELECT E'a\\' OR 1'", "a blank behind E"),
        ("SELECT a:b", "a blank behind a"),
        ("SELECT ?", "? has no place here"),
        ("SELECT : x", ": has no place here"),
    ],
)
def test_what_may_not_be_asked(query, problem):
    with pytest.raises(QueryError) as told:
        parameters(query)
    assert problem in str(told.value)


@given(st.text(alphabet="select :a'\"-/*;x", max_size=40))
def test_any_text_is_refused_or_has_the_parameters_that_are_told(text):
    query = "SELECT " + text
    try:
        names = parameters(query)
    except QueryError:
        return
    assert sorted(sqlalchemy.text(for_driver(query))._bindparams) == sorted(names)
