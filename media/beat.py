"""A page of memory that a media worker shares with its supervisor: until when it will have shown again that it lives.

It is the first page of the file in which the worker keeps what shall survive it (`media.legacy`).
"""

import mmap
import struct

PAGE = 4096
_DUE = struct.Struct("=d")


class Beat:
    """The page of file descriptor `fd`, -1 for one of its own. Any size of the file from `PAGE` on will do."""

    def __init__(self, fd: int = -1) -> None:
        self._page = mmap.mmap(fd, PAGE)

    def promise(self, until: float) -> None:
        """The worker shows before `until`, monotonic seconds of the machine, that it lives; 0 = it never does."""
        _DUE.pack_into(self._page, 0, until)

    @property
    def due(self) -> float:
        """What was promised last."""
        until: float = _DUE.unpack_from(self._page, 0)[0]
        return until

    def close(self) -> None:
        self._page.close()
