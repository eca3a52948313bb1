"""Asks a customer system whether a caller is a VIP (ACD-11). The call waits as any other meanwhile; no answer in time,
or one that makes no sense, is no VIP.
"""

import asyncio
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import msgspec

from acd.inputs import CallEnters, VipVerdict
from switch.config_vip import Vip
from switch.floor import Floor

log = logging.getLogger(__name__)

MAX_ANSWER = 65_536
MAX_ASKED = 64
"""Questions under way; whoever comes beyond that is not asked about."""
THREADS = 8
_TELL_EVERY_S = 60.0

Fetch = Callable[[str, dict[str, str], float], Awaitable[bytes]]
"""(url, headers, timeout in seconds) → the answer's body. Raises OSError, ValueError, TimeoutError."""


class VipCheck:
    """One per switch. `own` sees the questions through."""

    def __init__(
        self, vip: Vip, floor: Floor, own: Callable[[Coroutine[Any, Any, None]], None], fetch: Fetch | None = None
    ) -> None:
        self._vip = vip
        self._floor = floor
        self._own = own
        self._threads = ThreadPoolExecutor(THREADS, "vip-check") if fetch is None else None
        self._fetch = fetch or self._fetch_in_thread
        self._n_asked = 0
        self._told_at = -_TELL_EVERY_S
        self.n_failed = 0
        self.n_skipped = 0
        if vip.method == "http":
            floor.on_enter = self.ask

    def ask(self, told: CallEnters, called: str) -> None:
        """Somebody came to a queue."""
        if told.is_vip or not any(c.isdigit() for c in told.caller):
            return
        if self._n_asked >= MAX_ASKED:
            self.n_skipped += 1
            self._tell(f"{MAX_ASKED} questions are under way, nobody more is asked about")
            return
        self._n_asked += 1
        self._own(self._ask(told, called))

    def close(self) -> None:
        """No more questions; those in threads end by their own time."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, told: CallEnters, called: str) -> None:
        vip = self._vip
        url = vip.url
        for name, value in (("caller", told.caller), ("called", called), ("queue", told.queue)):
            url = url.replace("{" + name + "}", quote(value, safe=""))
        headers = {"Accept": "application/json"} | ({"Authorization": vip.authorization} if vip.authorization else {})
        try:
            async with asyncio.timeout(vip.timeout_s):
                body = await self._fetch(url, headers, vip.timeout_s)
            is_vip = verdict_of(body, vip.field)
        except (OSError, ValueError, TimeoutError) as error:
            self.n_failed += 1
            self._tell(str(error) or "no answer in time")
            return
        finally:
            self._n_asked -= 1
        if is_vip:
            self._floor.verdict(VipVerdict(told.entry_id, True))

    def _tell(self, why: str) -> None:
        now = self._floor.now()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            log.warning("! vip.url: %s; callers count as normal (%d failed so far)", why, self.n_failed)

    async def _fetch_in_thread(self, url: str, headers: dict[str, str], timeout_s: float) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._threads, fetch, url, headers, timeout_s)


def fetch(url: str, headers: dict[str, str], timeout_s: float) -> bytes:
    """Blocks. Raises OSError (status other than 2xx too), ValueError for too much, TimeoutError for too slow."""
    give_up = time.monotonic() + timeout_s
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_s) as answer:
            body = b""
            while piece := answer.read1(MAX_ANSWER + 1 - len(body)):
                body += piece
                if len(body) > MAX_ANSWER:
                    raise ValueError(f"an answer of more than {MAX_ANSWER} bytes")
                if time.monotonic() > give_up:
                    raise TimeoutError("the answer takes too long")
            return body
    except urllib.error.HTTPError as error:
        # Its text names the URL's answer, never the caller.
        raise OSError(f"status {error.code}") from None


def verdict_of(body: bytes, field: str) -> bool:
    """Whether an answer says yes: true, 1, "true", "yes", "vip". Raises ValueError for what says neither."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the answer is no JSON: {error}") from None
    if isinstance(found, dict):
        for name in field.split("."):
            if not isinstance(found, dict) or name not in found:
                raise ValueError(f"the answer has no field {field}")
            found = found[name]
    if isinstance(found, bool | int | float):
        return bool(found)
    if isinstance(found, str):
        return found.strip().lower() in ("true", "yes", "vip", "1")
    if found is None:
        return False
    raise ValueError(f"the answer's field {field} is neither true nor false")
