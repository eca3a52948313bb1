"""Covers: login first, roles, answers and refusals, limits of lines, time and number, and that nothing a peer sends is
anything but answered or cleanly closed.

Does not cover delivery of events (test_hub.py) and the text of refusals (test_schema.py).
"""

import asyncio
import logging
import socket
import struct

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.auth import FailureTable, new_token
from control.server import MissingHandler, check_handlers
from model import commands
from model.declare import COMMANDS
from tests.control.rig import TOKENS, Handlers, eventually, run, running


def name_of(answer) -> str:
    return answer["error"]["data"]["name"]


# -- handlers ---------------------------------------------------------------------------------------------------------


def test_starting_without_a_handler_is_an_error() -> None:
    table = Handlers().table()
    del table[commands.Hangup]
    with pytest.raises(MissingHandler, match="Hangup"):
        check_handlers(table)


@pytest.mark.parametrize("extra", [commands.Login, commands.Ping], ids=lambda cls: cls.__name__)
def test_handler_for_what_the_connection_does_itself_is_an_error(extra) -> None:
    with pytest.raises(MissingHandler, match=extra.__name__):
        check_handlers(Handlers().table() | {extra: print})


# -- login ------------------------------------------------------------------------------------------------------------


def test_login_says_who_one_is() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer(None)
            answer = await peer.ask("auth.login", token=TOKENS["operator"])
            assert answer["result"] == {
                "user": "the operator",
                "role": "operator",
                "node": "node-1",
                "version": "1.2.3",
                "agent_id": "",
            }

    run(test())


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"auth.login"}))
def test_nothing_is_done_before_login(name) -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer(None)
            assert name_of(await peer.ask(name)) == "not_authenticated"
            assert not rig.handlers.seen

    run(test())


def test_unknown_commands_look_the_same_before_login() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer(None)
            assert name_of(await peer.ask("no.such")) == "not_authenticated"

    run(test())


@pytest.mark.parametrize("token", [new_token(), "", "x" * 200, "rbk_"], ids=["unknown", "empty", "long", "short"])
def test_wrong_token_is_refused_and_the_connection_ends(token, caplog) -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer(None)
            assert name_of(await peer.ask("auth.login", token=token)) == "not_authenticated"
            assert await peer.hear() is None

    caplog.set_level(logging.DEBUG)
    run(test())
    said = [record.getMessage() for record in caplog.records if record.name.startswith("control")]
    assert any("login refused source=127.0.0.1:" in line for line in said)
    assert not any(token and token in line for line in said)


def test_requests_sent_along_with_a_wrong_token_are_not_read() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer(None)
            for _ in range(50):
                peer.send(
                    msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "auth.login", "params": {"token": "x"}})
                )
            assert name_of(await peer.hear()) == "not_authenticated"
            assert await peer.hear() is None
            assert rig.server.stats.logins_failed == 1

    run(test())


def test_source_with_too_many_failures_is_told_when_to_come_back_but_a_good_token_still_works() -> None:
    async def test() -> None:
        failures = FailureTable(first_delay_s=0.001, max_delay_s=0.001, n_allowed=2)
        async with running(failures=failures) as rig:
            names = [name_of(await (await rig.peer(None)).ask("auth.login", token="x")) for _ in range(3)]
            assert names == ["not_authenticated", "not_authenticated", "too_many_requests"]
            await rig.peer("viewer")

    run(test())


def test_silent_stranger_is_closed() -> None:
    async def test() -> None:
        async with running(login_s=0.02) as rig:
            peer = await rig.peer(None)
            assert name_of(await peer.hear()) == "not_authenticated"
            assert await peer.hear() is None

    run(test())


def test_half_a_line_does_not_postpone_the_deadline() -> None:
    async def test() -> None:
        async with running(login_s=0.05) as rig:
            peer = await rig.peer(None)
            peer.writer.write(b'{"jsonrpc"')
            assert name_of(await peer.hear()) == "not_authenticated"

    run(test())


