"""What calls sound like: speech through the media plane by PESQ and STOI, over loss, jitter, drift and codecs.

    python -m benchmarks.media_quality --json [--quick]

* `relay_bit_exact` and `pesq_nb_g711` come from a real worker process over loopback UDP, in real time: a call that is
  relayed, and one that is mixed (PCMU end to end).
* Everything else goes through the same engine on real sockets in virtual time (`benchmarks.quality_lab`): the same
  figures in every run. Each condition has a leg that says speech of four speakers through a network of its own and one
  that hears it through the mix; first some seconds in which buffers settle, then the utterance that is compared.
* `pesq_nb_transcoded` is the worse of G.711's laws and of G.722 with µ-law, both ways; `pesq_nb_loss5` is PCMU with
  5 % of the packets lost at random. PESQ is MOS-LQO: 4.55 is perfect, µ-law alone gives about 4.2 here.
* `max_gap_ms` is the longest silence in anyone's ears over hold, join, whisper and transfer.

Needs PESQ, pystoi and espeak-ng: `scripts/setup-quality`. Exit status 2 when they are missing.
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.measure import allow_descriptors, machine, print_result
from benchmarks.quality_gaps import PHASES, measure_gaps
from benchmarks.quality_lab import Lab, Path, Phone
from benchmarks.quality_live import measure_live
from benchmarks.quality_speech import MissingError, check, conversation, measure, utterances
from model.media import ConnectMatrix, Edge

SPEAKERS = 4
_TAIL_S = 0.6


@dataclass
class Condition:
    """One line of the table."""

    name: str
    speaks: str = "PCMU"
    hears: str = "PCMU"
    path: Path = field(default_factory=Path)
    ptime_ms: int = 20
    scores: list[dict[str, float]] = field(default_factory=list)
    facts: list[dict[str, float]] = field(default_factory=list)

    @property
    def is_wide(self) -> bool:
        return min(_rate(self.speaks), _rate(self.hears)) > 8000

    def mean(self, key: str) -> float:
        return round(float(np.mean([score[key] for score in self.scores])), 3)

    def fact(self, key: str) -> float:
        return round(float(np.mean([fact[key] for fact in self.facts])), 1)


def _rate(codec: str) -> int:
    return 16000 if codec in ("G722", "opus", "L16/16000") else 8000


def conditions(*, is_quick: bool) -> list[Condition]:
    """All lines of the table but the drifts, which need longer."""
    found = [Condition(f"loss {loss:g} %", path=Path(loss=loss / 100)) for loss in (0, 1, 5, 10)]
    found += [Condition(f"jitter {ms} ms", path=Path(jitter_s=ms / 1000)) for ms in (20, 40, 80)]
    found += [Condition("loss 5 %, jitter 40 ms", path=Path(loss=0.05, jitter_s=0.04))]
    pairs = [("PCMU", "PCMA"), ("PCMA", "PCMU"), ("G722", "PCMU"), ("PCMU", "G722"), ("G722", "G722")]
    pairs += [("opus", "PCMU"), ("PCMU", "opus"), ("opus", "opus"), ("L16/16000", "L16/16000")]
    if not is_quick:
        found += [
            Condition(f"loss {loss} %, jitter {ms} ms", path=Path(loss=loss / 100, jitter_s=ms / 1000))
            for loss in (1, 5, 10)
            for ms in (20, 40, 80)
            if (loss, ms) != (5, 40)
        ]
        pairs += [("opus", "G722"), ("G722", "opus"), ("PCMA", "G722"), ("G722", "PCMA"), ("PCMA", "opus")]
        pairs += [("L16/8000", "L16/8000"), ("L16/16000", "PCMU"), ("PCMU", "L16/16000")]
        found += [Condition(f"ptime {ms} ms, loss 5 %", path=Path(loss=0.05), ptime_ms=ms) for ms in (10, 30, 40, 60)]
        found += [Condition(f"ptime {ms} ms", ptime_ms=ms) for ms in (10, 30, 40, 60)]
        found += [
            Condition(f"{codec}, loss {loss} %", codec, codec, Path(loss=loss / 100))
            for codec in ("G722", "opus", "L16/16000")
            for loss in (1, 5, 10)
        ]
    else:
        found += [Condition(f"{codec}, loss 5 %", codec, codec, Path(loss=0.05)) for codec in ("G722", "opus")]
    return found + [Condition(f"{a} to {b}", a, b) for a, b in pairs]


def drifts() -> list[Condition]:
    """Clocks that run apart."""
    return [Condition(f"drift {ppm:+d} ppm", path=Path(drift_ppm=ppm)) for ppm in (-200, 200)]


def run_conditions(wanted: list[Condition], warm_s: float) -> None:
    """Fills in their scores: all of them at once on one engine, each with four speakers."""
    phones: list[Phone] = []
    tests: list[tuple[Condition, int, Phone, int]] = []
    lasts_s = 0.0
    for i, condition in enumerate(wanted):
        for speaker in range(SPEAKERS):
            session = f"{i}-{speaker}"
            seed = 1000 * i + speaker
            rate = _rate(condition.speaks)
            voice, begin = conversation(rate, speaker, warm_s)
            # The utterance is heard from here on, by the phone's clock.
            lasts_s = max(lasts_s, len(voice) / rate)
            phones.append(
                Phone(
                    "a",
                    condition.speaks,
                    voice,
                    path=condition.path,
                    ptime_ms=condition.ptime_ms,
                    phase_s=0.02 * ((0.137 + 0.618 * seed) % 1),
                    seed=seed,
                    session=session,
                )
            )
            ear = Phone("b", condition.hears, session=session, seed=seed + 500)
            phones += [ear, Phone("m", condition.hears, session=session, seed=seed + 700)]
            tests.append((condition, speaker, ear, begin * 8000 // rate))
    with Lab(phones) as lab:
        # A third leg that says nothing keeps the call from being relayed, and adds nothing to the mix.
        for _, _, ear, _ in tests:
            lab.do(ConnectMatrix(ear.session, [Edge("a", "b"), Edge("m", "b")]))
        lab.run(lasts_s + _TAIL_S)
        for condition, speaker, ear, begin in tests:
            leg = lab.engine.sessions[ear.session].legs["a"]
            statistics = lab.engine.statistics(leg)
            condition.facts.append(
                {
                    "concealed_ms": statistics.concealed_ms,
                    "late": statistics.packets_late,
                    "lost": statistics.packets_lost,
                }
            )
            condition.scores.append(_score(condition, speaker, ear, begin))


def _score(condition: Condition, speaker: int, ear: Phone, begin: int) -> dict[str, float]:
    from scipy.signal import resample_poly

    heard = ear.timeline()
    narrow = heard if ear.heard_rate == 8000 else resample_poly(heard, 1, 2)
    # Where the utterance is expected by the phone's clock; drift moves it.
    at = max(0, round(begin * (1 + condition.path.drift_ppm * 1e-6)) - 800)
    scores = measure(utterances(8000)[speaker], narrow[at:], 8000)
    if condition.is_wide:
        wide = measure(utterances(16000)[speaker], heard[2 * at :], 16000)
        scores |= {"pesq_wb": wide["pesq"], "stoi": wide["stoi"]}
    return scores


def summarize(table: list[Condition]) -> dict[str, float]:
    """The figures that the table must show."""
    by_name = {condition.name: condition for condition in table}
    transcoded = ("PCMU to PCMA", "PCMA to PCMU", "G722 to PCMU", "PCMU to G722")
    return {
        "pesq_nb_transcoded": min(by_name[name].mean("pesq") for name in transcoded),
        "pesq_nb_loss1": by_name["loss 1 %"].mean("pesq"),
        "pesq_nb_loss5": by_name["loss 5 %"].mean("pesq"),
        "pesq_nb_loss10": by_name["loss 10 %"].mean("pesq"),
        "pesq_nb_jitter80": by_name["jitter 80 ms"].mean("pesq"),
        "pesq_nb_drift200": min(by_name[f"drift {sign}200 ppm"].mean("pesq") for sign in "+-"),
        "pesq_wb_g722": by_name["G722 to G722"].mean("pesq_wb"),
        "pesq_wb_opus": by_name["opus to opus"].mean("pesq_wb"),
    }


def rows_of(table: list[Condition]) -> list[list[Any]]:
    """For people."""
    return [
        [
            condition.name,
            condition.mean("pesq"),
            min(round(score["pesq"], 2) for score in condition.scores),
            condition.mean("pesq_wb") if condition.is_wide else "",
            condition.mean("stoi"),
            condition.fact("lost"),
            condition.fact("late"),
            condition.fact("concealed_ms"),
        ]
        for condition in table
    ]


COLUMNS = ["condition", "PESQ-NB", "worst", "PESQ-WB", "STOI", "lost", "late", "concealed ms"]


def run(*, is_quick: bool) -> tuple[dict[str, Any], list[list[Any]]]:
    """The whole benchmark: result and table."""
    table = conditions(is_quick=is_quick)
    live = asyncio.run(measure_live(2 if is_quick else SPEAKERS))
    run_conditions(table, 12.0 if is_quick else 30.0)
    drifting = drifts()
    run_conditions(drifting, 30.0 if is_quick else 240.0)
    table += drifting
    codecs = [("PCMU", "PCMU", "PCMU"), ("PCMU", "PCMA", "PCMU"), ("G722", "G722", "PCMU")]
    if not is_quick:
        codecs += [("opus", "opus", "G722"), ("PCMA", "opus", "PCMA"), ("G722", "G722", "G722")]
    gaps = measure_gaps(codecs, PHASES[1:3] if is_quick else PHASES)
    rows = rows_of(table)
    result = {
        "pesq_nb_g711": live["pesq_nb"],
        **summarize(table),
        "relay_bit_exact": live["is_bit_exact"],
        "max_gap_ms": max(gaps.values()),
        "gaps_ms": gaps,
        "stoi_g711": live["stoi"],
        "packets_relayed": live["packets"],
        "table": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
        **machine(),
    }
    return result, rows


def main() -> int:
    """Parses the command line, runs, prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media_quality", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer conditions, less settling: under a minute")
    options = parser.parse_args()
    try:
        check()
    except MissingError as error:
        print(error, file=sys.stderr)
        return 2
    allow_descriptors(16384)
    result, rows = run(is_quick=options.quick)
    print_result(result, COLUMNS, rows, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
