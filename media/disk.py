"""What a recording asks of the file system, and the one of this machine."""

import errno
import fcntl
import os
from typing import Protocol


class Disk(Protocol):
    """What a recording asks of the file system; each call may raise OSError."""

    def create(self, path: str) -> int: ...
    def reopen(self, path: str) -> int: ...
    def size(self, fd: int) -> int: ...
    def truncate(self, fd: int, size: int) -> None: ...
    def write(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> int: ...
    def read(self, fd: int, size: int, offset: int) -> bytes: ...
    def sync(self, fd: int, path: str) -> None: ...
    def close(self, fd: int) -> None: ...


class LocalDisk:
    """The file system of this machine."""

    def create(self, path: str) -> int:
        """Makes the folders and a new file; FileExistsError when there is one."""
        folder = os.path.dirname(path) or "."
        try:
            os.makedirs(folder, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None
        return _lock(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))

    def reopen(self, path: str) -> int:
        """A file that is there; FileNotFoundError when it is not, BlockingIOError while another process writes it."""
        return _lock(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def size(self, fd: int) -> int:
        """Bytes in the file."""
        return os.fstat(fd).st_size

    def truncate(self, fd: int, size: int) -> None:
        """Cuts off what lies behind `size`."""
        os.ftruncate(fd, size)

    def write(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> int:
        """How many bytes were written, at least one."""
        return os.pwritev(fd, buffers, offset)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """b"" at the end of the file."""
        return os.pread(fd, size, offset)

    def sync(self, fd: int, path: str) -> None:
        """Returns when the file and its name are durable."""
        os.fsync(fd)
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self, fd: int) -> None:
        """Ends the use of `fd`."""
        os.close(fd)


def _lock(fd: int) -> int:
    # Two processes must never write one recording, e.g. a worker that was only slow and the one that took over.
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            os.close(fd)
            raise
        # A file system without locks: it has to do without.
    return fd
