"""The routing core: `--erlang` compares its queues with the formulas of Erlang B, C and A; without it, what an input
costs by the size of the floor.

    python -m benchmarks.acd --erlang --json
    python -m benchmarks.acd --json
"""

import argparse
from typing import Any

from benchmarks import acd_erlang
from benchmarks.acd_speed import Size, us_per_event
from benchmarks.measure import machine, print_result

_GOAL = Size(5000, 10_000, 50)
_SIZES = (Size(100, 200, 50), Size(500, 1000, 50), Size(2000, 4000, 50), _GOAL, Size(5000, 100_000, 50))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--erlang", action="store_true", help="compare with theory")
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--processes", type=int, default=2, help="of --erlang")
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    if asked.erlang:
        calls = acd_erlang.CALLS // 10 if asked.quick else acd_erlang.CALLS
        result = acd_erlang.run(calls, acd_erlang.REPLICATIONS, asked.processes)
        result["machine"] = machine()
        columns, lines = acd_erlang.table(result)
    else:
        result = _speed(2000 if asked.quick else 20_000)
        columns = ("agents", "waiting", "queues", "µs an input")
        lines = [[row["agents"], row["waiting"], row["queues"], row["us_per_event"]] for row in result["table"]]
    print_result(result, columns, lines, as_json=asked.as_json)


def _speed(turns: int) -> dict[str, Any]:
    found = {size: us_per_event(size, turns) for size in _SIZES}
    return {
        "us_per_event": round(found[_GOAL], 2),
        "growth_100_to_5000": round(found[_GOAL] / found[_SIZES[0]], 2),
        "table": [
            {
                "agents": size.n_agents,
                "waiting": size.n_waiting,
                "queues": size.n_queues,
                "us_per_event": round(us, 2),
            }
            for size, us in found.items()
        ],
        "machine": machine(),
    }


if __name__ == "__main__":
    main()
