"""A process under test: its output goes to a file, and it is gone at the end whatever happens."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

PATIENCE_S = 30.0
"""How long to wait for what should take an instant: long enough for a machine under any load."""

_T = TypeVar("_T")


def wait_until(is_reached: Callable[[], _T], what: Callable[[], str] | str, timeout_s: float = PATIENCE_S) -> _T:
    """The first true answer of `is_reached`. Fails saying `what` was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = is_reached()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.02)


class Process:
    """Started at once, in a process group of its own, with standard output and error in `log_file`."""

    def __init__(
        self,
        words: Sequence[str],
        log_file: Path,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = log_file.stem
        self.log_file = log_file
        with open(log_file, "wb") as output:
            self._popen = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs; negative: the signal that killed it."""
        return self._popen.poll()

    def wait_for_line(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until `text` stands in the output. Fails when the process ends before."""

        def is_there() -> bool:
            found = text in self.log
            assert found or self.exit_code is None, f"{self.name} ended ({self.exit_code}):\n{self.log[-4000:]}"
            return found

        wait_until(is_there, lambda: f"{text!r} in the output of {self.name}:\n{self.log[-4000:]}", timeout_s)

    def wait(self, timeout_s: float) -> int:
        """The exit code. Fails, and kills, when it does not end in time."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end in {timeout_s:g} s:\n{self.log[-4000:]}") from None

    def terminate(self, timeout_s: float = PATIENCE_S, sign: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait for that; the exit code."""
        if self._popen.poll() is None:
            self._popen.send_signal(sign)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """End it and its children at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
