"""What campaigns go on from after a restart, and why they called as many as they did (the pacing log)."""

from collections.abc import Iterable
from typing import Protocol

import msgspec
from sqlalchemy import delete, select, tuple_

from model.dialing import PacingEntry
from storage import schema_campaigns as schema
from storage.backlog import Backlog, settle
from storage.campaign_rows import CampaignRow
from storage.database import Database
from storage.event_log import check_limit
from storage.filters import Page, format_cursor, parse_cursor

_s = schema.campaign_states.c
_p = schema.pacing_log.c
_decode = msgspec.json.Decoder(dict[str, float]).decode


class CampaignBook(Protocol):
    """States and pacing log, wherever they are kept."""

    async def load_states(self) -> list[CampaignRow]: ...
    def save_state(self, row: CampaignRow) -> None: ...
    async def remove_state(self, campaign: str) -> None: ...
    def log_pacing(self, entries: Iterable[PacingEntry]) -> None: ...
    async def find_pacing(
        self, campaign: str, start_utc: float = 0.0, end_utc: float = 0.0, *, after: str = "", limit: int = 100
    ) -> Page[PacingEntry]: ...
    async def forget_pacing(self, before_utc: float, limit: int) -> int: ...


class CampaignQueries:
    """UnavailableError when the database cannot be read (or written, for removals)."""

    def __init__(self, database: Database, backlog: Backlog) -> None:
        self._database = database
        self._backlog = backlog

    async def load_states(self) -> list[CampaignRow]:
        """By name."""
        await settle(self._backlog)
        wanted = select(*[_s[name] for name in CampaignRow.__struct_fields__]).order_by(_s.campaign)
        async with self._database.read() as connection:
            return [CampaignRow(**row._asdict()) for row in await connection.execute(wanted)]

    def save_state(self, row: CampaignRow) -> None:
        """In the place of what there was; kept until the database takes it."""
        self._backlog.put(row)

    async def remove_state(self, campaign: str) -> None:
        """Nothing where there is none. Its pacing log goes, too."""
        await settle(self._backlog)
        async with self._database.write() as connection:
            await connection.execute(delete(schema.campaign_states).where(_s.campaign == campaign))
            await connection.execute(delete(schema.pacing_log).where(_p.campaign == campaign))

    def log_pacing(self, entries: Iterable[PacingEntry]) -> None:
        """Kept until the database takes it."""
        for entry in entries:
            self._backlog.put(entry)

    async def find_pacing(
        self, campaign: str, start_utc: float = 0.0, end_utc: float = 0.0, *, after: str = "", limit: int = 100
    ) -> Page[PacingEntry]:
        """Oldest first. ValueError for a bad limit, CursorError for a bad `after`."""
        check_limit(limit)
        await settle(self._backlog)
        columns = [_p[name] for name in PacingEntry.__struct_fields__]
        wanted = select(*columns).where(_p.campaign == campaign, _p.at_utc >= start_utc)
        if end_utc:
            wanted = wanted.where(_p.at_utc < end_utc)
        if after:
            wanted = wanted.where(_p.at_utc > parse_cursor(after)[0])
        async with self._database.read() as connection:
            rows = await connection.execute(wanted.order_by(_p.at_utc).limit(limit + 1))
            found = [PacingEntry(**{**row._asdict(), "inputs": _decode(row.inputs or b"{}")}) for row in rows]
        return page_of_pacing(found, limit)

    async def forget_pacing(self, before_utc: float, limit: int) -> int:
        """Deletes what is older, the oldest first and at most `limit` of it; returns how many that were."""
        oldest = select(_p.campaign, _p.at_utc).where(_p.at_utc < before_utc).order_by(_p.at_utc).limit(limit)
        async with self._database.write() as connection:
            done = await connection.execute(delete(schema.pacing_log).where(tuple_(_p.campaign, _p.at_utc).in_(oldest)))
            return int(done.rowcount)


def page_of_pacing(found: list[PacingEntry], limit: int) -> Page[PacingEntry]:
    """`found` has one more than the page when there are more."""
    items = found[:limit]
    return Page(items, format_cursor(items[-1].at_utc, "") if len(found) > limit else "")
