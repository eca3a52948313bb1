"""What flows ask other systems, over HTTP (IVR-14, XIVR-03) and of databases (IVR-16): beside the calls, each answered
within its time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import msgspec

from ivr.requests import pick
from ivr.run import Ask, LookUp
from switch.actions import AskDatabase, AskHttp
from switch.http_client import HttpClient
from switch.leg_events import CallEvent, FlowReplied

MAX_ASKED = 500
"""Requests under way; those beyond fail at once, and their callers take the branch for it."""

Fetch = Callable[[Ask], Awaitable[bytes]]
"""Body of the answer. Raises ValueError that says what was wrong."""
FetchRow = Callable[[LookUp], Awaitable[Mapping[str, str] | None]]
"""Column -> text of the first row; None = there is none. Raises ValueError likewise."""


class FlowRequests:
    """One per switch. `own` sees the requests through; `tell` takes the answers."""

    def __init__(
        self,
        tell: Callable[[CallEvent], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
        fetch_row: FetchRow,
        fetch: Fetch | None = None,
    ) -> None:
        self._tell = tell
        self._own = own
        self._client = HttpClient({}, 30.0) if fetch is None else None
        self._fetch = fetch or self._ask_client
        self._fetch_row = fetch_row
        self._n_asked = 0

    def ask(self, action: AskHttp, now: float) -> None:
        del now
        ask = action.ask
        self._own(self._answer(action, lambda: self._ask_http(ask), ask.timeout_s, ask.retries))

    def look_up(self, action: AskDatabase, now: float) -> None:
        del now
        self._own(self._answer(action, lambda: self._ask_database(action.asked), action.asked.timeout_s, 0))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _answer(
        self,
        action: AskHttp | AskDatabase,
        work: Callable[[], Awaitable[tuple[dict[str, str], str]]],
        timeout_s: float,
        retries: int,
    ) -> None:
        if self._n_asked >= MAX_ASKED:
            self._tell(FlowReplied(action.call_id, "", action.token, {}, f"{MAX_ASKED} requests are under way"))
            return
        self._n_asked += 1
        error, outcome = "", ""
        found: dict[str, str] = {}
        try:
            for _ in range(retries + 1):
                try:
                    # All of it: looking the host up, connecting, headers and body that come drop by drop.
                    async with asyncio.timeout(timeout_s):
                        found, outcome = await work()
                    error = ""
                    break
                except TimeoutError:
                    error = "no answer in time"
                except (ValueError, RecursionError) as failure:
                    error = str(failure)[:200] or "no answer"
        finally:
            self._n_asked -= 1
        self._tell(FlowReplied(action.call_id, "", action.token, found, error, outcome))

    async def _ask_http(self, ask: Ask) -> tuple[dict[str, str], str]:
        body = await self._fetch(ask)
        return pick(msgspec.json.decode(body) if ask.picks else None, ask.picks), ""

    async def _ask_database(self, asked: LookUp) -> tuple[dict[str, str], str]:
        row = await self._fetch_row(asked)
        return ({}, "none") if row is None else (pick(row, asked.picks), "")

    async def _ask_client(self, ask: Ask) -> bytes:
        assert self._client is not None
        return await self._client.fetch(ask.url, method=ask.method, headers=ask.headers, body=ask.body)
