"""switch/flow_databases.py with real SQLite files: what is found, what is refused, and that nothing waits too long.

Not here: that a role of PostgreSQL may only read, which is its server's business.
"""

import asyncio
import io
import logging
import sqlite3
import time
from decimal import Decimal

import pytest

from ivr.run import LookUp
from switch.config_file import ConfigError, parse_config
from switch.config_ivr import Source
from switch.flow_databases import AT_ONCE, FlowDatabases
from switch.logs import set_up_logging
from tests.storage.conftest import POSTGRES

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m3 FROM n"


@pytest.fixture
def databases(tmp_path):
    connection = sqlite3.connect(tmp_path / "crm 100%.db")
    connection.executescript(
        """CREATE TABLE usage (account TEXT, m3 NUMERIC, month TEXT, note TEXT, paid BOOLEAN);
        INSERT INTO usage VALUES ('123456', 10.5, '2026-10', NULL, 1), ('123456', 9, '2026-09', 'it''s 12:30', 0);"""
    )
    connection.close()
    return FlowDatabases([Source(name="crm", url="sqlite+aiosqlite:///crm 100%.db")], lambda path: tmp_path / path)


def asked(query: str, timeout_s: float = 3.0, source: str = "crm", **values) -> LookUp:
    return LookUp(source=source, query=query, values=values, picks={}, timeout_s=timeout_s, hold="")


def run(databases, *questions: LookUp):
    async def main():
        try:
            return await asyncio.gather(*(databases.fetch(each) for each in questions), return_exceptions=True)
        finally:
            await databases.close()
            # The thread of a file that cannot be opened still has to say so.
            await asyncio.sleep(0.1)

    return asyncio.run(main())


def test_ivr_16_the_first_row_is_found_by_what_is_bound(databases):
    found = run(
        databases,
        asked("SELECT * FROM usage WHERE account = :account ORDER BY month DESC", account="123456"),
        asked("SELECT note FROM usage WHERE m3 = :n AND note LIKE '%12:30'", n=Decimal(9)),
        asked("SELECT count(*) AS n, 1e-7 AS small, 2.50 AS price FROM usage WHERE m3 > :n", n=Decimal("9.5")),
        asked("SELECT month FROM usage WHERE account = :account", account="1' OR '1' = '1"),
    )
    assert found == [
        {"account": "123456", "m3": "10.5", "month": "2026-10", "paid": "1"},
        {"note": "it's 12:30"},
        {"n": "1", "small": "0.0000001", "price": "2.5"},
        None,
    ]


def test_nothing_can_be_written_even_by_what_the_check_lets_through(databases, tmp_path):
    before = (tmp_path / "crm 100%.db").read_bytes()
    (found,) = run(databases, asked("REPLACE INTO usage VALUES ('1', 1, '', '', 1)"))
    assert isinstance(found, ValueError)
    (found,) = run(databases, asked("WITH x AS (SELECT 1) DELETE FROM usage"))
    assert isinstance(found, ValueError)
    assert (tmp_path / "crm 100%.db").read_bytes() == before


def test_a_query_that_takes_too_long_is_ended_and_its_thread_is_free_again(databases):
    began = time.monotonic()
    found = run(databases, *[asked(ENDLESS, 0.2)] * (2 * AT_ONCE), asked("SELECT 1 AS n", 20.0))
    assert [str(each) for each in found[:-1]] == ["no answer in time"] * (2 * AT_ONCE)
    assert found[-1] == {"n": "1"}
    assert time.monotonic() - began < 20.0


def test_xivr_08_what_is_looked_for_is_in_no_log(databases, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    set_up_logging("debug")
    lines = io.StringIO()
    root.addHandler(logging.StreamHandler(lines))
    run(databases, asked("SELECT 1 AS n WHERE '98765432' = :pin", pin="98765432"), asked("SELECT :pin", pin="98765432"))
    logging.getLogger("switch").debug("to the end")
    assert "to the end" in lines.getvalue() and "98765432" not in lines.getvalue()


@pytest.mark.parametrize(
    ("query", "values", "told"),
    [
        ("SELECT x FROM usage", {}, "no such column: x"),
        ("SELECT * FROM gone", {}, "no such table: gone"),
        ("SELECT load_extension(:pin)", {"pin": "not authorized"}, "the database refuses the query"),
    ],
)
def test_problems_are_told_but_no_value(databases, query, values, told):
    (found,) = run(databases, asked(query, **values))
    assert isinstance(found, ValueError) and str(found) == told


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    databases = FlowDatabases([Source(name="crm", url="sqlite+aiosqlite:///gone.db")], lambda path: tmp_path / path)
    found = run(databases, asked("SELECT 1"), asked("SELECT 1", source="other"))
    assert [str(each) for each in found] == [
        "unable to open database file",
        'there is no source "other" (ivr.source)',
    ]
    assert not (tmp_path / "gone.db").exists()


@pytest.mark.skipif(not POSTGRES, reason="RINGBACK_TEST_POSTGRES names no database")
def test_ivr_16_in_postgresql(tmp_path):
    rows = "(VALUES ('123456', 10.50, 5, date '2026-10-01', true)) AS usage(account, m3, n, day, paid)"
    found = run(
        FlowDatabases([Source(name="crm", url=POSTGRES)], lambda path: tmp_path / path),
        asked(f"SELECT * FROM {rows} WHERE account = :account AND n = :n", account="123456", n=Decimal(5)),
        asked(
            f"SELECT n FROM {rows} WHERE m3 > :m AND day::date < '2026-11-01' AND paid = :p", m=Decimal("9.5"), p=True
        ),
        asked(f"SELECT n FROM {rows} WHERE account = :account", account="1' OR '1' = '1"),
        asked(f"SELECT n FROM {rows} WHERE n = :n", n="4711x"),
        asked("WITH x AS (SELECT 1) SELECT * FROM gone"),
    )
    assert found[:3] == [
        {"account": "123456", "m3": "10.50", "n": "5", "day": "2026-10-01", "paid": "true"},
        {"n": "5"},
        None,
    ]
    assert [str(each) for each in found[3:]] == ["the database refuses the query", 'relation "gone" does not exist']


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('name = "a"\nurl = "mysql://u:secret@h/d"', "mysql is not supported"),
        ('name = "a"\nurl = "postgresql+asyncpg://u:secret@h"', "names no database"),
        ('name = "a"\nurl = "postgresql://u:secret@h:port/d"', ""),
        ('name = "a"\nurl = "x.db"\n[[ivr.source]]\nname = "a"\nurl = "x.db"', '"a" is there twice'),
    ],
)
def test_sources_that_cannot_be_are_refused_without_their_passwords(text, told):
    with pytest.raises(ConfigError) as error:
        parse_config("[[ivr.source]]\n" + text)
    assert told in str(error.value) and "secret" not in str(error.value)
