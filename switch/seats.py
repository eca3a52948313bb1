"""After a start of the switch: who was signed in when it stopped is signed in again, by the event log."""

import logging
from zoneinfo import ZoneInfo

import msgspec

from acd.seats import EVENTS as OF_SEATS
from acd.seats import Seat, feed
from model.declare import EVENTS, event_spec
from storage.errors import UnavailableError
from storage.event_log import EventFilter
from storage.interface import AnyStorage
from switch.config import Config
from switch.floor import Floor
from switch.metrics import midnight

log = logging.getLogger(__name__)

_PAGE = 1000


async def recall_seats(storage: AnyStorage, floor: Floor, config: Config, now_utc: float) -> None:
    """Tells the floor of each; before calls are admitted."""
    restore_s = config.agents.restore_s
    zone = config.numbering.time_zone
    if not restore_s:
        return
    try:
        seats = await _read(storage, now_utc - restore_s, midnight(now_utc, ZoneInfo(zone) if zone else None, 0))
    except UnavailableError as error:
        log.error("x agents must sign in again, the event log cannot be read: %s", error)
        return
    for agent_id, seat in sorted(seats.items()):
        floor.seat_kept(agent_id, seat, max(0.0, now_utc - seat.signed_in_utc))
    if seats:
        log.info("= %d agents are signed in as before", len(floor.centre.desk.state.agents))


async def _read(storage: AnyStorage, start_utc: float, day_utc: float) -> dict[str, Seat]:
    criteria = EventFilter(start_utc=start_utc, names=tuple(event_spec(kind).name for kind in OF_SEATS))
    seats: dict[str, Seat] = {}
    cursor = ""
    while True:
        page = await storage.events.find(criteria, after=cursor, limit=_PAGE)
        for record in page.items:
            spec = EVENTS.get(record.name)
            if spec is not None:
                feed(seats, msgspec.json.decode(record.body, type=spec.params), record.at_utc, day_utc)
        cursor = page.after
        if not cursor:
            return seats
