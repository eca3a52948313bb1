"""The phones process: JSON lines in and out, a call with audio between two carriers of it, errors, and how it ends.

Not covered: registering (test_agent, test_demo). Real sockets on loopback, one real process.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.live


class Phones:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    def send(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def wait(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first event, of all that ever came, with these fields."""
        wanted = {"event": event, **fields}
        read = 0
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while True:
                for told in self.events[read:]:
                    read += 1
                    if wanted.items() <= told.items():
                        return told
                line = await self.process.stdout.readline()
                assert line, "the process ended"
                self.events.append(json.loads(line))


@asynccontextmanager
async def phones_process() -> AsyncIterator[Phones]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switch.demo.phones", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Phones(process)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def with_phones(test: Callable[[Phones], Awaitable[None]]) -> None:
    async def main() -> None:
        async with phones_process() as phones:
            await test(phones)

    asyncio.run(main())


async def open_two(phones: Phones) -> None:
    """Two carriers that send everything to each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        for each in (a, b):
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in (a, b)]
    for name, mine, other in (("A", 0, 1), ("B", 1, 0)):
        phones.send(
            do="add_phone", phone=name, server=f"udp:127.0.0.1:{ports[other]}", port=ports[mine], is_carrier=True,
            voice=mine, answer_after_s=0.05,
        )  # fmt: skip
        assert (await phones.wait("ready", phone=name))["address"] == f"127.0.0.1:{ports[mine]}"


def test_a_call_with_audio_digits_and_a_hold() -> None:
    async def test(phones: Phones) -> None:
        await open_two(phones)
        phones.send(do="call", phone="A", call="x", number="4711", caller="0815")
        told = await phones.wait("incoming", phone="B")
        assert (told["number"], told["dialed"]) == ("0815", "4711")
        await phones.wait("answered", phone="A")
        await phones.wait("answered", phone="B")
        phones.send(do="send_digits", phone="A", call="x", digits="19#")
        for digit in "19#":
            await phones.wait("digit", phone="B", digit=digit)
        phones.send(do="send_digits", phone="B", call=told["call"], digits="D")
        await phones.wait("digit", phone="A", digit="D")
        for action, mine, theirs in (("hold", "held", "held_by_peer"), ("resume", "resumed", "resumed_by_peer")):
            phones.send(do=action, phone="A", call="x", tag=action)
            await phones.wait("done", tag=action)
            await phones.wait(mine, phone="A")
            await phones.wait(theirs, phone="B")
        phones.send(do="hang_up", phone="B", call=told["call"])
        for phone, sent, received in (("A", "19#", "D"), ("B", "D", "19#")):
            statistics = (await phones.wait("ended", phone=phone))["statistics"]
            assert (statistics["digits_sent"], statistics["digits_received"]) == (sent, received)
            assert statistics["packets_received"] > 20
            assert (statistics["packets_lost"], statistics["packets_foreign"]) == (0, 0)

    with_phones(test)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ({"do": "fly"}, "not a command"),
        ({"do": "call", "phone": "A"}, "not a command"),
        ({"do": "call", "phone": "nobody", "call": "x", "number": "1"}, "no phone"),
        ({"do": "hold", "phone": "A", "call": "x"}, "no call"),
        ({"do": "add_phone", "phone": "A", "server": "udp:127.0.0.1:5060"}, "there already"),
        ({"do": "add_phone", "phone": "C", "server": "nowhere"}, "must be"),
        ({"do": "add_phone", "phone": "C", "server": "udp:127.0.0.1:5060", "host": "192.0.2.1"}, ""),
    ],
    ids=["unknown", "field missing", "unknown phone", "unknown call", "twice", "bad server", "foreign address"],
)
def test_errors_are_told_and_nothing_ends(command: dict[str, str], reason: str) -> None:
    async def test(phones: Phones) -> None:
        await open_two(phones)
        phones.send(**command)
        assert reason in (await phones.wait("error"))["reason"]
        phones.send(do="quit")

    with_phones(test)


def test_quit_hangs_up() -> None:
    async def test(phones: Phones) -> None:
        await open_two(phones)
        phones.send(do="call", phone="A", call="x", number="4711")
        await phones.wait("answered", phone="A")
        phones.send(do="quit")
        await phones.wait("ended", phone="A")

    with_phones(test)
