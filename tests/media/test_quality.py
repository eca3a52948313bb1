"""The E-model against figures of G.107, and when quality is told as poor. Not here: where the counters come from."""

import pytest

from media.quality import GOOD_MOS, POOR_MOS, QualityWatch, estimate_mos, estimate_r, mos_of_r


@pytest.mark.parametrize(
    ("r", "mos"), [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, 4.5)]
)
def test_mos_of_r(r: float, mos: float) -> None:
    """G.107 annex B and G.109 table 1."""
    assert mos_of_r(r) == pytest.approx(mos, abs=0.007)


@pytest.mark.parametrize(
    ("codec", "lost", "delay_ms", "r"),
    [
        ("PCMU", 0.0, 0, 93.2),
        ("PCMA", 0.01, 0, 89.56),
        ("PCMU", 0.05, 0, 77.42),
        ("G729", 0.0, 0, 82.2),
        ("G729", 0.02, 0, 74.2),
        ("PCMU", 0.0, 150, 89.6),
        ("PCMU", 0.0, 400, 59.1),
        ("PCMU", 1.0, 0, 17.25),
    ],
)
def test_rating(codec: str, lost: float, delay_ms: float, r: float) -> None:
    """Ie and Bpl of G.113 put into the formula of G.107 by hand."""
    assert estimate_r(codec, lost, delay_ms=delay_ms) == pytest.approx(r, abs=0.06)


def test_bursts_are_worse_than_single_losses() -> None:
    assert estimate_r("PCMU", 0.05, burst_ratio=3) < estimate_r("PCMU", 0.05) - 1.5


def test_no_figure_without_knowledge() -> None:
    assert estimate_mos("X-NEW", 0.0) == -1.0
    with pytest.raises(KeyError):
        estimate_r("X-NEW", 0.0)


def test_poor_after_two_bad_periods_good_after_one_good() -> None:
    watch = QualityWatch()
    assert not watch.judge("PCMU", 250, 0) and watch.mos > 4.3
    assert not watch.judge("PCMU", 500, 60), "one burst"
    assert watch.mos < POOR_MOS
    assert watch.judge("PCMU", 750, 120) and watch.is_poor
    assert not watch.judge("PCMU", 1000, 180)
    assert watch.judge("PCMU", 1250, 182) and not watch.is_poor and watch.mos > GOOD_MOS


def test_nothing_came_in_a_period() -> None:
    watch = QualityWatch()
    watch.judge("PCMU", 250, 0)
    assert not watch.judge("PCMU", 250, 0)
    assert watch.mos > 4.3
