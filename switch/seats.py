"""After a start of the switch: who was signed in when it stopped is signed in again, by the event log."""

import logging

from acd.seats import EVENTS as OF_SEATS
from acd.seats import Seat, feed
from model.declare import event_spec
from storage.errors import UnavailableError
from storage.event_log import EventFilter
from storage.interface import AnyStorage
from switch.config import Config
from switch.days import midnight, zone_of
from switch.event_log import told_pages
from switch.floor import Floor

log = logging.getLogger(__name__)


async def recall_seats(storage: AnyStorage, floor: Floor, config: Config, now_utc: float) -> None:
    """Tells the floor of each; before calls are admitted."""
    restore_s = config.agents.restore_s
    today_utc = midnight(now_utc, zone_of(config.numbering.time_zone), 0)
    criteria = EventFilter(start_utc=now_utc - restore_s, names=tuple(event_spec(kind).name for kind in OF_SEATS))
    seats: dict[str, Seat] = {}
    if not restore_s:
        return
    try:
        async for events in told_pages(storage, criteria):
            for event, at_utc in events:
                feed(seats, event, at_utc, today_utc)
    except UnavailableError as error:
        log.error("x agents must sign in again, the event log cannot be read: %s", error)
        return
    for agent_id, seat in sorted(seats.items()):
        floor.seat_kept(agent_id, seat, max(0.0, now_utc - seat.signed_in_utc))
    if seats:
        log.info("= %d agents are signed in as before", len(floor.centre.desk.state.agents))
