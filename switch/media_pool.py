"""The media workers as the calls see them: which one has room, which port a leg gets, and commands on their way."""

from collections.abc import Sequence

from media.client import MediaClient
from model.media import Command


class MediaPool:
    """All workers; calls name theirs by index. Both legs of a call live in one worker."""

    def __init__(self, workers: Sequence[MediaClient], host: str) -> None:
        self.workers = workers
        self.host = host
        """Address written into SDP."""

    def choose_worker(self) -> int:
        """Index of the connected worker with the most free ports, with room for two legs; -1 when there is none."""
        best, most = -1, 1
        for index, worker in enumerate(self.workers):
            n_free = worker.ports.n_total - worker.ports.n_taken
            if worker.is_connected and n_free > most:
                best, most = index, n_free
        return best

    def allocate_port(self, worker: int) -> int:
        """A local RTP port of the worker; 0 when it has none left."""
        return (self.workers[worker].allocate_port() or 0) if worker >= 0 else 0

    def free_port(self, worker: int, port: int, now: float) -> None:
        self.workers[worker].free_port(port, now)

    def send(self, worker: int, command: Command) -> None:
        """To the call's worker; while that is away nothing is kept: it is told everything when it is back."""
        if worker >= 0:
            self.workers[worker].send(command)
