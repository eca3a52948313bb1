"""The short run of benchmarks/takeover.py: `ringback serve`, phones that talk, recorded calls, and kill -9 of the media
worker, of its successor at once, and of the spare. No call is lost, no stream or recording broken. Times are judged in
the benchmark only."""

from pathlib import Path

import uvloop

from benchmarks.takeover import measure

N_CALLS = 4


def test_calls_streams_and_recordings_survive_the_death_of_the_worker(tmp_path: Path) -> None:
    result = uvloop.run(measure(tmp_path, N_CALLS, 1, with_hang=False, settle_s=1.7))
    assert result["calls"] == result["recordings"] == N_CALLS
    assert result["kills"] == 4, result
    assert result["calls_lost"] == 0
    assert result["recording_errors"] == []
    assert result["recordings_broken"] == 0
    assert (result["ssrc_changes"], result["sequence_back"], result["timestamp_back"]) == (0, 0, 0), result
