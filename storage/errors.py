"""What can go wrong in storage, one class for each thing the caller can do about it."""


class StorageError(Exception):
    """Root of the errors of this folder."""


class DuplicateError(StorageError):
    """A row with this key is there already."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(f"{what} {key!r} exists already")
        self.what = what
        self.key = key


class NotFoundError(StorageError):
    """No row has this key."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(f"no {what} {key!r}")
        self.what = what
        self.key = key


class InUseError(StorageError):
    """The row cannot go while others name it."""

    def __init__(self, what: str, key: str, by: str) -> None:
        super().__init__(f"{what} {key!r} is still used by {by}")
        self.what = what
        self.key = key
        self.by = by


class CursorError(StorageError, ValueError):
    """The `after` of a page is not one that a page gave."""


class ClosedError(StorageError):
    """The storage was closed before."""


class RejectedError(StorageError):
    """The database will never take one of these records, whatever is tried: a constraint, a value it cannot hold."""


class UnavailableError(StorageError):
    """The database cannot be written now: disk full, locked, I/O error, connection lost. Worth another try."""
