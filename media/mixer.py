"""The tick's array work: what each listener hears of the planes, by the hear-matrix, and its G.711.

`build` lays out the arrays for a set of listeners; `run` is then called every 20 ms and works on whole arrays. A
listener whose column changed hears the old one give way to the new one within its next packet.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media import g711
from media.arrays import DECODED, FRAME, PCMA, PCMU, WIDE_FRAME, LegTable
from media.limiter import Limiter
from media.planes import Planes
from media.rooms import RoomMix
from media.session import Column, FrameSource, RoomKey

Signal = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Listener:
    """One leg the mixer makes packets for: what it hears, and what it heard in its last packet."""

    row: int
    column: Column
    before: Column

    @property
    def is_changing(self) -> bool:
        """Its next packet goes from what it heard to what it is to hear."""
        return self.before is not self.column and bool(self.before) and self.before != self.column


class _Round:
    """The k-th speaker of each listener of a group: `y[:n] += x[speakers] * gains`."""

    __slots__ = ("gains", "speakers")

    def __init__(self, speakers: list[int], gains: list[float]) -> None:
        self.speakers = np.array(speakers, np.int64)
        self.gains = None if all(gain == 1.0 for gain in gains) else np.array(gains, np.float32)[:, None]


class _Mix:
    """The listeners of one sample rate. `groups` are listeners that must stay together, in order."""

    def __init__(
        self,
        groups: list[list[Listener]],
        length: int,
        at: dict[int, int],
        source_at: dict[int, int],
        rooms: dict[RoomKey, RoomMix],
    ) -> None:
        self.listeners: list[Listener] = []
        self._at, self._source_at, self._rooms = at, source_at, rooms
        self._rounds: list[tuple[int, int, _Round]] = []
        self._limited: list[slice] = []
        self._is_unheard: list[int] = []
        for group in groups:
            loud = [each.column.can_clip or each.is_changing for each in group]
            self._lay_out([each for each, can_clip in zip(group, loud, strict=True) if can_clip], is_limited=True)
            self._lay_out([each for each, can_clip in zip(group, loud, strict=True) if not can_clip], is_limited=False)
        self.rows = np.array([each.row for each in self.listeners], np.int64)
        self.place = {row: i for i, row in enumerate(self.rows.tolist())}
        self.fading = {i: each for i, each in enumerate(self.listeners) if each.is_changing}
        self._use_rooms()
        n = len(self.rows)
        self._part = np.zeros((n, length), np.float32)
        self.mixed = np.zeros((n, length), np.float32)
        self._fall = np.linspace(1, 0, length, dtype=np.float32)

    def _lay_out(self, group: list[Listener], *, is_limited: bool) -> None:
        begin = len(self.listeners)
        placed = [(self._places(each.column), each) for each in group]
        placed.sort(key=lambda pair: len(pair[0]), reverse=True)
        self.listeners += [each for _, each in placed]
        if is_limited and group:
            self._limited.append(slice(begin, begin + len(group)))
        heard = [places for places, _ in placed]
        self._is_unheard += [begin + i for i, places in enumerate(heard) if not places]
        for k in range(max(map(len, heard), default=0)):
            of = [each[k] for each in heard if len(each) > k]
            self._rounds.append((begin, k, _Round([place for place, _ in of], [gain for _, gain in of])))

    def _places(self, column: Column) -> list[tuple[int, float]]:
        if column.source is not None:
            return [(self._source_at[id(column.source)], 1.0)]
        return [(self._at[row], gain) for row, gain in column.speakers]

    def _use_rooms(self) -> None:
        self._in_room: dict[RoomKey, dict[int, int]] = {}
        for i, each in enumerate(self.listeners):
            for key in each.column.rooms:
                self._in_room.setdefault(key, {})[each.row] = i
        for each in self.fading.values():
            for key in each.before.rooms:
                self._in_room.setdefault(key, {})
        self._room_places = {
            key: np.array([self._at[row] for row in self._rooms[key].rows.tolist()], np.int64) for key in self._in_room
        }

    def select(self, key: RoomKey, plane: Signal) -> bool:
        """Lets the room choose its speakers, when it is mixed at this rate."""
        places = self._room_places.get(key)
        if places is None:
            return False
        self._rooms[key].select(plane[places])
        return True

    def run(self, plane: Signal, limiter: Limiter, waiting: set[int]) -> None:
        mixed = self.mixed
        if self._is_unheard:
            mixed[self._is_unheard] = 0
        for begin, k, each in self._rounds:
            end = begin + len(each.speakers)
            part = self._part[begin:end] if k else mixed[begin:end]
            plane.take(each.speakers, axis=0, out=part, mode="clip")
            if each.gains is not None:
                np.multiply(part, each.gains, out=part)
            if k:
                np.add(mixed[begin:end], part, out=mixed[begin:end])
        for key, listeners in self._in_room.items():
            self._rooms[key].add(plane, self._room_places[key], mixed, listeners)
        if self.fading:
            self._fade(plane, waiting)
        for limited in self._limited:
            limiter.run(self.rows[limited], mixed[limited])
        np.clip(mixed, -32768, 32767, out=mixed)

    def _fade(self, plane: Signal, waiting: set[int]) -> None:
        for i, each in list(self.fading.items()):
            if each.row in waiting:
                continue
            del self.fading[i]
            old = np.zeros(self.mixed.shape[1], np.float32)
            for place, gain in self._places(each.before):
                old += plane[place] * np.float32(gain)
            for key in each.before.rooms:
                old += self._rooms[key].heard_by(each.row)
            # A prompt begins as it is: its first syllable is not to be lost.
            if each.column.source is None:
                self.mixed[i] += (old - self.mixed[i]) * self._fall
            else:
                self.mixed[i] += old * self._fall


def _sources(listeners: list[Listener]) -> list[tuple[int, FrameSource]]:
    found = {}
    for each in listeners:
        for source in (each.column.source, each.before.source):
            if source is not None:
                found[id(source)] = (each.row, source)
    return list(found.values())


class Mixer:
    """In every `run`: `payload[i]`, one G.711 frame for listener row `rows[i]`; `linear[i]`, 20 ms of 8 kHz for
    `linear_rows[i]`; `wide[i]`, 20 ms of 16 kHz for `wide_rows[i]`."""

    def __init__(self, table: LegTable, planes: Planes) -> None:
        self._table = table
        self._planes = planes
        self.limiter = Limiter(table.capacity)
        self._rooms: dict[RoomKey, RoomMix] = {}
        self.build([], {}, lambda key: set(), ())

    def build(
        self,
        listeners: list[Listener],
        halls: dict[RoomKey, dict[int, float]],
        may_fade: Callable[[RoomKey], set[int]],
        analysed: Iterable[int],
    ) -> None:
        """Lays out the arrays. `halls` are the speakers and gains of the rooms that are mixed as a whole, by their
        key; `may_fade(key)` the rows that may be faded out of one; `analysed` are rows needed at 8 kHz though nobody
        hears them."""
        self._update_rooms(listeners, halls, may_fade)
        needed: tuple[set[int], set[int]] = (set(analysed), set())
        groups: list[list[Listener]] = [[], [], [], []]
        members = {key: room.rows.tolist() for key, room in self._rooms.items()}
        kinds = self._table.kind.tolist()
        for each in listeners:
            kind = kinds[each.row]
            groups[kind].append(each)
            is_wide = kind == DECODED
            for column in (each.column,) if each.before is each.column else (each.column, each.before):
                for row, _ in column.speakers:
                    needed[is_wide].add(row)
                for key in column.rooms:
                    needed[is_wide].update(members[key])
        planes = self._planes
        wide = [groups.pop(DECODED)]
        planes.build(needed[0], needed[1], _sources([each for group in groups for each in group]), _sources(wide[0]))
        self._narrow = _Mix(groups, FRAME, planes.at_8, planes.source_at_8, self._rooms)
        self._wide = _Mix(wide, WIDE_FRAME, planes.at_16, planes.source_at_16, self._rooms)
        self._n_ulaw = len(groups[PCMU])
        n = self._n_ulaw + len(groups[PCMA])
        self.rows = self._narrow.rows[:n]
        """G.711 legs, in the order of `payload`."""
        self.linear_rows, self.linear = self._narrow.rows[n:], self._narrow.mixed[n:]
        self.wide_rows, self.wide = self._wide.rows, self._wide.mixed
        self._clipped = np.zeros((n, FRAME), np.int16)
        # `take` makes a copy of any index that is no intp: megabytes a tick.
        self._codes = np.zeros((n, FRAME), np.intp)
        self.payload = np.zeros((n, FRAME), np.uint8)

    def _update_rooms(
        self,
        listeners: list[Listener],
        halls: dict[RoomKey, dict[int, float]],
        may_fade: Callable[[RoomKey], set[int]],
    ) -> None:
        used = {key for each in listeners for key in (*each.column.rooms, *each.before.rooms)}
        self._rooms = {key: self._rooms.get(key) or RoomMix() for key in sorted(used)}
        for key, room in self._rooms.items():
            room.update(halls.get(key, {}), may_fade(key))

    def run(self, waiting: set[int]) -> None:
        """Mixes what the planes hold. Listeners in `waiting` are sent nothing this time: their change is to come."""
        planes, narrow, wide = self._planes, self._narrow, self._wide
        for key in self._rooms:
            if not wide.select(key, planes.wide):
                narrow.select(key, planes.narrow)
        if len(wide.rows):
            wide.run(planes.wide, self.limiter, waiting)
        if not len(narrow.rows):
            return
        narrow.run(planes.narrow, self.limiter, waiting)
        n = len(self.rows)
        np.copyto(self._clipped, narrow.mixed[:n], casting="unsafe")
        codes, m = self._codes, self._n_ulaw
        np.copyto(codes, self._clipped.view(np.uint16))
        if m:
            g711.LINEAR_TO_ULAW.take(codes[:m], out=self.payload[:m], mode="clip")
        if m < n:
            g711.LINEAR_TO_ALAW.take(codes[m:], out=self.payload[m:], mode="clip")
