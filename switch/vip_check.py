"""Asks a customer system whether a caller is a VIP (ACD-11). The call waits as any other meanwhile; no answer in time,
or one that makes no sense, is no VIP.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import quote

import msgspec

from acd.inputs import CallEnters
from switch.config_vip import Vip
from switch.floor import Floor
from switch.http_client import HttpClient

log = logging.getLogger(__name__)

MAX_ASKED = 64
"""Questions under way; whoever comes beyond that is not asked about."""
_TELL_EVERY_S = 60.0

Fetch = Callable[[str], Awaitable[bytes]]
"""The body of what is at a URL. Raises ValueError that says what was wrong, never about whom it was asked."""


class VipCheck:
    """One per switch. `own` sees the questions through."""

    def __init__(
        self, vip: Vip, floor: Floor, own: Callable[[Coroutine[Any, Any, None]], None], fetch: Fetch | None = None
    ) -> None:
        self._vip = vip
        self._floor = floor
        self._own = own
        self._source = Source(vip) if fetch is None and vip.method == "http" else None
        self._fetch = fetch or (self._source.fetch if self._source is not None else None)
        self._n_asked = 0
        self._told_at = -_TELL_EVERY_S
        self.n_failed = 0
        self.n_skipped = 0
        if self._fetch is not None:
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

    async def close(self) -> None:
        """No more questions."""
        if self._source is not None:
            await self._source.close()

    async def _ask(self, told: CallEnters, called: str) -> None:
        assert self._fetch is not None
        url = self._vip.url
        for name, value in (("caller", told.caller), ("called", called), ("queue", told.queue)):
            url = url.replace("{" + name + "}", quote(value, safe=""))
        try:
            # All of it: looking the host up, connecting, headers and body that come drop by drop.
            async with asyncio.timeout(self._vip.timeout_s):
                body = await self._fetch(url)
            is_vip = verdict_of(body, self._vip.field)
        except TimeoutError:
            self._failed("no answer in time")
            return
        except ValueError as error:
            self._failed(str(error))
            return
        finally:
            self._n_asked -= 1
        if is_vip:
            self._floor.is_vip(told.call_id, told.entry_id)

    def _failed(self, why: str) -> None:
        self.n_failed += 1
        self._tell(why)

    def _tell(self, why: str) -> None:
        now = self._floor.now()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            log.warning("! vip.url: %s; callers count as normal (%d failed so far)", why, self.n_failed)


class Source:
    """The customer system."""

    def __init__(self, vip: Vip) -> None:
        headers = {"Authorization": vip.authorization} if vip.authorization else {}
        self._client = HttpClient(headers, vip.timeout_s)

    async def fetch(self, url: str) -> bytes:
        """Raises ValueError as `Fetch`."""
        return await self._client.fetch(url)

    async def close(self) -> None:
        await self._client.close()


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
