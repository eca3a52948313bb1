"""Tones of the network and of fax machines, told by frequency and cadence. Pure but for `ToneListener`.

Call progress tones are those of `media.tones.PLANS` (ITU-T E.180 supplement 2); the special information tone also with
the frequencies of Telcordia SR-2275; CNG and CED / ANSam are those of ITU-T T.30 and V.8.

Every frame of all legs is correlated with all frequencies by one matrix product, two frames (40 ms) make a window. A
window is one of the known frequency sets, or silent, or anything else; runs of equal windows become bursts and pauses,
and only when a burst or a pause ends (about once a second) are those of one leg compared with the cadences.

Not told apart: busy and congestion where a plan has one cadence for both (jp, my, au, mx); ringback of "sg", whose
modulated 425 Hz looks like the Australian pair beside it.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.arrays import OPAQUE, kind_of
from media.session import Leg
from media.tones import DBM0_RMS, PLANS, parse_tone
from model.media import Event, ToneDetected

FRAME = 160
_FRAME_MS = 20
_NAMES = ("busy", "congestion", "ringback", "special_info", "dial")
_SHARE = 0.7
"""Share of a window's energy in its frequencies: 1.5 % off still has it."""
_MODULATED_SHARE = 0.45
"""The same where some plan modulates the tone: a third of the power lies in the sidebands."""
_BALANCE = 0.25
"""Least part of each frequency of a pair: 5 dB apart."""
_MIN_ENERGY = 2 * FRAME * (DBM0_RMS * 10 ** (-43 / 20)) ** 2
_PAUSE_LEVEL = 0.06
"""Energy of a pause against the tone before it: 12 dB."""
_MAX_BREAK = 5
"""Windows that break a tone without being a pause: phase reversals of ANSam, a lost packet."""
_MAX_ELSE = 6
"""Windows of something else in a pause, besides the flanks: more, and it was no pause."""
_LONG_PAUSE_MS = 1500
"""Pauses of a cadence from this length on need not be waited for to the end,"""
_PAUSE_DUE = 60
"""only so many windows."""
_DIAL_DUE = 125
_CED_DUE = 40
_CNG_DUE = 20
_CNG_MS = (410, 590)
_SIT_MS = (230, 420)
_SHORT_MS = 300
"""Bursts shorter than this must come four times: in some plans they are a part of another cadence."""

_SIT_HZ = (
    (913.8, 932.0, 950.0, 967.5, 985.2),
    (1370.6, 1385.0, 1400.0, 1414.0, 1428.5),
    (1776.7, 1788.0, 1800.0, 1812.0),
)
_CNG_HZ = (1065.0, 1082.0, 1100.0, 1118.0, 1135.0)
_CED_HZ = (2087.0, 2100.0, 2113.0)
_Group = tuple[float, ...]


class _Cadence(NamedTuple):
    tone: str
    plan: str
    bursts: tuple[tuple[int, int, int], ...]
    """Frequency set, milliseconds of tone, milliseconds of pause after it (0: it never stops)."""


class FoundTone(NamedTuple):
    row: int
    tone: str


def _sets_and_cadences() -> tuple[list[tuple[_Group, ...]], dict[int, float], list[_Cadence]]:
    """All frequency sets, the share each must have, and the cadences of all plans."""
    sets: list[tuple[_Group, ...]] = [(each,) for each in _SIT_HZ] + [(_CNG_HZ,), (_CED_HZ,)]
    shares = {}
    cadences = []
    for plan, tones in PLANS.items():
        for name in _NAMES:
            bursts: list[tuple[int, int, int]] = []
            for burst in parse_tone(tones[name]).cadence:
                if not burst.frequencies_hz:
                    bursts[-1] = (bursts[-1][0], bursts[-1][1], burst.duration_ms)
                    continue
                groups = tuple((hz,) for hz in burst.frequencies_hz)
                if groups[0][0] in _SIT_HZ[0] + _SIT_HZ[1] + _SIT_HZ[2]:
                    bursts.append((-1, 0, 0))
                    continue
                if groups not in sets:
                    sets.append(groups)
                if burst.modulation_hz:
                    shares[sets.index(groups)] = _MODULATED_SHARE
                bursts.append((sets.index(groups), burst.duration_ms, 0))
            if all(each[0] >= 0 for each in bursts):
                cadences.append(_Cadence(name, plan, tuple(bursts)))
    return sets, shares, cadences


