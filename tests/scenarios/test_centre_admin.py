"""Whole switch, virtual time: queues, agents and agent groups made, changed and deleted by API while calls wait and
agents work; what is refused and why; all of it there again after a restart.

What the machine does with the same is in tests/acd; the checks of single settings in tests/switch/test_config.py.
"""

import asyncio
from typing import Any

import msgspec
import pytest

from control.auth import Caller
from model import errors, media
from model.access_numbers import AccessNumber
from model.commands_access import RemoveAccessNumber, SetAccessNumber
from model.commands_agent import Ready
from model.commands_centre import (
    CreateAgent,
    CreateAgentGroup,
    CreateQueue,
    DeleteAgent,
    DeleteAgentGroup,
    DeleteQueue,
    GetAgentSettings,
    UpdateAgent,
    UpdateQueue,
)
from model.commands_queue import GetQueue, ListQueues, ListWaiting, RequestCallback, SetQueueState
from model.declare import Command, command_spec
from model.events_agent import AgentChanged, AgentSignedOut
from model.events_queue import QueueCallbackChanged, QueueChanged, QueueEntered, QueueLeft
from storage.directory import Setting
from storage.errors import UnavailableError
from switch.access_desk import load_access
from switch.centre_store import load_centre
from switch.config_file import parse_config
from switch.directory import Directory, extension_entries
from switch.extensions_admin import hash_password
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_queues import CENTRE, Centre

LEA = Caller("lea", "lead")
LEAD = """
[[agent_group]]
name = "north"
[[role]]
name = "lead"
base = "agent"
permissions = ["agent.*", "queue.*"]
agent_groups = ["north"]
queues = ["help"]
"""
HELP: dict[str, Any] = {"extension": "1003", "queues": [{"queue": "help"}]}


class Live(Centre):
    """With a queue "help" by API that 4009 leads to, and an agent b1 at 1003 for it."""

    async def begin(self, **settings: Any) -> None:
        await self.tell(CreateQueue, queue="help", settings=settings)
        await self.app.do(SetAccessNumber(access_number=AccessNumber(number="4009", to="queue:help")))
        await self.tell(CreateAgent, agent_id="b1", settings=HELP)

    async def tell(self, kind: type[Command], caller: Caller | None = None, **params: Any) -> Any:
        """As it comes over the wire."""
        command = msgspec.convert(params, kind)
        return await (self.app.do(command, caller) if caller is not None else self.app.do(command))

    async def no_way_in(self) -> None:
        await self.app.do(RemoveAccessNumber(number="4009"))

    async def waits(self, caller: str = "13800001111"):
        call = self.caller("4009", caller)
        await self.carrier.wait("answered", call=call.id)
        return call

    def reasons(self) -> list[tuple[str, str, str]]:
        return [(each.queue, each.reason, each.target) for each in self.of(QueueLeft)]


def test_acd_01_a_new_queue_and_a_new_agent_work_at_once():
    async def main():
        centre = Live()
        await centre.begin(title="Help", wrap_up={"max_s": 5})
        mine = await centre.waits()
        phone = await centre.agent("b1", "1003")
        await phone.wait("answered")
        await asyncio.sleep(1.0)
        assert await centre.state("b1") == "on_call"
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)
        assert await centre.state("b1") == "acw"
        await asyncio.sleep(5.0)
        assert await centre.state("b1") == "available"
        detail = await centre.app.do(GetQueue(queue="help"))
        assert (detail.source, detail.settings.title, detail.now.n_idle) == ("database", "Help", 1)
        assert (await centre.app.do(GetQueue(queue="sales"))).source == "file"
        told = [each for each in centre.app.published if isinstance(each, QueueChanged | AgentChanged)]
        assert told == [
            QueueChanged(queue="help", change="created", by="root"),
            AgentChanged(agent_id="b1", change="created", by="root"),
        ]
        await centre.close()

    run_virtual(main())


