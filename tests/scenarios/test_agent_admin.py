"""Whole switch, virtual time: agents and agent groups made, changed and deleted by API while agents work.

Queues, and what is refused of all of them, are in test_centre_admin.py.
"""

import asyncio

import pytest

from model import errors
from model.commands_agent import SignIn, SignOut
from model.commands_centre import (
    CreateAgent,
    CreateAgentGroup,
    CreateQueue,
    DeleteAgent,
    DeleteAgentGroup,
    ListAgentGroups,
    UpdateAgent,
    UpdateAgentGroup,
    UpdateQueue,
)
from model.events_agent import AgentChanged, AgentGroupChanged, AgentSignedOut
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_centre_admin import LEA, LEAD, Live


def test_sup_18_an_agent_is_changed_while_he_works_and_deleted_when_he_is_signed_out():
    async def main():
        centre = Live()
        await centre.begin()
        phone = await centre.agent("b1", "1003")
        detail = await centre.tell(
            UpdateAgent, agent_id="b1", settings={"skills": {"en": 5}, "queues": [{"queue": "sales", "level": 3}]}
        )
        assert (detail.settings.extension, detail.settings.skills, detail.source) == ("1003", {"en": 5}, "database")
        assert await centre.state("b1") == "available"
        mine = centre.caller()
        await phone.wait("answered")
        with pytest.raises(errors.WrongState, match="agent b1 is signed in at 1003: sign him out first"):
            await centre.tell(DeleteAgent, agent_id="b1")
        # Disabled while he talks: he is signed out, and the call goes on.
        await centre.tell(UpdateAgent, agent_id="b1", settings={"is_enabled": False})
        assert await centre.state("b1") == "offline"
        assert [each.reason for each in centre.of(AgentSignedOut)] == ["removed"]
        await asyncio.sleep(1.0)
        assert mine.is_up
        with pytest.raises(errors.WrongState, match="disabled"):
            await centre.app.do(SignIn(agent_id="b1"))
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await centre.tell(DeleteAgent, agent_id="b1")
        with pytest.raises(errors.NoSuchAgent):
            await centre.app.do(SignOut(agent_id="b1"))
        assert [each.change for each in centre.app.published if isinstance(each, AgentChanged)] == [
            "created",
            "updated",
            "updated",
            "deleted",
        ]
        await centre.close()

    run_virtual(main())


def test_a_pin_is_kept_and_never_shown():
    async def main():
        centre = Live()
        await centre.begin()
        pin_hash = f"scrypt:14:{'ab' * 16}:{'cd' * 32}"
        detail = await centre.tell(UpdateAgent, agent_id="b1", settings={"pin_hash": pin_hash})
        assert detail.has_pin
        assert "scrypt" not in repr(detail)
        detail = await centre.tell(UpdateAgent, agent_id="b1", settings={"name": "Wang Fang"})
        assert (detail.has_pin, detail.settings.name) == (True, "Wang Fang")
        assert centre.app.core.directory.agents["b1"].pin_hash == pin_hash
        await centre.close()

    run_virtual(main())


def test_agt_09_sys_04_agent_groups_are_made_renamed_and_deleted_when_nobody_is_in_them():
    async def main():
        centre = Live(LEAD)
        await centre.begin()
        made = await centre.tell(CreateAgentGroup, group="south", title="南区")
        assert (made.title, made.source, made.n_agents) == ("南区", "database", 0)
        await centre.tell(UpdateAgent, agent_id="b1", group="south")
        await centre.app.do(SignIn(agent_id="b1"))
        await centre.tell(UpdateAgentGroup, group="south", title="South")
        shown = {each.group: each for each in (await centre.app.do(ListAgentGroups())).groups}
        assert [(each.group, each.source, each.n_agents) for each in shown.values()] == [
            ("default", "built_in", 2),
            ("north", "file", 0),
            ("south", "database", 1),
        ]
        assert (shown["south"].title, shown["south"].n_signed_in) == ("South", 1)
        with pytest.raises(errors.InUse, match="agent b1 belongs to agent_group south"):
            await centre.tell(DeleteAgentGroup, group="south")
        await centre.tell(UpdateAgent, agent_id="b1", group="default")
        await centre.tell(DeleteAgentGroup, group="south")
        with pytest.raises(errors.NoSuchAgentGroup):
            await centre.tell(UpdateAgentGroup, group="south", title="")
        for group, problem in (("default", "built in"), ("north", "stands in the configuration file")):
            with pytest.raises(errors.InvalidValue, match=problem):
                await centre.tell(DeleteAgentGroup, group=group)
        changes = [each.change for each in centre.app.published if isinstance(each, AgentGroupChanged)]
        assert changes == ["created", "updated", "deleted"]
        await centre.close()

    run_virtual(main())


def test_rbac_supervisors_change_agents_of_their_groups_and_nobody_gives_more_than_he_has():
    async def main():
        centre = Live(LEAD)
        await centre.begin()
        await centre.tell(UpdateQueue, LEA, queue="help", settings={"title": "Help"})
        with pytest.raises(errors.PermissionDenied):
            await centre.tell(CreateQueue, LEA, queue="other")
        with pytest.raises(errors.PermissionDenied):
            await centre.tell(CreateAgent, LEA, agent_id="c1")
        await centre.tell(CreateAgent, LEA, agent_id="c1", group="north")
        for params in (
            {"agent_id": "b1"},
            {"agent_id": "c1", "group": "default"},
            {"agent_id": "c1", "role": "administrator"},
        ):
            with pytest.raises(errors.PermissionDenied):
                await centre.tell(UpdateAgent, LEA, **params)
        await centre.tell(UpdateAgent, agent_id="c1", role="administrator")
        for kind, params in ((UpdateAgent, {"settings": {"pin_hash": "mine"}}), (DeleteAgent, {})):
            with pytest.raises(errors.PermissionDenied, match="cannot give the role administrator"):
                await centre.tell(kind, LEA, agent_id="c1", **params)
        await centre.close()

    run_virtual(main())
