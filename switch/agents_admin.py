"""Agents and agent groups by API: first the database is changed, then what is in memory, then the floor is told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from acd.desk_inputs import AgentSettingsChange, SignOut
from control.auth import Caller
from model import commands_centre as centre
from model import errors, views
from model.agents import BUILT_IN_GROUP, Agent, AgentGroup
from model.declare import Command
from model.events_agent import AgentChanged, AgentGroupChanged
from model.partial import merged
from model.roles import NO_RIGHTS
from switch.centre_store import Sources
from switch.config_centre import agent_problem
from switch.settings_store import SettingsStore

if TYPE_CHECKING:
    from switch.app import App

_NAMED = 20
"""So many members of a group are named to who wants to delete it."""


def make_handlers(app: "App", lock: asyncio.Lock) -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    """`lock`: of all who change the centre."""
    admin = AgentsAdmin(app, lock)
    return {
        centre.GetAgentSettings: admin.get,
        centre.CreateAgent: admin.create,
        centre.UpdateAgent: admin.update,
        centre.DeleteAgent: admin.delete,
        centre.ListAgentGroups: admin.list_groups,
        centre.CreateAgentGroup: admin.create_group,
        centre.UpdateAgentGroup: admin.update_group,
        centre.DeleteAgentGroup: admin.delete_group,
    }


class AgentsAdmin:
    def __init__(self, app: "App", lock: asyncio.Lock) -> None:
        self._app = app
        self._lock = lock
        self._directory = app.core.directory
        self._floor = app.core.floor
        self._desk = app.core.floor.centre.desk
        self._store = SettingsStore(app.storage.settings)
        self._sources = Sources(app.config)

    # -- agents --------------------------------------------------------------------------------------------------------

    def get(self, command: centre.GetAgentSettings, caller: Caller) -> centre.AgentDetail:
        return self._detail(self._agent(command.agent_id))

    async def create(self, command: centre.CreateAgent, caller: Caller) -> centre.AgentDetail:
        agent_id = command.agent_id
        async with self._lock:
            if agent_id in self._directory.agents:
                raise errors.AlreadyExists(f"agent {agent_id} exists")
            agent = Agent(agent_id=agent_id, group=command.group, role=command.role)
            return await self._keep(merged(agent, command.settings), "created", caller)

    async def update(self, command: centre.UpdateAgent, caller: Caller) -> centre.AgentDetail:
        async with self._lock:
            agent = self._changeable(command.agent_id, caller)
            given = {"group": command.group, "role": command.role}
            agent = msgspec.structs.replace(
                agent, **{name: value for name, value in given.items() if value is not msgspec.UNSET}
            )
            return await self._keep(merged(agent, command.settings), "updated", caller)

    async def delete(self, command: centre.DeleteAgent, caller: Caller) -> views.Done:
        agent_id = command.agent_id
        async with self._lock:
            self._changeable(agent_id, caller)
            there = self._desk.state.agents.get(agent_id)
            if there is not None:
                where = f" at {there.extension}" if there.extension else ""
                raise errors.WrongState(
                    f"agent {agent_id} is signed in{where}: sign him out first (agent.sign_out, or agent.force)",
                    state=there.display()[0],
                )
            users = [user.name for user in self._app.config.control.user if user.agent == agent_id]
            if users:
                raise errors.InUse(f"user {users[0]} of the control API is agent {agent_id}", users=users)
            await self._store.forget(f"agent:{agent_id}")
            # While his group is still known, so that whoever sees him is told.
            self._app.hub.publish(AgentChanged(agent_id=agent_id, change="deleted", by=caller.user))
            del self._directory.agents[agent_id]
            if agent_id in self._desk.state.agents:
                # He signed in while the database was written.
                self._floor.ask(SignOut(agent_id=agent_id, reason="removed", by=caller.user))
            self._app.roles_changed()
            self._app.homes_changed()
            return views.Done()

    async def _keep(self, agent: Agent, change: str, caller: Caller) -> centre.AgentDetail:
        directory = self._directory
        keys, problem = agent_problem(agent, directory.agent_groups, directory.extensions, directory.queues)
        if problem:
            raise errors.InvalidValue(f"agent {agent.agent_id}: {problem}", field=".".join(keys))
        if self._app.roles.rights(agent.role) is NO_RIGHTS:
            raise errors.InvalidValue(f'agent {agent.agent_id}: there is no role "{agent.role}"', field="role")
        await self._store.put(f"agent:{agent.agent_id}", agent)
        directory.agents[agent.agent_id] = agent
        self._floor.ask(AgentSettingsChange(agent))
        self._app.roles_changed()
        self._app.homes_changed()
        self._app.hub.publish(AgentChanged(agent_id=agent.agent_id, change=change, by=caller.user))
        return self._detail(agent)

    def _agent(self, agent_id: str) -> Agent:
        agent = self._directory.agents.get(agent_id)
        if agent is None:
            raise errors.NoSuchAgent(f"no agent {agent_id}")
        return agent

    def _changeable(self, agent_id: str, caller: Caller) -> Agent:
        agent = self._agent(agent_id)
        self._sources.check_changeable(f"agent:{agent_id}")
        # Nobody changes who may do more than he: with another PIN he could be him.
        self._app.gate.check_grant(caller, agent.role)
        return agent

    def _detail(self, agent: Agent) -> centre.AgentDetail:
        return centre.AgentDetail(
            agent_id=agent.agent_id,
            source=self._sources.source(f"agent:{agent.agent_id}"),
            has_pin=bool(agent.pin_hash),
            settings=msgspec.structs.replace(agent, pin_hash=""),
        )

    # -- agent groups --------------------------------------------------------------------------------------------------

    def list_groups(self, command: centre.ListAgentGroups, caller: Caller) -> centre.AgentGroupList:
        groups = self._directory.agent_groups
        return centre.AgentGroupList(groups=[self._view(groups[name]) for name in sorted(groups)])

    async def create_group(self, command: centre.CreateAgentGroup, caller: Caller) -> centre.AgentGroupView:
        async with self._lock:
            if command.group in self._directory.agent_groups:
                raise errors.AlreadyExists(f"agent_group {command.group} exists")
            return await self._keep_group(AgentGroup(name=command.group, title=command.title), "created", caller)

    async def update_group(self, command: centre.UpdateAgentGroup, caller: Caller) -> centre.AgentGroupView:
        async with self._lock:
            self._check_group(command.group)
            return await self._keep_group(AgentGroup(name=command.group, title=command.title), "updated", caller)

    async def delete_group(self, command: centre.DeleteAgentGroup, caller: Caller) -> views.Done:
        name = command.group
        async with self._lock:
            self._check_group(name)
            members = self._members(name)
            if members:
                more = f" and {len(members) - 1} more" if len(members) > 1 else ""
                raise errors.InUse(f"agent {members[0]}{more} belongs to agent_group {name}", users=members[:_NAMED])
            await self._store.forget(f"agent_group:{name}")
            del self._directory.agent_groups[name]
            self._app.hub.publish(AgentGroupChanged(group=name, change="deleted", by=caller.user))
            return views.Done()

    async def _keep_group(self, group: AgentGroup, change: str, caller: Caller) -> centre.AgentGroupView:
        await self._store.put(f"agent_group:{group.name}", group)
        self._directory.agent_groups[group.name] = group
        self._app.hub.publish(AgentGroupChanged(group=group.name, change=change, by=caller.user))
        return self._view(group)

    def _check_group(self, name: str) -> None:
        """Raises NoSuchAgentGroup, and InvalidValue when it cannot be changed here."""
        if name not in self._directory.agent_groups:
            raise errors.NoSuchAgentGroup(f"no agent_group {name}")
        self._sources.check_changeable(f"agent_group:{name}")
        if name == BUILT_IN_GROUP:
            raise errors.InvalidValue(f"agent_group {name} is built in", field="group")

    def _members(self, name: str) -> list[str]:
        return [agent.agent_id for agent in self._directory.agents.values() if agent.group == name]

    def _view(self, group: AgentGroup) -> centre.AgentGroupView:
        members = self._members(group.name)
        source = self._sources.source(f"agent_group:{group.name}")
        return centre.AgentGroupView(
            group=group.name,
            title=group.title,
            source="built_in" if group.name == BUILT_IN_GROUP and source != "file" else source,
            n_agents=len(members),
            n_signed_in=sum(agent_id in self._desk.state.agents for agent_id in members),
        )
