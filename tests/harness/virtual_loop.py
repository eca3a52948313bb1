"""Virtual time: an asyncio loop whose clock jumps to the next timer instead of sleeping.

Under it there are no real sockets and no threads (the clock would jump past them): peers talk over
`tests.harness.simnet`. When nothing is scheduled any more while something still waits, it raises `Deadlock` at once.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START_S = 1000.0
"""First value of the clock: not 0, so that "0.0 = not armed" and "armed at the start" cannot be confused."""

EPOCH_UTC = 1_767_225_600.0
"""Wall time, UTC seconds since 1970, when the clock stands at `START_S` (2026-01-01)."""


class Deadlock(RuntimeError):
    """Somebody waits and nothing is scheduled that could wake him."""


class TooLong(RuntimeError):
    """The virtual clock passed the limit of `run_virtual`: something ticks for ever."""


class _Jump(selectors.DefaultSelector):
    """Never sleeps: where the real one would wait `timeout` seconds, the loop's clock is moved by them."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Deadlock("nothing is scheduled")
        self.loop.advance(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`asyncio.Runner(loop_factory=VirtualLoop)`; `time()` is a number that jumps.

    `limit_s` bounds the virtual seconds it may run (`TooLong` afterwards).
    """

    def __init__(self, limit_s: float = 86_400.0) -> None:
        selector = _Jump()
        selector.loop = self
        self.now = START_S
        self.limit_s = limit_s
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def wall(self) -> float:
        """UTC seconds since 1970 that go with `time()`."""
        return EPOCH_UTC + self.now - START_S

    def advance(self, seconds: float) -> None:
        self.now += max(0.0, seconds)
        if self.now - START_S > self.limit_s:
            raise TooLong(f"{self.limit_s} virtual seconds are over")

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        raise RuntimeError(f"a thread under virtual time: {func!r}")


def run_virtual(main: Coroutine[Any, Any, T], *, limit_s: float = 3600.0) -> T:
    """Runs `main` to its end in virtual time.

    Raises `Deadlock`, `TooLong`, `AssertionError` when tasks of the test are left over, and whatever `main` raises.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(limit_s)) as runner:

        async def whole() -> T:
            result = await main
            current = asyncio.current_task()
            left = [task for task in asyncio.all_tasks() if task is not current]
            assert not left, f"tasks left over: {left}"
            return result

        return runner.run(whole())
