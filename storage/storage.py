"""`Storage`: one open database with its writer and its queries. What the switch holds."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from storage.appointments import AppointmentQueries
from storage.attempts import AttemptQueries
from storage.audit import AuditQueries
from storage.barred import BarredQueries
from storage.calls import CallQueries
from storage.campaigns import CampaignQueries
from storage.customers import CustomerQueries
from storage.database import Database
from storage.directory import (
    AccessNumber,
    Directory,
    Extension,
    ExtensionServices,
    ExtensionState,
    Member,
    Setting,
    StoredRole,
    Trunk,
)
from storage.errors import UnavailableError
from storage.event_log import EventQueries
from storage.evidence import EvidenceQueries
from storage.flows import FlowQueries
from storage.record_queries import RecordQueries
from storage.recordings import RecordingQueries
from storage.rows import Record
from storage.sinks import PostgresSink, Sink, SqliteSink
from storage.spool import append_lines, read_lines
from storage.urls import beside_database, make_folder, parse_database_url
from storage.voicemail import MessageQueries
from storage.writer import Writer, WriterLimits, WriterState

TAKE_UP_S = 30.0
"""How long `open` tries to write what an earlier run left."""

log = logging.getLogger(__name__)


class Storage:
    """Made by `open`; `close` it. Queries see what is durable, so `flush` before asking for what was just put."""

    def __init__(self, database: Database, writer: Writer, unwritten: Path, wall: Callable[[], float]) -> None:
        self._database = database
        self._writer = writer
        self._unwritten = unwritten
        self._wall = wall
        self._is_taking_up = False
        self.calls = CallQueries(database)
        self.recordings = RecordingQueries(database)
        self.audit = AuditQueries(database)
        self.messages = MessageQueries(database)
        self.events = EventQueries(database)
        self.flows = FlowQueries(database)
        self.records = RecordQueries(database, writer)
        self.attempts = AttemptQueries(database, writer)
        self.campaigns = CampaignQueries(database, writer)
        self.evidence = EvidenceQueries(database, writer)
        self.barred = BarredQueries(database)
        self.customers = CustomerQueries(database)
        self.appointments = AppointmentQueries(database)
        self.extensions: Directory[Extension] = Directory(Extension, database, wall=wall)
        self.extension_services: Directory[ExtensionServices] = Directory(ExtensionServices, database, wall=wall)
        self.settings: Directory[Setting] = Directory(Setting, database, wall=wall)
        self.roles: Directory[StoredRole] = Directory(StoredRole, database, wall=wall)
        self.members: Directory[Member] = Directory(Member, database, wall=wall)
        self.trunks: Directory[Trunk] = Directory(Trunk, database, wall=wall)
        self.access_numbers: Directory[AccessNumber] = Directory(AccessNumber, database, wall=wall)
        self.extension_states: Directory[ExtensionState] = Directory(ExtensionState, database, wall=wall)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        folder: Path | None = None,
        limits: WriterLimits | None = None,
        on_state_change: Callable[[WriterState], None] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> "Storage":
        """Opens the database of `url` (see `parse_database_url`), creating or upgrading it, and starts its writer.

        `folder` is where dead letters and unwritten records are kept; with SQLite it is the database's unless named.
        Records an earlier run could not write come first. ValueError for a bad URL or PostgreSQL without `folder`;
        UnavailableError when the database or `folder` cannot be used; ModuleNotFoundError when the driver is missing.
        """
        parsed = parse_database_url(url)
        folder = folder or beside_database(parsed)
        make_folder(folder)
        database = await Database.open(parsed)
        sink: Sink = SqliteSink(database.path) if database.path is not None else PostgresSink(parsed)
        name = Path(parsed.database or "").name
        writer = Writer(
            sink, folder / f"{name}.dead-letters.jsonl", limits=limits, on_state_change=on_state_change, wall=wall
        )
        storage = cls(database, writer, folder / f"{name}.unwritten.jsonl", wall)
        try:
            await storage._take_up_unwritten()
        except BaseException:
            await storage.close(timeout_s=0)
            raise
        return storage

    def put(self, record: Record) -> None:
        """Takes a record; never waits. See `Writer.put`."""
        self._writer.put(record)

    async def flush(self) -> None:
        """Returns when everything put before is durable."""
        await self._writer.flush()

    @property
    def state(self) -> WriterState:
        return self._writer.state

    @property
    def is_congested(self) -> bool:
        return self._writer.is_congested

    async def close(self, timeout_s: float = 10.0) -> None:
        """Writes what is left; what the database does not take in `timeout_s` goes to a file the next `open` reads."""
        try:
            left = await self._writer.close(timeout_s)
            if left and not self._is_taking_up:
                self._keep(left)
        finally:
            await self._database.close()

    async def _take_up_unwritten(self) -> None:
        if not self._unwritten.exists():
            return
        records, unreadable = read_lines(self._unwritten)
        self._is_taking_up = True
        for record in records:
            self._writer.put(record)
        log.warning("= %d records of an earlier run taken from %s", len(records), self._unwritten)
        if unreadable:
            log.error("! %d lines of %s are no records: %r", len(unreadable), self._unwritten, unreadable)
        try:
            async with asyncio.timeout(TAKE_UP_S):
                await self._writer.flush()
        except TimeoutError as error:
            raise UnavailableError(f"the database does not take the records of {self._unwritten}") from error
        self._unwritten.unlink()
        self._is_taking_up = False

    def _keep(self, records: list[Record]) -> None:
        try:
            append_lines(self._unwritten, records, at_utc=self._wall(), error=self._writer.state.error)
        except OSError:
            # The log is the last place there is; better there than nowhere.
            for record in records:
                log.critical("! lost, neither database nor %s take it: %r", self._unwritten, record)
            raise
        log.error("! %d records could not be written and are kept in %s", len(records), self._unwritten)
