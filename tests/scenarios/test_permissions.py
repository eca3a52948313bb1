"""Whole switch, virtual time: whose calls, phones and monitors are; roles that are made, changed and removed by API
(RBAC-01…08, SUP-23).

Does not cover the rule itself (tests/control/test_gate.py).
"""

import pytest

from control.auth import Caller
from model import commands, commands_extensions, commands_originate, errors, events
from model.commands_agent import ListAgents, SignIn
from model.commands_monitor import ListMonitors, StartMonitor, StopMonitor
from model.commands_roles import AddRole, GetRole, ListPermissions, ListRoles, RemoveRole, UpdateRole
from model.declare import event_spec
from model.events_security import RoleChanged
from model.permissions import PERMISSIONS
from switch.roles_admin import role_of
from tests.harness.sim_switch import TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp

EXTENSIONS = """
[[extension]]
number = "1001"
password = "a-password-of-1001"
supervision_group = "sales"

[[extension]]
number = "1002"
password = "a-password-of-1001"
supervision_group = "sales"

[[extension]]
number = "1003"
password = "a-password-of-1001"
supervises = ["*"]

[[extension]]
number = "1004"
password = "a-password-of-1001"
supervision_group = "service"

[[extension]]
number = "1005"
password = "a-password-of-1001"
supervision_group = "service"

[[role]]
name = "lead"
base = "supervisor"
agent_groups = ["sales"]
"""
LEA = Caller("lea", "lead")


async def talking(switch: SimSwitch, first: str, second: str) -> str:
    phones = [await switch.phone(number, answer_after_s=1.0) for number in (first, second)]
    phones[0].call(second)
    await phones[0].wait("answered")
    await switch.until(lambda: any(call.dialed == second for call in switch.core.runtime.calls.calls.values()))
    return next(call.call_id for call in switch.core.runtime.calls.calls.values() if call.dialed == second)


def test_a_supervisor_sees_and_touches_the_calls_of_his_groups_alone():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS)
        app = SimApp(switch)
        mine = await talking(switch, "1001", "1002")
        other = await talking(switch, "1004", "1005")
        assert [call.call_id for call in (await app.do(commands.ListCalls(), LEA)).calls] == [mine]
        assert (await app.do(commands.ListCalls())).n_calls == 2
        shown = await app.do(commands_extensions.ListExtensions(), LEA)
        assert [each.extension for each in shown.extensions] == ["1001", "1002"]
        assert (await app.do(commands.GetCall(call_id=mine), LEA)).live
        for refused in (
            commands.GetCall(call_id=other),
            commands.Hangup(call_id=other),
            StartMonitor(supervisor="1003", call_id=other),
            StartMonitor(supervisor="1003", extension="1004"),
            commands_originate.Originate(from_="1004", to="1005"),
        ):
            with pytest.raises(errors.PermissionDenied):
                await app.do(refused, LEA)
        await app.do(commands.Hangup(call_id=mine), LEA)
        await switch.until(lambda: mine not in switch.core.runtime.calls.calls)
        # Events and the record of a call that is over are still those of who had a part in it.
        ended = next(event for event in switch.of(events.CallEnded) if event.call_id == mine)
        assert app.gate.reach_of_event(ended, event_spec(events.CallEnded)).groups == {"sales"}
        await app.flush_records()
        assert (await app.do(commands.GetCall(call_id=mine), LEA)).record
        assert [each.call_id for each in (await app.do(commands.SearchHistory(), LEA)).calls] == [mine]
        await app.do(commands.Hangup(call_id=other))
        await switch.close()

    run_virtual(main())


def test_a_monitor_belongs_to_who_may_supervise_the_agent():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS)
        app = SimApp(switch)
        await switch.phone("1003", answer_after_s=1.0)
        other = await talking(switch, "1004", "1005")
        monitor = await app.do(StartMonitor(supervisor="1003", call_id=other, extension="1004"))
        assert not (await app.do(ListMonitors(), LEA)).monitors
        assert (await app.do(ListMonitors())).monitors
        with pytest.raises(errors.PermissionDenied):
            await app.do(StopMonitor(monitor_id=monitor.monitor_id), LEA)
        await app.do(StopMonitor(monitor_id=monitor.monitor_id))
        await app.do(commands.Hangup(call_id=other))
        await switch.close()

    run_virtual(main())


def test_roles_are_made_changed_and_removed_by_api():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS)
        app = SimApp(switch)
        kim = Caller("kim", "helper")
        with pytest.raises(errors.PermissionDenied):
            await app.do(commands.ListCalls(), kim)
        made = await app.do(AddRole(role="helper", title="帮手", permissions=("call.view",), agent_groups=("sales",)))
        assert (made.source, made.all_permissions) == ("api", ["call.view"])
        await app.do(commands.ListCalls(), kim)
        with pytest.raises(errors.AlreadyExists):
            await app.do(AddRole(role="helper"))
        changed = await app.do(UpdateRole(role="helper", permissions=("extension.*",)))
        assert (changed.title, changed.agent_groups) == ("帮手", ["sales"])
        with pytest.raises(errors.PermissionDenied):
            await app.do(commands.ListCalls(), kim)
        assert role_of(await switch.storage.roles.get("helper")) == app.roles.get("helper").role
        await app.do(RemoveRole(role="helper"))
        assert not await switch.storage.roles.all()
        with pytest.raises(errors.NoSuchRole):
            await app.do(GetRole(role="helper"))
        told = [(event.role, event.change, event.by) for event in app.published if isinstance(event, RoleChanged)]
        assert told == [("helper", change, "root") for change in ("added", "updated", "removed")]
        assert {each.role for each in (await app.do(ListRoles())).roles} > {"agent", "lead", "administrator"}
        assert len((await app.do(ListPermissions())).permissions) == len(PERMISSIONS)
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (AddRole(role="x", permissions=("call.fly",)), errors.InvalidValue),
        (AddRole(role="x", base="lead"), errors.InvalidValue),
        (AddRole(role="viewer"), errors.AlreadyExists),
        (UpdateRole(role="viewer", title="x"), errors.InvalidValue),
        (UpdateRole(role="lead", title="x"), errors.InvalidValue),
        (UpdateRole(role="nobodys", title="x"), errors.NoSuchRole),
        (RemoveRole(role="administrator"), errors.InvalidValue),
        (RemoveRole(role="nobodys"), errors.NoSuchRole),
    ],
    ids=str,
)
def test_changes_of_roles_that_make_no_sense_are_refused(command, refusal):
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS)
        app = SimApp(switch)
        with pytest.raises(refusal):
            await app.do(command)
        assert not await switch.storage.roles.all()
        await switch.close()

    run_virtual(main())


