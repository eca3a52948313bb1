"""The short run of benchmarks/ivr.py: sixty callers at once in a voice menu of `ringback serve`, each pressing keys at
random moments. Every key is told once, leads to the right leaf, and its prompt is heard. Times are judged in the
benchmark only."""

from pathlib import Path

import uvloop

from benchmarks.ivr import measure

N_CALLERS = 60


def test_ivr_21_sixty_callers_walk_a_menu_at_the_same_time(tmp_path: Path) -> None:
    result = uvloop.run(measure(tmp_path, N_CALLERS, 4.0))
    assert result["callers"] == N_CALLERS
    assert result["digits_sent"] > N_CALLERS
    assert (result["digits_lost"], result["digits_doubled"], result["wrong_leaf"]) == (0, 0, 0), result
    assert result["leaves_reached"] > 0
    assert result["prompts_heard"] + result["prompts_unheard"] == result["digits_sent"]
    assert result["prompts_heard"] > result["digits_sent"] * 0.9
    assert result["troubles"] == []
    assert (result["calls_dropped"], result["calls_not_ended"]) == (0, 0), result
