"""Asks a customer system whether a caller is a VIP (ACD-11). The call waits as any other meanwhile; no answer in time,
or one that makes no sense, is no VIP.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from acd.inputs import CallEnters
from switch.config_vip import Vip
from switch.floor import Floor

log = logging.getLogger(__name__)

MAX_ANSWER = 65_536
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
    """The customer system. Redirects are refused: the Authorization header is for this host alone."""

    def __init__(self, vip: Vip) -> None:
        # Encoded bodies are not asked for: what is small on the way may be huge.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if vip.authorization:
            headers["Authorization"] = vip.authorization
        self._client = httpx.AsyncClient(
            headers=headers, timeout=vip.timeout_s, follow_redirects=False, trust_env=False
        )

    async def fetch(self, url: str) -> bytes:
        """Raises ValueError as `Fetch`."""
        try:
            async with self._client.stream("GET", url) as answer:
                if not answer.is_success:
                    raise ValueError(f"status {answer.status_code}")
                body = b""
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise ValueError(f"an answer of more than {MAX_ANSWER} bytes")
                return body
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ValueError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        await self._client.aclose()


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
