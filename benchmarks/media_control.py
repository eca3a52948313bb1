"""A process that does nothing but sleep: how late it wakes is how far the machine itself is away.

    python -m benchmarks.media_control CPU

On that processor, with a priority above everything that is measured, it sleeps 5 ms at a time. For each line on
standard input it prints one JSON line: the worst wake-up since the line before, in milliseconds, and how many were over
10 ms.
"""

import json
import os
import select
import sys
import time

from benchmarks.measure import raise_priority

STEP_S = 0.005
BAD_S = 0.010


def main() -> int:
    """Until standard input ends."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    raise_priority(level=60)
    worst, n_bad = 0.0, 0
    while True:
        due = time.monotonic() + STEP_S
        time.sleep(STEP_S)
        late = time.monotonic() - due
        worst, n_bad = max(worst, late), n_bad + (late > BAD_S)
        if select.select([sys.stdin], [], [], 0)[0]:
            if not sys.stdin.readline():
                return 0
            print(json.dumps({"late_ms_max": round(worst * 1000, 1), "late": n_bad}), flush=True)
            worst, n_bad = 0.0, 0


if __name__ == "__main__":
    sys.exit(main())
