"""The writer, as queries see it that both put records and must see what was put."""

import asyncio
from typing import Protocol

from storage.errors import UnavailableError
from storage.rows import Record
from storage.writer import WriterState

SETTLE_S = 5.0
"""What is to be durable is waited for so long."""


class Backlog(Protocol):
    @property
    def state(self) -> WriterState: ...
    def put(self, record: Record) -> None: ...
    async def flush(self) -> None: ...


async def settle(backlog: Backlog) -> None:
    """Returns when all that was put is in the database. UnavailableError when that fails, or takes too long."""
    if backlog.state.is_failing:
        raise UnavailableError(backlog.state.error)
    try:
        async with asyncio.timeout(SETTLE_S):
            await backlog.flush()
    except TimeoutError:
        raise UnavailableError(f"the database does not take records within {SETTLE_S:.0f} s") from None
