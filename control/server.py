"""The control server: accepts connections, carries commands to their handlers, and owns every task it starts."""

import asyncio
import inspect
import logging
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from control.audit import AuditTrail
from control.auth import ApiUser, Caller, FailureTable
from control.connection import Connection
from control.gate import Gate
from control.hub import EventHub
from model import commands, errors
from model.catalogue import our_commands
from model.declare import COMMANDS, ApiError, Command, CommandSpec

log = logging.getLogger(__name__)

Handler = Callable[[Any, Caller], Awaitable[Any] | Any]
"""Takes the command and who sent it; returns (or awaits) the declared result, or raises an `ApiError`."""

BUILT_IN: frozenset[type[Command]] = frozenset(
    {commands.Login, commands.Subscribe, commands.Unsubscribe, commands.Ping}
)
"""Commands the connection answers itself."""


class ControlLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one server and one connection may use."""

    connections: int = 256
    connections_per_source: int = 32
    """Before login; who is logged in counts against `connections` alone."""
    strangers: int = 64
    """Connections before login, of all sources."""
    line_bytes: int = 655_360
    """Longest line: a flow document of the greatest size, and what is around it."""
    login_line_bytes: int = 4096
    """Longest line before login."""
    login_s: float = 10.0
    """Seconds from connecting to a login."""
    commands_at_once: int = 8
    """Commands of one connection that may be under way."""
    command_s: float = 30.0
    """Seconds a command may take."""
    write_buffer: int = 262_144
    """Bytes waiting for a slow reader before we stop reading from it and hold its events back."""
    write_s: float = 60.0
    """Seconds a peer may leave its answers unread before it is cut off."""
    close_s: float = 5.0
    """Seconds a closing connection may take to accept what was written."""


class ControlStats:
    """Counters since the start."""

    __slots__ = ("connections", "internal_errors", "logins_failed", "refused", "requests")

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.refused = 0
        self.logins_failed = 0
        self.internal_errors = 0


class MissingHandler(RuntimeError):
    """A declared command has no handler, or a handler has no declaration."""


def check_handlers(handlers: Mapping[type[Command], Handler]) -> None:
    """Raises MissingHandler unless every declared command but the built-in ones has exactly one handler."""
    declared = {spec.params for spec in our_commands()}
    missing = declared - BUILT_IN - handlers.keys()
    unknown = handlers.keys() - (declared - BUILT_IN)
    if missing:
        raise MissingHandler(f"no handler for {', '.join(sorted(cls.__name__ for cls in missing))}")
    if unknown:
        raise MissingHandler(f"no such command: {', '.join(sorted(cls.__name__ for cls in unknown))}")


class ControlServer:
    """Answers JSON-RPC 2.0 over TCP. Raises MissingHandler when `handlers` is not complete.

    `authenticate` finds the user of a token (`TokenTable.authenticate`), `gate` says what he may do. Handlers
    run on the loop and must not block it.
    """

    def __init__(
        self,
        handlers: Mapping[type[Command], Handler],
        authenticate: Callable[[str], ApiUser | None],
        hub: EventHub,
        gate: Gate,
        *,
        audit: AuditTrail | None = None,
        version: str = "",
        limits: ControlLimits | None = None,
        failures: FailureTable | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        check_handlers(handlers)
        self._handlers = dict(handlers)
        self.authenticate = authenticate
        self.hub = hub
        self.gate = gate
        self.audit = audit
        self.version = version
        self.limits = ControlLimits() if limits is None else limits
        self.failures = FailureTable() if failures is None else failures
        self.wall = wall
        self.stats = ControlStats()
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._strangers: dict[str, int] = {}
        self._n_strangers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._n_of_agent: dict[str, int] = {}
        self._on_agent: Callable[[str, bool], None] = lambda agent_id, is_up: None
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        sockets: Sequence[socket.socket] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Listens on host:port (0 = any free one), or on sockets that are bound already. Raises OSError."""
        loop = asyncio.get_running_loop()
        if sockets:
            for sock in sockets:
                self._servers.append(await loop.create_server(lambda: Connection(self), sock=sock, ssl=tls))
        else:
            self._servers.append(await loop.create_server(lambda: Connection(self), host, port, ssl=tls))

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return [sock.getsockname()[:2] for server in self._servers for sock in server.sockets]

    async def close(self) -> None:
        """Takes no new connections, delivers what is due, cancels commands under way and ends all connections."""
        for server in self._servers:
            server.close()
        self.hub.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._connections):
            connection.close()
        await self._idle.wait()
        self._servers.clear()

    def counters(self) -> dict[str, int]:
        """For `SystemStatus.events`."""
        hub = self.hub.stats
        return {
            "published": hub.published,
            "writes": hub.writes,
            "subscribers": hub.subscribers,
            "subscribers_dropped": hub.subscribers_dropped,
            "connections": self.stats.connections,
            "requests": self.stats.requests,
            "refused": self.stats.refused,
            "logins_failed": self.stats.logins_failed,
            "internal_errors": self.stats.internal_errors,
        }

    # -- called by connections ------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """Counts a connection. Raises TooManyRequests when there are too many, of all or of strangers at one source."""
        self._connections.add(connection)
        self._idle.clear()
        self.stats.connections = len(self._connections)
        n_strangers = self._strangers.get(connection.source, 0) + 1
        self._strangers[connection.source] = n_strangers
        self._n_strangers += 1
        if (
            len(self._connections) > self.limits.connections
            or self._n_strangers > self.limits.strangers
            or n_strangers > self.limits.connections_per_source
        ):
            log.warning("! connection refused source=%s reason=too-many-connections", connection.address)
            raise errors.TooManyRequests("too many connections", retry_after_s=self.limits.login_s)

    def watch_agents(self, on_agent: Callable[[str, bool], None]) -> None:
        """`on_agent(agent_id, is_up)` is called with the first connection of an agent and when his last one is gone."""
        self._on_agent = on_agent

    def logged_in(self, connection: Connection) -> None:
        """The connection is no stranger any more."""
        self._forget_stranger(connection.source)
        if connection.caller is not None and (agent_id := connection.caller.agent):
            n = self._n_of_agent[agent_id] = self._n_of_agent.get(agent_id, 0) + 1
            if n == 1:
                self._on_agent(agent_id, True)

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        if connection in self._connections:
            self._connections.discard(connection)
            if connection.caller is None:
                self._forget_stranger(connection.source)
            elif connection.caller.agent:
                self._agent_left(connection.caller.agent)
        self.stats.connections = len(self._connections)
        if not self._connections:
            self._idle.set()

    def _agent_left(self, agent_id: str) -> None:
        self._n_of_agent[agent_id] -= 1
        if not self._n_of_agent[agent_id]:
            del self._n_of_agent[agent_id]
            self._on_agent(agent_id, False)

    def dispatch(
        self,
        connection: Connection,
        request_id: int | str | msgspec.UnsetType | None,
        spec: CommandSpec,
        command: Command,
    ) -> bool:
        """Hands a command to its handler; True when it goes on in a task and `connection.finished` will be called."""
        assert connection.caller is not None
        try:
            result: Any
            if self.audit is not None and spec.is_audited:
                result = self._audited(self.audit, command, connection.caller, spec)
            else:
                result = self._handlers[type(command)](command, connection.caller)
            if inspect.isawaitable(result):
                task = asyncio.get_running_loop().create_task(
                    self._await(connection, request_id, spec, command, result)
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return True
            connection.answer(request_id, self.gate.sieve(connection.caller, spec, result))
        except ApiError:
            raise
        except Exception as problem:  # the edge of a request: the fault ends here
            raise self._internal_error(connection, spec, problem) from problem
        return False

    async def _await(
        self,
        connection: Connection,
        request_id: int | str | msgspec.UnsetType | None,
        spec: CommandSpec,
        command: Command,
        result: Awaitable[Any],
    ) -> None:
        """Finishes a command; it goes on when the client leaves, since half a change would be worse."""
        assert connection.caller is not None
        try:
            async with asyncio.timeout(self.limits.command_s) as patience:
                value = await result
            connection.answer(request_id, self.gate.sieve(connection.caller, spec, value))
        except ApiError as problem:
            connection.refuse(request_id, problem, spec, command)
        except Exception as problem:  # the edge of a request: the fault ends here
            if isinstance(problem, TimeoutError) and patience.expired():
                refusal: ApiError = errors.CommandTimedOut(f"{spec.name} took over {self.limits.command_s:g} s")
            else:
                refusal = self._internal_error(connection, spec, problem)
            connection.refuse(request_id, refusal)
        finally:
            connection.finished()

    async def _audited(self, audit: AuditTrail, command: Command, caller: Caller, spec: CommandSpec) -> Any:
        """Carries out a command and notes it, with what was there before and after where something was changed."""
        role = self.gate.rights(caller).role
        old = await self._look(command, caller, spec)
        try:
            result = self._handlers[type(command)](command, caller)
            result = self.gate.sieve(caller, spec, await result if inspect.isawaitable(result) else result)
        except (errors.PermissionDenied, errors.SupervisionDenied):
            # Told as an illegal operation where it is refused.
            raise
        except Exception as problem:
            # Also what nobody foresaw may have been done in part.
            reason = str(problem) if isinstance(problem, ApiError) else type(problem).__name__
            audit.did(caller, role, spec, command, problem=reason)
            raise
        audit.did(caller, role, spec, command, old=old, new=await self._look(command, caller, spec))
        return result

    async def _look(self, command: Command, caller: Caller, spec: CommandSpec) -> Any:
        """What a command that changes settings or states changes, as "noun.get" shows it; None: nothing to be shown."""
        if not spec.permission.endswith((".manage", ".force_state")):
            return None
        getter = COMMANDS.get(f"{spec.name.partition('.')[0]}.get")
        fields = getter.params.__struct_fields__ if getter is not None else ()
        if getter is None or not all(hasattr(command, field) for field in fields):
            return None
        try:
            shown = self._handlers[getter.params](
                getter.params(**{field: getattr(command, field) for field in fields}), caller
            )
            return await shown if inspect.isawaitable(shown) else shown
        except ApiError:
            return None

    def _internal_error(self, connection: Connection, spec: CommandSpec, problem: Exception) -> errors.InternalError:
        incident = secrets.token_hex(6)
        self.stats.internal_errors += 1
        log.error("! %s %s failed, incident %s", connection, spec.name, incident, exc_info=problem)
        return errors.InternalError(f"{spec.name} failed; incident {incident} in the log", incident=incident)

    def _forget_stranger(self, source: str) -> None:
        self._n_strangers -= 1
        left = self._strangers.get(source, 0) - 1
        if left > 0:
            self._strangers[source] = left
        else:
            self._strangers.pop(source, None)
