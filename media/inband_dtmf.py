"""In-band DTMF digits (ITU-T Q.23, Q.24) found in the audio of all legs at once. Pure.

Every frame is taken as two blocks of 10 ms. One matrix product correlates the blocks of all legs with the eight
frequencies; a few whole-array comparisons then drop the legs in which no dual tone sounds, so what follows, leg by
leg, is rare. A leg whose frame looks like a digit in both blocks is followed until the digit has ended:

* the two tones are fitted by least squares, which frees each from the leakage of the other;
* frequency is measured by the phase advance from block to block (a block alone could not tell 1.5 from 3.5 %);
* duration is the sum of the amplitudes of the blocks over the largest of them, so it is exact to a few milliseconds
  although blocks and tone are not aligned: 40 ms are accepted, 23 ms are not;
* three blocks without the digit end it: a pause of 40 ms always has three, an interruption of 10 ms never.
Protection against speech (talk-off): in each counted block the two tones carry nearly all the energy (so there is no
second harmonic and no voice beside them), the twist is allowed, amplitudes are steady and frequencies stay where they
are over the whole digit.
"""

import cmath
import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.tones import DBM0_RMS

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
KEYPAD = "123A456B789C*0#D"
"""Digit of low frequency i and high frequency j at 4 i + j."""

BLOCK = 80
"""Samples of a block: 10 ms at 8 kHz."""
_BLOCK_S = BLOCK / 8000
_N_TONES = 8

MIN_DURATION_MS = 31.0
"""Halfway between what Q.24 wants rejected (23 ms) and accepted (40 ms)."""
_MIN_LEVEL_DBM0 = -33.0  # of each tone; Q.24: -25 dBm must be accepted
_MAX_OFFSET = 0.0235  # of each frequency; Q.24: 1.5 % accepted, 3.5 % rejected
_MIN_TWIST_DB, _MAX_TWIST_DB = -9.5, 5.5
"""High tone over low tone; Q.24: -8 to 4 dB."""
_SCREEN = 0.65  # share of a block's energy at the two frequencies below which nobody looks closer
_MIN_SHARE = 0.72
"""Share of a block's energy in the two fitted tones, for the block to count."""
_MIN_PURITY = 0.88
"""The same over the whole digit (median), what their frequency offsets cost made good."""
_MIN_COHERENCE = 0.92
"""Length of the mean phase advance: 1 when the frequency never changes."""
_OUTLIERS = 5
"""One in so many blocks, of a digit that has them, may be as it likes."""
_OUTLIERS_AFTER_LOSS, _MIN_PURITY_AFTER_LOSS = 2, 0.7
"""Where packets were lost, the blocks beside them are spoilt by what filled the gap."""
_MIN_STEADINESS = 0.55
"""Least amplitude of an inner block over the largest: 5.2 dB."""
_MIN_EDGE = 0.84
"""Amplitudes squared over amplitudes, of the digit with two blocks at either end: 7/8 or more for 40 ms of tone however
the blocks cut it, less for a voice that swells and fades."""
_FLOOR = 0.2
"""Amplitudes below this part of the digit's are noise."""
_MAX_GAP = 2
"""Blocks that a digit may be interrupted for: 10 ms touch two of them."""
_MAX_UNHEARD = 6
"""Blocks of packets that never came which a digit may be interrupted for besides."""
_BLOCKS_TO_BEGIN = 4
_MAX_BLOCKS = 3000  # a digit that lasts 30 s ends there


class HeardDigit(NamedTuple):
    """A digit that has ended; it began `since_ms` before the end of the frame."""

    row: int
    digit: str
    duration_ms: int
    since_ms: int


def _make_bank() -> NDArray[np.float32]:
    # Time is counted from the middle of the block: there sine and cosine are orthogonal at every frequency.
    time = (np.arange(BLOCK) - (BLOCK - 1) / 2) / 8000
    phase = 2 * np.pi * np.array(LOW_HZ + HIGH_HZ)[:, None] * time
    return np.concatenate([np.cos(phase), np.sin(phase)]).astype(np.float32)


