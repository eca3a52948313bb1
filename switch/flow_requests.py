"""The HTTP requests of flows (IVR-14, XIVR-03): asked beside the calls, each answered within its time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from ivr.requests import pick
from ivr.run import Ask
from switch.actions import AskHttp
from switch.http_client import HttpClient
from switch.leg_events import CallEvent, FlowReplied

MAX_ASKED = 500
"""Requests under way; those beyond fail at once, and their callers take the branch for it."""

Fetch = Callable[[Ask], Awaitable[bytes]]
"""Body of the answer. Raises ValueError that says what was wrong."""


class FlowRequests:
    """One per switch. `own` sees the requests through; `tell` takes the answers."""

    def __init__(
        self,
        tell: Callable[[CallEvent], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
        fetch: Fetch | None = None,
    ) -> None:
        self._tell = tell
        self._own = own
        self._client = HttpClient({}, 30.0) if fetch is None else None
        self._fetch = fetch or self._ask_client
        self._n_asked = 0

    def ask(self, action: AskHttp, now: float) -> None:
        del now
        self._own(self._answer(action))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _answer(self, action: AskHttp) -> None:
        if self._n_asked >= MAX_ASKED:
            self._tell(FlowReplied(action.call_id, "", action.token, {}, f"{MAX_ASKED} requests are under way"))
            return
        self._n_asked += 1
        error, found = "", {}
        try:
            for _ in range(action.ask.retries + 1):
                try:
                    # All of it: looking the host up, connecting, headers and body that come drop by drop.
                    async with asyncio.timeout(action.ask.timeout_s):
                        body = await self._fetch(action.ask)
                    error, found = "", pick(msgspec.json.decode(body) if action.ask.picks else None, action.ask.picks)
                    break
                except TimeoutError:
                    error = "no answer in time"
                except (ValueError, RecursionError) as failure:
                    error = str(failure)[:200] or "no answer"
        finally:
            self._n_asked -= 1
        self._tell(FlowReplied(action.call_id, "", action.token, found, error))

    async def _ask_client(self, ask: Ask) -> bytes:
        assert self._client is not None
        return await self._client.fetch(ask.url, method=ask.method, headers=ask.headers, body=ask.body)
