"""Sessions and legs of a worker: plain data. Which arrays their row numbers index is in `media.arrays`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from media.learning import Address, AddressGuard
from model.media import ConfigureLeg, Edge


class Leg:
    """One leg on its row. `settings` is the command that configured it last."""

    __slots__ = (
        "allocated_at",
        "first_packet_s",
        "guard",
        "hears",
        "id",
        "packets_at_configure",
        "report_to",
        "row",
        "session",
        "settings",
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
        """The column of the hear-matrix: who is heard, how loud."""


@dataclass(slots=True)
class Paths:
    """The ways audio takes in one session. `relays` maps speaker row to listener row; `mixed` legs get a packet made in
    every tick."""

    relays: dict[int, int] = field(default_factory=dict)
    mixed: list[Leg] = field(default_factory=list)
    ringed: set[int] = field(default_factory=set)
    """Rows whose audio the tick reads."""


class Session:
    """Legs and the hear-matrix between them; the edges may name legs that are configured later."""

    __slots__ = ("edges", "id", "legs", "paths")

    def __init__(self, session: str) -> None:
        self.id = session
        self.legs: dict[str, Leg] = {}
        self.edges: list[Edge] = []
        self.paths = Paths()

    def apply_edges(self) -> None:
        """Works out what each leg hears. Several edges between the same two legs add up; gain 0 is no edge."""
        gains: dict[tuple[str, str], float] = {}
        for edge in self.edges:
            if edge.speaker in self.legs and edge.listener in self.legs:
                key = (edge.listener, edge.speaker)
                gains[key] = gains.get(key, 0.0) + edge.gain
        for leg in self.legs.values():
            leg.hears = []
        for (listener, speaker), gain in gains.items():
            if gain:
                self.legs[listener].hears.append((self.legs[speaker], gain))

    def listeners_of(self, speaker: Leg) -> Iterator[Leg]:
        for leg in self.legs.values():
            if any(each is speaker for each, _ in leg.hears):
                yield leg
