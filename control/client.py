"""Clients of the control protocol: `ControlClient` for asyncio, `BlockingControlClient` for scripts.

Both raise the declared `ApiError` when a command is refused, and `ConnectionFailed` when the connection is not there.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec

from model import commands
from model.declare import ERRORS, ApiError, Command, CommandSpec, command_spec
from model.errors import NotAuthenticated

MAX_LINE = 64 * 1024 * 1024
"""Longest answer taken: a page of 1000 call records has some MB."""
MAX_UNREAD_EVENTS = 100_000


class ConnectionFailed(ConnectionError):
    """The control connection could not be made, or broke; the message is one line."""


class ReceivedEvent(msgspec.Struct, frozen=True):
    """An event as it came: `fields` holds what is declared for `event` in `model.events`."""

    event: str
    seq: int
    at: str
    """UTC, ISO 8601."""
    node: str
    fields: dict[str, Any]


class ClientCodec:
    """Requests to lines, lines to answers and events. Pure."""

    def __init__(self) -> None:
        self._next_id = 1

    def request(self, name: str, params: Any) -> tuple[int, bytes]:
        """The id and the line of a request. `params`: a dict or a `Command`."""
        request_id = self._next_id
        self._next_id += 1
        body = {"jsonrpc": "2.0", "id": request_id, "method": name, "params": params}
        return request_id, msgspec.json.encode(body) + b"\n"

    def receive(self, line: bytes) -> ReceivedEvent | tuple[int | None, Any, ApiError | None]:
        """An event, or (id, result, error) of an answer. Raises ConnectionFailed for what is neither."""
        try:
            message = msgspec.json.decode(line)
            if message.get("method") == "event":
                params = message["params"]
                head = {key: params.pop(key) for key in ("event", "seq", "at", "node")}
                return ReceivedEvent(**head, fields=params)
            if "error" in message:
                return message["id"], None, _read_error(message["error"])
            return message["id"], message["result"], None
        except (msgspec.DecodeError, KeyError, AttributeError, TypeError) as problem:
            raise ConnectionFailed(f"the server sent what is no answer: {problem}") from None


def _read_error(body: dict[str, Any]) -> ApiError:
    data = dict(body.get("data") or {})
    name = data.pop("name", "error")
    declared = ERRORS.get(body["code"])
    problem = (declared or ApiError)(body["message"])
    problem.data = data
    if declared is None:
        problem.args = (f"{name}: {body['message']}",)
    return problem


def _read_result(spec: CommandSpec, result: Any) -> Any:
    try:
        return msgspec.convert(result, spec.result)
    except msgspec.ValidationError as problem:
        raise ConnectionFailed(f"{spec.name}: the server is of another version: {problem}") from None


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of "host:port" or "[v6]:port". Raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f'"{text}" is not host:port')
    return host, int(port)


class ControlClient:
    """An asyncio client; `async with await ControlClient.connect(…)`. Commands may be sent at the same time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._codec = ClientCodec()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._events: asyncio.Queue[ReceivedEvent | None] = asyncio.Queue(MAX_UNREAD_EVENTS + 1)
        self._failure: ApiError | ConnectionFailed | None = None
        self._task = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def connect(
        cls, host: str, port: int, token: str, *, tls: ssl.SSLContext | None = None, timeout_s: float = 10.0
    ) -> "ControlClient":
        """Connects and logs in. Raises ConnectionFailed, NotAuthenticated or TooManyRequests."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=MAX_LINE)
        except (OSError, TimeoutError) as problem:
            raise ConnectionFailed(_why(host, port, problem)) from None
        client = cls(reader, writer)
        try:
            await client.call("auth.login", timeout_s=timeout_s, token=token)
        except BaseException:
            await client.close()
            raise
        return client

    async def __aenter__(self) -> "ControlClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(self, name: str, /, timeout_s: float | None = 60.0, **params: Any) -> Any:
        """Sends a command by name and returns its result as plain JSON values.

        Raises the declared `ApiError`, ConnectionFailed, or TimeoutError after `timeout_s` seconds.
        """
        return await self._exchange(name, params, timeout_s)

    async def send(self, command: Command, timeout_s: float | None = 60.0) -> Any:
        """Sends a declared command and returns its declared result (`CallView` …). Raises as `call` does."""
        spec = command_spec(type(command))
        return _read_result(spec, await self._exchange(spec.name, command, timeout_s))

    async def subscribe(
        self, names: Sequence[str] = (), call_ids: Sequence[str] = (), from_seq: int | None = None
    ) -> Any:
        """Has events sent from now on; read them from `events`. Returns a `Subscription`."""
        return await self.send(commands.Subscribe(names=list(names), call_ids=list(call_ids), from_seq=from_seq))

    async def events(self) -> AsyncIterator[ReceivedEvent]:
        """Events as they come; ends when the connection was closed. Raises ConnectionFailed when it broke."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)
        if isinstance(self._failure, ConnectionFailed) and not self._writer.is_closing():
            raise self._failure

    async def close(self) -> None:
        """Closes the connection; commands under way raise ConnectionFailed."""
        self._task.cancel()
        self._writer.close()
        await asyncio.gather(self._task, self._writer.wait_closed(), return_exceptions=True)

    async def _exchange(self, name: str, params: Any, timeout_s: float | None) -> Any:
        if self._failure is not None:
            raise self._failure
        request_id, line = self._codec.request(name, params)
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                self._writer.write(line)
                await self._writer.drain()
                return await answer
        except OSError as problem:
            if isinstance(problem, TimeoutError | ConnectionFailed):
                raise
            raise ConnectionFailed(f"the connection broke: {problem}") from None
        finally:
            self._waiting.pop(request_id, None)
            answer.cancel()

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(line)
            self._failure = self._failure or ConnectionFailed("the switch closed the connection")
        except (OSError, ValueError) as problem:
            self._failure = self._failure or (
                problem if isinstance(problem, ConnectionFailed) else ConnectionFailed(f"connection broke: {problem}")
            )
        finally:
            failure = self._failure or ConnectionFailed("the client was closed")
            self._failure = failure
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(failure)
            self._events.put_nowait(None)

    def _take(self, line: bytes) -> None:
        received = self._codec.receive(line)
        if isinstance(received, ReceivedEvent):
            if self._events.qsize() >= MAX_UNREAD_EVENTS:
                raise ConnectionFailed(f"{MAX_UNREAD_EVENTS} events were left unread")
            self._events.put_nowait(received)
            return
        request_id, result, problem = received
        answer = self._waiting.get(request_id) if request_id is not None else None
        if answer is None or answer.done():
            if request_id is None and problem is not None:
                self._failure = problem
            return
        if problem is not None:
            answer.set_exception(problem)
        else:
            answer.set_result(result)