def test_new_settings_of_a_queue_hold_at_once_nobody_is_lost_or_signed_out():
    async def main():
        centre = Live()
        await centre.begin(limits={"max_wait_s": 600, "timeout_to": "queue:sales"})
        first, second = await centre.waits("1"), await centre.waits("2")
        phone = await centre.agent("b1", "1003", answer_after_s=-1.0)
        incoming = await phone.wait("incoming")
        detail = await centre.tell(
            UpdateQueue,
            queue="help",
            settings={"strategy": "ring_all", "limits": {"max_wait_s": 300}, "wrap_up": {"post_call": "available"}},
        )
        limits = detail.settings.limits
        assert (limits.max_wait_s, limits.timeout_to, detail.settings.wrap_up.max_s) == (300, "queue:sales", 30)
        assert [each.caller for each in (await centre.app.do(ListWaiting(queue="help"))).calls] == ["1", "2"]
        await asyncio.sleep(0.1)
        assert await centre.state("b1") == "ringing"
        phone.agent.answer(incoming.call)
        await asyncio.sleep(1.0)
        centre.carrier.agent.hang_up(first.id)
        await phone.wait("ended")
        # No after-call work any more: he is rung for the next one at once.
        incoming = await phone.wait("incoming")
        assert incoming.number == "2"
        assert not centre.of(AgentSignedOut)
        phone.agent.answer(incoming.call)
        await asyncio.sleep(1.0)
        centre.carrier.agent.hang_up(second.id)
        await asyncio.sleep(1.0)
        assert centre.reasons() == [("help", "connected", "")] * 2
        await centre.close()

    run_virtual(main())


def test_a_queue_in_which_callers_wait_is_not_deleted_unless_it_is_said_what_becomes_of_them():
    async def main():
        centre = Live()
        await centre.begin()
        mine = await centre.waits()
        with pytest.raises(errors.InUse, match="access number 4009 leads to queue help") as used:
            await centre.tell(DeleteQueue, queue="help")
        assert used.value.data == {"users": ["access number 4009"]}
        await centre.no_way_in()
        with pytest.raises(errors.WrongState, match="1 callers wait in queue help: delete it with waiting = drain"):
            await centre.tell(DeleteQueue, queue="help")
        for to, problem in (
            ("", "limits.closed_to is hangup"),
            ("queue:help", 'there is no queue "help"'),
            ("queue:none", 'there is no queue "none"'),
            ("ivr:main", "there is no flow"),
        ):
            with pytest.raises(errors.WrongState, match=problem):
                await centre.tell(DeleteQueue, queue="help", waiting="overflow", to=to)
        await centre.app.do(SetQueueState(queue="small", state="closed"))
        with pytest.raises(errors.WrongState, match="queue:small is not open"):
            await centre.tell(DeleteQueue, queue="help", waiting="overflow", to="queue:small")
        assert mine.is_up
        assert centre.reasons() == []
        await centre.tell(DeleteQueue, queue="help", waiting="overflow", to="queue:sales")
        await asyncio.sleep(0.1)
        assert centre.reasons() == [("help", "closed", "queue:sales")]
        entered = centre.of(QueueEntered)[-1]
        assert entered.queue == "sales"
        assert "help" not in {each.queue for each in (await centre.app.do(ListQueues())).queues}
        assert not (await centre.tell(GetAgentSettings, agent_id="b1")).settings.queues
        phone = await centre.agent("a1", "1001")
        await phone.wait("answered")
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


