"""A control server with simple handlers, and raw-line peers for it. Everything is closed on the way out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvloop

from control.audit import AuditTrail
from control.auth import ApiUser, FailureTable, TokenTable, hash_token, new_token
from control.gate import NOBODY, Gate, Reach
from control.hub import EventHub
from control.role_book import RoleBook
from control.server import BUILT_IN, ControlLimits, ControlServer
from model import (
    commands,
    commands_audio,
    commands_audit,
    commands_conference,
    commands_extensions,
    commands_monitor,
    commands_parking,
    commands_roles,
    commands_security,
    commands_services,
    commands_trace,
    errors,
    views,
)
from model.audit import FIRST_HASH, AuditRecord, seal
from model.catalogue import our_commands
from model.declare import Command, command_spec
from model.media import LegStatistics
from model.records import CallRecord, LegRecord, RecordingRecord
from tests.control.campaign_samples import CAMPAIGN_SAMPLES
from tests.control.campaign_view_samples import CAMPAIGN_VIEW_SAMPLES
from tests.control.centre_samples import CENTRE_SAMPLES
from tests.control.preview_samples import PREVIEW_SAMPLES

PATIENCE_S = 30.0
TOKENS = {role: new_token() for role in ("viewer", "operator", "administrator")}
USERS = [
    ApiUser(name=f"the {role}", role=role, token_hash=hash_token(token), agent="a1" if role == "viewer" else "")
    for role, token in TOKENS.items()
]
FAST_FAILURES = {"first_delay_s": 0.001, "max_delay_s": 0.002}


LEG = views.LegView(
    leg_id="leg-1",
    kind="extension",
    name="1001",
    direction="in",
    state="answered",
    codec="PCMA",
    statistics=LegStatistics(packets_received=50, jitter_ms=1.5),
)
CALL = views.CallView(
    call_id="call-1",
    phase="bridged",
    direction="internal",
    caller="1001\x1b[31m[red]",
    dialed="1002",
    created_utc=1.0,
    duration_s=3725.0,
    legs=[LEG],
    is_recorded=True,
    variables={"order": "7"},
)
RECORD = CallRecord(
    call_id="call-1",
    direction="internal",
    caller="1001",
    dialed="1002",
    created_utc=1.0,
    ended_utc=9.0,
    duration_s=8.0,
    hangup_cause="NORMAL_CLEARING",
    hangup_side="caller",
    legs=[LegRecord(leg_id="leg-1", call_id="call-1", direction="in", kind="extension", name="1001", created_utc=1.0)],
)
RECORDING = RecordingRecord(
    recording_id="recording-1", call_id="call-1", path="2026/11/22/a.wav", started_utc=2.0, pauses=[(1.0, 2.5)]
)
EXTENSION = views.ExtensionView(extension="1001", name="Ann", may_call_international=True)
BAN = commands_security.BanView(
    address="192.0.2.9", port=5060, reason="scanner", since_utc=1.0, until_utc=2.0, n_times=1, n_dropped=8
)
CERTIFICATE = commands_security.CertificateView(
    subject="CN=a", names=["sip.example.net"], not_before_utc=1.0, not_after_utc=2.0, sha256="ab"
)
PARKED = commands_parking.ParkedCall(
    orbit="701", call_id="call-1", leg_id="leg-1", number="1001", by="1002", since_utc=1_700_000_000.0
)
TRACED = commands_trace.TraceMessage(
    at_utc=1_700_000_000.0,
    is_sent=False,
    transport="udp",
    local="10.0.0.1:5060",
    remote="10.0.0.11:5060",
    data=b"OPTIONS sip:x SIP/2.0\r\nCall-ID: one\r\n\r\n",
)
MONITOR = commands_monitor.MonitorView(
    monitor_id="monitor-1", call_id="call-1", supervisor="1003", agent="1001", state="active", mode="whisper"
)
ROOM = commands_conference.ConferenceView(
    conference="sales",
    number="800",
    is_live=True,
    is_locked=True,
    n_members=1,
    floor="leg-1",
    members=[
        commands_conference.MemberView(
            leg_id="leg-1",
            kind="trunk",
            name="carrier",
            number="5551\x1b[31m",
            role="listener",
            state="in",
            is_deaf=True,
        )
    ],
)
AUDITED = seal(
    AuditRecord(
        seq=2,
        at_utc=1_700_000_000.0,
        who="lea",
        role="lead",
        address="10.0.0.9:4000",
        action="extension.delete",
        subject="1001",
        outcome="denied",
        reason="needs the permission extension.manage",
    ),
    FIRST_HASH,
)
ROLE = commands_roles.RoleView(
    role="lead",
    permissions=["call.*"],
    all_permissions=["call.view"],
    queues=["sales"],
    agent_groups=[],
    source="api",
    n_users=1,
)
SAMPLES: dict[Any, Any] = {
    commands_monitor.MonitorView: MONITOR,
    commands_roles.RoleView: ROLE,
    commands_audit.AuditList: commands_audit.AuditList(records=[AUDITED], cursor="1"),
    commands_audit.AuditState: commands_audit.AuditState(
        is_whole=False, n_rows=4, last_hash="00ff", fault_seq=5, fault="row 5 was changed"
    ),
    commands_roles.RoleList: commands_roles.RoleList(roles=[ROLE]),
    commands_roles.PermissionList: commands_roles.PermissionList(
        permissions=[
            commands_roles.PermissionView(permission="call.view", scope="agent_group", text="See", is_audited=False)
        ]
    ),
    commands_monitor.MonitorList: commands_monitor.MonitorList(monitors=[MONITOR]),
    commands_conference.ConferenceView: ROOM,
    commands_conference.ConferenceList: commands_conference.ConferenceList(conferences=[ROOM]),
    views.ConsultView: views.ConsultView(
        consult_id="consult-1", call_id="call-1", by_leg_id="leg-1", number="1003", state="ringing"
    ),
    commands_services.ExtensionServicesView: commands_services.ExtensionServicesView(
        extension="1001", always_to="1003", is_dnd=True, pickup_group="sales"
    ),
    commands_parking.ParkedCall: PARKED,
    commands_security.BanView: BAN,
    commands_security.BanList: commands_security.BanList(
        bans=[BAN], n_bans=3, n_lock_outs=4, n_busy=5, n_dropped=6, n_clipped=7
    ),
    commands_security.TlsReloaded: commands_security.TlsReloaded(certificate=CERTIFICATE),
    commands_parking.ParkedCalls: commands_parking.ParkedCalls(parked=[PARKED]),
    commands_audio.CollectStarted: commands_audio.CollectStarted(collect_id="collect-1"),
    commands_trace.TraceStarted: commands_trace.TraceStarted(trace_id="trace-1", node="ringback"),
    commands_trace.TraceMessages: commands_trace.TraceMessages(messages=[TRACED]),
    views.Done: views.Done(),
    views.CallView: CALL,
    views.CallList: views.CallList(calls=[CALL], n_calls=3),
    views.CallDetail: views.CallDetail(live=CALL, record=RECORD, recordings=[RECORDING]),
    views.CallHistory: views.CallHistory(calls=[RECORD], cursor="1.0~call-1"),
    views.PlayStarted: views.PlayStarted(play_id="play-1"),
    views.RecordingList: views.RecordingList(recordings=[RECORDING]),
    views.RecordingState: views.RecordingState(
        recording_id="recording-1", call_id="call-1", path="2026/11/22/a.wav", state="paused"
    ),
    RecordingRecord: RECORDING,
    views.ExtensionView: EXTENSION,
    views.ExtensionList: views.ExtensionList(extensions=[EXTENSION]),
    views.ExtensionCreated: views.ExtensionCreated(extension=EXTENSION, password="correct-horse"),
    views.RegistrationList: views.RegistrationList(
        registrations=[views.RegistrationView(extension="1001", address="udp:192.0.2.1:5060", expires_s=60.0)]
    ),
    views.TrunkList: views.TrunkList(trunks=[views.TrunkView(trunk="carrier", state="up")]),
    views.DrainState: views.DrainState(n_calls=2, deadline_s=0.0),
    views.SystemStatus: views.SystemStatus(
        version="1.2.3",
        node="node-1",
        started_utc=1.0,
        uptime_s=61.0,
        media_workers=[views.MediaWorkerView(worker="w0", state="up")],
        storage=views.StorageView(is_failing=True, error="disk full"),
    ),
    **CENTRE_SAMPLES,
    **CAMPAIGN_SAMPLES,
    **CAMPAIGN_VIEW_SAMPLES,
    **PREVIEW_SAMPLES,
}


class Handlers:
    """What the switch would do: `slow` waits for `gate`, `broken` fails."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.seen: list[tuple[Command, Any]] = []
        self.n_running = 0
        self.n_running_max = 0
        self.n_cancelled = 0

    def table(self) -> dict[type[Command], Callable[..., Any]]:
        table: dict[type[Command], Callable[..., Any]] = {
            spec.params: self.plain for spec in our_commands() if spec.params not in BUILT_IN
        }
        return table | {
            commands.ListTrunks: self.trunks,
            commands.Hold: self.slow,
            commands.Resume: self.broken_later,
            commands.GetCall: self.refuse,
            commands_extensions.GetExtension: self.refuse_later,
            commands.StopPlay: self.broken,
            commands.ListCalls: self.unfit,
            commands.Drain: self.unfit_refusal,
        }

    def plain(self, command: Command, caller: Any) -> Any:
        self.seen.append((command, caller))
        return SAMPLES[command_spec(type(command)).result]

    def trunks(self, command: Command, caller: Any) -> Any:
        return views.TrunkList(trunks=[views.TrunkView(trunk="carrier", state="up")])

    async def slow(self, command: Command, caller: Any) -> Any:
        self.n_running += 1
        self.n_running_max = max(self.n_running_max, self.n_running)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        finally:
            self.n_running -= 1
        self.seen.append((command, caller))
        return views.Done()

    def refuse(self, command: commands.GetCall, caller: Any) -> Any:
        raise errors.NoSuchCall(f"no call {command.call_id}", call_id=command.call_id)

    async def refuse_later(self, command: Command, caller: Any) -> Any:
        await asyncio.sleep(0)
        raise errors.NoSuchExtension

    def broken(self, command: Command, caller: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    async def broken_later(self, command: Command, caller: Any) -> Any:
        await asyncio.sleep(0)
        raise TimeoutError("of the handler's own")

    def unfit(self, command: Command, caller: Any) -> Any:
        return object()

    def unfit_refusal(self, command: Command, caller: Any) -> Any:
        raise errors.WrongState("cannot", state=object())


class TableObjects:
    """Agents, calls and queues as a table says; `reaches` is keyed by (kind, name)."""

    def __init__(
        self,
        reaches: dict[tuple[str, str], Reach] | None = None,
        queues: dict[str, frozenset[str]] | None = None,
        roles: dict[str, str] | None = None,
    ) -> None:
        self.reaches = reaches or {}
        self.queues = queues or {}
        self.roles = roles or {}

    def reach(self, kind: str, name: str) -> Reach:
        if kind in ("group", "queue"):
            return Reach(**{f"{kind}s": frozenset((name,))})
        return self.reaches.get((kind, name), NOBODY)

    def queues_of(self, agent_id: str) -> frozenset[str]:
        return self.queues.get(agent_id, frozenset())

    def role_of(self, agent_id: str) -> str:
        return self.roles.get(agent_id, "")


class Peer:
    """A connection that says and hears lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.n = 0

    def send(self, line: bytes | str) -> None:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\n")

    async def hear(self) -> dict[str, Any] | None:
        """The next object, None when the connection is closed."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                line = await self.reader.readline()
            except ConnectionResetError:
                return None
        return msgspec.json.decode(line) if line else None

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.n += 1
        self.send(msgspec.json.encode({"jsonrpc": "2.0", "id": self.n, "method": method, "params": params}))
        answer = await self.hear()
        assert answer is not None
        assert answer["id"] == self.n
        return answer

    async def log_in(self, role: str = "administrator") -> None:
        assert "result" in await self.ask("auth.login", token=TOKENS[role])

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


class Rig:
    """The server under test."""

    def __init__(self, server: ControlServer, hub: EventHub, handlers: Handlers) -> None:
        self.server = server
        self.hub = hub
        self.handlers = handlers
        self.peers: list[Peer] = []

    @property
    def address(self) -> tuple[str, int]:
        return self.server.addresses[0]

    async def peer(self, role: str | None = "administrator") -> Peer:
        peer = Peer(*await asyncio.open_connection(*self.address))
        self.peers.append(peer)
        if role is not None:
            await peer.log_in(role)
        return peer


@asynccontextmanager
async def running(
    *,
    history: int = 1000,
    failures: FailureTable | None = None,
    gate: Gate | None = None,
    audit: AuditTrail | None = None,
    **limits: Any,
) -> AsyncIterator[Rig]:
    handlers = Handlers()
    gate = gate or Gate(RoleBook(), TableObjects())
    hub = EventHub("node-1", history=history)
    server = ControlServer(
        handlers.table(),
        TokenTable(USERS).authenticate,
        hub,
        gate,
        audit=audit,
        version="1.2.3",
        limits=ControlLimits(**limits),
        failures=FailureTable(**FAST_FAILURES) if failures is None else failures,
    )
    await server.start()
    rig = Rig(server, hub, handlers)
    try:
        yield rig
    finally:
        for peer in rig.peers:
            await peer.close()
        await server.close()
        hub.close()


async def eventually(is_true: Callable[[], bool]) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def run(test: Coroutine[Any, Any, None] | Awaitable[None]) -> None:
    """Runs a test in a loop of its own, the kind the switch uses; afterwards no task may be left."""

    async def main() -> None:
        async with asyncio.timeout(2 * PATIENCE_S):
            await test
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left

    uvloop.run(main())