def _make_inverses() -> NDArray[np.float32]:
    """Of each digit the inverse Gram matrices of its two cosines and of its two sines: [2, 2, 2, 16]."""
    bank = _make_bank().astype(np.float64)
    inverses = np.zeros((2, 2, 2, 16), np.float32)
    for key in range(16):
        for part in range(2):
            rows = bank[[key // 4 + part * _N_TONES, 4 + key % 4 + part * _N_TONES]]
            inverses[part, :, :, key] = np.linalg.inv(rows @ rows.T)
    return inverses


_BANK = _make_bank()
_INVERSES = _make_inverses()
_NOMINAL = [(LOW_HZ[key // 4], HIGH_HZ[key % 4]) for key in range(16)]
_UNTURN = [tuple(cmath.exp(-2j * cmath.pi * hz * _BLOCK_S) for hz in pair) for pair in _NOMINAL]
"""Undoes what a tone of the nominal frequency turns by from the middle of one block to that of the next."""
_MIN_AMPLITUDE = DBM0_RMS * 2**0.5 * 10 ** (_MIN_LEVEL_DBM0 / 20)
# Screening sees a tone with the leakage of the other one in it, up to 2 dB at the allowed twists.
_SCREEN_POWER = np.float32((_MIN_AMPLITUDE * 0.7 * BLOCK / 2) ** 2)
_SCREEN_MAX_RATIO = np.float32(10 ** ((_MAX_TWIST_DB + 3) / 10))
_SCREEN_MIN_RATIO = np.float32(10 ** ((_MIN_TWIST_DB - 3) / 10))
_SCREEN_SHARE = np.float32(_SCREEN * BLOCK / 2)
_MIN_RATIO, _MAX_RATIO = (float(10 ** (db / 20)) for db in (_MIN_TWIST_DB, _MAX_TWIST_DB))


class _Block(NamedTuple):
    """One block of one leg, fitted with the tones of one digit."""

    is_digit: bool
    """It is this digit and nothing else."""
    low: complex
    high: complex
    energy: float
    is_heard: bool


class _Run:
    """A digit that sounds on one leg, block by block. It ends with `take` giving False; `digit()` judges it."""

    __slots__ = ("_blocks", "_first", "_gap", "_last_digit", "_unheard", "key", "n_digit")

    def __init__(self, key: int) -> None:
        self.key = key
        self.n_digit = 0
        """Blocks that were the digit alone."""
        self._blocks: list[_Block] = []
        self._first = -1
        self._last_digit = -1
        self._gap = 0
        self._unheard = 0

    def take(self, block: _Block) -> bool:
        """The next block; False when the digit has ended."""
        if block.is_digit:
            self._last_digit = len(self._blocks)
            self._first = self._last_digit if self._first < 0 else self._first
            self.n_digit += 1
            self._gap = self._unheard = 0
        elif block.is_heard:
            self._gap += 1
        else:
            self._unheard += 1
        self._blocks.append(block)
        if self._first < 0:
            return len(self._blocks) < _BLOCKS_TO_BEGIN
        return self._gap <= _MAX_GAP and self._unheard <= _MAX_UNHEARD and len(self._blocks) < _MAX_BLOCKS

    @property
    def is_sounding(self) -> bool:
        return self.n_digit >= 2 and self._gap < 2

    @property
    def since_ms(self) -> int:
        return (len(self._blocks) - self._first) * 10

    @property
    def _is_whole(self) -> bool:
        return all(block.is_heard for block in self._blocks)

    def duration_ms(self) -> float:
        """What a whole digit of this length would measure, whatever is wrong with it. Blocks that were not heard beside
        blocks of the digit are taken for the digit."""
        first, last = self._first, self._last_digit
        if first < 0:
            return 0.0
        while first and not self._blocks[first - 1].is_heard:
            first -= 1
        while last + 1 < len(self._blocks) and not self._blocks[last + 1].is_heard:
            last += 1
        near = self._blocks[max(first - 1, 0) : last + 2]
        totals = []
        for amplitudes in ([abs(b.low) for b in near], [abs(b.high) for b in near]):
            largest = max(a for a, b in zip(amplitudes, near, strict=True) if b.is_digit)
            shares = (min(a / largest, 1.0) if b.is_heard else 1.0 for a, b in zip(amplitudes, near, strict=True))
            totals.append(sum(shares))
        return 10.0 * min(totals)

    def is_valid(self) -> bool:
        """All of Q.24 and the protection against speech, on what was heard."""
        inner = [b for b in self._blocks[self._first + 1 : self._last_digit] if b.is_digit]
        if not inner and not self._is_whole:
            inner = [b for b in self._blocks if b.is_digit]
        if self.duration_ms() < MIN_DURATION_MS or not inner:
            return False
        offsets = self._offsets()
        if offsets is None:
            return False
        losses = [float(np.sinc(offset * _BLOCK_S)) ** 2 for offset in offsets]
        purities = sorted(
            (abs(b.low) ** 2 / losses[0] + abs(b.high) ** 2 / losses[1]) * (BLOCK / 2) / b.energy for b in inner
        )
        lows, highs = sorted(abs(b.low) for b in inner), sorted(abs(b.high) for b in inner)
        outliers = _OUTLIERS if self._is_whole else _OUTLIERS_AFTER_LOSS
        is_steady = all(each[len(each) // outliers] >= _MIN_STEADINESS * each[-1] for each in (lows, highs))
        least = _MIN_PURITY if self._is_whole else _MIN_PURITY_AFTER_LOSS
        return is_steady and purities[len(purities) // 2] >= least and self._has_edges()

    def _has_edges(self) -> bool:
        near = self._blocks[max(self._first - 2, 0) : self._last_digit + 3]
        sizes = [math.hypot(abs(b.low), abs(b.high)) for b in near if b.is_heard]
        largest = max(sizes)
        shares = [size / largest for size in sizes if size > _FLOOR * largest]
        return sum(share * share for share in shares) >= _MIN_EDGE * sum(shares)

    def _offsets(self) -> tuple[float, float] | None:
        """Of both tones in Hz against nominal; None when they are too large, or change."""
        pairs = [(x, y) for x, y in itertools.pairwise(self._blocks) if x.is_digit and y.is_digit]
        outliers = _OUTLIERS if self._is_whole else _OUTLIERS_AFTER_LOSS
        found = []
        for tone, turns in enumerate(
            ([y.low * x.low.conjugate() for x, y in pairs], [y.high * x.high.conjugate() for x, y in pairs])
        ):
            middle = sum(turns)
            # Where a lost packet was bridged, or the audio stretched, the phase jumps.
            turns.sort(key=lambda turn: (turn * middle.conjugate()).real / (abs(turn) + 1e-9))
            turns = turns[len(turns) // outliers :]
            middle = sum(turns)
            if abs(middle) <= _MIN_COHERENCE * sum(map(abs, turns)):
                return None
            hz = cmath.phase(middle * _UNTURN[self.key][tone]) / (2 * cmath.pi * _BLOCK_S)
            if abs(hz) > _MAX_OFFSET * _NOMINAL[self.key][tone]:
                return None
            found.append(hz)
        return found[0], found[1]


class InbandDetector:
    """Digits in the audio of many legs."""

    def __init__(self) -> None:
        self.sounding: set[int] = set()
        """Rows on which a digit sounds in this very frame; the first in which both blocks are of the digit is one."""
        self._runs: dict[int, _Run] = {}
        self._rows = np.zeros(0, np.int64)
        self._place: dict[int, int] = {}
        self._allocate(0)

    def _allocate(self, n: int) -> None:
        self._spectrum = np.zeros((2 * _N_TONES, 2 * n), np.float32)
        self._energy = np.zeros(2 * n, np.float32)
        self._spectrum_before = np.zeros_like(self._spectrum)
        self._energy_before = np.zeros_like(self._energy)
        self._heard_before = np.ones(n, np.bool_)
        self._squares = np.zeros_like(self._spectrum)
        self._low = np.zeros(2 * n, np.float32)
        self._high = np.zeros(2 * n, np.float32)
        self._scratch = np.zeros(2 * n, np.float32)
        self._flags = np.zeros(2 * n, np.bool_)
        self._flags_too = np.zeros(2 * n, np.bool_)

    def reset(self, row: int) -> None:
        """The row is another leg's, or its audio begins anew."""
        self._runs.pop(row, None)
        self.sounding.discard(row)
        if row in self._place:
            at = 2 * self._place[row]
            self._spectrum[:, at : at + 2] = 0
            self._energy[at : at + 2] = 0

    def run(
        self, rows: NDArray[np.int64], pcm: NDArray[np.float32], heard: NDArray[np.bool_] | None = None
    ) -> list[HeardDigit]:
        """The next 20 ms of `rows`: `pcm` is float32[n, 160], C-contiguous, 8 kHz, 16-bit scale. `heard` bool[n]
        is False where the frame was made up, since packets are missing. Returns the digits that ended.

        Every row that is left out has its running digit dropped.
        """
        if len(rows) != len(self._rows) or not np.array_equal(rows, self._rows):
            self._follow_rows(rows)
        if not len(rows):
            return []
        self._spectrum, self._spectrum_before = self._spectrum_before, self._spectrum
        self._energy, self._energy_before = self._energy_before, self._energy
        blocks = pcm.reshape(-1, BLOCK)
        np.dot(_BANK, blocks.T, out=self._spectrum)
        np.einsum("ij,ij->i", blocks, blocks, out=self._energy)
        running = [(self._place[row], run) for row, run in self._runs.items()]
        begun = self._screen()
        ended = self._follow(begun, running, heard) if begun or running else []
        if heard is not None:
            np.copyto(self._heard_before, heard)
        return ended

    def _screen(self) -> list[tuple[int, _Run]]:
        """Runs that begin: positions at which both blocks may be of one digit."""
        squares, low, high, scratch = self._squares, self._low, self._high, self._scratch
        good, other = self._flags, self._flags_too
        np.multiply(self._spectrum, self._spectrum, out=squares)
        power = squares[:_N_TONES]
        np.add(power, squares[_N_TONES:], out=power)
        np.max(power[:4], axis=0, out=low)
        np.max(power[4:], axis=0, out=high)
        np.add(low, high, out=scratch)
        np.divide(scratch, _SCREEN_SHARE, out=scratch)
        np.greater(scratch, self._energy, out=good)
        np.minimum(low, high, out=scratch)
        np.logical_and(good, np.greater(scratch, _SCREEN_POWER, out=other), out=good)
        np.multiply(low, _SCREEN_MAX_RATIO, out=scratch)
        np.logical_and(good, np.less(high, scratch, out=other), out=good)
        np.multiply(low, _SCREEN_MIN_RATIO, out=scratch)
        np.logical_and(good, np.greater(high, scratch, out=other), out=good)
        both = np.flatnonzero(good.view(np.uint16) == 0x0101)
        if not len(both):
            return []
        keys = _keys(power[:, (2 * both[:, None] + (0, 1)).reshape(-1)]).reshape(-1, 2)
        begun = []
        for place, (first, second) in zip(both.tolist(), keys.tolist(), strict=True):
            row = int(self._rows[place])
            if first == second and row not in self._runs:
                run = self._runs[row] = _Run(first)
                begun.append((place, run))
        return begun

    def _follow(
        self, begun: list[tuple[int, _Run]], running: list[tuple[int, _Run]], heard: NDArray[np.bool_] | None
    ) -> list[HeardDigit]:
        """Moves all runs on by two blocks; those that begin also get the two blocks before."""
        n = len(begun)
        places = np.array([place for place, _ in begun + running], np.int64)
        columns = (2 * places[:, None] + (0, 1)).reshape(-1)
        before = columns[: 2 * n]
        spectrum = np.concatenate([self._spectrum_before[:, before], self._spectrum[:, columns]], axis=1)
        energy = np.concatenate([self._energy_before[before], self._energy[columns]])
        keys = np.repeat(np.array([run.key for _, run in begun + begun + running], np.int64), 2)
        is_digit, low, high = _fit(spectrum, energy, keys)
        came = np.ones(len(energy), np.bool_)
        if heard is not None:
            came[2 * n :] = np.repeat(heard[places], 2)
            came[: 2 * n] = np.repeat(self._heard_before[places[:n]], 2)
        is_digit &= came
        blocks = [
            _Block(*each)
            for each in zip(is_digit.tolist(), low.tolist(), high.tolist(), energy.tolist(), came.tolist(), strict=True)
        ]
        ended: list[HeardDigit] = []
        for k, (place, run) in enumerate(begun):
            self._step(place, run, blocks[2 * k : 2 * k + 2] + blocks[2 * (n + k) : 2 * (n + k) + 2], ended)
        for k, (place, run) in enumerate(running, 2 * n):
            self._step(place, run, blocks[2 * k : 2 * k + 2], ended)
        return ended

    def _step(self, place: int, run: _Run, blocks: list[_Block], ended: list[HeardDigit]) -> None:
        row = int(self._rows[place])
        for left, block in zip(range(len(blocks) - 1, -1, -1), blocks, strict=True):
            if run.take(block):
                continue
            del self._runs[row]
            self.sounding.discard(row)
            if run.is_valid():
                ended.append(HeardDigit(row, KEYPAD[run.key], round(run.duration_ms()), run.since_ms + 10 * left))
            return
        (self.sounding.add if run.is_sounding else self.sounding.discard)(row)

    def _follow_rows(self, rows: NDArray[np.int64]) -> None:
        """Other rows than in the tick before: what stays keeps its past."""
        old, spectrum, energy = self._place, self._spectrum, self._energy
        self._rows = rows.copy()
        self._place = {row: i for i, row in enumerate(rows.tolist())}
        self._allocate(len(rows))
        for row, place in self._place.items():
            if row in old:
                self._spectrum[:, 2 * place : 2 * place + 2] = spectrum[:, 2 * old[row] : 2 * old[row] + 2]
                self._energy[2 * place : 2 * place + 2] = energy[2 * old[row] : 2 * old[row] + 2]
        for row in [row for row in self._runs if row not in self._place]:
            del self._runs[row]
            self.sounding.discard(row)


def _keys(power: NDArray[np.float32]) -> NDArray[np.int64]:
    """Index in `KEYPAD` of the strongest two of `power` [8, n]."""
    keys: NDArray[np.int64] = 4 * np.argmax(power[:4], axis=0) + np.argmax(power[4:], axis=0)
    return keys


def _fit(
    spectrum: NDArray[np.float32], energy: NDArray[np.float32], keys: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.complex64], NDArray[np.complex64]]:
    """Least-squares fit of two tones to each block: whether it is that digit and nothing else, complex amplitudes."""
    column = np.arange(len(keys))
    lows, highs = keys // 4, 4 + keys % 4
    power = spectrum[:_N_TONES] ** 2 + spectrum[_N_TONES:] ** 2
    parts = []
    explained = np.zeros(len(keys), np.float32)
    for part in range(2):
        low, high = spectrum[lows + part * _N_TONES, column], spectrum[highs + part * _N_TONES, column]
        inverse = _INVERSES[part][:, :, keys]
        fitted = (inverse[0, 0] * low + inverse[0, 1] * high, inverse[1, 0] * low + inverse[1, 1] * high)
        explained += fitted[0] * low + fitted[1] * high
        parts.append(fitted)
    low_tone, high_tone = (parts[0][tone] - 1j * parts[1][tone] for tone in (0, 1))
    low_size, high_size = np.abs(low_tone), np.abs(high_tone)
    is_digit = _keys(power) == keys
    is_digit &= explained > _MIN_SHARE * energy
    is_digit &= np.minimum(low_size, high_size) > _MIN_AMPLITUDE
    is_digit &= (high_size < _MAX_RATIO * low_size) & (high_size > _MIN_RATIO * low_size)
    return is_digit, low_tone, high_tone
