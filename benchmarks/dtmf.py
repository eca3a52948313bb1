"""DTMF: keys through lossy networks in every kind, the limits of ITU-T Q.24, speech that must not be taken for digits.

    python -m benchmarks.dtmf --json [--quick]

* `lost`, `doubled`: of 10,000 keys of each kind through 2 % packet loss, to listeners that are told telephone-events
  and to ones that are told tones; what the switch was told and what the listeners were told are counted alike. RTP goes
  through a whole engine with its jitter buffer and concealment in virtual time, INFO through the whole switch over a
  simulated network.
* `q24_passed`, `q24`: every limit as a row (`benchmarks.dtmf_q24`).
* `false_digits_10h`: digits found in ten hours of synthesised speech (`benchmarks.dtmf_speech`).
* `detector_us`: one tick of 1000 legs through the detector alone, median.

`--quick`: 1,000 keys of each kind, fewer alignments, one hour of speech (`false_digits_10h` is then its count times
ten). Virtual time: the same figures in every run, but for `detector_us`. Exit status 1 when a figure misses its goal.
"""

import argparse
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks.dtmf_info import press_info
from benchmarks.dtmf_lab import press
from benchmarks.dtmf_q24 import measure
from benchmarks.dtmf_speech import false_digits
from benchmarks.measure import machine, median, print_result
from media.inband_dtmf import InbandDetector

_JOBS = [(kind, hears) for kind in ("rfc4733", "inband") for hears in ("rfc4733", "inband")]


def keys(n_digits: int, loss: float) -> dict[str, dict[str, int]]:
    """Of each kind, how many keys were pressed, lost and doubled anywhere."""
    parts = {"rfc4733": (n_digits + 1) // 2, "inband": (n_digits + 1) // 2}
    result = {kind: {"pressed": 0, "lost": 0, "doubled": 0} for kind in ("rfc4733", "inband", "info")}
    with ProcessPoolExecutor(2) as pool:
        running = [("info", pool.submit(press_info, n_digits, loss=loss))]
        running += [(kind, pool.submit(press, kind, hears, parts[kind], loss=loss)) for kind, hears in _JOBS]
        for kind, future in running:
            counts = future.result()
            result[kind]["pressed"] += counts["pressed"]
            result[kind]["lost"] += counts["lost"] + counts["listener_lost"]
            result[kind]["doubled"] += counts["doubled"] + counts["listener_doubled"]
    return result


def detector_us(n_legs: int = 1000, n_ticks: int = 300) -> float:
    """Microseconds of one tick of `n_legs`, with sounds like speech."""
    rng = np.random.default_rng(1)
    frames = [np.asarray(rng.normal(0, 2000, (n_legs, 160)), np.float32) for _ in range(8)]
    detector, rows = InbandDetector(), np.arange(n_legs)
    times = []
    for k in range(n_ticks):
        began = time.perf_counter()
        detector.run(rows, frames[k % 8])
        times.append((time.perf_counter() - began) * 1e6)
    return median(times, 1)


def run(*, is_quick: bool) -> dict[str, Any]:
    """All of it; the keys of the result are in the module's docstring."""
    cost = detector_us()
    by_kind = keys(1_000 if is_quick else 10_000, 0.02)
    q24 = measure(n_each=4 if is_quick else 16)
    hours = 1.0 if is_quick else 10.0
    speech = false_digits(hours)
    n_false = int(str(speech["false_digits"]))
    return {
        "benchmark": "dtmf",
        "quick": is_quick,
        "pressed": sum(each["pressed"] for each in by_kind.values()),
        "lost": sum(each["lost"] for each in by_kind.values()),
        "doubled": sum(each["doubled"] for each in by_kind.values()),
        "kinds": by_kind,
        "q24_passed": all(row["passed"] for row in q24),
        "q24": q24,
        "false_digits_10h": round(n_false * 10 / hours),
        "talk_off": speech,
        "detector_us": cost,
        "machine": machine(),
    }


def main() -> int:
    """Prints the result; the status says whether every goal was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    result = run(is_quick=options.quick)
    columns = ["kind", "pressed", "lost", "doubled"]
    table: list[list[Any]] = [[kind, *each.values()] for kind, each in result["kinds"].items()]
    print_result(result, columns, table, as_json=options.json)
    if not options.json:
        for row in result["q24"]:
            if not row["passed"]:
                print(f"Q.24: {row['row']}: {row['as_wanted']} of {row['of']} as wanted ({row['limit']})")
    is_good = not result["lost"] and not result["doubled"] and result["q24_passed"] and result["false_digits_10h"] <= 2
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
