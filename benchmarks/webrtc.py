"""The WebRTC edge: what a browser's call costs it, and how soon audio is there.

    python -m benchmarks.webrtc --json [--quick]

The edge's own process with scripted browsers before it (ICE checks, DTLS, SRTP; two of them are aiortc's, the rest
lighter ones of ours, so that the load fits beside it) and a scripted media engine behind it: 20 ms PCMA both ways.

* `edge_cpu_ms_per_call_s`: processor time of the edge by call and second, at 50 browsers; `at_200` at 200.
* `first_audio_ms_p95`: from the moment a page has the edge's description to the first audio it can decrypt: check,
  handshake, the engine's next packet (up to 20 ms away); connections are opened one after the other under the load.
* `reload_audio_ms`: the same for a page that was loaded again and takes its leg over from the old connection, p95.
* `lost`: packets that one side sent and the other never got, both ways, all rows together.

What a real browser needs, from its connection's creation to the first sound, the live tests note
(tests/live/test_browsers.py). Exit status 1 when a figure misses its goal.
"""

import argparse
import asyncio
import sys
from typing import Any

from benchmarks.measure import allow_descriptors, cpu_s, machine, print_result, raise_priority
from benchmarks.webrtc_load import Field, percentile

_GOALS = {"edge_cpu_ms_per_call_s": 3.0, "first_audio_ms_p95": 300.0, "reload_audio_ms": 200.0, "lost": 0}
_N_AIORTC = 2


async def measure(*, is_quick: bool) -> dict[str, Any]:
    """All figures."""
    seconds = 5.0 if is_quick else 20.0
    result: dict[str, Any] = {"benchmark": "webrtc", "quick": is_quick, "machine": machine()}
    lost = 0
    rows: dict[str, float] = {}
    for n_browsers in (50,) if is_quick else (50, 200):
        async with Field() as field:
            await field.connect(n_browsers)
            if n_browsers == 50:
                await field.connect_aiortc(_N_AIORTC)
            field.start()
            await asyncio.sleep(1.0)
            before = cpu_s([field.pid])
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(seconds)
            took = asyncio.get_running_loop().time() - began
            n_calls = n_browsers + (_N_AIORTC if n_browsers == 50 else 0)
            rows[f"{n_browsers}"] = (cpu_s([field.pid]) - before) * 1000 / took / n_calls
            if n_browsers == 50:
                first = await field.open_more(20 if is_quick else 60)
                again = await field.reload(20 if is_quick else 60)
                result |= {
                    "first_audio_ms_p95": round(percentile(first, 95), 1),
                    "first_audio_ms_median": round(percentile(first, 50), 1),
                    "reload_audio_ms": round(percentile(again, 95), 1),
                    "reload_audio_ms_median": round(percentile(again, 50), 1),
                }
            await field.stop()
            lost += field.n_lost
            if n_browsers == 50:
                result["aiortc_packets"] = field.n_aiortc_packets
            result[f"packets_{n_browsers}"] = field.n_sent
    result["edge_cpu_ms_per_call_s"] = round(rows["50"], 3)
    if "200" in rows:
        result["edge_cpu_ms_per_call_s_at_200"] = round(rows["200"], 3)
    result["lost"] = lost
    result["missed"] = [name for name, goal in _GOALS.items() if result[name] > goal]
    if not result["aiortc_packets"]:
        result["missed"].append("aiortc_packets")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webrtc", description="Figures of the WebRTC edge")
    parser.add_argument("--json", action="store_true", help="one line for machines")
    parser.add_argument("--quick", action="store_true", help="shorter, and only 50 browsers")
    options = parser.parse_args()
    allow_descriptors(4096)
    raise_priority()
    result = asyncio.run(measure(is_quick=options.quick))
    rows = [[name, result[name], f"≤ {goal:g}"] for name, goal in _GOALS.items()]
    print_result(result, ["figure", "value", "goal"], rows, as_json=options.json)
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
