"""Globally unique, sortable, opaque ids (UUIDv7, RFC 9562 §5.7)."""

import os
import time
from collections.abc import Callable


class IdSource:
    """Makes UUIDv7 strings. Clock and randomness are arguments, so a test gets the same ids every time.

    `wall_ms` gives milliseconds since 1970 (UTC), `random_bytes` n random bytes. Random bytes are taken in blocks:
    one system call serves some 400 ids.
    """

    __slots__ = ("_at", "_block", "_random_bytes", "_wall_ms")

    def __init__(
        self,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._wall_ms = wall_ms
        self._random_bytes = random_bytes
        self._block = ""
        self._at = 0

    def token(self, n_hex: int = 16) -> str:
        """`n_hex` random hexadecimal digits (a tag, a branch, a Call-ID)."""
        start = self._at
        end = start + n_hex
        if end > len(self._block):
            self._block = self._random_bytes(4096).hex()
            start, end = 0, n_hex
        self._at = end
        return self._block[start:end]

    def new(self) -> str:
        """A UUIDv7: ids made later sort later (to the millisecond)."""
        at = f"{self._wall_ms() & 0xFFFFFFFFFFFF:012x}"
        r = self.token(19)
        return f"{at[:8]}-{at[8:]}-7{r[:3]}-{'89ab'[int(r[3], 16) & 3]}{r[4:7]}-{r[7:19]}"