class BlockingControlClient:
    """A client for scripts, one command at a time; `with BlockingControlClient(…) as switch:`.

    Connects and logs in at once. Raises ConnectionFailed, NotAuthenticated or TooManyRequests.
    """

    def __init__(
        self, host: str, port: int, token: str, *, tls: ssl.SSLContext | None = None, timeout_s: float = 60.0
    ) -> None:
        self._timeout_s = timeout_s
        self._codec = ClientCodec()
        self._unread: list[ReceivedEvent] = []
        try:
            sock = socket.create_connection((host, port), timeout=min(timeout_s, 10.0))
            try:
                self._socket = tls.wrap_socket(sock, server_hostname=host) if tls else sock
            except OSError:
                sock.close()
                raise
        except OSError as problem:
            raise ConnectionFailed(_why(host, port, problem)) from None
        self._socket.settimeout(timeout_s)
        self._file = self._socket.makefile("rb")
        try:
            self.call("auth.login", token=token)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "BlockingControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, name: str, /, **params: Any) -> Any:
        """Sends a command by name and returns its result as plain JSON values. Raises ApiError or ConnectionFailed."""
        return self._exchange(name, params)

    def send(self, command: Command) -> Any:
        """Sends a declared command and returns its declared result. Raises as `call` does."""
        spec = command_spec(type(command))
        return _read_result(spec, self._exchange(spec.name, command))

    def events(
        self,
        names: Sequence[str] = (),
        call_ids: Sequence[str] = (),
        from_seq: int | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[ReceivedEvent]:
        """Subscribes and yields events as they come, for ever or until none came for `timeout_s` seconds."""
        self.send(commands.Subscribe(names=list(names), call_ids=list(call_ids), from_seq=from_seq))
        self._socket.settimeout(timeout_s)
        try:
            while True:
                received = self._unread.pop(0) if self._unread else self._receive()
                if isinstance(received, ReceivedEvent):
                    yield received
        except TimeoutError:
            return
        finally:
            self._socket.settimeout(self._timeout_s)

    def close(self) -> None:
        """Closes the connection."""
        self._file.close()
        self._socket.close()

    def _exchange(self, name: str, params: Any) -> Any:
        request_id, line = self._codec.request(name, params)
        try:
            self._socket.sendall(line)
            while True:
                received = self._receive()
                if isinstance(received, ReceivedEvent):
                    self._unread.append(received)
                    continue
                answered, result, problem = received
                if problem is not None and answered in (None, request_id):
                    raise problem
                if answered == request_id:
                    return result
        except TimeoutError:
            raise ConnectionFailed(f"{name}: no answer within {self._timeout_s:g} s") from None
        except (BrokenPipeError, ConnectionResetError) as problem:
            raise ConnectionFailed(f"the connection broke: {problem}") from None

    def _receive(self) -> ReceivedEvent | tuple[int | None, Any, ApiError | None]:
        line = self._file.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionFailed("the switch closed the connection")
        return self._codec.receive(line)


def _why(host: str, port: int, problem: Exception) -> str:
    reason = getattr(problem, "strerror", None) or str(problem) or "no answer in time"
    return f"cannot reach the switch at {host}:{port}: {reason}"


__all__ = [
    "ApiError",
    "BlockingControlClient",
    "ClientCodec",
    "ConnectionFailed",
    "ControlClient",
    "NotAuthenticated",
    "ReceivedEvent",
    "parse_address",
]
