"""storage/schema.py, storage/migrations/ and the writer's column lists: migrated databases are what the tables say.

Not here: PostgreSQL's idea of the schema, which test_storage.py migrates where one is named.
"""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine

from model.audit import AuditRecord
from model.records import CallRecord, LegRecord, MessageRecord, RecordingRecord, SegmentRecord
from storage import columns, migrations
from storage.migrations import HEAD, current_revision, upgrade_connection
from storage.rows import AUDIT_COLUMNS, CALL_COLUMNS, LEG_COLUMNS, MESSAGE_COLUMNS, RECORDING_COLUMNS, SEGMENT_COLUMNS
from storage.storage import Storage
from tests.storage.records import AT, make_call

OLD = sorted((Path(__file__).parent / "old").glob("*.sql"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'db'}")
    yield engine
    engine.dispose()


def shape(path: Path) -> dict[str, str]:
    """Every table and index as SQLite keeps its text, WITHOUT ROWID and partial indexes included; the order of columns
    says nothing (added ones stand behind the constraints)."""
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        " AND name NOT LIKE 'alembic_%'"
    ).fetchall()
    connection.close()
    return {name: _in_order(" ".join(sql.split())) for name, sql in rows}


def _in_order(sql: str) -> str:
    if not sql.startswith("CREATE TABLE"):
        return sql
    head, _, rest = sql.partition("(")
    body, _, tail = rest.rpartition(")")
    return f"{head}({sorted(part.strip() for part in re.split(r',(?![^(]*[)])', body))}){tail}"


def expected_shape(tmp_path: Path) -> dict[str, str]:
    engine = create_engine(f"sqlite:///{tmp_path / 'expected'}")
    columns.metadata.create_all(engine)
    engine.dispose()
    return shape(tmp_path / "expected")


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_migrated_database_is_what_the_tables_say(tmp_path: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        assert current_revision(connection) is None
        upgrade_connection(connection)
        assert current_revision(connection) == HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, columns.metadata) == []
    assert shape(tmp_path / "db") == expected_shape(tmp_path)


def test_every_revision_has_a_database_of_its_time() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert {path.stem for path in OLD} == revisions


@pytest.mark.parametrize("dump", OLD, ids=lambda path: path.stem)
def test_an_old_database_becomes_a_new_one_and_keeps_its_rows(tmp_path: Path, dump: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db")
    connection.executescript(dump.read_text())
    connection.close()

    async def scenario() -> None:
        storage = await Storage.open(str(tmp_path / "db"))
        try:
            assert (await storage.calls.get("old-call")).call == make_call("old-call", AT)
            assert (await storage.extensions.get("8001")).name == "Old"
            storage.put(make_call("new-call"))
            await storage.flush()
            assert (await storage.calls.get("new-call")).call == make_call("new-call")
        finally:
            await storage.close()

    asyncio.run(scenario())
    assert shape(tmp_path / "db") == expected_shape(tmp_path)


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        for _ in range(2):
            await (await Storage.open(str(tmp_path / "db"))).close()
        first, second = await asyncio.gather(*(Storage.open(str(tmp_path / "both")) for _ in range(2)))
        await first.close()
        await second.close()

    asyncio.run(scenario())
    assert shape(tmp_path / "db") == shape(tmp_path / "both") == expected_shape(tmp_path)


def test_down_and_up_again(tmp_path: Path, engine: Engine) -> None:
    from alembic import command

    with engine.begin() as connection:
        upgrade_connection(connection)
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert not [name for name in columns.metadata.tables if connection.dialect.has_table(connection, name)]
        upgrade_connection(connection)
    assert shape(tmp_path / "db") == expected_shape(tmp_path)


@pytest.mark.parametrize(
    ("record", "columns", "without"),
    [
        (CallRecord, CALL_COLUMNS, {"legs", "segments"}),
        (LegRecord, LEG_COLUMNS, set()),
        (SegmentRecord, SEGMENT_COLUMNS, set()),
        (RecordingRecord, RECORDING_COLUMNS, set()),
        (AuditRecord, AUDIT_COLUMNS, set()),
        (MessageRecord, MESSAGE_COLUMNS, set()),
    ],
    ids=["call", "leg", "segment", "recording", "audit", "message"],
)
def test_every_field_of_a_record_is_written(record: type, columns: list[str], without: set[str]) -> None:
    fields = [name for name in record.__struct_fields__ if name not in without]  # type: ignore[attr-defined]
    ours = {"position", "caller_reversed", "dialed_reversed"}
    assert [name for name in columns if name not in ours] == fields
    if record is CallRecord:
        assert CallRecord.__struct_fields__[-2:] == ("legs", "segments"), "rows.py cuts these two off"