def test_a_queue_is_deleted_when_its_callers_are_served_by_agents_who_are_no_longer_its():
    async def main():
        centre = Live()
        await centre.begin()
        first, second = await centre.waits("1"), await centre.waits("2")
        await centre.no_way_in()
        await centre.tell(DeleteQueue, queue="help", waiting="drain")
        (shown,) = [each for each in (await centre.app.do(ListQueues())).queues if each.queue == "help"]
        assert (shown.state, shown.n_waiting) == ("draining", 2)
        with pytest.raises(errors.NoSuchQueue):
            await centre.tell(UpdateQueue, queue="help", settings={})
        with pytest.raises(errors.WrongState, match="deleted once it is empty"):
            await centre.app.do(SetQueueState(queue="help", state="open"))
        # Made again it keeps them; who signed out meanwhile serves it only when it is said anew.
        await centre.tell(CreateQueue, queue="help")
        assert (await centre.app.do(GetQueue(queue="help"))).now.n_waiting == 2
        with pytest.raises(errors.WrongState):
            await centre.tell(DeleteQueue, queue="help")
        await centre.tell(UpdateAgent, agent_id="b1", settings=HELP)
        phone = await centre.agent("b1", "1003")
        await centre.tell(DeleteQueue, queue="help", waiting="drain")
        for call in (first, second):
            await phone.wait("answered")
            await asyncio.sleep(0.5)
            assert "help" in {each.queue for each in (await centre.app.do(ListQueues())).queues}
            centre.carrier.agent.hang_up(call.id)
            await phone.wait("ended")
            await centre.app.do(Ready(agent_id="b1"))
        await asyncio.sleep(0.5)
        assert "help" not in {each.queue for each in (await centre.app.do(ListQueues())).queues}
        assert centre.reasons() == [("help", "connected", "")] * 2
        # A new one of the name is not his, though he is still signed in from before.
        await centre.tell(CreateQueue, queue="help")
        assert (await centre.app.do(GetQueue(queue="help"))).now.n_idle == 0
        await centre.close()

    run_virtual(main())


