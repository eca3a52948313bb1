"""Covers: both clients against a real server: commands, typed results, refusals, events, broken connections.

Does not cover the server's own rules (test_server.py).
"""

import asyncio
import socket
import threading

import pytest

from control.auth import new_token
from control.client import (
    BlockingControlClient,
    ClientCodec,
    ConnectionFailed,
    ControlClient,
    ReceivedEvent,
    parse_address,
)
from model import commands, commands_extensions, commands_originate, errors, events, views
from model.declare import ApiError
from tests.control.rig import TOKENS, eventually, run, running

TOKEN = TOKENS["administrator"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8470", ("127.0.0.1", 8470)),
        ("[::1]:1", ("::1", 1)),
        ("switch.example:65535", ("switch.example", 65535)),
    ],
)
def test_address_is_read(text, address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", ":1", "host:0", "host:65536", "host:x", "host:²", "host:-1"])
def test_faulty_address_is_refused(text) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parse_address(text)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"[]",
        b"1",
        b"{}",
        b'{"id":1}',
        b'{"method":"event","params":{}}',
        b'{"id":1,"error":{}}',
        b'{"error":1}',
    ],
)
def test_what_is_no_answer_breaks_the_connection(line) -> None:
    with pytest.raises(ConnectionFailed):
        ClientCodec().receive(line)


def test_error_of_a_newer_server_keeps_its_name() -> None:
    answer = ClientCodec().receive(b'{"id":1,"error":{"code":-1,"message":"m","data":{"name":"new_one","x":2}}}')
    assert isinstance(answer, tuple)
    assert isinstance(answer[2], ApiError)
    assert (str(answer[2]), answer[2].data) == ("new_one: m", {"x": 2})


# -- asyncio ----------------------------------------------------------------------------------------------------------


def test_commands_by_name_and_by_declaration() -> None:
    async def test() -> None:
        async with running() as rig, await ControlClient.connect(*rig.address, TOKEN) as client:
            assert (await client.call("system.ping"))["node"] == "node-1"
            page = await client.send(commands.ListTrunks())
            assert page == views.TrunkList(trunks=[views.TrunkView(trunk="carrier", state="up")])
            await client.send(commands_originate.Originate(from_="1001", to="1002"))
            assert rig.handlers.seen[-1][0] == commands_originate.Originate(from_="1001", to="1002")
            await client.send(commands_extensions.UpdateExtension(extension="1001", name="Ann"))
            assert rig.handlers.seen[-1][0] == commands_extensions.UpdateExtension(extension="1001", name="Ann")

    run(test())


def test_refusal_is_the_declared_error() -> None:
    async def test() -> None:
        async with running() as rig, await ControlClient.connect(*rig.address, TOKEN) as client:
            with pytest.raises(errors.NoSuchCall, match="no call c") as caught:
                await client.call("call.get", call_id="c")
            assert caught.value.data == {"call_id": "c"}

    run(test())


def test_commands_at_the_same_time_get_their_own_answers() -> None:
    async def test() -> None:
        async with running() as rig, await ControlClient.connect(*rig.address, TOKEN) as client:
            slow = asyncio.create_task(client.call("call.hold", call_id="c", leg_id="l"))
            await eventually(lambda: rig.handlers.n_running == 1)
            pongs = await asyncio.gather(*(client.call("system.ping") for _ in range(20)))
            assert len(pongs) == 20
            rig.handlers.gate.set()
            assert await slow == {}

    run(test())


def test_command_without_an_answer_in_time() -> None:
    async def test() -> None:
        async with running() as rig, await ControlClient.connect(*rig.address, TOKEN) as client:
            with pytest.raises(TimeoutError):
                await client.call("call.hold", timeout_s=0.01, call_id="c", leg_id="l")
            rig.handlers.gate.set()
            assert "node" in await client.call("system.ping")

    run(test())


def test_events_come_beside_answers() -> None:
    async def test() -> None:
        async with running() as rig, await ControlClient.connect(*rig.address, TOKEN) as client:
            view = await client.subscribe(["call.*"])
            for n in range(3):
                rig.hub.publish(events.CallAnswered(call_id=f"c{n}", leg_id="l"))
            await client.call("system.ping")
            heard: list[ReceivedEvent] = []
            async for event in client.events():
                heard.append(event)
                if len(heard) == 3:
                    break
            assert [event.seq for event in heard] == [view.next_seq + n for n in range(3)]
            assert heard[0].fields == {"call_id": "c0", "leg_id": "l"}

    run(test())


def test_server_that_goes_away_fails_what_is_under_way_and_what_comes_after() -> None:
    async def test() -> None:
        async with running() as rig, await ControlClient.connect(*rig.address, TOKEN) as client:
            waiting = asyncio.create_task(client.call("call.hold", call_id="c", leg_id="l"))
            await eventually(lambda: rig.handlers.n_running == 1)
            await rig.server.close()
            for broken in (waiting, client.call("system.ping")):
                with pytest.raises(ConnectionFailed):
                    await broken
            with pytest.raises(ConnectionFailed):
                async for _ in client.events():
                    pass

    run(test())


def test_wrong_token() -> None:
    async def test() -> None:
        async with running() as rig:
            with pytest.raises(errors.NotAuthenticated):
                await ControlClient.connect(*rig.address, new_token())

    run(test())


def test_refused_connection_says_why() -> None:
    async def test() -> None:
        async with running(strangers=0) as rig:
            with pytest.raises(errors.TooManyRequests):
                await ControlClient.connect(*rig.address, TOKEN)

    run(test())


def test_nobody_there() -> None:
    async def test() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectionFailed, match="cannot reach"):
                await ControlClient.connect(*taken.getsockname(), TOKEN)

    run(test())


# -- blocking ---------------------------------------------------------------------------------------------------------


class Background:
    """A rig in a thread of its own."""

    def __enter__(self):
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with running() as self.rig:
            self.address = self.rig.address
            self._ready.set()
            await self._stop.wait()

    def publish(self, event) -> None:
        self._loop.call_soon_threadsafe(self.rig.hub.publish, event)


@pytest.fixture(scope="module")
def background():
    with Background() as server:
        yield server


def test_blocking_commands_and_refusals(background) -> None:
    with BlockingControlClient(*background.address, TOKEN) as client:
        assert client.call("system.ping")["node"] == "node-1"
        assert client.send(commands.ListTrunks()).trunks[0].trunk == "carrier"
        with pytest.raises(errors.NoSuchCall):
            client.call("call.get", call_id="c")
        assert client.call("system.ping")["node"] == "node-1"


def test_blocking_events(background) -> None:
    with BlockingControlClient(*background.address, TOKEN) as client:
        first = client.send(commands.Subscribe()).next_seq
        for n in range(3):
            background.publish(events.CallAnswered(call_id=f"c{n}", leg_id="l"))
        heard = []
        for event in client.events(["call.answered"], from_seq=first, timeout_s=30):
            heard.append(event)
            if {"c0", "c1", "c2"} <= {event.fields["call_id"] for event in heard}:
                break
        assert {event.event for event in heard} == {"call.answered"}


def test_blocking_events_end_when_none_come(background) -> None:
    with BlockingControlClient(*background.address, TOKEN) as client:
        assert list(client.events(["system.draining"], timeout_s=0.01)) == []


@pytest.mark.parametrize("token", ["", new_token()], ids=["none", "unknown"])
def test_blocking_wrong_token(background, token) -> None:
    with pytest.raises(errors.NotAuthenticated):
        BlockingControlClient(*background.address, token)


def test_blocking_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionFailed, match="cannot reach"):
            BlockingControlClient(*taken.getsockname(), TOKEN)
