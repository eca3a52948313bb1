"""The batching writer: `put` never waits, one task writes batches in order, what a failing database refuses is kept.

What was put is durable once `flush` returns. Between batches nothing runs: the first record of a batch arms one timer.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from storage.errors import ClosedError, RejectedError, UnavailableError
from storage.rows import RECORD_TYPES, Record, describe
from storage.sinks import Sink
from storage.spool import append_lines

log = logging.getLogger(__name__)

_TYPES = frozenset(RECORD_TYPES.values())


class WriterLimits(msgspec.Struct, frozen=True, kw_only=True):
    flush_interval_s: float = 0.5
    """How long the first record of a batch waits for more."""
    max_batch: int = 1000
    """Records in one transaction; as many waiting end the wait."""
    max_backlog: int = 50_000
    """Records waiting from which on the writer is congested: some 2 kB each."""
    retry_first_s: float = 0.1
    retry_most_s: float = 5.0
    """Wait after the first failure, doubled with each up to the second."""


class WriterState(msgspec.Struct, frozen=True, kw_only=True):
    """How the writer is."""

    backlog: int = 0
    """Records put and not yet durable."""
    is_failing: bool = False
    error: str = ""
    """What the database said last; empty while it works."""
    since_utc: float = 0.0
    """When it began to fail, UTC seconds; 0 while it works."""
    is_congested: bool = False
    written: int = 0
    """Records made durable since the start."""
    dead_letters: int = 0
    """Records the database refused for good since the start."""


class Writer:
    """Writes records to a sink. Made inside a running loop; `close` ends its task."""

    def __init__(
        self,
        sink: Sink,
        dead_letters: Path,
        *,
        limits: WriterLimits | None = None,
        on_state_change: Callable[[WriterState], None] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`on_state_change` hears when the writer begins or ceases to fail or be congested, and of each dead letter."""
        self._sink = sink
        self._dead_letters = dead_letters
        self._limits = limits or WriterLimits()
        self._on_state_change = on_state_change
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._pending: deque[Record] = deque()
        self._n_put = 0
        self._n_done = 0
        self._n_dead = 0
        self._error = ""
        self._since_utc = 0.0
        self._was_congested = False
        self._batch_size = self._limits.max_batch
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._task = asyncio.create_task(self._run(), name="storage-writer")

    @property
    def state(self) -> WriterState:
        return WriterState(
            backlog=len(self._pending),
            is_failing=bool(self._error),
            error=self._error,
            since_utc=self._since_utc,
            is_congested=self.is_congested,
            written=self._n_done - self._n_dead,
            dead_letters=self._n_dead,
        )

    @property
    def is_congested(self) -> bool:
        """True when new calls should be refused. Records of those that are up are still taken, every one."""
        return len(self._pending) >= self._limits.max_backlog

    def put(self, record: Record) -> None:
        """Takes `record`; never waits. It replaces one with the same key. ClosedError after `close`."""
        if self._is_closing:
            raise ClosedError("the writer is closed")
        if type(record) not in _TYPES:
            raise TypeError(f"no table for {type(record).__name__}")
        self._pending.append(record)
        self._n_put += 1
        n = len(self._pending)
        if n == 1:
            self._arm()
        elif n == self._limits.max_batch:
            self._due.set()
        elif n == self._limits.max_backlog:
            self._note_congestion()

    async def flush(self) -> None:
        """Returns when everything put before is durable; waits as long as the database fails."""
        if self._n_done >= self._n_put:
            return
        if self._task.done():
            raise ClosedError("the writer is closed")
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((self._n_put, done))
        self._due.set()
        await done

    async def close(self, timeout_s: float = 10.0) -> list[Record]:
        """Writes what is left for at most `timeout_s`, ends the task and closes the sink.

        Returns what could not be written, in order; the caller keeps it.
        """
        self._is_closing = True
        self._due.set()
        await asyncio.wait([self._task], timeout=timeout_s)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        self._disarm()
        for _, done in self._waiting:
            if not done.done():
                done.set_exception(ClosedError("the writer was closed while the database failed"))
        self._waiting.clear()
        await self._sink.close()
        if not self._task.cancelled() and (error := self._task.exception()):
            raise error
        return list(self._pending)

    async def _run(self) -> None:
        retry_s = self._limits.retry_first_s
        while True:
            await self._due.wait()
            self._due.clear()
            self._disarm()
            while self._pending:
                try:
                    await self._write_front()
                except Exception as error:
                    # The edge to a driver: if the task died of what nobody foresaw, all records behind would be lost.
                    if not isinstance(error, (UnavailableError, OSError)):
                        log.exception("! unexpected error while writing")
                    self._fail(str(error) or type(error).__name__)
                    await asyncio.sleep(retry_s)
                    retry_s = min(retry_s * 2, self._limits.retry_most_s)
                else:
                    retry_s = self._limits.retry_first_s
                    if not self._is_hurried:
                        break
            if self._pending:
                self._arm()
            elif self._is_closing:
                return

    @property
    def _is_hurried(self) -> bool:
        # What came in while a batch was written is not worth a transaction of its own unless somebody waits for it.
        return (
            self._is_closing
            or bool(self._waiting)
            or self._batch_size < self._limits.max_batch
            or len(self._pending) >= self._limits.max_batch
        )

    async def _write_front(self) -> None:
        front = list(itertools.islice(self._pending, self._batch_size))
        try:
            await self._sink.write(front)
        except RejectedError as error:
            # Halving finds the one that is refused in a few steps and keeps the order; a later success doubles it back.
            self._batch_size = max(1, len(front) // 2)
            if len(front) > 1:
                return
            self._bury(front[0], error)
        else:
            self._batch_size = min(self._limits.max_batch, self._batch_size * 2)
        self._recover()
        self._drop(len(front))

    def _bury(self, record: Record, error: RejectedError) -> None:
        append_lines(self._dead_letters, [record], at_utc=self._wall(), error=str(error))
        self._n_dead += 1
        log.error("! %s refused by the database, kept in %s: %s", describe(record), self._dead_letters, error)
        self._tell()

    def _drop(self, n: int) -> None:
        for _ in range(n):
            self._pending.popleft()
        self._n_done += n
        while self._waiting and self._waiting[0][0] <= self._n_done:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_result(None)
        self._note_congestion()

    def _arm(self) -> None:
        self._timer = self._loop.call_later(self._limits.flush_interval_s, self._due.set)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, error: str) -> None:
        is_new = error != self._error
        if not self._error:
            self._since_utc = self._wall()
        self._error = error
        if is_new:
            log.error("! database cannot be written, %d records wait: %s", len(self._pending), error)
            self._tell()

    def _recover(self) -> None:
        if self._error:
            log.warning("= database works again after %.1f s", self._wall() - self._since_utc)
            self._error = ""
            self._since_utc = 0.0
            self._tell()

    def _note_congestion(self) -> None:
        if self._was_congested != self.is_congested:
            self._was_congested = self.is_congested
            log.warning(
                "= writer %s, %d records wait", "congested" if self._was_congested else "free", len(self._pending)
            )
            self._tell()

    def _tell(self) -> None:
        if self._on_state_change is not None:
            self._on_state_change(self.state)