def test_xacd_03_a_callback_is_made_though_its_queue_is_deleted_meanwhile():
    async def main():
        centre = Live(answer_after_s=2.0)
        await centre.begin(callback={"is_enabled": True, "dial_prefix": "9"})
        phone = await centre.agent("b1", "1003", is_ready=False)
        mine = await centre.waits()
        (waiting,) = (await centre.app.do(ListWaiting(queue="help"))).calls
        await centre.app.do(RequestCallback(queue="help", call_id=waiting.call_id))
        (play,) = [each for each in centre.switch.worker.of(media.Play) if each.play_id.startswith("said")]
        centre.switch.worker.tell(media.PlayFinished(play.session, play.leg, play.play_id))
        await centre.carrier.wait("ended", call=mine.id)
        await centre.no_way_in()
        with pytest.raises(errors.WrongState, match="some of them are called back"):
            await centre.tell(DeleteQueue, queue="help", waiting="overflow", to="queue:sales")
        await centre.tell(DeleteQueue, queue="help", waiting="drain")
        await centre.app.do(Ready(agent_id="b1"))
        await phone.wait("answered")
        await centre.carrier.wait("incoming")
        await centre.carrier.wait("answered")
        await asyncio.sleep(3.0)
        assert await centre.state("b1") == "on_call"
        phone.agent.hang_up(next(iter(phone.agent.calls)))
        await centre.switch.cdr(2)
        assert [each.state for each in centre.of(QueueCallbackChanged)] == ["asked", "done"]
        assert "help" not in {each.queue for each in (await centre.app.do(ListQueues())).queues}
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("kind", "params", "problem"),
    [
        (CreateQueue, {"queue": "sales"}, "already_exists: queue sales exists"),
        (CreateAgent, {"agent_id": "a1"}, "already_exists: agent a1 exists"),
        (CreateAgentGroup, {"group": "default"}, "already_exists: agent_group default exists"),
        (UpdateQueue, {"queue": "none", "settings": {}}, "no_such_queue: no queue none"),
        (DeleteQueue, {"queue": "none"}, "no_such_queue: no queue none"),
        (UpdateAgent, {"agent_id": "none"}, "no_such_agent: no agent none"),
        (DeleteAgent, {"agent_id": "none"}, "no_such_agent: no agent none"),
        (GetAgentSettings, {"agent_id": "none"}, "no_such_agent: no agent none"),
        (DeleteAgentGroup, {"group": "none"}, "no_such_agent_group: no agent_group none"),
        (
            UpdateQueue,
            {"queue": "sales", "settings": {}},
            "invalid_value: queue sales stands in the configuration file (ringback.toml): change it there",
        ),
        (
            DeleteQueue,
            {"queue": "sales"},
            "invalid_value: queue sales stands in the configuration file (ringback.toml): change it there",
        ),
        (
            UpdateAgent,
            {"agent_id": "a1"},
            "invalid_value: agent a1 stands in the configuration file (ringback.toml): change it there",
        ),
        (
            CreateQueue,
            {"queue": "new", "settings": {"limits": {"full_to": "queue:none"}}},
            'invalid_value: queue new: there is no queue "none"',
        ),
        (
            CreateQueue,
            {"queue": "new", "settings": {"prefer": ["level", "level"]}},
            "invalid_value: queue new: names one of them twice",
        ),
        (
            CreateAgent,
            {"agent_id": "new", "settings": {"queues": [{"queue": "none"}]}},
            'invalid_value: agent new: there is no queue "none"',
        ),
        (
            CreateAgent,
            {"agent_id": "new", "settings": {"queues": [{"queue": "sales"}, {"queue": "sales"}]}},
            'invalid_value: agent new: queue "sales" is there twice',
        ),
        (
            CreateQueue,
            {"queue": "new", "settings": {"sound": {"background": "file:../../etc/passwd"}}},
            'invalid_value: queue new: "file:../../etc/passwd": the path must lie in the prompts folder',
        ),
        (
            CreateQueue,
            {"queue": "new", "settings": {"satisfaction": {"prompt": "file:/etc/passwd"}}},
            'invalid_value: queue new: "file:/etc/passwd": the path must lie in the prompts folder',
        ),
        (
            CreateQueue,
            {"queue": "new", "settings": {"sound": {"whisper": "hello"}}},
            'invalid_value: queue new: "hello" is no source: "prompt:NAME", "tone:NAME/PLAN", "moh:NAME", '
            '"voice:LANGUAGE/NAME", "file:PATH" or "silence:MS"',
        ),
        (
            CreateAgent,
            {"agent_id": "new", "settings": {"pin_hash": "1234"}},
            "invalid_value: agent new: is not what `ringback pin` makes",
        ),
        (
            CreateAgent,
            {"agent_id": "new", "settings": {"extension": "9999"}},
            'invalid_value: agent new: there is no extension "9999"',
        ),
        (
            CreateAgent,
            {"agent_id": "new", "group": "none"},
            'invalid_value: agent new: there is no agent_group "none"',
        ),
        (CreateAgent, {"agent_id": "new", "role": "none"}, 'invalid_value: agent new: there is no role "none"'),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_has_changed(kind, params, problem):
    async def main():
        centre = Live()
        with pytest.raises(errors.ApiError) as refused:
            await centre.tell(kind, **params)
        assert f"{refused.value.name}: {refused.value}" == problem
        assert refused.type in (*command_spec(kind).errors, errors.PermissionDenied)
        assert not await centre.switch.storage.settings.all()
        assert not centre.app.published
        await centre.close()

    run_virtual(main())


def test_queues_and_agents_of_the_api_are_there_before_the_first_call_after_a_restart():
    async def main():
        centre = Live()
        await centre.tell(CreateAgentGroup, group="south")
        await centre.begin(strategy="random", limits={"timeout_to": "queue:small"})
        await centre.tell(UpdateAgent, agent_id="b1", group="south", settings={"skills": {"en": 4}})
        await centre.tell(CreateQueue, queue="gone")
        await centre.tell(DeleteQueue, queue="gone")
        await centre.app.do(SetQueueState(queue="small", state="closed"))
        for state in ("closed", "draining", "open"):
            await centre.app.do(SetQueueState(queue="help", state=state))
        await centre.close()
        before = centre.app.core.directory

        again = Directory(centre.switch.config)
        for entry in extension_entries(centre.switch.config, hash_password):
            again.extensions[entry.number] = entry
        await load_centre(centre.switch.storage, again)
        await load_access(centre.switch.storage, again)
        assert (again.queues, again.agents, again.agent_groups) == (before.queues, before.agents, before.agent_groups)
        switch = SimSwitch(SimNet(), EXTENSIONS + CENTRE, storage=centre.switch.storage, directory=again)
        centre.switch, centre.app, centre.carrier = switch, SimApp(switch), switch.carrier()
        phone = await centre.agent("b1", "1003")
        mine = await centre.waits()
        await phone.wait("answered")
        assert (await centre.app.do(GetQueue(queue="help"))).source == "database"
        states = {each.queue: each.state for each in (await centre.app.do(ListQueues())).queues}
        assert (states["help"], states["sales"], states["small"]) == ("open", "open", "closed")
        centre.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)
        await centre.close()

    run_virtual(main())


