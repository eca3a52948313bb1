"""Asking a customer system who is a VIP: answers of all sorts, and real peers that answer well, wrongly,
hugely, with something else than HTTP, that redirect, or fall silent; configurations that make no sense."""

import asyncio
import io
import logging

import pytest

from acd.inputs import CallEnters
from switch.config_file import ConfigError, parse_config
from switch.config_vip import Vip
from switch.http_client import MAX_ANSWER
from switch.logs import set_up_logging
from switch.vip_check import VipCheck, verdict_of

CALLER_AS_WRITTEN = ("+86 138", "%2B86%20138", "%2B86+138")
"""The bare digits may stand in any time or port."""


@pytest.mark.parametrize(
    ("body", "is_vip"),
    [
        ("true", True),
        ("false", False),
        ("1", True),
        ('{"vip": true}', True),
        ('{"vip": 0}', False),
        ('{"vip": "Yes"}', True),
        ('{"vip": "no"}', False),
        ('{"vip": null}', False),
        ("null", False),
    ],
)
def test_what_an_answer_says(body, is_vip):
    assert verdict_of(body.encode(), "vip") is is_vip


def test_a_field_within_another():
    assert verdict_of(b'{"customer": {"level": "vip"}}', "customer.level")


@pytest.mark.parametrize("body", ["", "<html>", '{"level": 3}', '{"vip": []}', '{"vip": {"a": 1}}', "\xff"], ids=repr)
def test_what_is_no_answer(body):
    with pytest.raises(ValueError, match="the answer"):
        verdict_of(body.encode("latin-1"), "vip")


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"vip": true}'


class Peer:
    """A TCP server that answers each connection with the same bytes, in pieces; keeps what it was asked."""

    def __init__(self, *pieces: bytes, holds: bool = False) -> None:
        self._pieces = pieces
        self._holds = holds
        self.asked: list[bytes] = []
        self._released = asyncio.Event()

    async def __aenter__(self) -> "Peer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader, writer) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in self._pieces:
            writer.write(piece)
            await writer.drain()
        if self._holds:
            await self._released.wait()
        writer.close()

    async def __aexit__(self, *error) -> None:
        self._released.set()
        self._server.close()
        await self._server.wait_closed()


class Told:
    """In the place of the floor."""

    def __init__(self) -> None:
        self.vips: list[tuple[str, str]] = []
        self.on_enter = lambda told, called: None

    def now(self) -> float:
        return 0.0

    def is_vip(self, call_id: str, entry_id: str) -> None:
        self.vips.append((call_id, entry_id))


async def ask(url: str, *, timeout_s: float = 5.0) -> tuple[VipCheck, Told]:
    """One caller is asked about."""
    floor, work = Told(), []
    vip = Vip(method="http", url=url + "/vip?n={caller}", authorization="Bearer secret", timeout_s=timeout_s)
    check = VipCheck(vip, floor, lambda one: work.append(asyncio.ensure_future(one)))
    floor.on_enter(CallEnters(entry_id="e", call_id="c", queue="q", caller="+86 138"), "4001")
    await asyncio.gather(*work)
    await check.close()
    return check, floor


def test_a_server_that_says_yes_is_asked_with_the_secret_and_about_the_caller():
    async def main():
        async with Peer(OK) as peer:
            check, floor = await ask(peer.url)
            assert floor.vips == [("c", "e")]
            assert check.n_failed == 0
            (asked,) = peer.asked
            assert asked.startswith(b"GET /vip?n=%2B86%20138 HTTP/1.1\r\n")
            assert b"authorization: bearer secret\r\n" in asked.lower()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ((b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",), "status 404"),
        ((b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (MAX_ANSWER + 10)), "more than 65536 bytes"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), "illegal"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",), "peer closed"),
        ((b"",), "disconnected"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope",), "no JSON"),
        ((b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",), "no JSON"),
    ],
    ids=["not found", "huge", "no HTTP", "cut off", "hangs up", "no JSON", "encoded"],
)
def test_an_answer_that_is_none_is_counted_and_told_without_the_caller(pieces, why, caplog):
    async def main():
        async with Peer(*pieces) as peer:
            check, floor = await ask(peer.url)
            assert (floor.vips, check.n_failed) == ([], 1)

    asyncio.run(main())
    assert why in caplog.text
    assert not any(text in caplog.text for text in CALLER_AS_WRITTEN)
    assert "secret" not in caplog.text


def test_a_redirect_is_refused_and_the_secret_goes_nowhere_else():
    async def main():
        async with Peer(OK) as other:
            moved = b"HTTP/1.1 302 Found\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n" % other.url.encode()
            async with Peer(moved) as peer:
                check, floor = await ask(peer.url)
            assert (floor.vips, check.n_failed, other.asked) == ([], 1, [])

    asyncio.run(main())


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n", OK[:-1]], ids=["nothing", "headers", "body"])
def test_a_peer_that_falls_silent_is_left(begun, caplog):
    async def main():
        async with Peer(begun, holds=True) as peer:
            check, floor = await ask(peer.url, timeout_s=0.2)
            assert (floor.vips, check.n_failed) == ([], 1)

    asyncio.run(main())
    assert "no answer in time" in caplog.text


def test_the_log_of_the_switch_shows_no_url_however_much_it_shows():
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    shown = io.StringIO()
    try:
        set_up_logging("debug")
        root.handlers[0].setStream(shown)

        async def main():
            async with Peer(OK) as peer:
                await ask(peer.url)

        asyncio.run(main())
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "asyncio" in shown.getvalue()
    assert not any(text in shown.getvalue() for text in CALLER_AS_WRITTEN)


def test_nobody_is_there():
    async def main():
        async with Peer() as peer:
            url = peer.url
        check, floor = await ask(url)
        assert (floor.vips, check.n_failed) == ([], 1)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('method = "http"\n', "vip.url: must begin with http"),
        ('method = "http"\nurl = "file:///etc/passwd?{caller}"\n', "vip.url: must begin with http"),
        ('method = "http"\nurl = "https://crm.example/vip"\n', "vip.url: must contain {caller}"),
        ('method = "both"\n', "vip.method"),
    ],
)
def test_configurations_that_make_no_sense(text, says):
    with pytest.raises(ConfigError, match=says):
        parse_config(f"[vip]\n{text}")
