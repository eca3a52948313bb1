"""The whole switch in virtual time: the real core over `SimNet`, with a media worker that only notes its commands."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from dialer.inputs import DialerInput
from media.client import PortPool, SharedPortPool
from model import media
from model.declare import Event
from model.ids import IdSource
from model.records import CallRecord, RecordingRecord
from sip.flow import Flow
from sip.stack import Listener
from storage.memory import MemoryStorage
from switch.actions import AskMember
from switch.addresses import parse_listen
from switch.agent_phone import AgentPhones
from switch.appointments_desk import AppointmentsDesk
from switch.campaign_work import CampaignWork
from switch.config_file import parse_config
from switch.core import assemble
from switch.dialer_desk import DialerDesk
from switch.directory import Directory, extension_entries
from switch.extensions_admin import hash_password
from switch.imports import Imports
from switch.lists import Lists
from switch.media_pool import MediaPool
from switch.members import Members
from switch.pins import check_pin, hash_keyed
from switch.preview_desk import PreviewDesk
from switch.runtime import Outside
from switch.security_events import SecurityEvent
from switch.services_desk import ServicesDesk
from switch.voicemail_desk import VoicemailDesk
from tests.harness.sim_dns import SimResolver
from tests.harness.sim_phone import SimPhone
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import EPOCH_UTC, START_S

HOST = "10.0.0.1"
PASSWORD = "a-password-of-1001"
SERVER = Flow("udp", HOST, 5060)

EXTENSIONS = "".join(
    f'[[extension]]\nnumber = "{number}"\npassword = "{PASSWORD}"\nname = "Phone {number}"\n'
    for number in range(1001, 1006)
)
TRUNKS = """
[[trunk]]
name = "carrier"
host = "10.0.1.1"
port = 5060
caller_id = "02188886666"
[[trunk]]
name = "spare"
host = "10.0.1.2"
port = 5060
[[access_number]]
number = "02188886666"
to = "1001"
[[route]]
name = "outside"
pattern = "9."
strip = 1
trunks = ["carrier", "spare"]
"""


async def _verify(pin: str, pin_hash: str) -> bool:
    """Virtual time knows no threads."""
    return check_pin(pin, pin_hash)


async def _at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    """There are no threads in virtual time."""
    return work(*arguments)


async def _hashed(password: str) -> str:
    return hash_keyed(password)


class NotedWorker:
    """In the place of media.client.MediaClient: answers as a worker would, and keeps every command."""

    def __init__(self, switch: "SimSwitch", index: int = 0, n_ports: int = 200) -> None:
        self._index = index
        self.ports = PortPool(5.0)
        self.ports.reset(list(range(20000 + 2 * n_ports * index, 20000 + 2 * n_ports * (index + 1), 2)))
        self.shared_ports = SharedPortPool()
        self.is_connected = True
        self.commands: list[media.Command] = []
        self.legs: dict[str, set[str]] = {}
        self.recordings: dict[str, media.StartRecording] = {}
        self._switch = switch
        self.recorded_s = 1.0
        """How long every recording turns out."""

    @property
    def n_free(self) -> int:
        return self.ports.n_total - self.ports.n_taken

    def allocate_port(self, trunk: str = "") -> int | None:
        port = self.shared_ports.allocate(trunk) if trunk else None
        return port or self.ports.allocate(self._switch.loop.time())

    def free_port(self, port: int, now: float) -> None:
        if port in self.shared_ports:
            self.shared_ports.free(port)
        else:
            self.ports.free(port, now)

    def send(self, command: media.Command) -> bool:
        self.commands.append(msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=media.Command))
        match command:
            case media.ConfigureLeg(session=session, leg=leg):
                self.legs.setdefault(session, set()).add(leg)
            case media.StartRecording(recording=recording):
                self.recordings[recording] = command
            case media.Adopt(session=session, snapshot=snapshot):
                self.legs[session] = {settings.leg for settings, _ in snapshot.legs}
                self.recordings |= {start.recording: start for start in snapshot.recordings}
            case media.StopRecording(recording=recording):
                self._finish(recording)
            case media.ReleaseLeg(session=session, leg=leg) if leg in self.legs.get(session, ()):
                self.legs[session].discard(leg)
                if not self.legs[session]:
                    del self.legs[session]
                self.tell(media.LegReleased(session, leg, media.LegStatistics(packets_received=7)))
            case media.ReleaseSession(session=session):
                for leg in sorted(self.legs.pop(session, set())):
                    self.tell(
                        media.LegReleased(session, leg, media.LegStatistics(packets_received=50, packets_sent=50))
                    )
                for recording in [r for r, start in self.recordings.items() if start.session == session]:
                    self._finish(recording)
            case _:
                pass
        return True

    def _finish(self, recording: str) -> None:
        start = self.recordings.pop(recording, None)
        if start is None:
            return
        self.tell(media.RecordingFinished(start.session, recording, start.path, self.recorded_s, 100, "00", 2))

    def tell(self, event: media.Event) -> None:
        self._switch.loop.call_later(0.001, self._switch.core.runtime.media_events, self._index, [event])

    def of(self, kind: type[Any], session: str = "") -> list[Any]:
        """Commands of one kind, in order."""
        return [c for c in self.commands if isinstance(c, kind) and (not session or c.session == session)]


class SimSwitch:
    """`SimSwitch(net, "…toml…")` inside the virtual loop. Close it at the end of the test."""

    def __init__(
        self,
        net: SimNet,
        config_text: str = EXTENSIONS + TRUNKS,
        *,
        seed: int = 1,
        n_workers: int = 1,
        storage: MemoryStorage | None = None,
        directory: Directory | None = None,
    ) -> None:
        """`storage`, `directory`: what is left of a switch before, and what was read of it."""
        self.loop = asyncio.get_running_loop()
        self.net = net
        listen = f'[sip]\nlisten = ["udp:{HOST}:5060", "tcp:{HOST}:5060"]\n'
        self.text = config_text
        self.config = parse_config(config_text if "[sip]" in config_text else listen + config_text)
        self.events: list[Event] = []
        self.security: list[SecurityEvent] = []
        """What was told to the security log."""
        self.records: list[CallRecord | RecordingRecord] = []
        self.storage = storage or MemoryStorage(max_backlog=1)
        self.workers = [NotedWorker(self, index) for index in range(n_workers)]
        self.worker = self.workers[0]
        self.resolver = SimResolver()
        counter = 0

        def random_bytes(n: int) -> bytes:
            nonlocal counter
            counter += 1
            return hashlib.shake_128(f"{seed} {counter}".encode()).digest(n)

        listeners = [
            Listener(transport=a.transport, host=a.host, port=a.port) for a in map(parse_listen, self.config.sip.listen)
        ]
        outside = Outside(
            send=lambda data, flow: self.transports.send(data, flow),  # noqa: PLW0108 (attached below)
            publish=self.events.append,
            keep=self._keep,
            resolve=lambda action: self._resolve(action.token, action.uri),
            call_later=self.loop.call_later,
            clock=self.loop.time,
            report=self.security.append,
        )
        directory = directory or Directory(self.config)
        for entry in extension_entries(self.config, hash_password):
            directory.extensions[entry.number] = entry
        self.core = assemble(
            self.config,
            directory,
            listeners,
            MediaPool(
                self.workers,  # type: ignore[arg-type]
                HOST,
                self.loop.time,
                other_host=next((one.host for one in listeners if ":" in one.host), ""),
            ),
            outside,
            self.resolver,
            ids=IdSource(lambda: int(self.wall() * 1000), random_bytes),
            secrets=random_bytes,
            wall_offset=EPOCH_UTC - START_S,
            publish=self.events.append,
            is_congested=lambda: self.storage.is_congested,
        )
        self.services = ServicesDesk(
            self.core.runtime, self.storage, self.events.append, self._own, self.core.notifier.dnd_changed
        )
        AgentPhones(self.core, self._own, _verify)
        runtime = self.core.runtime
        self.members = Members(
            self.storage, self.config.ivr, self.loop.time, runtime.tell, self.events.append, self._own, _verify, _hashed
        )
        runtime.also_perform(AskMember, self.members.ask)
        self.told: list[DialerInput] = []
        """What the dialler was told of lists."""
        self.lists = Lists(
            self.storage,
            self.core.directory,
            self.core.env.ids,
            self.wall,
            dnc=self.core.dialer.dnc,
            tell=self._tell_dialer,
            in_thread=_at_once,
        )
        self.imports = Imports(self.lists, Path("imports"), self.events.append, self._own)
        self.removed: list[str] = []
        """Files that were deleted."""
        self.voicemail = VoicemailDesk(self.core, self.storage, self.events.append, self._own, _verify, self._remove)
        self.appointments = AppointmentsDesk(self.core, self.storage, self.events.append, self._own)
        self.campaign_work = CampaignWork(self.core, self.storage, self.appointments, self.events.append, self._own)
        self.preview = PreviewDesk(self.core, self.storage, self.campaign_work)
        self.dialer_desk = DialerDesk(self.core.dialer, directory.campaigns, self.storage, self._own, self.wall, 31)
        self.core.trunks.resolve_literals()
        self.transports = net.attach(self.core.runtime, *((one.transport, one.host, one.port) for one in listeners))
        self._phones: list[SimPhone] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def wall(self) -> float:
        return EPOCH_UTC + self.loop.time() - START_S

    # -- peers --------------------------------------------------------------------------------------------------------

    async def phone(self, number: str, **settings: Any) -> SimPhone:
        """A registered phone at 10.0.0.(number modulo 1000 + 10)."""
        host = settings.pop("host", f"10.0.0.{int(number) % 1000 + 10}")
        settings.setdefault("password", PASSWORD)
        phone = SimPhone(self.net, host, number, settings.pop("server", SERVER), **settings)
        self._phones.append(phone)
        await phone.registered()
        return phone

    def carrier(self, host: str = "10.0.1.1", **settings: Any) -> SimPhone:
        """A trunk's far end; takes calls to any number."""
        phone = SimPhone(self.net, host, "carrier", SERVER, is_carrier=True, **settings)
        self._phones.append(phone)
        return phone

    @property
    def phones(self) -> list[SimPhone]:
        """Carriers too."""
        return self._phones

    # -- what happened ------------------------------------------------------------------------------------------------

    @property
    def cdrs(self) -> list[CallRecord]:
        return [record for record in self.records if isinstance(record, CallRecord)]

    @property
    def recordings(self) -> dict[str, RecordingRecord]:
        """The last state of every recording."""
        return {r.recording_id: r for r in self.records if isinstance(r, RecordingRecord)}

    def of(self, kind: type[Any]) -> list[Any]:
        """Events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, is_so: Any, within_s: float = 120.0) -> None:
        """Waits in virtual time for a condition. AssertionError when it does not come true."""
        give_up = self.loop.time() + within_s
        while not is_so():
            assert self.loop.time() < give_up, f"not within {within_s} virtual seconds"
            await asyncio.sleep(0.01)

    async def cdr(self, n: int = 1) -> CallRecord:
        """The n-th record, waited for."""
        await self.until(lambda: len(self.cdrs) >= n)
        return self.cdrs[n - 1]

    async def close(self, *, check: bool = True) -> None:
        """Ends the phones, lets every timer run out, and checks that nothing is left of any call."""
        for phone in self._phones:
            await phone.close()
        if check:
            await self.until(lambda: not self.core.calls.calls)
            self.core.keep_alives.stop()
            await asyncio.sleep(120.0)
            self.check_empty()
        self.core.runtime.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.transports.close()

    def check_empty(self) -> None:
        """Nothing may be left once the calls are over: no call, session, transaction, port, recording, channel."""
        core = self.core
        assert core.calls.calls == {}
        assert core.calls.deadline is None
        assert not core.dialer.followed
        assert dict(core.stack.sessions) == {}
        assert core.runtime.legs.n_sessions == 0
        assert core.stack.n_transactions == 0
        assert core.runtime.recordings == {}
        assert [worker.ports.n_taken for worker in self.workers] == [0] * len(self.workers)
        assert all(worker.legs == {} for worker in self.workers)
        assert all(trunk.n_calls == 0 for trunk in core.directory.trunks.values())
        assert core.calls.counters.unhandled_errors == 0
        assert core.runtime.counters.unhandled_errors == 0
        assert core.stack.stats.n_faults == 0

    async def _remove(self, path: str) -> None:
        self.removed.append(path)

    def _tell_dialer(self, told: DialerInput) -> None:
        self.told.append(told)
        self.core.dialer.answered(told)

    def _keep(self, record: CallRecord | RecordingRecord) -> None:
        self.records.append(record)
        self.storage.put(record)

    def _resolve(self, token: int, uri: str) -> None:
        async def look_up() -> None:
            self.core.runtime.resolved(token, await self.resolver.resolve(uri))

        self._own(look_up())

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
