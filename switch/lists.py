"""What records, customers and do-not-call lists have in common on their way in: by command, from files, from customers.

Whatever is added or changed is told to the dialler (`tell`), which takes it from the database anew.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dialer.dnc import DncBook
from dialer.inputs import DialerInput, NumberAllowed, NumberBarred
from model import errors
from model.campaigns import Campaign
from model.dialing import DncEntry
from model.ids import IdSource
from storage.errors import UnavailableError
from storage.interface import AnyStorage
from switch.directory import Directory
from switch.list_rows import ListOptions, make_area_of

T = TypeVar("T")


class Lists:
    """One per switch. `dnc` holds what is on the do-not-call lists; `tell` reaches the dialler."""

    def __init__(
        self,
        storage: AnyStorage,
        directory: Directory,
        ids: IdSource,
        wall: Callable[[], float],
        *,
        dnc: DncBook,
        tell: Callable[[DialerInput], None],
        in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread,
    ) -> None:
        self.storage = storage
        self.directory = directory
        self.ids = ids
        self.wall = wall
        self.dnc = dnc
        self.tell = tell
        self.in_thread = in_thread
        self._area_of = make_area_of(directory.config.numbering.region)

    def campaign(self, name: str) -> Campaign:
        """Raises NoSuchCampaign."""
        campaign = self.directory.campaigns.get(name)
        if campaign is None:
            raise errors.NoSuchCampaign(f"no campaign {name}")
        return campaign

    def check_agent(self, agent_id: str, field: str = "owner") -> None:
        """Raises InvalidValue."""
        if agent_id and agent_id not in self.directory.agents:
            raise errors.InvalidValue(f"there is no agent {agent_id}", field=field)

    def options(self, kind: str, time_zone: str = "", *, may_be_internal: bool = False) -> ListOptions:
        """How rows are read on this switch."""
        numbering = self.directory.config.numbering
        return ListOptions(
            kind=kind,
            region=numbering.region,
            time_zone=time_zone or numbering.time_zone or "UTC",
            emergency=tuple(numbering.emergency),
            may_be_internal=may_be_internal,
        )

    def area_of(self, number: str) -> str:
        """Where it belongs to; blocks for a second the first time: in a thread."""
        return self._area_of(number)

    async def load(self) -> None:
        """At the start: what is on the do-not-call lists."""
        async for entries in self.storage.barred.all():
            for entry in entries:
                self._note(entry)

    def bar(self, entries: list[DncEntry]) -> None:
        """They are in the database."""
        for entry in entries:
            self._note(entry)
            if not entry.is_prefix and not entry.expires_utc:
                self.tell(NumberBarred(number=entry.number, campaign=entry.campaign))

    def _note(self, entry: DncEntry) -> None:
        # In the place of what was said before, as in the database; the book alone would let the later end hold.
        self.dnc.remove(entry.number, entry.campaign, is_prefix=entry.is_prefix)
        self.dnc.add(entry.number, entry.campaign, is_prefix=entry.is_prefix, expires_utc=entry.expires_utc)

    def allow(self, number: str, campaign: str, *, is_prefix: bool) -> None:
        self.dnc.remove(number, campaign, is_prefix=is_prefix)
        if not is_prefix:
            self.tell(NumberAllowed(number=number, campaign=campaign))

    async def sweep(self, every_s: float = 3600.0) -> None:
        """Takes off the lists what has expired."""
        while True:
            await asyncio.sleep(every_s)
            try:
                while gone := await self.storage.barred.remove_expired(self.wall()):
                    for entry in gone:
                        self.allow(entry.number, entry.campaign, is_prefix=entry.is_prefix)
            except UnavailableError:
                continue
