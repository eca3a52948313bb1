"""The demo with all its processes: exit status, the JSON object, the lines without a terminal, and nothing left behind.

Not covered: how the table looks on a terminal. Real sockets on loopback and real processes.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("demo")]

COMMAND = [sys.executable, "-c", "from switch.cli import main; main()", "demo"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=180, check=False)


def processes_of(directory: Path) -> list[str]:
    """Command lines of processes that know the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if str(directory) in line:
                found.append(line)
    return found


def test_json(tmp_path: Path) -> None:
    done = run("--calls", "6", "--seconds", "4", "--json", "--directory", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {name: result[name] for name in ("calls", "answered", "cdr_rows", "recordings")} == dict.fromkeys(
        ("calls", "answered", "cdr_rows", "recordings"), 6
    )
    assert result["recordings_with_both_sides"] == 6
    assert (result["rtp_lost"], result["unhandled_errors"]) == (0, 0)
    assert (result["dtmf_sent"], result["dtmf_received"], result["holds"]) == (30, 30, 3)
    assert (result["led_to_queue"], result["rated"]) == (2, 2)
    assert result["directory"] == str(tmp_path / "demo")
    assert len(list((tmp_path / "demo").rglob("*.wav"))) == 6
    assert not processes_of(tmp_path)


def test_without_a_terminal(tmp_path: Path) -> None:
    done = run("--calls", "1", "--seconds", "3", "--directory", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("talks", "is put on hold", "NORMAL_CLEARING", "1 of 1 calls answered", "ringback.db", ".wav"):
        assert text in done.stdout
    again = run("--calls", "1", "--seconds", "3", "--directory", str(tmp_path))
    assert again.returncode == 2 and "empty folder" in again.stderr
    assert not processes_of(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ["--calls", "2", "--seconds", "60", "--directory", str(tmp_path)]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert any("talks" in line for line in demo.stdout)
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=60)
        assert demo.returncode == 130 and errors == "ringback demo: stopped\n"
    assert not processes_of(tmp_path)
