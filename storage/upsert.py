"""INSERT … ON CONFLICT and the other statements of the writer, as text for each driver; made once, then only bound.

The one module where writing differs between SQLite and PostgreSQL: the placeholders, and that SQLite takes many rows in
one statement. That matters: Python's sqlite3 gives up and takes back the interpreter lock around every statement, so
that row by row a busy switch and its writer thread hand the lock to and fro for every single row.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

Row = tuple[Any, ...]

_CHUNKS = (32, 4, 1)
"""Rows in one SQLite statement; a batch is cut into these, so each table needs three prepared statements at most."""


class Statement:
    """One statement of a batch: `head`, a group of placeholders for each row, `tail`."""

    def __init__(self, head: str, n_columns: int, tail: str) -> None:
        self.numbered = f"{head}({', '.join(f'${i}' for i in range(1, n_columns + 1))}){tail}"
        """For one row, as asyncpg wants it."""
        group = f"({', '.join('?' * n_columns)})"
        self._by_size = {size: f"{head}{', '.join([group] * size)}{tail}" for size in _CHUNKS}

    def chunks(self, rows: Sequence[Row]) -> Iterator[tuple[str, list[Any]]]:
        """The SQLite statements that write `rows`, in their order, each with its flat parameters."""
        at, n = 0, len(rows)
        for size in _CHUNKS:
            while n - at >= size:
                yield self._by_size[size], [value for row in rows[at : at + size] for value in row]
                at += size


def insert(table: Table, columns: Sequence[str]) -> Statement:
    """A plain INSERT of `columns`."""
    return Statement(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ", len(columns), "")


def insert_new(table: Table, columns: Sequence[str]) -> Statement:
    """An INSERT that leaves a row alone that is there already: what is written twice stays as it was."""
    key = ", ".join(column.name for column in table.primary_key)
    head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "
    return Statement(head, len(columns), f" ON CONFLICT ({key}) DO NOTHING")


def upsert(table: Table, columns: Sequence[str]) -> Statement:
    """An INSERT that replaces `columns` of the row that has the same primary key; other columns stay as they are."""
    key = [column.name for column in table.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    tail = f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    return Statement(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ", len(columns), tail)


def delete_by(table: Table, column: str) -> Statement:
    """A DELETE of the rows with these values in `column`."""
    # "IN (VALUES (?), (?))" takes the same groups of one as VALUES does; PostgreSQL's "IN (VALUES ($1))" is the same.
    return Statement(f"DELETE FROM {table.name} WHERE {column} IN (VALUES ", 1, ")")


class Update(Statement):
    """An UPDATE of `columns` of the rows with a key, as far as `condition` holds: a row is the values, then the key."""

    def __init__(self, table: Table, columns: Sequence[str], condition: str = "") -> None:
        (key,) = (column.name for column in table.primary_key)
        tail = f" AND {condition}" if condition else ""

        def sql(mark: Callable[[int], str]) -> str:
            changes = ", ".join(f"{name} = {mark(i)}" for i, name in enumerate(columns, 1))
            return f"UPDATE {table.name} SET {changes} WHERE {key} = {mark(len(columns) + 1)}{tail}"

        self.numbered = sql(lambda i: f"${i}")
        self._single = sql(lambda i: "?")

    def chunks(self, rows: Sequence[Row]) -> Iterator[tuple[str, list[Any]]]:
        for row in rows:
            yield self._single, [*row]


async def execute(connection: AsyncConnection, statement: Statement, rows: Sequence[Row]) -> None:
    """Within a transaction of others than the writer's."""
    if connection.dialect.name == "sqlite":
        for sql, values in statement.chunks(rows):
            await connection.exec_driver_sql(sql, tuple(values))
    elif rows:
        await connection.exec_driver_sql(statement.numbered, [*rows])
