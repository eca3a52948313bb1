"""Alembic migrations, run by the program itself when it opens a database."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0015"
"""The newest revision. A database that is there already is opened without loading Alembic; a test compares."""

_LOCK = 0x52_69_6E_67
"""PostgreSQL advisory lock: of two processes that open a database one migrates it. SQLite's write lock does so too."""


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at, None for one without our tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade_connection(connection: Connection, revision: str = "head") -> None:
    """Brings the database to `revision` inside the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if current_revision(connection) == (HEAD if revision == "head" else revision):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