def test_nobody_gives_or_takes_more_than_he_has_and_somebody_must_go_on_managing_roles():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS)
        app = SimApp(switch)
        await app.do(AddRole(role="clerk", base="viewer", permissions=("role.*",), agent_groups=("sales",)))
        clerk = Caller("cleo", "clerk")
        for beyond in (
            AddRole(role="x", permissions=("call.view",), agent_groups=("service",)),
            AddRole(role="x", permissions=("monitor.listen",), agent_groups=("sales",)),
            UpdateRole(role="clerk", agent_groups=("*",)),
        ):
            with pytest.raises(errors.PermissionDenied):
                await app.do(beyond, clerk)
        await app.do(AddRole(role="x", permissions=("call.view",), agent_groups=("sales",)), clerk)
        # What may more than he is not his to take away either.
        await app.do(AddRole(role="boss", permissions=("*",), agent_groups=("*",), queues=("*",)))
        for beyond in (UpdateRole(role="boss", permissions=()), RemoveRole(role="boss")):
            with pytest.raises(errors.PermissionDenied):
                await app.do(beyond, clerk)
        await switch.close()

    run_virtual(main())


AGENTS = (
    EXTENSIONS
    + TRUNKS.replace('to = "1001"', 'to = "1002"')
    + """
[[agent_group]]
name = "inbound"

[[role]]
name = "trainee"
permissions = ["agent.work"]

[[role]]
name = "trainer"
base = "supervisor"
agent_groups = ["inbound"]

[[agent]]
agent_id = "8001"
group = "inbound"
role = "trainee"

[[agent]]
agent_id = "8002"
group = "inbound"

[[agent]]
agent_id = "8005"
role = "trainer"
"""
)


@pytest.mark.parametrize(("agent_id", "status"), [("8001", 403), ("8002", 200), ("", 200)])
def test_rbac_07_who_may_not_dial_external_lines_gets_403(agent_id, status):
    async def main():
        switch = SimSwitch(SimNet(), AGENTS)
        app = SimApp(switch)
        carrier = switch.carrier(answer_after_s=1.0)
        phone = await switch.phone("1001", answer_after_s=1.0)
        if agent_id:
            await app.do(SignIn(agent_id=agent_id, extension="1001"))
        phone.call("913800138000")
        if status == 200:
            await phone.wait("answered")
            (live,) = switch.core.runtime.calls.calls
            await app.do(commands.Hangup(call_id=live))
        else:
            assert (await phone.wait("ended")).status == status
            assert (await switch.cdr()).hangup_cause == "OUTGOING_CALL_BARRED"
            await app.do(commands_originate.Originate(from_="1001", to="913800138000"))
            await switch.until(lambda: len(switch.cdrs) == 2)
            assert switch.cdrs[1].hangup_cause == "OUTGOING_CALL_BARRED"
            assert carrier.events == []
        await switch.close()

    run_virtual(main())


def test_an_agents_group_decides_wherever_he_sits():
    async def main():
        switch = SimSwitch(SimNet(), AGENTS)
        app = SimApp(switch)
        tom = Caller("tom", "", agent="8005")
        ann = Caller("ann", "", agent="8001")
        await app.do(SignIn(agent_id="8005", extension="1005"), tom)
        await app.do(SignIn(agent_id="8001", extension="1004"), ann)
        with pytest.raises(errors.PermissionDenied):
            await app.do(SignIn(agent_id="8002", extension="1002"), ann)
        await switch.phone("1005", answer_after_s=1.0)
        mine = await talking(switch, "1004", "1002")
        # 1005 is nobody's supervisor by its settings, but 8005 is 8001's, and not of who is at 1002.
        await app.do(StartMonitor(supervisor="1005", extension="1004"), tom)
        with pytest.raises(errors.PermissionDenied):
            await app.do(StartMonitor(supervisor="1005", call_id=mine, extension="1002"), tom)
        with pytest.raises(errors.PermissionDenied):
            await app.do(StartMonitor(supervisor="1004", call_id=mine), ann)
        assert [each.agent_id for each in (await app.do(ListAgents(), tom)).agents] == ["8001", "8002", "8005"]
        assert [each.agent_id for each in (await app.do(ListAgents(), ann)).agents] == ["8001"]
        assert [each.call_id for each in (await app.do(commands.ListCalls(), ann)).calls] == [mine]
        await app.do(commands.Hangup(call_id=mine), ann)
        await switch.close()

    run_virtual(main())
