"""What the role of the agent who is signed in at a phone allows there: asked where phones, not commands, do something.

A phone at which nobody is signed in has only what is configured for it.
"""

from control.gate import Roles
from model.agents import Agent
from switch.directory import Directory
from switch.floor import Floor
from switch.reach import Reaches


class AgentRights:
    """Made once roles are known; tells the directory whom to ask."""

    def __init__(self, roles: Roles, reaches: Reaches, directory: Directory, floor: Floor) -> None:
        self._roles = roles
        self._reaches = reaches
        self._directory = directory
        self._desk = floor.centre.desk
        directory.outbound.may_dial_external = self.may_dial_external
        directory.may_supervise_by_role = self.may_supervise
        directory.sees_whole_numbers = self.sees_whole_numbers

    def may_dial_external(self, extension: str) -> bool:
        """Whether who sits there may call by trunk (RBAC-07), on top of what the extension may."""
        agent = self._at(extension)
        return agent is None or "call.dial_external" in self._roles.rights(agent.role).permissions

    def may_supervise(self, seat: str, extension: str) -> bool:
        """Whether who sits at `seat` may listen to who is at `extension`, by agent group (RBAC-05, SUP-23)."""
        agent = self._at(seat)
        if agent is None:
            return False
        reach = self._reaches.reach("extension", extension)
        return self._roles.rights(agent.role).covers("monitor.listen", reach.groups, reach.queues)

    def sees_whole_numbers(self, agent_id: str) -> bool:
        """Whether telephone numbers of customers are shown to him as they are (XRBAC-05)."""
        agent = self._directory.agents.get(agent_id)
        return agent is not None and "phone.view_full" in self._roles.rights(agent.role).permissions

    def _at(self, extension: str) -> Agent | None:
        signed_in = self._desk.at(extension)
        if signed_in is None:
            return None
        # The desk holds what he was when he signed in; a role may have changed since.
        return self._directory.agents.get(signed_in.agent_id, signed_in.agent)
