"""Estimated speech quality of what a peer sends us: the E-model (ITU-T G.107) with the codec figures of G.113. Pure.

Only what a switch can know goes in: packets lost or late, delay, codec; everything else has its default value, so a
perfect narrowband call has R = 93.2 and MOS 4.41.
"""

import msgspec

BEST_R = 93.2
"""R with every parameter at its default (G.107 table 2)."""
POOR_MOS = 3.1
"""R = 60: "many users dissatisfied" (G.109)."""
GOOD_MOS = 3.6
"""R = 70: quality counts as good again from here on, so that it does not flutter."""


class CodecImpairment(msgspec.Struct, frozen=True, gc=False):
    """G.113 appendix I: `ie` without loss; `bpl` tells how well losses are concealed (25.1: G.711 appendix I)."""

    ie: float
    bpl: float


IMPAIRMENTS = {
    "PCMU": CodecImpairment(0, 25.1),
    "PCMA": CodecImpairment(0, 25.1),
    "L16/8000": CodecImpairment(0, 25.1),
    # Wideband codecs on the narrowband scale: never worse than G.711, whose best is the scale's end.
    "L16/16000": CodecImpairment(0, 25.1),
    "G722": CodecImpairment(0, 25.1),
    # Opus has no figure in G.113; with in-band FEC a single lost packet is nearly whole again.
    "opus": CodecImpairment(0, 35.0),
    "G729": CodecImpairment(11, 19.0),
    "G723": CodecImpairment(15, 16.1),
    "GSM": CodecImpairment(20, 10.0),
    "iLBC": CodecImpairment(11, 32.0),
    "AMR": CodecImpairment(5, 10.0),
}


def estimate_r(
    codec: str,
    lost_fraction: float,
    *,
    delay_ms: float = 0.0,
    burst_ratio: float = 1.0,
    impairment: float | None = None,
) -> float:
    """Transmission rating R, 0 to 93.2 (G.107 §7).

    `lost_fraction` 0 to 1: packets lost or too late; `delay_ms` one way, mouth to ear; `burst_ratio`: mean length of a
    run of losses over what random loss would give. KeyError for a codec without figures.
    """
    figures = IMPAIRMENTS[codec]
    loss = 100 * min(max(lost_fraction, 0.0), 1.0)
    ie_eff = figures.ie + (95 - figures.ie) * loss / (loss / max(burst_ratio, 1.0) + figures.bpl)
    # The simplification of G.107 for lines without echo (Cole and Rosenbluth 2001).
    delay = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)
    return min(max(BEST_R - delay - ie_eff, 0.0), BEST_R)


def mos_of_r(r: float) -> float:
    """Mean opinion score of the rating R, 1 to 4.5 (G.107 annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, 1.0)


def estimate_mos(codec: str, lost_fraction: float, *, delay_ms: float = 0.0, burst_ratio: float = 1.0) -> float:
    """MOS of a stream; -1 for a codec without figures. Arguments as `estimate_r`."""
    if codec not in IMPAIRMENTS:
        return -1.0
    return round(mos_of_r(estimate_r(codec, lost_fraction, delay_ms=delay_ms, burst_ratio=burst_ratio)), 2)


class QualityWatch:
    """Tells when the quality of one stream becomes poor and when it is good again.

    Judged over periods of some seconds; poor only after two in a row, so that one burst is no alarm.
    """

    __slots__ = ("_expected", "_lost", "_n_poor", "is_poor", "mos")

    def __init__(self) -> None:
        self._expected = 0
        self._lost = 0
        self._n_poor = 0
        self.is_poor = False
        self.mos = -1.0
        """Of the newest period."""

    def judge(self, codec: str, expected: int, lost: int, *, delay_ms: float = 0.0) -> bool:
        """One period is over; `expected` and `lost` (late ones too) are totals. True when `is_poor` changed."""
        n, n_lost = expected - self._expected, lost - self._lost
        self._expected, self._lost = expected, lost
        if n <= 0:
            return False
        self.mos = estimate_mos(codec, n_lost / n, delay_ms=delay_ms)
        if self.mos < 0:
            return False
        self._n_poor = self._n_poor + 1 if self.mos < POOR_MOS else 0
        if not self.is_poor and self._n_poor >= 2:
            self.is_poor = True
            return True
        if self.is_poor and self.mos >= GOOD_MOS:
            self.is_poor = False
            return True
        return False
