"""Flows by API: a draft is worked on, checked and walked; to publish it changes first the database, then what callers
are led to. Whoever is in a flow stays in the version that he came to.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from control.auth import Caller
from ivr.checks import Surroundings, flow_faults, read_flow
from ivr.constant_texts import constant_texts
from ivr.interpreter import FixedWorld
from ivr.program import Program, compile_flow
from ivr.simulation import Simulation
from model import commands_flow as flows
from model import errors, views
from model.declare import Command
from model.events_flow import FlowPublished, FlowRemoved
from model.flows import Flow, FlowFault
from model.prompts import Prompt
from storage.errors import NotFoundError, UnavailableError
from storage.flows import DRAFT, FlowHead, FlowRow
from switch.campaign_uses import campaigns_naming
from switch.config_centre import targets_of
from switch.flow_store import flows_naming
from switch.flows import faults_of, surroundings
from switch.queues_admin import ways_of
from switch.routing import FLOW

if TYPE_CHECKING:
    from switch.app import App

T = TypeVar("T")

MAX_BYTES = 524_288
"""Of a document."""
MAX_FLOWS = 500
MAX_VERSIONS = 200
"""Of one flow that are kept; then the oldest are forgotten."""
_SHOWN = 500
_NAMED = 20


def make_handlers(app: "App", lock: asyncio.Lock) -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    """`lock`: of all who change the centre."""
    admin = FlowsAdmin(app, lock)
    return {
        flows.ListFlows: admin.list_flows,
        flows.ListFlowVersions: admin.versions,
        flows.GetFlow: admin.get,
        flows.SaveFlowDraft: admin.save_draft,
        flows.CheckFlow: admin.check,
        flows.PublishFlow: admin.publish,
        flows.RollBackFlow: admin.roll_back,
        flows.RemoveFlow: admin.remove,
        flows.SimulateFlow: admin.simulate,
    }


class FlowsAdmin:
    def __init__(self, app: "App", lock: asyncio.Lock) -> None:
        self._app = app
        self._lock = lock
        self._directory = app.core.directory
        self._book = app.storage.flows
        self._thinking = asyncio.Lock()
        """Checks and walks take a while: beside the calls, and one at a time."""

    # -- looking -------------------------------------------------------------------------------------------------------

    async def list_flows(self, command: flows.ListFlows, caller: Caller) -> flows.FlowList:
        heads: dict[str, list[FlowHead]] = {name: [] for name in self._directory.file_flows}
        for head in await _read(self._book.heads()):
            heads.setdefault(head.name, []).append(head)
        return flows.FlowList(flows=[self._view(name, heads[name]) for name in sorted(heads)])

    async def versions(self, command: flows.ListFlowVersions, caller: Caller) -> flows.FlowVersions:
        name = command.flow
        heads = [head for head in await _read(self._book.versions(name)) if head.version != DRAFT]
        if not heads and name not in self._directory.file_flows:
            raise errors.NoSuchFlow(f"no flow {name} was published")
        newest = max((head.version for head in heads), default=0)
        found = [
            flows.FlowVersionView(
                version=head.version,
                published_utc=head.saved_utc,
                published_by=head.saved_by,
                note=head.note,
                is_published=head.version == newest,
                size=head.size,
            )
            for head in reversed(heads)
        ]
        return flows.FlowVersions(flow=name, versions=found)

    async def get(self, command: flows.GetFlow, caller: Caller) -> flows.FlowDocument:
        row = await self._row(command.flow, command.version)
        return flows.FlowDocument(
            flow=row.name,
            is_draft=row.version == DRAFT and row.saved_utc > 0,
            version=row.version,
            saved_utc=row.saved_utc,
            saved_by=row.saved_by,
            note=row.note,
            document=msgspec.json.decode(row.document),
        )

    async def check(self, command: flows.CheckFlow, caller: Caller) -> flows.FlowFaults:
        text = await self._text(command)
        _, faults = await self._judge(text, command.flow, self._around(command.flow))
        return flows.FlowFaults(flow=command.flow, faults=_shown(faults), n_faults=len(faults))

    async def simulate(self, command: flows.SimulateFlow, caller: Caller) -> flows.FlowSimulated:
        # What it names beside itself need not be there yet.
        flow, faults = await self._judge(await self._text(command), command.flow, None)
        if flow is None or faults:
            raise _faulty(command.flow, faults)
        published, prompts = {**self._directory.flows}, {**self._directory.prompts}
        async with self._thinking:
            return await self._app.in_thread(
                lambda: _walk(compile_flow(flow, command.version or 0), published, prompts, command)
            )

    # -- changing ------------------------------------------------------------------------------------------------------

    async def save_draft(self, command: flows.SaveFlowDraft, caller: Caller) -> flows.FlowDraftSaved:
        name, text = command.flow, _encoded(command.document)
        async with self._lock:
            heads = await _read(self._book.heads())
            draft = next((head for head in heads if head.name == name and head.version == DRAFT), None)
            if command.seen_utc and (draft is None or draft.saved_utc != command.seen_utc):
                now = f"{draft.saved_by} has saved it since" if draft is not None else "it was published or given up"
                raise errors.WrongState(f"the draft of flow {name} is another one by now: {now}", state="changed")
            if len({head.name for head in heads} - {name}) >= MAX_FLOWS:
                raise errors.InvalidValue(f"there are {MAX_FLOWS} flows: remove one first", field="flow")
            # Two saved within one tick of the clock are not the same draft.
            saved_utc = max(self._wall(), draft.saved_utc + 1e-6) if draft is not None else self._wall()
            row = FlowRow(name=name, version=DRAFT, document=text, saved_utc=saved_utc, saved_by=caller.user)
            await _read(self._book.save_draft(row))
        _, faults = await self._judge(text, name, self._around(name))
        return flows.FlowDraftSaved(flow=name, saved_utc=saved_utc, faults=_shown(faults), n_faults=len(faults))

    async def publish(self, command: flows.PublishFlow, caller: Caller) -> flows.FlowView:
        async with self._lock:
            draft = await self._stored(command.flow, DRAFT)
            return await self._publish(draft.document, command.flow, command.note, caller, rolled_back_to=0)

    async def roll_back(self, command: flows.RollBackFlow, caller: Caller) -> flows.FlowView:
        name, version = command.flow, command.version
        async with self._lock:
            row = await self._stored(name, version)
            note = command.note or f"as version {version}"
            return await self._publish(row.document, name, note, caller, rolled_back_to=version)

    async def remove(self, command: flows.RemoveFlow, caller: Caller) -> views.Done:
        name = command.flow
        async with self._lock:
            heads = await _read(self._book.versions(name))
            if command.is_draft_only:
                if not any(head.version == DRAFT for head in heads):
                    raise errors.NoSuchFlow(f"flow {name} has no draft")
                await _read(self._book.remove_draft(name))
                return views.Done()
            if not heads:
                if name in self._directory.file_flows:
                    raise errors.InvalidValue(f"flow {name} lies in the folder of flows: remove it there", field="flow")
                raise errors.NoSuchFlow(f"no flow {name}")
            users = [] if name in self._directory.file_flows else [*self._users(name)]
            if users:
                more = f" and {len(users) - 1} more" if len(users) > 1 else ""
                raise errors.InUse(f"{users[0]}{more} leads to flow {name}", users=users[:_NAMED])
            # Nobody is sent there from the first moment on; when the database cannot be written it is as before.
            before = self._directory.flows.pop(name, None)
            if of_file := self._directory.file_flows.get(name):
                self._directory.flows[name] = of_file
            try:
                await _read(self._book.remove(name))
            except errors.StorageUnavailable:
                if before is not None:
                    self._directory.flows[name] = before
                raise
            self._app.hub.publish(FlowRemoved(flow=name, by=caller.user))
            return views.Done()

    async def _publish(
        self, document: str, name: str, note: str, caller: Caller, *, rolled_back_to: int
    ) -> flows.FlowView:
        flow, faults = await self._judge(document, name, self._around(name))
        if flow is None or faults:
            raise _faulty(name, faults)
        newest = max((head.version for head in await _read(self._book.versions(name))), default=0)
        row = FlowRow(
            name=name,
            version=newest + 1,
            document=document,
            saved_utc=self._wall(),
            saved_by=caller.user,
            note=note,
        )
        await _read(self._book.publish(row, keep=MAX_VERSIONS, is_draft_done=not rolled_back_to))
        self._directory.flows[name] = compile_flow(flow, row.version)
        self._app.core.speech.prepare(constant_texts(self._directory.flows, [name]))
        self._app.hub.publish(
            FlowPublished(flow=name, version=row.version, by=caller.user, note=note, rolled_back_to=rolled_back_to)
        )
        return self._view(name, await _read(self._book.versions(name)))

    # -- finding -------------------------------------------------------------------------------------------------------

    def _wall(self) -> float:
        return self._app.core.env.wall(self._app.runtime.outside.clock())

    async def _text(self, command: flows.CheckFlow | flows.SimulateFlow) -> str:
        if command.document is not None:
            return _encoded(command.document)
        return (await self._row(command.flow, command.version)).document

    async def _row(self, name: str, version: int | None) -> FlowRow:
        """A version (0: of the folder), or None: the draft, else what callers are led to."""
        heads = await _read(self._book.versions(name))
        if version is None and heads:
            return await self._stored(name, min(heads, key=lambda head: (head.version != DRAFT, -head.version)).version)
        of_file = self._directory.file_flows.get(name)
        if version or of_file is None:
            return await self._stored(name, version or -1)
        document = msgspec.json.encode(of_file.flow).decode()
        return FlowRow(name=name, version=0, document=document, saved_utc=0.0)

    async def _stored(self, name: str, version: int) -> FlowRow:
        try:
            return await _read(self._book.get(name, version))
        except NotFoundError:
            what = (
                "has no draft" if version == DRAFT else f"has no version {version}" if version > 0 else "is not there"
            )
            raise errors.NoSuchFlow(f"flow {name} {what}") from None

    def _around(self, name: str) -> Surroundings:
        directory = self._directory
        return surroundings(
            self._app.config,
            {*directory.flows, name},
            {*directory.queues},
            {*directory.office.almanacs},
            {*directory.boxes},
            {**directory.prompts},
        )

    async def _judge(self, text: str, name: str, around: Surroundings | None) -> tuple[Flow | None, list[FlowFault]]:
        async with self._thinking:
            return await self._app.in_thread(lambda: _judge(text, name, around, self._app.config.speech.enabled))

    def _users(self, name: str) -> Iterator[str]:
        to = FLOW + name
        for number in self._directory.access_numbers.values():
            if to in ways_of(number):
                yield f"access number {number.number}"
        for queue in self._directory.queues.values():
            if any(target == to for _, target in targets_of(queue)):
                yield f"queue {queue.name}"
        yield from flows_naming(self._directory, "flow", name)
        yield from campaigns_naming(self._directory, "flow", name)

    def _view(self, name: str, heads: list[FlowHead]) -> flows.FlowView:
        newest = max(heads, key=lambda head: head.version, default=None)
        published = newest if newest is not None and newest.version != DRAFT else None
        draft = next((head for head in heads if head.version == DRAFT), None)
        program = self._directory.flows.get(name)
        return flows.FlowView(
            flow=name,
            title=program.flow.title if program else "",
            source="database" if program and program.version else "file" if program else "",
            version=published.version if published else 0,
            published_utc=published.saved_utc if published else 0.0,
            published_by=published.saved_by if published else "",
            note=published.note if published else "",
            n_nodes=len(program.flow.nodes) if program else 0,
            is_used=program is not None and program.version == (published.version if published else 0),
            is_over_file=published is not None and name in self._directory.file_flows,
            has_draft=draft is not None,
            draft_utc=draft.saved_utc if draft else 0.0,
            draft_by=draft.saved_by if draft else "",
        )


async def _read(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except UnavailableError as error:
        raise errors.StorageUnavailable(str(error)) from None


def _encoded(document: flows.Document) -> str:
    text = msgspec.json.encode(document)
    if len(text) > MAX_BYTES:
        raise errors.InvalidValue(f"a flow may have {MAX_BYTES} bytes, this has {len(text)}", field="document")
    return text.decode()


def _judge(text: str, name: str, around: Surroundings | None, has_speech: bool) -> tuple[Flow | None, list[FlowFault]]:
    flow, faults = read_flow(text.encode())
    if flow is None:
        return None, faults
    return flow, flow_faults(flow) if around is None else faults_of(flow, name, around, has_speech=has_speech)


def _walk(
    program: Program, published: dict[str, Program], prompts: dict[str, Prompt], command: flows.SimulateFlow
) -> flows.FlowSimulated:
    world = FixedWorld({**published, program.name: program}, command.hours, prompts)
    walk = Simulation(program, world, caller=command.caller, replies=command.replies, transfer=command.transfer)
    walk.start()
    say = iter(command.say)
    while not walk.end:
        walk.give(next(say, "-"))
    steps = [
        flows.SimulatedStep(what=each.what, text=each.text, flow=each.flow, at_node=each.at_node) for each in walk.told
    ]
    return flows.FlowSimulated(end=walk.end, path=[*walk.run.path], steps=steps)


def _shown(faults: list[FlowFault]) -> list[flows.FlowFaultView]:
    return [flows.FlowFaultView(node=fault.node, field=fault.field, problem=fault.problem) for fault in faults[:_SHOWN]]


def _faulty(name: str, faults: list[FlowFault]) -> errors.FaultyFlow:
    more = f" (and {len(faults) - 1} more)" if faults[1:] else ""
    told = [msgspec.structs.asdict(fault) for fault in faults]
    return errors.FaultyFlow(f"flow {name}: {faults[0]}{more}", faults=told[:_SHOWN], n_faults=len(faults))
