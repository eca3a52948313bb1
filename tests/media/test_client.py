"""Covers `media/client.py` against a scripted worker on a real Unix socket: greeting, batching, garbage, reconnecting,
back-pressure, and the port pool. Does not cover the worker itself (`test_worker.py`)."""

import asyncio
import contextlib
import os
import struct
import tempfile

import msgspec
import pytest
import uvloop

from media.client import MAX_MESSAGE_BYTES, ClientSettings, MediaClient, PortPool, SharedPortPool
from model.media import (
    LEGS_OF_SHARED_PORT,
    PROTOCOL_VERSION,
    Command,
    Digit,
    FirstPacket,
    Hello,
    LegReleased,
    LegStatistics,
    ReleaseLeg,
    ReleaseSession,
    StopPlay,
)

HELLO = Hello(worker="w0", version=PROTOCOL_VERSION, ports=[20000, 20002, 20004], sessions=["old"], pid=7)
TIMEOUT_S = 60
QUICK = ClientSettings(retry_first_s=0.001, retry_max_s=0.01, hello_s=30.0)


def frame(message: object) -> bytes:
    body = msgspec.msgpack.encode(message)
    return struct.pack(">I", len(body)) + body


class Worker:
    """Listens where a media worker would and does what the test says."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self.server = await asyncio.start_unix_server(self.connected, self.path)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.connections.put_nowait((reader, writer))

    async def accept(self, *messages: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.wait_for(self.connections.get(), TIMEOUT_S)
        writer.write(b"".join(frame(message) for message in messages))
        return reader, writer

    async def stop(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


class Switch:
    """A client with everything it said, and waiting for it."""

    def __init__(self, path: str, settings: ClientSettings = QUICK) -> None:
        self.batches: list[list] = []
        self.said: list[tuple[str, object]] = []
        self.changed = asyncio.Event()
        self.client = MediaClient(
            path,
            on_event=lambda events: self.note(self.batches.append, events),
            on_connected=lambda hello: self.note(self.said.append, ("connected", hello)),
            on_disconnected=lambda reason: self.note(self.said.append, ("disconnected", reason)),
            settings=settings,
        )

    def note(self, append, value) -> None:
        append(value)
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def switch_and_worker(settings: ClientSettings = QUICK):
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(os.path.join(folder, "w0"))
        switch = Switch(worker.path, settings)
        task = asyncio.ensure_future(switch.client.run())
        try:
            await worker.start()
            yield switch, worker
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await worker.stop()
            await asyncio.sleep(0.01)


def run(main) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def read_commands(reader: asyncio.StreamReader, n: int) -> list[Command]:
    decoder = msgspec.msgpack.Decoder(Command)
    commands = []
    for _ in range(n):
        async with asyncio.timeout(TIMEOUT_S):
            size = struct.unpack(">I", await reader.readexactly(4))[0]
            commands.append(decoder.decode(await reader.readexactly(size)))
    return commands


def test_connects_when_the_worker_comes_and_tells_what_it_has():
    async def main():
        async with switch_and_worker() as (switch, worker):
            assert switch.client.state == "disconnected"
            assert switch.client.allocate_port() is None
            await worker.accept(HELLO)
            await switch.until(lambda: switch.said)
            assert switch.said == [("connected", HELLO)]
            assert (switch.client.state, switch.client.hello) == ("connected", HELLO)
            assert switch.client.allocate_port() == 20000

    run(main)


def test_commands_arrive_in_order_and_leave_in_one_write():
    async def main():
        async with switch_and_worker() as (switch, worker):
            reader, _ = await worker.accept(HELLO)
            await switch.until(lambda: switch.said)
            commands = [ReleaseSession(f"s{i}") for i in range(50)] + [StopPlay("s", "leg")]
            writes = []
            connection = switch.client._connection
            write = connection.write
            connection.write = lambda data, limit: (writes.append(len(data)), write(data, limit))
            assert all(switch.client.send(command) for command in commands)
            assert await read_commands(reader, 51) == commands
            assert len(writes) == 1

    run(main)


def test_events_come_in_batches_however_the_bytes_are_cut():
    events = [FirstPacket("s", "a"), Digit("s", "a", "5", 100), LegReleased("s", "a", LegStatistics(packets_lost=3))]
    stream = frame(HELLO) + b"".join(map(frame, events)) * 3

    async def main():
        for size in (1, 7, 64, len(stream)):
            async with switch_and_worker() as (switch, worker):
                _, writer = await worker.accept()
                for at in range(0, len(stream), size):
                    writer.write(stream[at : at + size])
                    await asyncio.sleep(0)
                await switch.until(lambda s=switch: sum(map(len, s.batches)) == 9)
                assert [event for batch in switch.batches for event in batch] == events * 3
                if size == len(stream):
                    assert len(switch.batches) == 1

    run(main)


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff\xff\xff",
        struct.pack(">I", MAX_MESSAGE_BYTES + 1),
        struct.pack(">I", 4) + b"junk",
        frame({"type": "Hello"}),
        frame({"type": "Nonsense"}),
        frame(msgspec.structs.replace(HELLO, version=PROTOCOL_VERSION + 1)),
        frame(FirstPacket("s", "a")),
    ],
    ids=["length", "just too long", "no MessagePack", "fields missing", "unknown", "version", "no Hello first"],
)
def test_a_worker_that_speaks_something_else_is_left_and_tried_again(said):
    async def main():
        async with switch_and_worker() as (switch, worker):
            _, writer = await worker.accept()
            writer.write(said)
            await worker.accept(HELLO)
            await switch.until(lambda: switch.said)
            assert switch.said == [("connected", HELLO)]
            assert switch.batches == []

    run(main)


def test_garbage_after_hello_ends_the_connection_but_not_what_came_before():
    async def main():
        async with switch_and_worker() as (switch, worker):
            _, writer = await worker.accept(HELLO, FirstPacket("s", "a"))
            await switch.until(lambda: switch.batches)
            writer.write(frame({"type": "Nonsense"}))
            await worker.accept(HELLO)
            await switch.until(lambda: len(switch.said) == 3)
            assert [what for what, _ in switch.said] == ["connected", "disconnected", "connected"]
            assert "not our protocol" in switch.said[1][1]
            assert switch.batches == [[FirstPacket("s", "a")]]

    run(main)


def test_a_lost_worker_is_noticed_commands_refused_and_ports_kept():
    async def main():
        async with switch_and_worker() as (switch, worker):
            _, writer = await worker.accept(HELLO)
            await switch.until(lambda: switch.said)
            taken = switch.client.allocate_port()
            writer.transport.abort()
            await switch.until(lambda: len(switch.said) == 2)
            assert switch.client.send(ReleaseLeg("s", "a")) is False
            assert switch.client.n_refused == 1
            reader, _ = await worker.accept(HELLO)
            await switch.until(lambda: len(switch.said) == 3)
            assert switch.client.send(ReleaseLeg("s", "b")) is True
            assert await read_commands(reader, 1) == [ReleaseLeg("s", "b")]
            assert taken not in (switch.client.allocate_port(), switch.client.allocate_port())
            assert switch.client.allocate_port() is None

    run(main)


def test_a_worker_that_does_not_greet_is_left():
    async def main():
        settings = msgspec.structs.replace(QUICK, hello_s=0.01)
        async with switch_and_worker(settings) as (switch, worker):
            await worker.accept()
            await worker.accept(HELLO)
            await switch.until(lambda: switch.said)
            assert switch.said == [("connected", HELLO)]

    run(main)


def test_a_worker_that_does_not_read_is_left():
    async def main():
        settings = msgspec.structs.replace(QUICK, backlog_bytes=1 << 20)
        async with switch_and_worker(settings) as (switch, worker):
            reader, writer = await worker.accept(HELLO)
            writer.transport.pause_reading()
            await switch.until(lambda: switch.said)
            while switch.client.is_connected:
                for _ in range(100):
                    switch.client.send(StopPlay("s" * 500, "leg"))
                await asyncio.sleep(0)
            assert [what for what, _ in switch.said] == ["connected", "disconnected"]
            assert "has not read" in switch.said[1][1]
            del reader

    run(main)


def test_ports_rest_after_use_and_the_longest_free_is_taken_first():
    pool = PortPool(5.0)
    pool.reset([10, 12, 14])
    assert [pool.allocate(0.0), pool.allocate(0.0), pool.allocate(0.0), pool.allocate(0.0)] == [10, 12, 14, None]
    pool.free(12, 1.0)
    pool.free(10, 2.0)
    assert pool.allocate(5.9) is None
    assert pool.allocate(6.0) == 12
    assert pool.allocate(6.9) is None
    assert pool.allocate(7.0) == 10
    assert (pool.n_taken, pool.n_total) == (3, 3)


def test_a_port_freed_twice_or_never_taken_is_there_once():
    pool = PortPool(0.0)
    pool.reset([10])
    assert pool.allocate(0.0) == 10
    for port in (10, 10, 99):
        pool.free(port, 0.0)
    assert [pool.allocate(0.0), pool.allocate(0.0)] == [10, None]


def test_a_worker_may_come_back_with_other_ports():
    pool = PortPool(5.0)
    pool.reset([10, 12, 14])
    assert pool.allocate(0.0) == 10
    assert pool.allocate(0.0) == 12
    pool.free(12, 0.0)
    pool.reset([12, 14, 16])
    assert pool.allocate(1.0) == 16
    assert pool.allocate(1.0) == 14
    pool.free(10, 1.0)
    assert [pool.allocate(4.9), pool.allocate(5.0), pool.allocate(99.0)] == [None, 12, None]


def test_legs_of_a_trunk_go_round_the_shared_ports():
    pool = SharedPortPool()
    assert pool.allocate("a") is None and 10 not in pool
    pool.reset([10, 12, 14])
    assert [pool.allocate("a") for _ in range(4)] == [10, 12, 14, 10]
    assert [pool.allocate("b") for _ in range(3)] == [12, 14, 10]
    pool.free(10)
    assert (pool.n_taken, pool.n_total) == (6, 3 * LEGS_OF_SHARED_PORT)
    # The next one of the trunk is not put where one has just left.
    assert pool.allocate("a") == 12


def test_shared_ports_fill_up_and_come_back():
    pool = SharedPortPool()
    pool.reset([10])
    assert {pool.allocate("a") for _ in range(LEGS_OF_SHARED_PORT)} == {10}
    assert pool.allocate("a") is None
    pool.free(10)
    assert pool.allocate("b") == 10
    pool.reset([10, 12])
    assert pool.n_taken == LEGS_OF_SHARED_PORT
    assert {pool.allocate("b"), pool.allocate("b")} == {10, 12}


def test_trunks_get_shared_ports_and_phones_their_own():
    client = MediaClient("/nowhere", on_event=lambda batch: None, clock=lambda: 0.0)
    client.ports.reset([20, 22])
    client.shared_ports.reset([10])
    assert client.n_free == 2 + LEGS_OF_SHARED_PORT
    assert [client.allocate_port("carrier"), client.allocate_port(), client.allocate_port("carrier")] == [10, 20, 10]
    client.shared_ports.reset([])
    assert client.allocate_port("carrier") == 22
    client.shared_ports.reset([10])
    client.free_port(22, 0.0)
    client.free_port(10, 0.0)
    assert client.n_free == 1 + LEGS_OF_SHARED_PORT
