"""Who served a caller last (上次服务优先, ACD-04): kept in memory, and read from the records at a start."""

import logging

from storage.errors import UnavailableError
from storage.interface import AnyStorage
from switch.bounded_table import BoundedTable
from switch.numbers import clean, e164

log = logging.getLogger(__name__)

MAX_CALLERS = 200_000


class LastAgents:
    """Bounded: who called longest ago is forgotten first. An agent is remembered for `keep_s`; 0 = nobody is."""

    def __init__(self, region: str, keep_s: float) -> None:
        self._region = region
        self.keep_s = keep_s
        self._served: BoundedTable[str, tuple[str, float]] = BoundedTable(MAX_CALLERS)

    def note(self, caller: str, agent_id: str, at_utc: float) -> None:
        key = self._key(caller)
        if key and self.keep_s:
            self._served[key] = (agent_id, at_utc)

    def of(self, caller: str, now_utc: float) -> str:
        """His id; "" = nobody served him, or too long ago."""
        agent_id, at_utc = self._served.get(self._key(caller)) or ("", 0.0)
        return agent_id if agent_id and now_utc - at_utc <= self.keep_s else ""

    def _key(self, caller: str) -> str:
        number = clean(caller)
        if not any(c.isdigit() for c in number):
            return ""
        return e164(number, self._region) or number


async def recall_agents(storage: AnyStorage, agents: LastAgents, now_utc: float) -> None:
    """From the records of `keep_s`, the latest of `MAX_CALLERS`."""
    if not agents.keep_s:
        return
    try:
        served = await storage.calls.served_since(now_utc - agents.keep_s, MAX_CALLERS)
    except UnavailableError as error:
        log.error("x who served callers last is not known, the records cannot be read: %s", error)
        return
    for caller, agent_id, at_utc in reversed(served):
        agents.note(caller, agent_id, at_utc)
