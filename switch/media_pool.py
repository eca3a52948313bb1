"""The media workers as the calls see them: which one has room, which port a leg gets, and commands on their way."""

import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from media.client import MediaClient
from media.snapshot import SessionBook
from model.media import Command, Event, Health, Hello, ReleaseSession, StartRecording


class WorkerNotes(msgspec.Struct):
    """What a media worker said of itself last."""

    hello: Hello
    health: Health | None = None
    n_restarts: int = 0


class MediaPool:
    """All workers; calls name theirs by index. Both legs of a call live in one worker."""

    def __init__(
        self,
        workers: Sequence[MediaClient],
        host: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        other_host: str = "",
    ) -> None:
        """`host` is the address written into SDP, `other_host` that for peers of the other IP version."""
        self.workers = workers
        self._clock = clock
        self._books = [SessionBook() for _ in workers]
        self._lost_at = [0.0 for _ in workers]
        self.hosts = {6 if ":" in one else 4: one for one in (other_host, host) if one}
        self.host_for: Callable[[str], str] = lambda peer: host
        """Address written into SDP for a peer whose signalling is at this IP address."""

    def choose_worker(self) -> int:
        """Index of the connected worker with the most free ports, with room for two legs; -1 when there is none."""
        best, most = -1, 1
        for index, worker in enumerate(self.workers):
            n_free = worker.n_free if worker.is_connected else 0
            if n_free > most:
                best, most = index, n_free
        return best

    def allocate_port(self, worker: int, trunk: str = "") -> int:
        """A local RTP port of the worker; 0 when it has none left. `trunk`: as `MediaClient.allocate_port`."""
        return (self.workers[worker].allocate_port(trunk) or 0) if worker >= 0 else 0

    def free_port(self, worker: int, port: int, now: float) -> None:
        self.workers[worker].free_port(port, now)

    def send(self, worker: int, command: Command) -> None:
        """To the call's worker. While that is away it is noted: what comes in its place is told everything."""
        if worker >= 0:
            is_delivered = self.workers[worker].send(command)
            self._books[worker].sent(command, self._clock(), is_delivered=is_delivered)

    def told(self, worker: int, batch: Iterable[Event]) -> None:
        """Notes what a worker said."""
        self._books[worker].told(batch)

    def lost(self, worker: int) -> None:
        """The worker fell silent this moment."""
        self._lost_at[worker] = self._clock()

    def describe_all(self, worker: int, known: Iterable[str], *, is_new: bool) -> list[StartRecording]:
        """A worker (re)connected that has the sessions `known`: it is told those it lacks, and to release those nobody
        knows. `is_new`: it is not the process that was there before.

        Returns the recordings that had been ended, of which the old process could not say any more how.
        """
        book, send, now = self._books[worker], self.workers[worker].send, self._clock()
        there = set(known)
        for session in there.difference(book.sessions):
            send(ReleaseSession(session))
        for session in book.sessions:
            if session not in there:
                for command in book.describe(session, now, self._lost_at[worker] or now):
                    send(command)
        return book.take_closing() if is_new else []
