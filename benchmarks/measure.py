"""What every benchmark needs: CPU time of other processes as the operating system counts it, facts about the machine,
and one way to print results (a JSON line for machines, a table for people)."""

import contextlib
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy

_ROOT = Path(__file__).resolve().parent.parent


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds all threads of the processes have used, user and system (/proc/PID/task/*/schedstat, nanoseconds).

    A process or thread that is gone counts as nothing, so take differences only over processes that live on.
    """
    total_ns = 0
    for pid in pids:
        for task in _tasks(pid):
            try:
                total_ns += int((task / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return total_ns / 1e9


def stolen_s() -> float:
    """CPU seconds the hypervisor took from this machine since it started, all processors together (/proc/stat)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def rss_kb(pid: int) -> int:
    """Resident memory of a process in KiB; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)


def family(pid: int) -> list[int]:
    """The process and all its descendants, itself first."""
    found = [pid]
    for member in found:
        for task in _tasks(member):
            try:
                found += map(int, (task / "children").read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def machine() -> dict[str, Any]:
    """Where and with what a figure was measured."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "commit": commit(),
        "measured_utc": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "load_average": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """Short hash of what is checked out, with "+" when files differ from it; "" outside a repository."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def allow_descriptors(wanted: int) -> None:
    """Raises the limit of open files, for this process and its children. OSError when `wanted` is not permitted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OSError(f"{wanted} open files are needed, {hard} are permitted (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def raise_priority(pid: int = 0, level: int = 10) -> None:
    """Real-time scheduling for a process, where that is permitted: whatever else runs must not make it late."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(level))


def median(values: Sequence[float], digits: int = 4) -> float:
    """Of at least one value."""
    return round(statistics.median(values), digits)


def print_result(
    result: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool
) -> None:
    """One JSON line, or the table and then every other scalar of `result`."""
    if as_json:
        print(json.dumps(result))
        return
    print(format_table(columns, rows))
    for key, value in result.items():
        if not isinstance(value, dict | list):
            print(f"{key}: {value}")


def format_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """As Markdown, so that it can be pasted into RESULTS.md."""
    texts = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(columns))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in texts
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=_ROOT, check=True, capture_output=True, text=True).stdout.strip()
