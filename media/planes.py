"""What the tick hears: one frame of every leg somebody needs, read once, at 8 kHz and at 16 kHz.

Signals are float32 in 16-bit scale. The narrow plane holds the G.711 legs, the prompts of narrow listeners, and wide
legs brought down for whoever needs them at 8 kHz; the wide plane the decoded legs, and narrow legs and prompts brought
up. `build` lays the rows out; `read` fills them once a tick.
"""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.arrays import DECODED, FRAME, WIDE_FRAME, LegTable
from media.rates import RateConverter
from media.session import FrameSource


class Input(Protocol):
    """Where the frames of legs come from: see `media.inputs`."""

    def read(self, rows: NDArray[np.int64], clock: int) -> NDArray[np.float32]:
        """The next frame of each of `rows`, for the chunks `clock` and `clock + 1`; the array is the reader's own."""


class Planes:
    """`narrow` and `wide`, with the place of every row and source in them."""

    def __init__(self, table: LegTable, narrow: Input, wide: Input) -> None:
        self._table = table
        self._inputs = narrow
        self._wide_inputs = wide
        self._up = RateConverter(table.capacity, 8000, 16000)
        self._down = RateConverter(table.capacity, 16000, 8000)
        self._up_sources = RateConverter(2 * table.capacity, 8000, 16000)
        self._converted: set[int] = set()
        self._slots: dict[int, int] = {}
        """Converter rows of wide sources, by the sources' identity."""
        self.build((), (), [], [])

    def build(
        self,
        at_8: Iterable[int],
        at_16: Iterable[int],
        sources_8: list[tuple[int, FrameSource]],
        sources_16: list[tuple[int, FrameSource]],
    ) -> None:
        """Rows needed at 8 and at 16 kHz; sources with the row of the leg that hears them, no source twice."""
        kind = self._table.kind
        narrow = sorted({row for row in at_8 if kind[row] < DECODED} | {row for row in at_16 if kind[row] < DECODED})
        wide = sorted({row for row in at_16 if kind[row] >= DECODED} | {row for row in at_8 if kind[row] >= DECODED})
        lowered = sorted({row for row in at_8 if kind[row] >= DECODED})
        raised = sorted({row for row in at_16 if kind[row] < DECODED})
        self.rows = {*narrow, *wide}
        """Rows that are read."""
        self._n_narrow, self._n_wide = len(narrow), len(wide)
        self._narrow_rows, self._wide_rows = np.array(narrow, np.int64), np.array(wide, np.int64)
        self._lowered, self._raised = np.array(lowered, np.int64), np.array(raised, np.int64)
        self.at_8 = {row: i for i, row in enumerate(narrow + lowered)}
        """Place of a leg's row in `narrow`."""
        self.at_16 = {row: i for i, row in enumerate(wide + raised)}
        for row in set(raised) - self._converted:
            self._up.reset(row)
        for row in set(lowered) - self._converted:
            self._down.reset(row)
        self._converted = {*raised, *lowered}
        self._lowered_from = np.array([self.at_16[row] for row in lowered], np.int64)
        self._raised_from = np.array([self.at_8[row] for row in raised], np.int64)
        self._sources_8, self._sources_16 = sources_8, sources_16
        self.source_at_8 = {id(source): len(self.at_8) + i for i, (_, source) in enumerate(self._sources_8)}
        """Place of a source, by its identity."""
        self.source_at_16 = {id(source): len(self.at_16) + i for i, (_, source) in enumerate(self._sources_16)}
        self.narrow = np.zeros((len(self.at_8) + len(self._sources_8), FRAME), np.float32)
        self.wide = np.zeros((len(self.at_16) + len(self._sources_16), WIDE_FRAME), np.float32)
        self._frame = np.zeros(FRAME, np.int16)
        self._source_rows = self._slots_of(sources_16)
        self._source_frames = np.zeros((len(self._sources_16), FRAME), np.float32)

    def _slots_of(self, sources: list[tuple[int, FrameSource]]) -> NDArray[np.int64]:
        kept = {id(source): self._slots[id(source)] for _, source in sources if id(source) in self._slots}
        used = set(kept.values())
        free = (slot for slot in range(2 * self._table.capacity) if slot not in used)
        for _, source in sources:
            if id(source) not in kept:
                slot = kept[id(source)] = next(free)
                self._up_sources.reset(slot)
        self._slots = kept
        return np.array([kept[id(source)] for _, source in sources], np.int64)

    def read(self, clock: int, waiting: set[int]) -> None:
        """Fills both planes; sources of the listeners in `waiting` stand still, and are silent."""
        n, m = self._n_narrow, self._n_wide
        # The readers' own arrays are taken as they are where nothing else belongs into the plane.
        if n and n == len(self.narrow):
            self.narrow = self._inputs.read(self._narrow_rows, clock)
        elif n:
            np.copyto(self.narrow[:n], self._inputs.read(self._narrow_rows, clock))
        if m and m == len(self.wide):
            self.wide = self._wide_inputs.read(self._wide_rows, clock)
        elif m:
            np.copyto(self.wide[:m], self._wide_inputs.read(self._wide_rows, clock))
        for i, (row, source) in enumerate(self._sources_8, len(self.at_8)):
            self._fill(self.narrow[i], row, source, waiting)
        if len(self._lowered):
            self._down.run(self._lowered, self.wide[self._lowered_from], self.narrow[n : len(self.at_8)])
        if len(self._raised):
            self._up.run(self._raised, self.narrow[self._raised_from], self.wide[m : len(self.at_16)])
        if self._sources_16:
            for i, (row, source) in enumerate(self._sources_16):
                self._fill(self._source_frames[i], row, source, waiting)
            self._up_sources.run(self._source_rows, self._source_frames, self.wide[len(self.at_16) :])

    def _fill(self, into: NDArray[np.float32], row: int, source: FrameSource, waiting: set[int]) -> None:
        if row in waiting:
            into[:] = 0
            return
        source.fill(self._frame)
        np.copyto(into, self._frame, casting="unsafe")
