"""Predictive pacing: simulated days of campaigns by the engine itself, in every cell of the table the design was judged
by, beside one call for each agent, VICIdial's adaptive level, and a fixed ratio that knows the day beforehand.

A cell is at target when agents are as busy as wanted (memoryless days: as busy as can be), less one point; when
no day ended with more than 3 % of the callers abandoned; and when agents are busier, beyond chance, than with one call
each, with the default of VICIdial, and with the best of its settings that kept the limit.

    python -m benchmarks.dialer --json
    python -m benchmarks.dialer --json --quick      5, 20, 60 agents at a rate of 0.3, one day of jumps; few seeds
"""

import argparse
from typing import Any

from benchmarks.dialer_days import ADAPTIVE, Row, all_cells, quick_cells, run
from benchmarks.dialer_speed import plan_ms
from benchmarks.measure import machine, print_result

_COLUMNS = (
    "cell",
    "seeds",
    "wanted",
    "busy %",
    "±",
    "connects/agent·h",
    "abandoned % mean / max",
    "ratio@3 %",
    "best VICIdial",
    "VICIdial default",
    "progressive",
    "misses",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 cells, 2 to 5 days each; at most a minute")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    median_ms, p99_ms, n_timed = plan_ms(90.0 if asked.quick else 600.0)
    cells = quick_cells() if asked.quick else all_cells()
    rows = run(cells, asked.processes, with_ratio=not asked.quick)
    result: dict[str, Any] = {
        "cells": len(rows),
        "cells_at_target": sum(not row.misses for row in rows),
        "max_abandon_pct": round(max(max(row.engine.abandoned) for row in rows), 3),
        "day_runs": sum(row.cell.seeds for row in rows),
        "plan_ms_p99": round(p99_ms, 3),
        "plan_ms_p50": round(median_ms, 3),
        "plans_timed": n_timed,
        "is_quick": asked.quick,
        "table": [row.plain() for row in rows],
        "machine": machine(),
    }
    print_result(result, _COLUMNS, [_line(row) for row in rows], as_json=asked.as_json)


def _line(row: Row) -> list[Any]:
    plain = row.plain()
    others, best = plain["others"], plain["best_adaptive"]
    ratio = others.get("ratio")
    return [
        plain["cell"],
        plain["seeds"],
        plain["wanted"],
        plain["occupancy"],
        plain["half_width"],
        plain["connects_per_agent_hour"],
        f"{plain['abandon_pct']} / {plain['abandon_pct_max']}",
        f"{ratio['occupancy']} ({ratio['lines']:g} lines)" if ratio else "",
        f"{others[best]['occupancy']} ({best}, {others[best]['abandon_pct']})" if best else "",
        f"{others[ADAPTIVE[0]]['occupancy']} ({others[ADAPTIVE[0]]['abandon_pct']})" if ADAPTIVE[0] in others else "",
        others["progressive"]["occupancy"],
        ", ".join(row.misses),
    ]


if __name__ == "__main__":
    main()
