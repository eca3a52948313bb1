"""What extensions called by trunk within the last day, read from the records: a restart forgives nobody's limits."""

import logging

from storage.errors import UnavailableError
from storage.filters import CallFilter
from storage.storage import Storage
from switch.outbound_policy import HOUR_S, HOURS, OutboundPolicy

log = logging.getLogger(__name__)


async def recall_usage(storage: Storage, policy: OutboundPolicy, wall: float) -> None:
    """Fills `policy` hour by hour up to `wall` (UTC seconds)."""
    end = (wall // HOUR_S + 1) * HOUR_S
    try:
        for hour in range(HOURS):
            start = end - (hour + 1) * HOUR_S
            criteria = CallFilter(start_utc=start, end_utc=start + HOUR_S, direction="outbound")
            for total in await storage.calls.totals("extension", criteria):
                if total.key:
                    policy.remember(total.key, start, total.calls, total.talk_s)
    except UnavailableError as error:
        log.error("x what extensions called before cannot be read, their limits begin anew: %s", error)
