"""The security log: one line an event in a file of its own, for fail2ban (contrib/fail2ban). Written by a thread.

The file is opened anew when logrotate moved it away. Nobody waits for a full disk or queue; what is lost is counted.
"""

import datetime
import logging
import logging.handlers
import queue
from pathlib import Path

from switch.security_events import SecurityEvent, line_of

log = logging.getLogger(__name__)

MAX_WAITING = 10_000


class SecurityLog:
    """Opened by the constructor; `close` writes what waits. Raises OSError when the file cannot be opened."""

    def __init__(self, path: Path, node: str) -> None:
        self.n_lost = 0
        """Events that found the queue full."""
        self._node = node
        path.parent.mkdir(parents=True, exist_ok=True)
        # Who tried which names concerns nobody but the owner and the group that fail2ban may be in.
        path.touch(mode=0o640, exist_ok=True)
        self._file = _File(path, encoding="utf-8")
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue(MAX_WAITING)
        self._listener = logging.handlers.QueueListener(self._queue, self._file)
        self._listener.start()

    def write(self, event: SecurityEvent) -> None:
        """Never blocks, never raises."""
        instant = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = line_of(event, self._node, instant)
        record = logging.LogRecord("security", logging.WARNING, "", 0, line, None, None)
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.n_lost += 1

    def close(self) -> None:
        self._listener.stop()
        self._file.close()


class _File(logging.handlers.WatchedFileHandler):
    """Says once that it cannot write, and once that it can again."""

    _is_failing = False
    _has_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        self._has_failed = False
        try:
            super().emit(record)
        except OSError:
            # The file is opened outside of what `logging` guards.
            self.handleError(record)
        if self._has_failed is not self._is_failing:
            self._is_failing = self._has_failed
            if not self._is_failing:
                log.info("= the security log is written again")

    def handleError(self, record: logging.LogRecord) -> None:
        self._has_failed = True
        if not self._is_failing:
            log.exception("x the security log cannot be written")