def test_login_ends_the_deadline() -> None:
    async def test() -> None:
        async with running(login_s=0.2) as rig:
            peer = await rig.peer()
            later = await rig.peer(None)
            assert name_of(await later.hear()) == "not_authenticated"
            assert "result" in await peer.ask("system.ping")

    run(test())


@pytest.mark.parametrize(
    "limits",
    [{"connections": 2}, {"strangers": 2}, {"connections_per_source": 2}],
    ids=lambda limits: next(iter(limits)),
)
def test_too_many_strangers_are_refused(limits) -> None:
    async def test() -> None:
        async with running(**limits) as rig:
            first, _, third = [await rig.peer(None) for _ in range(3)]
            assert name_of(await third.hear()) == "too_many_requests"
            assert await third.hear() is None
            await first.log_in()

    run(test())


def test_who_is_logged_in_is_no_stranger() -> None:
    async def test() -> None:
        async with running(strangers=1, connections_per_source=1) as rig:
            for _ in range(4):
                await rig.peer()
            assert rig.server.stats.connections == 4

    run(test())


# -- roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "method", "params", "may"),
    [
        ("viewer", "trunk.list", {}, True),
        ("viewer", "call.hangup", {"call_id": "c"}, False),
        ("viewer", "call.history", {}, False),
        ("operator", "call.hangup", {"call_id": "c"}, True),
        ("operator", "extension.delete", {"extension": "1001"}, False),
        ("operator", "system.drain", {}, False),
        ("administrator", "extension.delete", {"extension": "1001"}, True),
    ],
)
def test_role_decides(role, method, params, may) -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer(role)
            answer = await peer.ask(method, **params)
            assert ("result" in answer) is may
            if not may:
                assert name_of(answer) == "permission_denied"
                assert not rig.handlers.seen

    run(test())


# -- answers ----------------------------------------------------------------------------------------------------------


def test_handler_gets_the_command_and_who_sent_it() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer("operator")
            assert (await peer.ask("call.hangup", call_id="c"))["result"]["call_id"] == "call-1"
            ((command, caller),) = rig.handlers.seen
            assert command == commands.Hangup(call_id="c")
            assert (caller.user, caller.role) == ("the operator", "operator")
            assert caller.address.startswith("127.0.0.1:")

    run(test())


@pytest.mark.parametrize(
    ("method", "params", "refusal"),
    [
        ("call.get", {"call_id": "c"}, "no_such_call"),
        ("extension.get", {"extension": "1"}, "no_such_extension"),
        ("call.stop_play", {"call_id": "c"}, "internal_error"),
        ("call.resume", {"call_id": "c", "leg_id": "l"}, "internal_error"),
        ("call.list", {}, "internal_error"),
        ("system.drain", {}, "wrong_state"),
        ("no.such", {}, "unknown_command"),
        ("call.hangup", {}, "invalid_params"),
    ],
)
def test_refusals(method, params, refusal) -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            answer = await peer.ask(method, **params)
            assert name_of(answer) == refusal
            assert "secret detail" not in str(answer)
            assert "result" in await peer.ask("system.ping")
            n_internal = 1 if refusal == "internal_error" else 0
            assert rig.server.stats.internal_errors == rig.server.counters()["internal_errors"] == n_internal

    run(test())


def test_incident_is_found_in_the_log(caplog) -> None:
    async def test() -> None:
        async with running() as rig:
            answer = await (await rig.peer()).ask("call.stop_play", call_id="c")
            incident = answer["error"]["data"]["incident"]
            (record,) = [r for r in caplog.records if incident in r.getMessage()]
            assert record.exc_info[0] is ZeroDivisionError

    run(test())


def test_notification_is_carried_out_and_not_answered() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            peer.send('{"jsonrpc":"2.0","method":"call.hangup","params":{"call_id":"quiet"}}')
            peer.send('{"jsonrpc":"2.0","method":"call.get","params":{"call_id":"refused"}}')
            assert "result" in await peer.ask("system.ping")
            assert [command.call_id for command, _ in rig.handlers.seen] == ["quiet"]

    run(test())


