"""Digits of all legs: RFC 4733 events in, and digits out as events or, where the peer has none, as tones."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from media.arrays import FRAME, LegTable
from media.legacy import DigitsNote
from media.session import Leg
from model.media import Digit, Event
from rtp.events import DIGITS, EventPacket, EventReceiver, EventSender, Pressed, SenderState

_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_KEYPAD = "123A456B789C*0#D"
HEARD = 320
"""Samples of a tone after which a receiver may have taken it for a digit (ITU-T Q.24: 40 ms)."""
_AMPLITUDE = 32768 * 10 ** (-10 / 20)
"""Each of the two frequencies, so that the pair peaks below full scale."""


class ToneSender:
    """Digits as in-band dual tones (ITU-T Q.23), one frame a tick; phase is continuous within a digit."""

    def __init__(self) -> None:
        self._events = EventSender()
        self._time = np.arange(FRAME) / 8000
        self._digit = -1
        self._at = 0

    def queue(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """As `EventSender.queue`."""
        self._events.queue(digits, duration_ms, gap_ms + 40)

    @property
    def state(self) -> SenderState:
        """As `EventSender.state`."""
        return self._events.state

    def go_on(self, state: SenderState) -> None:
        """Continues what another sender did not finish. A digit that was heard long enough to count is not heard
        again; one that was not begins anew."""
        queue, sending, elapsed, _, _, gap = state
        if sending is not None and elapsed < HEARD:
            queue = [sending, *queue]
        elif sending is not None:
            gap = sending[2]
        self._events.go_on((queue, None, 0, 0, 0, gap))

    @property
    def is_busy(self) -> bool:
        return self._events.is_busy

    def fill(self, frame: NDArray[np.int16]) -> None:
        """The next 20 ms."""
        packet = self._events.step()
        frame[:] = 0
        if packet is None:
            return
        if packet.begins:
            self._digit, self._at = packet.payload[0], 0
        at = int.from_bytes(packet.payload[2:4], "big")
        if at == self._at:  # the end packet's repetitions: with tones these are silence
            return
        self._at = at
        key = _KEYPAD.index(DIGITS[self._digit])
        time = self._time + (at - FRAME) / 8000
        both = np.sin(2 * np.pi * _LOW[key // 4] * time) + np.sin(2 * np.pi * _HIGH[key % 4] * time)
        frame[:] = both * _AMPLITUDE


class DigitDesk:
    """`changed(session)` is called when a leg begins or ends to send digits: its path is another one then."""

    def __init__(self, table: LegTable, emit: Callable[[Event], None], changed: Callable[[str], None]) -> None:
        self._table = table
        self._emit = emit
        self._changed = changed
        self._receivers: dict[int, EventReceiver] = {}
        self._running: dict[int, Leg] = {}
        """Rows in the middle of an event."""
        self.senders: dict[int, EventSender] = {}
        self.tone_senders: dict[int, ToneSender] = {}

    def reset(self, row: int) -> None:
        """The leg's input stream is another one: its timestamps say nothing about the old ones."""
        self._receivers.pop(row, None)
        self._running.pop(row, None)

    def release(self, row: int) -> None:
        self.reset(row)
        self.stop_sending(row)

    def stop_sending(self, row: int) -> None:
        """Forgets the digits that wait for the leg."""
        self.senders.pop(row, None)
        self.tone_senders.pop(row, None)

    def receive(self, leg: Leg, payload: bytes, ts: int, now: float) -> list[Pressed]:
        """One telephone-event packet; the digits that ended with it, already told to the switch."""
        receiver = self._receivers.get(leg.row)
        if receiver is None:
            receiver = self._receivers[leg.row] = EventReceiver()
        pressed = receiver.receive(payload, ts, now)
        if receiver.deadline is None:
            self._running.pop(leg.row, None)
        else:
            self._running[leg.row] = leg
        self._tell(leg, pressed)
        return pressed

    def handle_timeout(self, now: float) -> list[tuple[Leg, list[Pressed]]]:
        """Events whose end was lost."""
        ended = []
        for row, leg in list(self._running.items()):
            pressed = self._receivers[row].handle_timeout(now)
            if pressed:
                del self._running[row]
                self._tell(leg, pressed)
                ended.append((leg, pressed))
        return ended

    def send(self, leg: Leg, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Queues digits towards the leg. ValueError as `EventSender.queue`."""
        row = leg.row
        sender: EventSender | ToneSender | None
        if self._table.event_type[row] >= 0:
            sender = self.senders.get(row) or EventSender()
            sender.queue(digits, duration_ms, gap_ms)
            self.senders[row] = sender
        else:
            sender = self.tone_senders.get(row) or ToneSender()
            sender.queue(digits, duration_ms, gap_ms)
            self.tone_senders[row] = sender
        self._changed(leg.session)

    def go_on(self, leg: Leg, note: DigitsNote) -> None:
        """Sends what an earlier worker could not finish."""
        sender: EventSender | ToneSender
        if note.is_tones:
            sender = self.tone_senders[leg.row] = ToneSender()
        else:
            sender = self.senders[leg.row] = EventSender()
        sender.go_on(note.state)
        self._changed(leg.session)

    def notes(self) -> dict[int, DigitsNote]:
        """What is being sent, by row."""
        events = {row: DigitsNote(False, sender.state) for row, sender in self.senders.items()}
        return events | {row: DigitsNote(True, sender.state) for row, sender in self.tone_senders.items()}

    @property
    def is_sending(self) -> bool:
        return bool(self.senders or self.tone_senders)

    def step(self, row: int) -> EventPacket | None:
        """The event packet to send to the leg in this tick."""
        return self.senders[row].step()

    def forget_idle(self, by_row: list[Leg | None]) -> None:
        """Drops the senders that are through; once a tick, after it."""
        for senders in (self.senders, self.tone_senders):
            for row in [row for row, sender in senders.items() if not sender.is_busy]:
                del senders[row]
                leg = by_row[row]
                if leg is not None:
                    self._changed(leg.session)

    def _tell(self, leg: Leg, pressed: list[Pressed]) -> None:
        for each in pressed:
            self._emit(Digit(session=leg.session, leg=leg.id, digit=each.digit, duration_ms=each.duration_ms))
