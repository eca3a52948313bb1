"""The processes of `benchmarks.media`: the load, the control, and whatever inherits sockets."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.media_switch import ANSWER_S, HOST

FIRST_FD = 8192
"""Inherited sockets begin here: far above whatever else is open."""
_MAX_LINE = 64 << 20


class Talker:
    """A process that answers lines of JSON with lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def say(self, order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def hear(self, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), timeout_s)
        if not line:
            raise RuntimeError("the process ended before it answered")
        answer: dict[str, Any] = json.loads(line)
        return answer


class LoadProcess(Talker):
    """`benchmarks.media_load`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__(process)
        self.ports: list[int] = []
        self.report_port = 0

    async def prepare(self, n_sockets: int, n_legs: int) -> None:
        self.say({"sockets": n_sockets, "legs": n_legs, "host": HOST})
        answer = await self.hear()
        self.ports, self.report_port = answer["ports"], answer["reports"]

    async def start(self, targets: list[int], seconds: float, *, is_mixed: bool) -> None:
        self.say({"targets": targets, "seconds": seconds, "is_mixed": is_mixed})
        await self.hear()


@contextlib.asynccontextmanager
async def load_process(n_sockets: int, n_legs: int, cpu: int) -> AsyncIterator[LoadProcess]:
    """The phones of `n_legs` legs on one processor."""
    async with running(["-m", "benchmarks.media_load"], []) as process:
        os.sched_setaffinity(process.pid, {cpu})
        load = LoadProcess(process)
        await load.prepare(n_sockets, n_legs)
        yield load


@contextlib.asynccontextmanager
async def control_process(cpu: int) -> AsyncIterator[Talker]:
    """`benchmarks.media_control` on one processor."""
    async with running(["-m", "benchmarks.media_control", str(cpu)], []) as process:
        yield Talker(process)


@contextlib.asynccontextmanager
async def running(arguments: list[str], sockets: list[socket.socket]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process that inherits `sockets` as descriptors FIRST_FD and on; ended by SIGTERM."""
    wanted = range(FIRST_FD, FIRST_FD + len(sockets))
    for fd, each in zip(wanted, sockets, strict=True):
        os.dup2(each.fileno(), fd)
        each.close()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=wanted,
            limit=_MAX_LINE,
        )
    finally:
        for fd in wanted:
            os.close(fd)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def bound_udp(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind((HOST, port))
    except OSError:
        made.close()
        raise
    return made


def bound_pair() -> tuple[socket.socket, socket.socket]:
    """An even port and the odd one above it."""
    while True:
        first = bound_udp(0)
        port: int = first.getsockname()[1]
        try:
            second = bound_udp(port ^ 1)
        except OSError:
            first.close()
            continue
        return (first, second) if port % 2 == 0 else (second, first)