def test_lines_may_come_in_pieces_end_in_crlf_and_be_empty() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            for byte in b'\n\r\n{"jsonrpc":"2.0","id":"ok","method":"system.ping"}\r\n':
                peer.writer.write(bytes([byte]))
                await asyncio.sleep(0)
            assert (await peer.hear())["id"] == "ok"

    run(test())


def test_many_requests_in_one_write_are_all_answered_in_order() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            for n in range(500):
                peer.send(f'{{"jsonrpc":"2.0","id":{n},"method":"system.ping"}}')
            assert [(await peer.hear())["id"] for _ in range(500)] == list(range(500))

    run(test())


# -- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [None, "operator"], ids=["before login", "after login"])
@pytest.mark.parametrize("end", [b"", b"\n"], ids=["endless", "ended"])
def test_too_long_a_line_is_refused_and_the_connection_ends(role, end) -> None:
    async def test() -> None:
        async with running(line_bytes=2000, login_line_bytes=1000) as rig:
            peer = await rig.peer(role)
            peer.writer.write(b"x" * 200_000 + end)
            assert name_of(await peer.hear()) == "invalid_request"
            assert await peer.hear() is None

    run(test())


def test_commands_under_way_are_bounded_and_the_rest_waits() -> None:
    async def test() -> None:
        async with running(commands_at_once=3) as rig:
            peer = await rig.peer()
            for n in range(10):
                peer.send(f'{{"jsonrpc":"2.0","id":{n},"method":"call.hold","params":{{"call_id":"c","leg_id":"l"}}}}')
            await eventually(lambda: rig.handlers.n_running == 3)
            other = await rig.peer()
            assert "result" in await other.ask("system.ping")
            assert rig.handlers.n_running == 3
            rig.handlers.gate.set()
            assert sorted([(await peer.hear())["id"] for _ in range(10)]) == list(range(10))
            assert rig.handlers.n_running_max == 3

    run(test())


def test_command_that_takes_too_long_is_ended_and_told() -> None:
    async def test() -> None:
        async with running(command_s=0.02) as rig:
            peer = await rig.peer()
            assert name_of(await peer.ask("call.hold", call_id="c", leg_id="l")) == "command_timed_out"
            assert rig.handlers.n_cancelled == 1

    run(test())


def test_command_is_finished_when_the_client_leaves() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            peer.send('{"jsonrpc":"2.0","id":1,"method":"call.hold","params":{"call_id":"c","leg_id":"l"}}')
            await eventually(lambda: rig.handlers.n_running == 1)
            # A plain close looks like the end of input alone; only a reset says that nobody is there any more.
            sock = peer.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await peer.close()
            await eventually(lambda: rig.server.stats.connections == 0)
            rig.handlers.gate.set()
            await eventually(lambda: len(rig.handlers.seen) == 1)

    run(test())


def test_what_was_asked_before_the_end_of_input_is_answered() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            peer.send('{"jsonrpc":"2.0","id":1,"method":"call.hold","params":{"call_id":"c","leg_id":"l"}}')
            for n in range(100):
                peer.send(f'{{"jsonrpc":"2.0","id":{n},"method":"system.ping"}}')
            peer.writer.write_eof()
            for _ in range(100):
                assert "result" in await peer.hear()
            rig.handlers.gate.set()
            assert (await peer.hear())["id"] == 1
            assert await peer.hear() is None

    run(test())


def test_peer_that_does_not_read_is_read_no_more_and_then_cut_off() -> None:
    async def test() -> None:
        async with running(write_buffer=1000, write_s=0.2) as rig:
            peer = await rig.peer()
            sock = peer.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.reader._transport.pause_reading()
            line = b'{"jsonrpc":"2.0","id":1,"method":"trunk.list"}\n'

            async def push() -> None:
                while not peer.writer.is_closing():
                    peer.writer.write(line * 1000)
                    await peer.writer.drain()

            pushing = asyncio.create_task(push())
            await eventually(lambda: rig.server.stats.connections == 0)
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
            peer.writer.transport.abort()

    run(test())