class NoDisk:
    """A book that cannot be written for the moment."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.is_full = True

    def __getattr__(self, name: str) -> Any:
        async def fail(*given: Any) -> Any:
            if self.is_full:
                raise UnavailableError("disk full")
            return await getattr(self.book, name)(*given)

        return fail


def test_when_the_database_cannot_be_written_it_is_as_before():
    async def main():
        centre = Live()
        await centre.begin()
        disk = NoDisk(centre.switch.storage.settings)
        centre.switch.storage.settings = disk
        centre.app = SimApp(centre.switch)
        await centre.waits()
        before = dict(centre.app.core.directory.queues), dict(centre.app.core.directory.agents)
        for kind, params in (
            (CreateQueue, {"queue": "new"}),
            (UpdateQueue, {"queue": "help", "settings": {"title": "x"}}),
            (CreateAgent, {"agent_id": "new"}),
            (UpdateAgent, {"agent_id": "b1", "settings": {"name": "x"}}),
            (DeleteAgent, {"agent_id": "b1"}),
            (CreateAgentGroup, {"group": "new"}),
        ):
            with pytest.raises(errors.StorageUnavailable, match="disk full"):
                await centre.tell(kind, **params)
        disk.is_full = False
        await centre.tell(CreateQueue, queue="empty")
        disk.is_full = True
        with pytest.raises(errors.StorageUnavailable):
            await centre.tell(DeleteQueue, queue="empty")
        assert (await centre.app.do(GetQueue(queue="empty"))).now.state == "open"
        disk.is_full = False
        await centre.tell(DeleteQueue, queue="empty")
        directory = centre.app.core.directory
        assert (directory.queues, directory.agents, [*directory.agent_groups]) == (*before, ["default"])
        # An emergency does not wait for the disk.
        disk.is_full = True
        with pytest.raises(errors.StorageUnavailable, match="queue help is closed now, but will be as before"):
            await centre.app.do(SetQueueState(queue="help", state="closed"))
        await asyncio.sleep(0.1)
        assert centre.reasons() == [("help", "closed", "hangup")]
        await centre.close()

    run_virtual(main())


def test_at_a_start_the_file_counts_before_the_database_and_what_cannot_be_read_is_left_out(caplog):
    async def main():
        centre = Live()
        await centre.begin(title="of the database", limits={"timeout_to": "queue:small"})
        settings = centre.switch.storage.settings
        await settings.add(Setting(key="queue:broken", value='{"name": "broken", "strategy": "by mood"}'))
        config = parse_config('[[queue]]\nname = "help"\ntitle = "of the file"\n')
        directory = Directory(config)
        await load_centre(centre.switch.storage, directory)
        assert [(each.name, each.title) for each in directory.queues.values()] == [("help", "of the file")]
        # His phone is gone with the file that had it; he is there, and may sit elsewhere.
        assert [*directory.agents] == ["b1"]
        assert "queue:help stands in the file and in the database; the file counts" in caplog.text
        assert "queue:broken is not used" in caplog.text
        assert 'agent:b1: extension: there is no extension "1003"' in caplog.text
        await centre.close()

    run_virtual(main())
