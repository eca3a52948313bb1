"""Imports: lists on their way in, one after the other; how far they are, and what was not taken of them.

What is known of an import stands in a file of its own (`ID.json`), and so does what was refused (`ID.rejected`, a line
each), so that both are there after a restart; a list that was being read then is to be imported once more, which
doubles nothing.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from dialer.inputs import RecordsChange
from model import errors
from model.commands_imports import ImportFinished, ImportState, ListImport, Target
from model.commands_lists import Rejection
from model.declare import Event
from storage.errors import StorageError, UnavailableError
from switch.import_sources import FileSource, Source
from switch.list_rows import ListBatch, ListEnd, RejectedRow
from switch.list_takers import Taker
from switch.lists import Lists
from switch.uploads import delete_files

log = logging.getLogger(__name__)

MAX_WAITING = 20
MAX_REMEMBERED = 200
MAX_REJECTIONS = 100_000
"""Kept of one import; those beyond are counted only."""
TOLD_EVERY_S = 10.0
"""The dialler takes new records so often while a list comes in."""


class Import(msgspec.Struct, kw_only=True):
    import_id: str
    target: Target
    campaign: str
    list_name: str
    started_by: str
    created_utc: float
    state: ImportState = "waiting"
    problem: str = ""
    n_rows: int = 0
    n_added: int = 0
    n_refused: int = 0
    n_rejections: int = 0
    n_kept: int = 0
    columns: list[tuple[str, str]] = []
    ended_utc: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.state not in ("waiting", "running")

    def view(self) -> ListImport:
        values = {name: getattr(self, name) for name in ListImport.__struct_fields__}
        return ListImport(**values)


class Imports:
    """One per switch. `own` sees an import through, `publish` tells of its end."""

    def __init__(
        self,
        lists: Lists,
        folder: Path,
        publish: Callable[[Event], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._lists = lists
        self.folder = folder
        self._publish = publish
        self._own = own
        self._imports: dict[str, Import] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """At the start."""
        for found in await asyncio.to_thread(_load, self.folder):
            if not found.is_over:
                found.state = "interrupted"
            self._imports[found.import_id] = found

    def all(self) -> list[Import]:
        """The latest first."""
        return sorted(self._imports.values(), key=lambda each: (each.created_utc, each.import_id), reverse=True)

    def get(self, import_id: str) -> Import:
        """Raises NoSuchImport."""
        found = self._imports.get(import_id)
        if found is None:
            raise errors.NoSuchImport(f"no import {import_id}")
        return found

    def check_room(self) -> None:
        """Raises Congested."""
        if sum(not each.is_over for each in self._imports.values()) >= MAX_WAITING:
            raise errors.Congested(f"{MAX_WAITING} imports are under way; try again when one is over")

    def start(self, made: Import, source: Source, taker: Taker) -> None:
        """Raises Congested."""
        self.check_room()
        self._imports[made.import_id] = made
        self._own(self._run(made, source, taker))

    def cancel(self, import_id: str) -> Import:
        """Raises NoSuchImport, WrongState."""
        found = self.get(import_id)
        if found.is_over:
            raise errors.WrongState(f"import {import_id} is {found.state}", state=found.state)
        found.state = "cancelled"
        if import_id in self._tasks:
            self._tasks[import_id].cancel()
        return found

    async def rejections(self, import_id: str, cursor: str, limit: int) -> tuple[list[Rejection], str]:
        """(some of them, cursor of the next). Raises NoSuchImport, InvalidValue."""
        self.get(import_id)
        if cursor and not (cursor.isascii() and cursor.isdigit()):
            raise errors.InvalidValue(f"not a cursor: {cursor!r}", field="cursor")
        path = self.folder / f"{import_id}.rejected"
        found, end, size = await asyncio.to_thread(_read_rejections, path, int(cursor or "0"), limit)
        return found, str(end) if end < size else ""

    async def _run(self, made: Import, source: Source, taker: Taker) -> None:
        """As a task of its own, so that it can be given up without its owner."""
        task = asyncio.ensure_future(self._import(made, source, taker))
        self._tasks[made.import_id] = task
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            # The switch ends: the list is interrupted, and says so after the next start.
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            del self._tasks[made.import_id]
            if isinstance(source, FileSource):
                await asyncio.shield(asyncio.to_thread(delete_files, source.path))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("x import %s failed", made.import_id, exc_info=error)
            made.problem = "the import failed within the switch; its log says why"
        await self._end(made)

    async def _import(self, made: Import, source: Source, taker: Taker) -> None:
        await asyncio.to_thread(_save, self.folder, made)
        async with self._one_at_a_time:
            if made.state == "cancelled":
                return
            made.state = "running"
            try:
                await self._take_all(made, source, taker)
            except (StorageError, OSError) as error:
                is_ours = isinstance(error, UnavailableError)
                made.problem = f"the database failed: {error}" if is_ours else str(error)

    async def _take_all(self, made: Import, source: Source, taker: Taker) -> None:
        loop = asyncio.get_running_loop()
        told = loop.time()
        try:
            async with aclosing(source.batches()) as messages:
                async for message in messages:
                    if isinstance(message, ListEnd):
                        made.problem = message.problem
                        made.columns = [(title, field) for title, field in message.columns]
                        return
                    if made.target == "campaign" and made.campaign not in self._lists.directory.campaigns:
                        made.problem = f"campaign {made.campaign} was removed"
                        return
                    await self._take(made, message, taker)
                    if loop.time() - told >= TOLD_EVERY_S:
                        told = loop.time()
                        self._tell(made)
        finally:
            self._tell(made)

    async def _take(self, made: Import, batch: ListBatch, taker: Taker) -> None:
        taken = await taker.take(batch.ready)
        made.n_rows += batch.n_rows
        made.n_added += taken.n_added
        made.n_refused += batch.n_refused + taken.n_refused
        rejected = sorted([*batch.rejected, *taken.rejected], key=lambda each: each.row)
        made.n_rejections += len(rejected)
        kept = rejected[: MAX_REJECTIONS - made.n_kept]
        if kept:
            made.n_kept += len(kept)
            await asyncio.to_thread(_append, self.folder / f"{made.import_id}.rejected", kept)

    def _tell(self, made: Import) -> None:
        if made.target == "campaign" and made.n_added and made.campaign in self._lists.directory.campaigns:
            self._lists.tell(RecordsChange(campaign=made.campaign))

    async def _end(self, made: Import) -> None:
        if made.state != "cancelled":
            made.state = "failed" if made.problem else "finished"
        made.ended_utc = self._lists.wall()
        log.info("= import %s %s: %d of %d rows taken", made.import_id, made.state, made.n_added, made.n_rows)
        old = [each.import_id for each in self.all()[MAX_REMEMBERED:] if each.is_over]
        for import_id in old:
            del self._imports[import_id]
        try:
            await asyncio.to_thread(_save, self.folder, made)
        except OSError as error:
            log.error("x import %s cannot be noted: %s", made.import_id, error.strerror)
        names = [self.folder / f"{import_id}.{kind}" for import_id in old for kind in ("json", "rejected")]
        await asyncio.to_thread(delete_files, *names)
        self._publish(ImportFinished(**{name: getattr(made, name) for name in ImportFinished.__struct_fields__}))


def _load(folder: Path) -> list[Import]:
    """What is there; a file that was on its way in is removed."""
    if not folder.is_dir():
        return []
    delete_files(*folder.glob("*.upload"))
    found = []
    for path in folder.glob("*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Import))
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("! %s cannot be read: %s", path, error)
    return found


def _save(folder: Path, made: Import) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{made.import_id}.json"
    part = path.with_suffix(".part")
    with _private(part, os.O_TRUNC) as file:
        file.write(msgspec.json.encode(made))
    os.replace(part, path)


def _append(path: Path, rejected: list[RejectedRow]) -> None:
    lines = b"".join(msgspec.json.encode(_view(each)) + b"\n" for each in rejected)
    with _private(path, os.O_APPEND) as file:
        file.write(lines)


def _private(path: Path, how: int) -> BinaryIO:
    """Opened for writing; it holds telephone numbers, which are nobody else's business on this machine."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600), "wb")


def _view(rejected: RejectedRow) -> Rejection:
    return Rejection(**{name: getattr(rejected, name) for name in Rejection.__struct_fields__})


def rejections_of(rejected: list[RejectedRow]) -> list[Rejection]:
    """As they are shown."""
    return [_view(each) for each in rejected]


def _read_rejections(path: Path, start: int, limit: int) -> tuple[list[Rejection], int, int]:
    """(some of them, where the next begins, size of the file)"""
    found: list[Rejection] = []
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(min(start, size))
            while len(found) < limit and (line := file.readline()):
                found.append(msgspec.json.decode(line, type=Rejection))
            return found, file.tell(), size
    except FileNotFoundError:
        return [], 0, 0
    except msgspec.MsgspecError:
        raise errors.InvalidValue("not a cursor of this import", field="cursor") from None
