"""One connection of the control protocol: lines in, answers and events out, everything about it bounded."""

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

import msgspec

from control import schema
from control.auth import Caller
from control.event_log import EventFilter
from control.gate import Viewer
from model import commands, errors
from model.declare import ApiError, Command, CommandSpec
from model.views import Done, LoggedIn, Pong, Subscription

if TYPE_CHECKING:
    from control.server import ControlServer

log = logging.getLogger(__name__)

LINES_PER_TURN = 32
_DENIALS = (errors.PermissionDenied, errors.SupervisionDenied)

_encode = msgspec.json.Encoder().encode


def render_result(request_id: schema.RequestId, result: object) -> bytes:
    """The answer to a request. Raises TypeError or ValueError when `result` has no JSON form."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (_encode(request_id), _encode(result))


def render_error(request_id: schema.RequestId, problem: ApiError) -> bytes:
    """The refusal of a request; `data` that has no JSON form is left out."""
    body = {"code": problem.code, "message": problem.message, "data": {"name": problem.name, **problem.data}}
    try:
        text = _encode(body)
    except (TypeError, ValueError) as fault:
        log.error("! data of %s has no JSON form: %s", problem.name, fault)
        message = problem.message.encode("utf-8", "replace").decode()
        text = _encode({"code": problem.code, "message": message, "data": {"name": problem.name}})
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (_encode(request_id), text)


class Connection(asyncio.Protocol):
    """Made by `ControlServer` for each client. Reads on only while answers are taken and few commands are under way."""

    def __init__(self, server: "ControlServer") -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._scanned = 0
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._n_running = 0
        self._is_paused = False
        self._is_write_blocked = False
        self._is_closing = False
        self._is_refused = False
        self._is_at_eof = False
        self.source = ""
        self.address = ""
        self.caller: Caller | None = None

    # -- called by asyncio ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport, they only behave like one.
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=self._server.limits.write_buffer)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer = transport.get_extra_info("peername")
        if peer:
            self.source, self.address = peer[0], f"{peer[0]}:{peer[1]}"
        try:
            self._server.opened(self)
        except ApiError as problem:
            self._refuse_and_close(None, problem)
        else:
            self._set_timer(self._server.limits.login_s, self._login_overdue)

    def data_received(self, data: bytes) -> None:
        if not self._is_closing:
            self._buffer += data
            if self._turn is None and not self._is_paused:
                self._work()
            elif len(self._buffer) > self._server.limits.line_bytes:
                self._pause_reading(True)

    def eof_received(self) -> bool:
        """The peer sends no more; what it asked for before is still answered (TLS knows no half-closed connection)."""
        self._is_at_eof = True
        if self._transport is None or self._transport.get_extra_info("sslcontext") is not None:
            return False
        if self._is_closing or self._is_refused:
            return False
        return self._n_running > 0 or self._turn is not None or (self._is_write_blocked and b"\n" in self._buffer)

    def pause_writing(self) -> None:
        self._is_write_blocked = True
        if self.caller is not None and not self._is_closing:
            self._set_timer(self._server.limits.write_s, self._not_reading)
        self._adjust()

    def resume_writing(self) -> None:
        self._is_write_blocked = False
        if self.caller is not None and not self._is_closing:
            self._set_timer(0.0, self._not_reading)
        self._server.hub.ready(self)
        self._adjust()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._set_timer(0.0, self.abort)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._buffer.clear()
        self._server.hub.unsubscribe(self)
        self._server.closed(self)
        self._transport = None

    # -- the hub's sink -------------------------------------------------------------------------------------------

    def write_events(self, data: bytes) -> bool:
        """Takes lines for a subscriber; False while the peer reads too slowly."""
        self._write(data)
        return not self._is_write_blocked

    def drop_subscriber(self, data: bytes) -> None:
        """The peer fell behind by more than the hub keeps: tells it so and closes."""
        log.warning("x %s dropped: reads events too slowly", self)
        self._write(data)
        self.close()

    # -- closing --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Closes after what is written has gone, at the latest `limits.close_s` from now."""
        if self._transport is None:
            return
        self._is_closing = True
        self._buffer.clear()
        self._set_timer(self._server.limits.close_s, self.abort)
        self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()

    def __str__(self) -> str:
        return f"control {self.address} {self.caller.user if self.caller else '-'}"

    # -- reading --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Handles the lines that are there, a few each turn of the loop so that nobody else waits."""
        self._turn = None
        for _ in range(LINES_PER_TURN):
            if self._is_closing or self._must_pause():
                break
            line = self._next_line()
            if line is None:
                break
            if line.strip():
                self._handle_line(line)
        else:
            self._turn = asyncio.get_running_loop().call_soon(self._work)
        self._adjust()

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        limits = self._server.limits
        allowed = limits.line_bytes if self.caller else limits.login_line_bytes
        if (len(self._buffer) if end < 0 else end) > allowed:
            self._refuse_and_close(None, errors.InvalidRequest(f"a line may have {allowed} bytes"))
            return None
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line

    def _must_pause(self) -> bool:
        limit = self._server.limits.commands_at_once
        return self._is_write_blocked or self._is_refused or self._n_running >= limit

    def _adjust(self) -> None:
        """Reads on, or not, as the state of the connection asks; continues with lines that are there already."""
        if self._is_closing or self._transport is None:
            return
        must_pause = self._must_pause() or self._turn is not None
        was_paused = self._is_paused
        self._pause_reading(must_pause)
        if was_paused and not must_pause and self._buffer:
            self._turn = asyncio.get_running_loop().call_soon(self._work)
        elif self._is_at_eof and not must_pause and self._n_running == 0:
            self.close()

    def _pause_reading(self, must_pause: bool) -> None:
        if self._transport is not None and must_pause != self._is_paused:
            self._is_paused = must_pause
            if must_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _set_timer(self, delay_s: float, action: Callable[[], None]) -> None:
        """Replaces the connection's one timer; 0 = none."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, action) if delay_s else None

    # -- handling -------------------------------------------------------------------------------------------------

    def _handle_line(self, line: bytes) -> None:
        self._server.stats.requests += 1
        try:
            request = schema.parse_request(line)
        except ApiError as problem:
            self._server.stats.refused += 1
            if self.caller is None:
                self._refuse_and_close(schema.find_id(line), problem)
            else:
                self._write(render_error(schema.find_id(line), problem))
            return
        try:
            self._handle(request)
        except ApiError as problem:
            self.refuse(request.id, problem)

    def _handle(self, request: schema.Request) -> None:
        if self.caller is None and request.method != "auth.login":
            raise errors.NotAuthenticated("log in first: auth.login with your token")
        spec = schema.find_command(request.method)
        command = schema.parse_params(spec, request.params)
        try:
            self._carry_out(request, spec, command)
        except ApiError as problem:
            self.refuse(request.id, problem, spec, command)

    def _carry_out(self, request: schema.Request, spec: CommandSpec, command: Command) -> None:
        if self.caller is not None:
            self._server.gate.admit(self.caller, spec, command)
        match command:
            case commands.Login():
                self._log_in(request.id, command)
            case commands.Subscribe():
                self._subscribe(request.id, command)
            case commands.Unsubscribe():
                self._server.hub.unsubscribe(self)
                self.answer(request.id, Done())
            case commands.Ping():
                self.answer(request.id, Pong(node=self._server.hub.node, at_utc=self._server.wall()))
            case _:
                self._dispatch(request.id, spec, command)

    def _dispatch(self, request_id: int | str | msgspec.UnsetType | None, spec: CommandSpec, command: Command) -> None:
        assert self.caller is not None
        if self._server.dispatch(self, request_id, spec, command):
            self._n_running += 1

    def finished(self) -> None:
        """A command that took its time is done."""
        self._n_running -= 1
        self._adjust()

    def answer(self, request_id: int | str | msgspec.UnsetType | None, result: object) -> None:
        """Sends a result; nothing for a notification. Raises TypeError or ValueError when it has no JSON form."""
        if request_id is not msgspec.UNSET:
            self._write(render_result(request_id, result))

    def refuse(
        self,
        request_id: int | str | msgspec.UnsetType | None,
        problem: ApiError,
        spec: CommandSpec | None = None,
        command: Command | None = None,
    ) -> None:
        """Sends an error; nothing for a notification. What was not allowed raises the alarm."""
        self._server.stats.refused += 1
        audit, caller = self._server.audit, self.caller
        if audit is not None and caller is not None and spec is not None and isinstance(problem, _DENIALS):
            role = self._server.gate.rights(caller).role
            audit.denied(caller, role, spec.name, problem.message, kind="permission", command=command)
        if request_id is not msgspec.UNSET:
            self._write(render_error(request_id, problem))

    def _log_in(self, request_id: int | str | msgspec.UnsetType | None, command: commands.Login) -> None:
        server = self._server
        user = server.authenticate(command.token)
        if user is None:
            self._login_failed(request_id)
            return
        self._set_timer(0.0, self._login_overdue)
        server.failures.succeeded(self.source)
        self.caller = caller = Caller(user.name, user.role, self.address, user.agent)
        role = server.gate.rights(caller).role
        server.logged_in(self)
        log.info("= login accepted source=%s user=%s role=%s", self.address, user.name, role)
        self.answer(
            request_id,
            LoggedIn(user=user.name, role=role, agent_id=user.agent, node=server.hub.node, version=server.version),
        )

    def _login_failed(self, request_id: int | str | msgspec.UnsetType | None) -> None:
        """Answers late, so that guessing is slow; nothing is read meanwhile, and the connection then ends."""
        server = self._server
        loop = asyncio.get_running_loop()
        delay_s, is_over = server.failures.failed(self.source, loop.time())
        server.stats.logins_failed += 1
        log.warning("! login refused source=%s reason=unknown-token", self.address)
        if server.audit is not None:
            server.audit.denied(Caller("", "", self.address), "", "auth.login", "unknown token", kind="token")
        problem: ApiError = errors.NotAuthenticated("no such token")
        if is_over:
            delay_s = 0.0
            problem = errors.TooManyRequests("too many failed logins", retry_after_s=server.failures.window_s)
        self._is_refused = True
        self._buffer.clear()
        known_id = None if isinstance(request_id, msgspec.UnsetType) else request_id
        if delay_s:
            self._set_timer(delay_s, partial(self._refuse_and_close, known_id, problem))
        else:
            self._refuse_and_close(known_id, problem)

    def _subscribe(self, request_id: int | str | msgspec.UnsetType | None, command: commands.Subscribe) -> None:
        assert self.caller is not None
        hub = self._server.hub
        viewer = Viewer(self._server.gate, self.caller)
        wanted = EventFilter(tuple(command.names), frozenset(command.call_ids), viewer)
        try:
            is_complete = hub.subscribe(self, wanted, command.from_seq)
        except OverflowError as problem:
            raise errors.Congested(str(problem)) from None
        view = Subscription(node=hub.node, oldest_seq=hub.oldest_seq, next_seq=hub.next_seq, is_complete=is_complete)
        self.answer(request_id, view)

    def _login_overdue(self) -> None:
        log.warning("%% login refused source=%s reason=deadline", self.address)
        self._refuse_and_close(None, errors.NotAuthenticated("no login in time"))

    def _not_reading(self) -> None:
        log.warning("x %s dropped: does not read its answers", self)
        self.abort()

    def _refuse_and_close(self, request_id: schema.RequestId, problem: ApiError) -> None:
        """Refuses, then discards what still comes: closing at once would destroy the answer on its way (TCP reset)."""
        self._server.stats.refused += 1
        self._write(render_error(request_id, problem))
        if self._transport is None or self._is_at_eof or not self._transport.can_write_eof():
            self.close()
            return
        self._is_closing = True
        self._buffer.clear()
        self._server.hub.unsubscribe(self)
        self._transport.write_eof()
        self._pause_reading(False)
        self._set_timer(self._server.limits.close_s, self.abort)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._is_closing and not self._transport.is_closing():
            self._transport.write(data)
