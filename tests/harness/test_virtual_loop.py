"""The harness's clock: it jumps, it is deterministic, it tells a deadlock and an endless ticker from a slow test.

Not covered: what asyncio itself promises.
"""

import asyncio
import time

import pytest

from tests.harness.virtual_loop import EPOCH_UTC, START_S, Deadlock, TooLong, VirtualLoop, run_virtual


def test_an_hour_passes_without_sleeping() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await asyncio.sleep(3000)
        return loop.time(), loop.wall()

    before = time.process_time()
    at, wall = run_virtual(main())
    assert at == pytest.approx(START_S + 3000)
    assert wall == pytest.approx(EPOCH_UTC + 3000)
    assert time.process_time() - before < 30


def test_timers_fire_in_order_and_a_timeout_is_exact() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        fired: list[tuple[str, float]] = []
        for name, delay in (("c", 3.0), ("a", 0.5), ("b", 2.0)):
            loop.call_later(delay, lambda n: fired.append((n, loop.time() - START_S)), name)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await loop.create_future()
        fired.append(("timeout", loop.time() - START_S))
        return fired

    got = run_virtual(main())
    assert [name for name, _ in got] == ["a", "b", "c", "timeout"]
    assert [at for _, at in got] == pytest.approx([0.5, 2.0, 3.0, 5.0])


def test_a_task_group_works() -> None:
    async def main() -> float:
        async with asyncio.TaskGroup() as group:
            for delay in (1, 7, 3):
                group.create_task(asyncio.sleep(delay))
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(START_S + 7)


def test_waiting_for_nothing_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run_virtual(main())


def test_a_ticker_does_not_run_for_ever() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    with pytest.raises(TooLong):
        run_virtual(main(), limit_s=10)


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(time.time)

    with pytest.raises(RuntimeError, match="thread"):
        run_virtual(main())


def test_a_task_left_over_is_an_error() -> None:
    kept = []

    async def main() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(5), name="forgotten"))

    with pytest.raises(AssertionError, match="forgotten"):
        run_virtual(main())
