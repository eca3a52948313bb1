"""Digits of all legs: RFC 4733 events and in-band tones in, each key once; digits out as events or, where the peer has
none, as tones. Digits are never logged."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.arrays import FRAME, OPAQUE, LegTable
from media.inband_dtmf import HIGH_HZ, KEYPAD, LOW_HZ, InbandDetector
from media.legacy import DigitsNote
from media.session import Leg
from model.media import Digit, Event
from rtp.events import DIGITS, EventPacket, EventReceiver, EventSender, Pressed, SenderState

if TYPE_CHECKING:
    from media.engine import Engine

MAX_UNNOTED = 25
"""Event packets that a worker may have sent since it noted what it sends: it does so every tick."""
HEARD = 320
"""Samples of a tone after which a receiver may have taken it for a digit (ITU-T Q.24: 40 ms)."""
_AMPLITUDE = 32768 * 10 ** (-10 / 20)
"""Each of the two frequencies, so that the pair peaks below full scale."""
_TWIN_S = 0.4
"""How far the tone of a key may lie from its event: the tone is heard when it is played out."""
_TELEPHONE_EVENT = "telephone-event"
_INBAND = "inband"


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
        key = KEYPAD.index(DIGITS[self._digit])
        time = self._time + (at - FRAME) / 8000
        both = np.sin(2 * np.pi * LOW_HZ[key // 4] * time) + np.sin(2 * np.pi * HIGH_HZ[key % 4] * time)
        frame[:] = both * _AMPLITUDE


@dataclass(slots=True)
class _Told:
    """A digit that the switch was told; `is_twinned` once the same key came in its other kind."""

    digit: str
    kind: str
    began: float
    ended: float
    is_twinned: bool = False


class DigitDesk:
    """`changed(session)` is called when a leg begins or ends to send digits: its path is another one then."""

    def __init__(self, table: LegTable, emit: Callable[[Event], None], changed: Callable[[str], None]) -> None:
        self._table = table
        self._emit = emit
        self._changed = changed
        self._receivers: dict[int, EventReceiver] = {}
        self._running: dict[int, Leg] = {}
        """Rows in the middle of an event."""
        self._told: dict[int, deque[_Told]] = {}
        self._secure_at: dict[int, float] = {}
        """By row: when it last was secure, or stopped to be."""
        self.senders: dict[int, EventSender] = {}
        self.tone_senders: dict[int, ToneSender] = {}

    def release(self, row: int) -> None:
        """The leg is gone."""
        for each in (self._receivers, self._running, self._told, self._secure_at):
            each.pop(row, None)
        self.stop_sending(row)

    def stop_sending(self, row: int) -> None:
        """Forgets the digits that wait for the leg."""
        self.senders.pop(row, None)
        self.tone_senders.pop(row, None)

    def secure(self, leg: Leg, now: float) -> None:
        """The leg begins or ends to be secure: a digit that spans this instant is secret."""
        self._secure_at[leg.row] = now

    # -- in -----------------------------------------------------------------------------------------------------------

    def renew(self, leg: Leg, now: float) -> list[Pressed]:
        """The leg's input stream is another one: its timestamps say nothing about the old ones, and an event that ran
        is over. Returns what is to be passed on, as `receive` does."""
        receiver = self._receivers.pop(leg.row, None)
        self._running.pop(leg.row, None)
        if receiver is None:
            return []
        return self._tell(leg, receiver.finish(), _TELEPHONE_EVENT, receiver.began, now)

    def receive(self, leg: Leg, payload: bytes, ts: int, now: float) -> list[Pressed]:
        """One telephone-event packet. The digits that ended with it, already told to the switch, which are to be
        passed on to other legs."""
        receiver = self._receivers.get(leg.row)
        if receiver is None:
            receiver = self._receivers[leg.row] = EventReceiver(100 * int(self._table.step[leg.row]))
        began = receiver.began if receiver.deadline is not None else -1.0
        pressed = receiver.receive(payload, ts, now)
        if receiver.deadline is None:
            self._running.pop(leg.row, None)
        else:
            self._running[leg.row] = leg
        if not pressed:
            return []
        return self._tell(leg, pressed, _TELEPHONE_EVENT, began if began >= 0 else receiver.began, now)

    def heard(self, leg: Leg, digit: str, duration_ms: int, began: float, now: float) -> list[Pressed]:
        """A digit of the leg's audio; as `receive`."""
        return self._tell(leg, [Pressed(digit, duration_ms)], _INBAND, began, now)

    def handle_timeout(self, now: float) -> list[tuple[Leg, list[Pressed]]]:
        """Events whose end was lost."""
        ended = []
        for row, leg in list(self._running.items()):
            receiver = self._receivers[row]
            pressed = receiver.handle_timeout(now)
            if pressed:
                del self._running[row]
                ended.append((leg, self._tell(leg, pressed, _TELEPHONE_EVENT, receiver.began, now)))
        return ended

    def is_secret(self, leg: Leg) -> bool:
        """The event that the leg sends, or sent last, began while it was secure: it may not be relayed."""
        receiver = self._receivers.get(leg.row)
        return receiver is not None and self._was_secure(leg, receiver.began)

    def _was_secure(self, leg: Leg, began: float) -> bool:
        return leg.is_secure or began <= self._secure_at.get(leg.row, -1.0)

    def _tell(self, leg: Leg, pressed: list[Pressed], kind: str, began: float, now: float) -> list[Pressed]:
        passed = []
        for each in pressed:
            if self._is_twin(leg.row, _Told(each.digit, kind, began, now)):
                continue
            is_secure = self._was_secure(leg, began)
            self._emit(
                Digit(
                    session=leg.session,
                    leg=leg.id,
                    digit=each.digit,
                    duration_ms=each.duration_ms,
                    is_secure=is_secure,
                )
            )
            if not is_secure:
                passed.append(each)
        return passed

    def _is_twin(self, row: int, new: _Told) -> bool:
        """Some phones send telephone-events and leave the tones in the audio: the key was told already in the other
        kind. Each told digit takes one twin."""
        told = self._told.setdefault(row, deque(maxlen=8))
        for each in told:
            is_near = new.began <= each.ended + _TWIN_S and each.began <= new.ended + _TWIN_S
            if each.kind != new.kind and each.digit == new.digit and is_near and not each.is_twinned:
                each.is_twinned = True
                return True
        told.append(new)
        return False

    # -- out ----------------------------------------------------------------------------------------------------------

    def send(self, leg: Leg, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Queues digits towards the leg. ValueError as `EventSender.queue`, and when the leg has neither
        telephone-events nor a codec that we could make tones in."""
        row = leg.row
        sender: EventSender | ToneSender | None
        if self._table.event_type[row] >= 0:
            sender = self.senders.get(row) or self._event_sender(row)
            sender.queue(digits, duration_ms, gap_ms)
            self.senders[row] = sender
        elif self._table.kind[row] == OPAQUE:
            raise ValueError(f"the leg has no telephone-event, and {leg.settings.codec} cannot be made here")
        else:
            sender = self.tone_senders.get(row) or ToneSender()
            sender.queue(digits, duration_ms, gap_ms)
            self.tone_senders[row] = sender
        self._changed(leg.session)

    def go_on(self, leg: Leg, note: DigitsNote) -> None:
        """Sends what an earlier worker could not finish."""
        if note.is_tones:
            tones = self.tone_senders[leg.row] = ToneSender()
            tones.go_on(note.state)
        else:
            sender = self.senders[leg.row] = self._event_sender(leg.row)
            sender.go_on(note.state)
            # Sent after it was noted, in the tick in which the worker died.
            n_more = (int(self._table.out_seq[leg.row]) - note.seq) & 0xFFFF
            while 0 < n_more <= MAX_UNNOTED and sender.is_busy:
                n_more -= sender.step() is not None
        self._changed(leg.session)

    def _event_sender(self, row: int) -> EventSender:
        return EventSender(100 * int(self._table.step[row]))

    def notes(self) -> dict[int, DigitsNote]:
        """What is being sent, by row."""
        seq = self._table.out_seq
        events = {row: DigitsNote(False, int(seq[row]), one.state) for row, one in self.senders.items()}
        return events | {row: DigitsNote(True, int(seq[row]), one.state) for row, one in self.tone_senders.items()}

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


class InbandListener:
    """The detector of in-band digits in an engine (`media.detectors.Detector`).

    While a digit sounds its leg is silent in the mix: whoever hears it is given the digit in the kind it speaks. What
    of the tone gets through before (less than 20 ms) no receiver takes for a digit.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._detector = InbandDetector()
        self._concealed = np.zeros(engine.table.capacity, np.int64)
        """By row: how much of its audio was made up so far."""

    def wants(self, leg: Leg) -> bool:
        return "dtmf" in leg.settings.detect and self._engine.table.kind[leg.row] != OPAQUE

    def reset(self, row: int) -> None:
        self._detector.reset(row)

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32], now: float) -> None:
        """One tick's frames; digits that ended are told and passed on."""
        engine = self._engine
        concealed = engine.inputs.repair.concealed[rows] + engine.wide_inputs.repair.concealed[rows]
        is_heard = concealed == self._concealed[rows]
        self._concealed[rows] = concealed
        for each in self._detector.run(rows, pcm, is_heard):
            leg = engine.by_row[each.row]
            if leg is not None:
                began = now - each.since_ms / 1000
                engine.pass_on(leg, engine.digits.heard(leg, each.digit, each.duration_ms, began, now), is_inband=True)
        planes = engine.planes
        for row in self._detector.sounding:
            planes.narrow[planes.at_8[row]] = 0
            if row in planes.at_16:
                planes.wide[planes.at_16[row]] = 0
