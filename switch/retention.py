"""How long the event log is kept: what is older is removed in small pieces, between which records are written."""

import asyncio
import logging
import time

from storage.errors import UnavailableError
from storage.interface import AnyStorage

log = logging.getLogger(__name__)

EVERY_S = 3600.0
PIECE = 2000
PAUSE_S = 0.5


async def keep_event_log(storage: AnyStorage, days: float) -> None:
    """For ever; 0 days = nothing is removed."""
    while days:
        try:
            n = await forget_old(storage, time.time() - days * 86_400.0)
        except UnavailableError as error:
            log.warning("! old events stay, the database cannot be written: %s", error)
        else:
            if n:
                log.info("= %d events older than %g days are removed", n, days)
        await asyncio.sleep(EVERY_S)


async def forget_old(storage: AnyStorage, instant_utc: float) -> int:
    """How many were removed. Raises UnavailableError."""
    n = 0
    while removed := await storage.events.forget_before(instant_utc, PIECE):
        n += removed
        if removed < PIECE:
            break
        await asyncio.sleep(PAUSE_S)
    return n
