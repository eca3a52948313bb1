"""A minute of benchmarks/contact_centre.py: SIPp callers with patience, agents at baresip and at our own phones, a real
switch. Every caller is accounted for by events, log and packet capture; nobody is offered twice; every conversation is
recorded with both voices. How fast it was is judged in the benchmark only."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.usefixtures("live_permitted")
def test_every_caller_of_a_minute_is_accounted_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.contact_centre", "--minutes", "1", "--json"]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path / "day")], capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["calls"] > 200, result
    assert result["served"] > 50, result
    assert result["abandoned"] > 10, result
    assert result["missed_offers"] > 0, result
    assert result["packets_dropped"] == 0, result
    assert (result["unaccounted"], result["recordings_missing"], result["offered_twice"]) == (0, 0, 0), result
    assert result["recordings"] == result["served"], result
    assert result["log_equals_live"], result
    assert result["capture_equals_log"], result
    assert (result["agent_problems"], result["errors_in_log"], result["exit_status"]) == ([], [], 0), result
