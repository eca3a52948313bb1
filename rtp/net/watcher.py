"""One epoll for everything that the media loop waits for."""

import select
from collections.abc import Callable
from typing import Any

Receive = Callable[[Any], int]


class Watcher:
    """Which descriptors are ready, sorted by what is to be done about them: `fast` ones are read at once by whoever
    polls, of the others a note is left in a list."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.fast: dict[int, tuple[Receive, int]] = {}
        """`recv_into` of a socket and its leg's row."""
        self.slow: dict[int, tuple[list[int], int]] = {}
        """The list, and what is noted there."""
        self.strangers: list[int] = []
        """Rows of legs with something from elsewhere than their peer."""
        self.reports: list[int] = []
        """Rows of legs with RTCP."""
        self.shared: list[int] = []
        """Shared ports with RTP, by index."""
        self.shared_reports: list[int] = []
        """Shared ports with RTCP, by index."""
        self.others: list[int] = []
        """Descriptors of other people."""

    def add_fast(self, fd: int, receive: Receive, row: int) -> None:
        self.fast[fd] = receive, row
        self.epoll.register(fd, select.EPOLLIN)

    def add(self, fd: int, noted_in: list[int], as_: int) -> None:
        """When `fd` can be read, `as_` is added to the list `noted_in`."""
        self.slow[fd] = noted_in, as_
        self.epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """One that is not watched is no error."""
        if self.fast.pop(fd, None) is not None or self.slow.pop(fd, None) is not None:
            self.epoll.unregister(fd)

    def watch_other(self, fd: int, *, writable: bool) -> None:
        """`fd` is noted in `others` when it can be read (or written)."""
        events = select.EPOLLIN | (select.EPOLLOUT if writable else 0)
        if fd in self.slow:
            self.epoll.modify(fd, events)
        else:
            self.slow[fd] = self.others, fd
            self.epoll.register(fd, events)

    def close(self) -> None:
        self.epoll.close()
