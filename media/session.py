"""Sessions and legs of a worker: plain data. Which arrays their row numbers index is in `media.arrays`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.learning import Address, AddressGuard
from model.media import ConfigureLeg, Edge, Room

LOUDEST = 8
"""Speakers of a room that are heard at a time. With no more than that a room is nothing but edges."""


RoomKey = tuple[str, int]
"""Session and number of a room."""


class FrameSource(Protocol):
    """Something that is heard and is no leg: a prompt, in-band digits."""

    def fill(self, frame: NDArray[np.int16]) -> None:
        """The next 20 ms, linear at 8 kHz."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one leg hears: its column of the hear-matrix, or a source instead."""

    speakers: tuple[tuple[int, float], ...] = ()
    """Rows and gains."""
    rooms: tuple[RoomKey, ...] = ()
    """Keys of the rooms it listens to that are mixed as a whole."""
    source: FrameSource | None = None
    can_clip: bool = field(init=False, compare=False, default=False)
    """The sum can be louder than a sample may be."""

    def __post_init__(self) -> None:
        is_loud = len(self.speakers) > 1 or bool(self.rooms) or any(gain > 1.0 for _, gain in self.speakers)
        object.__setattr__(self, "can_clip", is_loud)

    def __bool__(self) -> bool:
        return bool(self.speakers or self.rooms or self.source is not None)

    def without(self, row: int) -> "Column":
        """The same after the leg on `row` is gone."""
        return Column(tuple(each for each in self.speakers if each[0] != row), self.rooms, self.source)


SILENT = Column()


class Leg:
    """One leg on its row. `settings` is the command that configured it last."""

    __slots__ = (
        "allocated_at",
        "first_packet_s",
        "guard",
        "hears",
        "id",
        "is_secure",
        "packets_at_configure",
        "relayed_from",
        "report_to",
        "row",
        "session",
        "settings",
        "sounding",
        "wanted",
    )

    def __init__(self, session: str, leg: str, row: int, settings: ConfigureLeg, now: float) -> None:
        self.session = session
        self.id = leg
        self.row = row
        self.settings = settings
        self.guard = AddressGuard()
        self.allocated_at = now
        self.first_packet_s = -1.0
        self.packets_at_configure = 0
        self.report_to: Address | None = None
        """Where RTCP goes."""
        self.hears: list[tuple[Leg, float]] = []
        """The column of the hear-matrix: who is heard, how loud; rooms with many speakers are `Session.halls`."""
        self.is_secure = False
        """What it sends reaches nobody (`SecureLeg`)."""
        self.wanted = SILENT
        """What it is to hear from the next packet on."""
        self.sounding = SILENT
        """What was in the last packet made for it or relayed to it."""
        self.relayed_from = -1
        """Row it hears by relay."""


@dataclass(slots=True)
class Hall:
    """A room with too many speakers to be a handful of edges."""

    key: RoomKey
    speakers: dict[int, float]
    """Rows, and how loud each is heard."""
    listeners: set[str]
    """Leg ids."""


@dataclass(slots=True)
class Paths:
    """The ways audio takes in one session. `relays` maps speaker row to listener row; `mixed` legs get a packet made in
    every tick."""

    relays: dict[int, int] = field(default_factory=dict)
    mixed: list[Leg] = field(default_factory=list)
    ringed: set[int] = field(default_factory=set)
    """Rows whose audio the tick reads."""
    passing: set[int] = field(default_factory=set)
    """Rows of `mixed` legs that get just one packet made, in which the old gives way to the new."""


class Session:
    """Legs and the hear-matrix between them; edges and rooms may name legs that are configured later."""

    __slots__ = ("edges", "halls", "id", "legs", "paths", "rooms")

    def __init__(self, session: str) -> None:
        self.id = session
        self.legs: dict[str, Leg] = {}
        self.edges: list[Edge] = []
        self.rooms: list[Room] = []
        self.halls: list[Hall] = []
        self.paths = Paths()

    def apply_edges(self) -> None:
        """Works out what each leg hears. Edges and rooms add up; gain 0 is no edge; a secure leg is heard by nobody."""
        gains: dict[tuple[str, str], float] = {}
        self.halls = []
        for edge in self.edges:
            key = (edge.listener, edge.speaker)
            gains[key] = gains.get(key, 0.0) + edge.gain
        for i, room in enumerate(self.rooms):
            speakers = [name for name in dict.fromkeys(room.speakers) if name in self.legs]
            listeners = dict.fromkeys(room.listeners)
            if len(speakers) > LOUDEST:
                audible = [name for name in speakers if not self.legs[name].is_secure and room.gains.get(name, 1.0)]
                rows = {self.legs[name].row: room.gains.get(name, 1.0) for name in audible}
                self.halls.append(Hall((self.id, i), rows, set(listeners)))
                continue
            for listener in listeners:
                for speaker in speakers:
                    if speaker != listener:
                        gain = room.gains.get(speaker, 1.0)
                        gains[listener, speaker] = gains.get((listener, speaker), 0.0) + gain
        for leg in self.legs.values():
            leg.hears = []
        for (listener, speaker), gain in gains.items():
            if gain and listener in self.legs and speaker in self.legs and not self.legs[speaker].is_secure:
                self.legs[listener].hears.append((self.legs[speaker], gain))

    def listeners_of(self, speaker: Leg) -> Iterator[Leg]:
        """Legs that hear `speaker`, once each."""
        halls = [hall for hall in self.halls if speaker.row in hall.speakers]
        for leg in self.legs.values():
            if leg is not speaker and (
                any(each is speaker for each, _ in leg.hears) or any(leg.id in hall.listeners for hall in halls)
            ):
                yield leg
