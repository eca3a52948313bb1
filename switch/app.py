"""The composition root of the switch process: makes every part, wires them, owns every task, lets them go in order."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from acd.metrics import Metrics
from control.audit import AuditTrail
from control.gate import Gate
from control.hub import EventHub
from control.role_book import RoleBook
from control.server import ControlServer
from ivr.constant_texts import constant_texts
from media.client import MediaClient
from model import errors, events, media
from model.causes import HangupCause
from model.events_queue import CentreStarted
from model.ids import IdSource
from model.records import CallRecord, RecordingRecord
from sip import actions as sip
from sip.net.dns import Resolver
from sip.net.transports import Transports
from sip.net.websocket import WebSocketConfig
from storage.storage import Storage
from storage.writer import WriterLimits, WriterState
from switch.access import load_roles, token_table
from switch.access_desk import load_access
from switch.actions import AskDatabase, AskHttp, AskMember, HearCaller, StopHearing
from switch.agent_phone import AgentPhones
from switch.agent_rights import AgentRights
from switch.alarms import AlarmWatch
from switch.appointments_desk import AppointmentsDesk
from switch.callers_desk import load_callers
from switch.campaign_board import make_board
from switch.campaign_work import CampaignWork
from switch.centre_store import load_centre
from switch.commands import make_handlers
from switch.config import Config
from switch.config_speech import speech_setup
from switch.core import Core, assemble
from switch.dialer_desk import DialerDesk
from switch.directory import Directory, extension_entries
from switch.environment import Environment
from switch.event_log import keep_events
from switch.extensions_admin import entry_of, hash_password
from switch.flow_databases import FlowDatabases
from switch.flow_requests import FlowRequests
from switch.flow_store import load_published
from switch.flows import load_flows
from switch.imports import Imports
from switch.lag import LagMeter
from switch.last_agents import recall_agents
from switch.listening import UnusableError, make_listeners, make_resolver, tls_of
from switch.lists import Lists
from switch.media_pool import MediaPool, WorkerNotes
from switch.members import Members
from switch.metrics import make_metrics, rebuild
from switch.outbound_history import recall_usage
from switch.preview_desk import PreviewDesk
from switch.prometheus import Exporter, samples
from switch.prompts_desk import load_prompts
from switch.reach import Reaches
from switch.recognition import Ears, token_of
from switch.recovery import recover, recover_after_start
from switch.registrations import Registrations
from switch.retention import keep_event_log
from switch.runtime import Outside, Runtime
from switch.seats import recall_seats
from switch.security_commands import reload_tls_by_signal
from switch.security_log import SecurityLog
from switch.services_desk import ServicesDesk
from switch.sockets import local_address, media_hosts
from switch.speech_client import SpeechClient
from switch.speech_input import FOLDER
from switch.trunks import Trunks
from switch.version import VERSION
from switch.vip_check import VipCheck
from switch.voicemail_commands import load_boxes
from switch.voicemail_desk import VoicemailDesk
from switch.voicemail_mail import VoicemailMail
from switch.wallboard import Wallboard

log = logging.getLogger(__name__)
T = TypeVar("T")

WORKER_WAIT_S = 10.0
LINGER_S = 3.0
"""What BYEs and recordings get after the last call of a drain."""


class App:
    """One running switch. Made by `start`; `stopped` is set when it may end; `close` afterwards."""

    config: Config
    storage: Storage
    runtime: Runtime
    hub: EventHub
    registrations: Registrations
    trunks: Trunks
    transports: Transports
    control: ControlServer
    core: Core
    roles: RoleBook
    gate: Gate
    audit: AuditTrail
    services: ServicesDesk
    metrics: Metrics
    alarms: AlarmWatch
    vip_check: VipCheck
    flow_databases: FlowDatabases
    flow_requests: FlowRequests
    members: Members
    lists: Lists
    imports: Imports
    voicemail: VoicemailDesk
    dialer_desk: DialerDesk
    appointments: AppointmentsDesk
    campaign_work: CampaignWork
    preview: PreviewDesk

    def __init__(self, config: Config) -> None:
        self.config = config
        self.stopped = asyncio.Event()
        self.started_utc = time.time()
        self.lag = LagMeter()
        self._has_worker = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_draining = False
        self._drain_timer: asyncio.TimerHandle | None = None
        self.workers: dict[int, WorkerNotes] = {}
        self._security_log: SecurityLog | None = None
        self._exporter: Exporter | None = None

    @classmethod
    async def start(
        cls,
        config: Config,
        sip_sockets: list[socket.socket],
        control_socket: socket.socket,
        media_paths: list[str],
        edge_path: str = "",
    ) -> "App":
        """Everything up and listening. Raises what makes that impossible (storage, certificates)."""
        app = cls(config)
        loop = asyncio.get_running_loop()
        app.hub = EventHub(config.node.name, history=config.control.event_history)
        app.storage = await Storage.open(
            config.storage_url,
            folder=config.resolve("."),
            limits=WriterLimits(max_backlog=config.storage.max_backlog),
            on_state_change=app._storage_changed,
        )
        directory = await app._load_directory()
        app.metrics = make_metrics(directory)
        await rebuild(app.metrics, app.storage, config.numbering.time_zone)
        keep_events(app.hub, app.storage.put, app.metrics.feed)
        await recall_usage(app.storage, directory.outbound, time.time())
        listeners = make_listeners(config)
        resolver = make_resolver(config, listeners)
        outside = Outside(
            send=lambda data, flow: app.transports.send(data, flow),  # noqa: PLW0108 (opened below)
            publish=app.hub.publish,
            keep=app._keep,
            resolve=lambda action: app._own(app._resolve(resolver, action)),
            call_later=loop.call_later,
            clock=time.monotonic,
        )
        pool = app._make_pool(media_paths, listeners[0].host)
        app.core = core = assemble(
            config,
            directory,
            listeners,
            pool,
            outside,
            resolver,
            ids=IdSource(),
            secrets=os.urandom,
            wall_offset=time.time() - time.monotonic(),
            publish=app.hub.publish,
            is_congested=lambda: app.storage.is_congested,
        )
        app.runtime, app.registrations, app.trunks = core.runtime, core.registrations, core.trunks
        if config.security.log:
            outside.report = app._open_security_log().write
        core.notifier.book.load(await app.storage.extension_states.all())
        app.services = ServicesDesk(core.runtime, app.storage, app.hub.publish, app._own, core.notifier.dnd_changed)
        await app.services.load()
        AgentPhones(core, app._own)
        core.dialer.check_room = app.check_room
        app.dialer_desk = DialerDesk(
            core.dialer, directory.campaigns, app.storage, app._own, time.time, config.dialer.pacing_log_days
        )
        app.voicemail = VoicemailDesk(core, app.storage, app.hub.publish, app._own)
        mail = VoicemailMail(
            config.email, config.numbering.time_zone, directory.box_of_message, app.voicemail.mailed, app.hub.publish
        )
        app.voicemail.mail = mail
        await app.voicemail.load()
        app.appointments = AppointmentsDesk(core, app.storage, app.hub.publish, app._own)
        await app.appointments.load()
        app.campaign_work = CampaignWork(core, app.storage, app.appointments, app.hub.publish, app._own)
        app.preview = PreviewDesk(core, app.storage, app.campaign_work)
        app.hub.publish(CentreStarted(version=VERSION))
        await recall_seats(app.storage, core.floor, config, time.time())
        app.trunks.resolve_literals()
        for worker in pool.workers:
            app._own(worker.run())
        await app._wait_for_worker()
        if edge_path:
            edge = core.browser_edge.connect(edge_path)
            app._own(edge.run())
            await edge.wait_until_up(WORKER_WAIT_S)
        # Before the first call can come.
        app.members = Members(app.storage, config.ivr, outside.clock, core.runtime.tell, app.hub.publish, app._own)
        core.runtime.also_perform(AskMember, app.members.ask)
        await app._open_lists()
        queues, calendars, boxes = directory.queues.keys(), directory.office.almanacs.keys(), directory.boxes.keys()
        directory.file_flows = load_flows(config, queues, calendars, boxes, directory.prompts)
        directory.flows = {**directory.file_flows}
        await load_published(app.storage, config, directory, app.hub.publish)
        await app.dialer_desk.restore()
        app._listen_to_callers()
        app.flow_databases = FlowDatabases(config.ivr.source, config.resolve)
        app.flow_requests = FlowRequests(core.runtime.tell, app._own, app.flow_databases.fetch)
        core.runtime.also_perform(AskDatabase, app.flow_requests.look_up)
        core.runtime.also_perform(AskHttp, app.flow_requests.ask)
        if config.speech.enabled:
            app._start_speech()
        try:
            app.transports = await Transports.open(
                listeners,
                core.runtime,
                sockets=sip_sockets,
                tls=tls_of(config),
                websocket=WebSocketConfig(origins=config.webrtc.origins),
            )
        except (OSError, ValueError) as error:
            raise UnusableError(f"sip.listen, sip.tls_certificate: {error}") from error
        outside.send = app.transports.send
        directory.peer_names = app.transports.peer_names
        app.trunks.use_transports(app.transports)
        app.roles = await load_roles(config, app.storage, directory.agent_roles)
        reaches = Reaches(core.calls, directory, core.floor)
        app.gate = Gate(app.roles, reaches)
        AgentRights(app.roles, reaches, directory, core.floor)
        app.roles_changed()
        app.audit = AuditTrail(app.storage.put, app.hub.publish, time.time, await app.storage.audit.head())
        app.vip_check = VipCheck(config.vip, core.floor, app._own)
        app.alarms = AlarmWatch(config.alarm, core.floor, app.metrics, app.hub.publish, core.dialer.lives_of)
        app.control = ControlServer(
            make_handlers(app),
            token_table(config).authenticate,
            app.hub,
            app.gate,
            audit=app.audit,
            version=VERSION,
        )
        app.control.watch_agents(core.floor.client_changed)
        await app.control.start(sockets=[control_socket])
        app._own(app.trunks.keep_resolved())
        app._own(app._keep_time(core.env))
        app.homes_changed()
        app._own(app.alarms.run())
        app._own(Wallboard(core.floor, app.metrics, app.hub.publish, lambda: app.hub.stats.subscribers > 0).run())
        app._own(make_board(app).run())
        app._own(keep_event_log(app.storage, config.storage.event_log_days))
        if config.prometheus.listen:
            app._exporter = Exporter(config.prometheus.listen, lambda: samples(app))
        app._own(recover_after_start(app.storage, core.runtime, app.voicemail.recording_over))
        app._own(app.voicemail.sweep())
        app._own(app.dialer_desk.sweep())
        app._own(mail.run())
        return app

    async def _open_lists(self) -> None:
        core, config = self.core, self.config
        clock, env = self.runtime.outside.clock, core.env
        self.lists = Lists(
            self.storage,
            core.directory,
            env.ids,
            lambda: env.wall(clock()),
            dnc=core.dialer.dnc,
            tell=core.dialer.answered,
        )
        self.imports = Imports(
            self.lists, config.resolve(config.dialer.imports).absolute(), self.hub.publish, self._own
        )
        await self.imports.load()
        await self.lists.load()
        self._own(self.lists.sweep())

    def _open_security_log(self) -> SecurityLog:
        path = self.config.resolve(self.config.security.log)
        try:
            self._security_log = SecurityLog(path, self.config.node.name)
        except OSError as error:
            raise UnusableError(f"security.log: {path}: {error.strerror}") from error
        return self._security_log

    def _listen_to_callers(self) -> None:
        config, runtime = self.config, self.runtime
        try:
            token = token_of(config.recognition, config.resolve)
        except OSError as error:
            raise UnusableError(f"recognition.token_file: {error.strerror}") from error
        ears = Ears(config.recognition, token, config.resolve(FOLDER).absolute(), runtime.tell)
        runtime.also_perform(HearCaller, ears.hear)
        runtime.also_perform(StopHearing, ears.stop)
        if ears.is_on:
            self._own(ears.run())

    @property
    def addresses(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of each SIP listener."""
        return self.transports.addresses()

    def _start_speech(self) -> None:
        speech, config = self.core.speech, self.config
        client = SpeechClient(speech_setup(config), speech.gone, config.node.log_level.upper())
        self._own(client.run())
        speech.use(client, self._own, config.speech.timeout_s)
        flows = self.core.directory.flows
        speech.prepare(constant_texts(flows, flows))

    # -- starting ----------------------------------------------------------------------------------------------------

    async def _load_directory(self) -> Directory:
        directory = Directory(self.config)
        for stored in await self.storage.extensions.all():
            if stored.source == "api" and stored.realm == self.config.sip.realm:
                directory.extensions[stored.number] = entry_of(stored)
            elif stored.source == "api":
                log.error(
                    "x extension %s cannot be used: its password was set for realm %s", stored.number, stored.realm
                )
        for entry in extension_entries(self.config, hash_password):
            if entry.number in directory.extensions:
                log.warning("! extension %s stands in the file and in the database; the file counts", entry.number)
            directory.extensions[entry.number] = entry
        await load_centre(self.storage, directory)
        await load_access(self.storage, directory)
        await load_prompts(self.storage, self.config, directory)
        await load_callers(self.storage, directory.caller_lists)
        await load_boxes(self.storage, directory)
        await recall_agents(self.storage, directory.last_agents, time.time())
        return directory

    def _make_pool(self, paths: list[str], sip_host: str) -> MediaPool:
        workers = []
        for index, path in enumerate(paths):
            workers.append(
                MediaClient(
                    path,
                    on_event=lambda batch, index=index: self._media_events(index, batch),  # type: ignore[misc]
                    on_connected=lambda hello, index=index: self._worker_up(index, hello),  # type: ignore[misc]
                    on_disconnected=lambda reason, index=index: self._worker_down(index, reason),  # type: ignore[misc]
                )
            )
        hosts = [local_address(host) for host in media_hosts(self.config)]
        if self.config.media.advertised_address:
            hosts = [self.config.media.advertised_address, *hosts[1:]]
        return MediaPool(workers, hosts[0], other_host=hosts[1] if len(hosts) > 1 else "")

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.runtime.counters.unhandled_errors += 1
            log.error("x a task of the switch ended", exc_info=error)

    def roles_changed(self) -> None:
        """Events are asked whom they concern only while somebody may not see them all."""
        self.hub.track(None if self.roles.may_all_see_everything() else self.gate.reach_of_event)

    def homes_changed(self) -> None:
        """Other agents are preferred for the callers of an area."""
        directory = self.core.directory
        if directory.regions.use_homes(agent.home_area for agent in directory.agents.values()):
            self._own(asyncio.to_thread(directory.regions.load))

    # -- media workers -------------------------------------------------------------------------------------------------

    async def _wait_for_worker(self) -> None:
        """The first datagram read shall find audio; without any worker the switch still answers (503)."""
        try:
            await asyncio.wait_for(self._has_worker.wait(), WORKER_WAIT_S)
        except TimeoutError:
            log.error("x no media worker is up after %.0f s; calls are refused until one is", WORKER_WAIT_S)

    def worker_name(self, index: int) -> str:
        notes = self.workers.get(index)
        return notes.hello.worker if notes is not None else ""

    def _media_events(self, index: int, batch: list[media.Event]) -> None:
        for event in batch:
            if type(event) is media.Health:
                self._note_health(self.workers[index], event)
        self.runtime.media_events(index, batch)

    def _note_health(self, notes: WorkerNotes, health: media.Health) -> None:
        was_failing = notes.health is not None and notes.health.is_disk_failing
        notes.health = health
        if health.is_disk_failing == was_failing:
            return
        name, reason = notes.hello.worker, health.disk_error
        if health.is_disk_failing:
            log.error("x media worker %s: recordings cannot be written: %s", name, reason)
        else:
            log.info("= media worker %s: recordings are written again", name)
        state = "failing" if health.is_disk_failing else "up"
        self.hub.publish(events.MediaWorkerChanged(worker=name, state=state, reason=reason))

    def _worker_up(self, index: int, hello: media.Hello) -> None:
        notes = self.workers.setdefault(index, WorkerNotes(hello))
        is_new = notes.hello.pid != hello.pid
        notes.n_restarts += is_new
        notes.hello = hello
        self._has_worker.set()
        self.hub.publish(events.MediaWorkerChanged(worker=hello.worker, state="up"))
        lost = self.runtime.tell_worker_everything(index, hello.sessions, is_new=is_new)
        if lost:
            self._own(recover(self.storage, lost, self.voicemail.recording_over))

    def _worker_down(self, index: int, reason: str) -> None:
        self.runtime.pool.lost(index)
        if not self.is_draining:
            log.error("x media worker %s: %s", self.worker_name(index), reason)
        self.hub.publish(events.MediaWorkerChanged(worker=self.worker_name(index), state="down", reason=reason))

    # -- records -------------------------------------------------------------------------------------------------------

    def _keep(self, record: CallRecord | RecordingRecord) -> None:
        self.storage.put(record)

    async def flush_records(self) -> None:
        """What ended before this is in the database afterwards, unless that fails: then what is there must do."""
        if not self.storage.state.is_failing:
            try:
                await asyncio.wait_for(self.storage.flush(), 2.0)
            except TimeoutError:
                log.warning("! records are not written within 2 s; answering with what is stored")

    def _storage_changed(self, state: WriterState) -> None:
        if state.is_failing:
            log.error("x storage fails, %d records wait: %s", state.backlog, state.error)
        else:
            log.info("= storage works, %d records wait", state.backlog)
        self.hub.publish(
            events.StorageStateChanged(is_failing=state.is_failing, error=state.error, backlog=state.backlog)
        )

    # -- running -------------------------------------------------------------------------------------------------------

    async def _resolve(self, resolver: Resolver, action: sip.Resolve) -> None:
        flows = await resolver.resolve(action.uri, listener=action.listener)
        self.runtime.resolved(action.token, flows)

    async def _keep_time(self, env: Environment) -> None:
        """Follows the wall clock, and measures how late the loop wakes up: one wake-up a second."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(1.0)
            self.lag.note(time.monotonic() - before - 1.0)
            env.wall_offset = time.time() - time.monotonic()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What takes longer than the loop may stand still."""
        return await asyncio.to_thread(work)

    def check_room(self) -> None:
        """Raises the API error that says why no new call can be taken."""
        if self.is_draining:
            raise errors.Draining()
        if len(self.runtime.calls.calls) >= self.config.calls.max_calls:
            raise errors.Congested("calls.max_calls is reached")
        if self.storage.is_congested:
            raise errors.Congested("the record writer's backlog is full")
        if self.runtime.pool.choose_worker() < 0:
            raise errors.Congested("no media worker has a free port")

    # -- ending --------------------------------------------------------------------------------------------------------

    def asked_to_reload_tls(self) -> None:
        """SIGHUP: certificate files are read again."""
        self._own(reload_tls_by_signal(self))

    def asked_to_stop(self) -> None:
        """SIGTERM: drain; the second time: end the calls now."""
        self.drain(0.001 if self.is_draining else self.config.node.drain_s)

    def drain(self, timeout_s: float) -> None:
        """No new calls; ends when the last one has, or after `timeout_s` (0 = whenever that is)."""
        if not self.is_draining:
            log.info("= draining, %d calls", len(self.runtime.calls.calls))
            self.is_draining = self.core.door.is_draining = self.core.dialer.is_draining = True
            self.hub.publish(events.SystemDraining(n_calls=len(self.runtime.calls.calls), deadline_s=timeout_s))
            self._own(self._wait_until_idle())
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        loop = asyncio.get_running_loop()
        self._drain_timer = loop.call_later(timeout_s, self._end_calls) if timeout_s else None

    def _end_calls(self) -> None:
        self.runtime.run(lambda now: self.runtime.calls.release_all(HangupCause.SYSTEM_SHUTDOWN, now))

    async def _wait_until_idle(self) -> None:
        runtime = self.runtime
        await _until(lambda: not runtime.calls.calls)
        # The calls are over; their BYEs and the last recordings get a moment.
        give_up = time.monotonic() + LINGER_S
        await _until(lambda: not (runtime.recordings or runtime.legs.n_sessions) or time.monotonic() >= give_up)
        self.stopped.set()

    async def close(self) -> None:
        """Lets go of everything; records are written, registrations at trunks given back."""
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        await self.trunks.close()
        await self.control.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.vip_check.close()
        await self.flow_requests.close()
        await self.flow_databases.close()
        if self._exporter is not None:
            await asyncio.to_thread(self._exporter.close)
        self.runtime.close()
        self.core.dialer.keep()
        await self.transports.close()
        self.hub.close()
        if self._security_log is not None:
            self._security_log.close()
        await self.storage.close()


async def _until(is_so: Callable[[], bool]) -> None:
    """Looks ten times a second; only a drain waits like this."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.1)