_SETS, _SPECIAL_SHARES, _CADENCES = _sets_and_cadences()
_SHARES = np.array([_SPECIAL_SHARES.get(i, _SHARE) for i in range(len(_SETS))], np.float32)
_SIT, _CNG, _CED = (0, 1, 2), 3, 4
_NOTHING = -1
_SILENT = -2
_FREQUENCIES = sorted({hz for each in _SETS for group in each for hz in group})
_PLACES = [[[_FREQUENCIES.index(hz) for hz in group] for group in each] for each in _SETS]


def _make_bank() -> NDArray[np.float32]:
    phase = 2 * np.pi * np.array(_FREQUENCIES)[:, None] * np.arange(FRAME) / 8000
    return np.concatenate([np.cos(phase), np.sin(phase)]).astype(np.float32)


_BANK = _make_bank()
_TURN = np.exp(-2j * np.pi * np.array(_FREQUENCIES) * FRAME / 8000).astype(np.complex64)[:, None]
"""Brings the correlation of a frame to the time base of the frame before it."""


class _Past(NamedTuple):
    """A burst that is over, and the pause after it; -1 while the pause lasts."""

    kind: int
    ms: int
    pause_ms: int


class ToneDetector:
    """Tones in the audio of up to `capacity` rows. `plans` are looked through in order: where two plans mean different
    things by the same cadence, the first counts."""

    def __init__(self, capacity: int) -> None:
        n = capacity
        self._before = np.zeros((len(_FREQUENCIES), n), np.complex64)
        self._energy_before = np.zeros(n, np.float32)
        self._kind = np.full(n, _SILENT, np.int64)
        """Frequency set of the burst that sounds or sounded last."""
        self._kind_before = np.full(n, _NOTHING, np.int64)
        """Of the window before: a burst is two windows at least."""
        self._is_on = np.zeros(n, np.bool_)
        self._length = np.zeros(n, np.int64)
        """Windows of the burst or pause so far."""
        self._strange = np.zeros(n, np.int64)
        """Windows of something else in a burst (since it was last heard) or in a pause."""
        self._had_pause = np.zeros(n, np.bool_)
        self._tone_energy = np.zeros(n, np.float32)
        self._past: dict[int, list[_Past]] = {}
        self._plans: dict[int, Sequence[str]] = {}
        self._told: dict[int, str] = {}

    def reset(self, row: int, plans: Sequence[str] = ()) -> None:
        """The row begins anew; `plans` are those its network may use, all when empty."""
        self._before[:, row] = 0
        self._kind[row], self._kind_before[row] = _SILENT, _NOTHING
        self._is_on[row] = self._had_pause[row] = False
        for column in (self._energy_before, self._length, self._strange, self._tone_energy):
            column[row] = 0
        self._past.pop(row, None)
        self._told.pop(row, None)
        self._plans[row] = plans

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32]) -> list[FoundTone]:
        """The next 20 ms of `rows`: `pcm` is float32[n, 160] at 8 kHz in 16-bit scale. Tones that became certain."""
        if not len(rows):
            return []
        kinds, energy = self._classify(rows, pcm)
        is_on, kind = self._is_on[rows], self._kind[rows]
        same = kinds == kind
        is_pause = (kinds == _NOTHING) & (energy < _PAUSE_LEVEL * self._tone_energy[rows])
        is_strange = (kinds != _NOTHING) | ~is_pause
        strange = np.where(is_on & same, 0, self._strange[rows] + is_strange)
        had_pause = np.where(is_on & same, False, self._had_pause[rows] | is_pause)
        length = self._length[rows] + 1
        self._strange[rows], self._had_pause[rows], self._length[rows] = strange, had_pause, length
        begins = (kinds >= 0) & (kinds == self._kind_before[rows]) & ~(is_on & same)
        self._kind_before[rows] = kinds
        ends = is_on & ~same & ~begins & (is_pause | (strange > _MAX_BREAK))
        lost = ~is_on & (kind >= 0) & (strange > _MAX_ELSE)
        heard = (kinds >= 0) & (energy > self._tone_energy[rows])
        self._tone_energy[rows[heard]] = energy[heard]
        due = (is_on & same & ((length == _DIAL_DUE) | (length == _CED_DUE))) | (
            ~is_on & (kind >= 0) & ((length == _PAUSE_DUE) | (length == _CNG_DUE))
        )
        found: list[FoundTone] = []
        for i in np.flatnonzero(begins | ends | lost | due).tolist():
            row = int(rows[i])
            if begins[i]:
                self._begin(row, int(kinds[i]), float(energy[i]), found)
            elif ends[i]:
                self._end(row, found)
            elif lost[i]:
                self._past.pop(row, None)
                self._kind[row] = _SILENT
            else:
                self._look(row, found)
        return found

    def _classify(
        self, rows: NDArray[np.int64], pcm: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Frequency set (or `_NOTHING`) and energy of the window that ends with this frame."""
        n = len(_FREQUENCIES)
        spectrum = _BANK @ pcm.T
        now = spectrum[:n] - 1j * spectrum[n:]
        frame_energy = np.einsum("ij,ij->i", pcm, pcm)
        window = self._before[:, rows] + now * _TURN
        power = (window.real**2 + window.imag**2) / FRAME
        energy = self._energy_before[rows] + frame_energy
        self._before[:, rows] = now
        self._energy_before[rows] = frame_energy
        shares = np.zeros((len(_SETS), len(rows)), np.float32)
        for i, groups in enumerate(_PLACES):
            parts = [power[places].max(axis=0) for places in groups]
            shares[i] = np.sum(parts, axis=0)
            if len(parts) == 2:
                shares[i][np.minimum(*parts) < _BALANCE * shares[i]] = 0
        shares /= np.maximum(energy, _MIN_ENERGY)
        # What stands out most over what it must have, but a pair before the tone it could be taken for.
        shares[shares < _SHARES[:, None]] = 0
        kinds = np.argmax(shares - 0.6 * _SHARES[:, None], axis=0)
        kinds[shares.max(axis=0) == 0] = _NOTHING
        return kinds, energy

    # -- bursts and pauses --------------------------------------------------------------------------------------------

    def _begin(self, row: int, kind: int, energy: float, found: list[FoundTone]) -> None:
        past = self._past.setdefault(row, [])
        if self._is_on[row]:
            if not self._had_pause[row] and int(self._kind[row]) == kind:
                return
            self._close(row)
        elif past:
            past[-1] = past[-1]._replace(pause_ms=self._pause_ms(row, int(self._length[row]) - 2))
        if kind not in (_SIT[1], _SIT[2]) and past and past[-1].pause_ms > 6500:
            past.clear()
        self._kind[row], self._is_on[row] = kind, True
        self._length[row], self._strange[row], self._had_pause[row] = 2, 0, False
        self._tone_energy[row] = energy

    def _end(self, row: int, found: list[FoundTone]) -> None:
        self._close(row)
        self._is_on[row] = False
        self._length[row] = 1 + self._strange[row]
        self._look(row, found)

    def _close(self, row: int) -> None:
        kind = int(self._kind[row])
        windows = int(self._length[row]) - 1 - int(self._strange[row])
        # A window counts from the share on: a burst has so many fewer windows than frames at either end.
        ms = windows * _FRAME_MS + round(2 * _FRAME_MS * (2 * float(_SHARES[kind]) - 1))
        past = self._past.setdefault(row, [])
        past.append(_Past(kind, ms, -1))
        del past[:-8]

    def _pause_ms(self, row: int, windows: int) -> int:
        return windows * _FRAME_MS - round(2 * _FRAME_MS * (2 * float(_SHARES[int(self._kind[row])]) - 1))

    def _look(self, row: int, found: list[FoundTone]) -> None:
        """Compares what came with all cadences of the row's plans."""
        past = self._past.get(row, [])
        if self._is_on[row]:
            tone = self._continuous(row)
        else:
            tone = _fax_or_information(past, self._pause_ms(row, int(self._length[row])))
            tone = tone or self._cadenced(row, past)
        if tone and self._told.get(row) != tone:
            self._told[row] = tone
            found.append(FoundTone(row, tone))

    def _continuous(self, row: int) -> str:
        kind, length = int(self._kind[row]), int(self._length[row])
        if kind == _CED:
            return "fax_ced"
        if length < _DIAL_DUE:
            return ""
        for each in self._cadences(row):
            if each.tone == "dial" and any(k == kind and not pause for k, _, pause in each.bursts):
                return "dial"
        return ""

    def _cadenced(self, row: int, past: list[_Past]) -> str:
        pause_ms = self._pause_ms(row, int(self._length[row]))
        for each in self._cadences(row):
            if each.bursts[-1][2] and _fits(each.bursts, past, pause_ms):
                return each.tone
        return ""

    def _cadences(self, row: int) -> list[_Cadence]:
        plans = self._plans.get(row) or tuple(PLANS)
        return [each for plan in plans for each in _CADENCES if each.plan == plan]


def _fits(bursts: Sequence[tuple[int, int, int]], past: list[_Past], pause_ms: int) -> bool:
    """Whether the bursts so far, the last of which is followed by a pause of `pause_ms` that still lasts, are these."""
    n = len(bursts)
    if bursts[-1][2] >= _LONG_PAUSE_MS:
        if pause_ms < _PAUSE_DUE * _FRAME_MS - 100 or len(past) < n:
            return False
        last = past[-n:]
        pauses = all(_near(a.pause_ms, b[2]) for a, b in zip(last[:-1], bursts[:-1], strict=True))
        return pauses and all(a.kind == b[0] and _near(a.ms, b[1]) for a, b in zip(last, bursts, strict=True))
    wanted = max(n + 1, 4 if n == 1 and bursts[0][1] < _SHORT_MS else 2)
    last = past[-wanted:]
    if len(last) < wanted:
        return False
    for shift in range(n):
        turned = [bursts[(shift + k) % n] for k in range(wanted)]
        if all(a.kind == b[0] and _near(a.ms, b[1]) for a, b in zip(last, turned, strict=True)) and all(
            _near(a.pause_ms, b[2]) for (a, _), b in zip(pairwise(last), turned, strict=False)
        ):
            return True
    return False


def _near(ms: int, wanted: int) -> bool:
    return abs(ms - wanted) <= max(45, 0.12 * wanted)


def _fax_or_information(past: list[_Past], pause_ms: int) -> str:
    if past and past[-1].kind == _CNG and _CNG_MS[0] <= past[-1].ms <= _CNG_MS[1]:
        return "fax_cng" if pause_ms >= _CNG_DUE * _FRAME_MS - 60 else ""
    last = past[-3:]
    if [each.kind for each in last] == list(_SIT) and all(_SIT_MS[0] <= each.ms <= _SIT_MS[1] for each in last):
        return "special_info" if all(each.pause_ms <= 80 for each in last[:-1]) else ""
    return ""


class ToneListener:
    """The detector in an engine (`media.detectors.Detector`): for legs whose `detect` has "tones", or "tones/PLAN" when
    the plan of their network is known. `by_row` are the engine's legs."""

    def __init__(self, by_row: Sequence[Leg | None], emit: Callable[[Event], None]) -> None:
        self._by_row = by_row
        self._emit = emit
        self._detector = ToneDetector(len(by_row))

    def wants(self, leg: Leg) -> bool:
        return kind_of(leg.settings.codec) != OPAQUE and any(_is_tones(each) for each in leg.settings.detect)

    def reset(self, row: int) -> None:
        leg = self._by_row[row]
        wanted = [each.partition("/")[2] for each in leg.settings.detect if _is_tones(each)] if leg is not None else []
        self._detector.reset(row, [plan for plan in wanted if plan in PLANS])

    def run(self, rows: NDArray[np.int64], pcm: NDArray[np.float32], now: float) -> None:
        """One tick's frames; each tone is told once, until another one is heard."""
        for each in self._detector.run(rows, pcm):
            leg = self._by_row[each.row]
            if leg is not None:
                self._emit(ToneDetected(session=leg.session, leg=leg.id, tone=each.tone))


def _is_tones(wish: str) -> bool:
    return wish.partition("/")[0] == "tones"