def test_closing_ends_everything() -> None:
    async def test() -> None:
        async with running() as rig:
            peers = [await rig.peer(role) for role in ("viewer", None, "operator")]
            peers[2].send('{"jsonrpc":"2.0","id":1,"method":"call.hold","params":{"call_id":"c","leg_id":"l"}}')
            await eventually(lambda: rig.handlers.n_running == 1)
            await rig.server.close()
            assert [await peer.hear() for peer in peers] == [None] * 3
            assert rig.handlers.n_cancelled == 1
            assert rig.server.stats.connections == 0

    run(test())


def test_many_come_and_go() -> None:
    async def test() -> None:
        async with running() as rig:
            for _ in range(50):
                peer = await rig.peer(None)
                peer.writer.transport.abort()
            await eventually(lambda: rig.server.stats.connections == 0)
            assert not rig.server._strangers
            await rig.peer()

    run(test())


# -- anything ---------------------------------------------------------------------------------------------------------

METHODS = st.sampled_from(sorted(set(COMMANDS) - {"auth.login"})) | st.text(max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | VALUES, "id": st.integers(0, 9) | VALUES, "method": METHODS},
    optional={"params": VALUES, "extra": VALUES},
)
LINES = st.one_of(
    st.binary(max_size=80).map(lambda line: line.replace(b"\n", b"")),
    NEARLY.map(msgspec.json.encode),
    NEARLY.map(msgspec.json.encode).flatmap(lambda line: st.integers(0, len(line)).map(lambda n: line[:n])),
    st.sampled_from([b"", b"[]", b"[" * 3000, b'{"a":' * 3000, b"\x00", b"\xff\xfe", b'"\\ud800"', b"1e999", b"-"]),
)


@pytest.mark.parametrize("role", [None, "administrator"], ids=["stranger", "logged in"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(LINES, min_size=1, max_size=12), cuts=st.lists(st.integers(1, 60), max_size=10))
def test_any_lines_are_answered_or_the_connection_is_cleanly_closed(role, lines, cuts) -> None:
    faults: list[dict] = []

    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with running() as rig:
            rig.handlers.gate.set()
            peer = await rig.peer(role)
            data = b"".join(line + b"\n" for line in lines)
            for cut in cuts:
                peer.writer.write(data[:cut])
                data = data[cut:]
                await asyncio.sleep(0)
            peer.writer.write(data + b'{"jsonrpc":"2.0","id":"last","method":"system.ping"}\n')
            peer.writer.write_eof()
            heard = []
            while (answer := await peer.hear()) is not None:
                assert answer.keys() == {"jsonrpc", "id", "result"} or answer.keys() == {"jsonrpc", "id", "error"}
                heard.append(answer["id"])
            if role is not None:
                assert "last" in heard
            else:
                assert heard
            await eventually(lambda: rig.server.stats.connections == 0)

    run(test())
    assert not faults


# -- agents -----------------------------------------------------------------------------------------------------------


def test_the_first_connection_of_an_agent_and_the_end_of_his_last_are_told() -> None:
    async def test() -> None:
        async with running() as rig:
            told: list[tuple[str, bool]] = []
            rig.server.watch_agents(lambda agent_id, is_up: told.append((agent_id, is_up)))
            one, other = await rig.peer("viewer"), await rig.peer("viewer")
            await rig.peer("operator")
            assert told == [("a1", True)]
            one.writer.close()
            await eventually(lambda: rig.server.stats.connections == 2)
            assert told == [("a1", True)]
            other.writer.close()
            await eventually(lambda: told == [("a1", True), ("a1", False)])

    run(test())
