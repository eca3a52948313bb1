"""What who waits is told: his place, and how long it will probably take (ACD-06, XACD-04, XACD-12)."""

from bisect import bisect_right

from acd.actions import Announce
from acd.core import Core
from acd.inputs import PlaceAsked
from acd.state import Entry, QueueState

_WINDOW_S = 600.0
_ENOUGH = 20
"""Connects within the window after which the queue's length alone tells the wait."""
_TOO_FEW = 3
"""With fewer nothing is said."""


def arm(core: Core, entry: Entry, queue: QueueState, now: float) -> None:
    sound = queue.settings.sound
    if sound.position_every_s and not sound.program:
        first_s = 0.0 if sound.is_position_first else sound.position_every_s
        core.arm(now + first_s, "announce", entry.entry_id)


def announce(core: Core, entry: Entry, now: float) -> None:
    """Its timer has come."""
    queue = core.queues[entry.queue]
    sound = queue.settings.sound
    if not sound.position_every_s or sound.program or entry.state == "connected" or entry.callback_number:
        return
    core.arm(now + sound.position_every_s, "announce", entry.entry_id)
    if entry.state not in ("waiting", "listening"):
        return
    position = core.position(entry)
    if sound.only_when_better and entry.announced and position >= entry.announced:
        return
    entry.announced = position
    _tell(core, entry, queue, position, now, has_ewt=sound.has_ewt)


def asked(core: Core, told: PlaceAsked, now: float) -> None:
    """Nothing for who does not wait."""
    entry = core.entries.get(told.entry_id)
    if entry is not None and entry.state in ("waiting", "listening") and not entry.callback_number:
        _tell(core, entry, core.queues[entry.queue], core.position(entry), now, has_ewt=True)


def _tell(core: Core, entry: Entry, queue: QueueState, position: int, now: float, *, has_ewt: bool) -> None:
    sound = queue.settings.sound
    shown = min(position, sound.max_position) if sound.max_position else position
    core.out.append(
        Announce(
            entry_id=entry.entry_id,
            call_id=entry.call_id,
            position=shown,
            is_more_than=shown < position,
            ewt_s=_remaining(core, entry, queue, position, now) if has_ewt else None,
        )
    )


def _remaining(core: Core, entry: Entry, queue: QueueState, position: int, now: float) -> float | None:
    """What is told to who waits: never less than his own pace so far makes likely."""
    ewt_s = estimate(core, queue, position, now)
    n_passed = entry.began_at - position
    if ewt_s is None or n_passed <= 0:
        return ewt_s
    return max(ewt_s, position * (now - entry.began) / n_passed)


def estimate(core: Core, queue: QueueState, position: int, now: float) -> float | None:
    """Seconds that the call at `position` (1 = next) will probably wait; None when that is not known well enough.

    The queue's length times the mean interval between two connects (QL); with few of them half of it is the wait of
    who was connected last (LES; Ibrahim and Whitt 2009).
    """
    name = queue.settings.name
    if not len(core.lines[name]) and core.idle[name].members:
        return 0.0
    connects = queue.connects
    oldest = bisect_right(connects, now - _WINDOW_S)
    n = len(connects) - oldest
    if n < _TOO_FEW:
        return None
    first, last = connects[oldest], connects[-1]
    # The interval under way counts as soon as it is longer than the others.
    mean_s = (last - first) / (n - 1)
    if now - last > mean_s:
        mean_s = (now - first) / n
    by_length_s = position * mean_s
    if n >= _ENOUGH or queue.last_wait_s < 0:
        return by_length_s
    return (by_length_s + queue.last_wait_s) / 2
