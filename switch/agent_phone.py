"""Agents without a client: they sign in and out, and say that they are ready or not, by feature codes of the phone at
which they sit (AGT-07), with their number and PIN. Also where an agent may sit (AGT-22).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from acd.desk_inputs import DeskInput, GoNotReady, GoReady, SignIn, SignOut
from model.declare import ApiError
from model.errors import InvalidValue, NoSuchAgent, PermissionDenied, WrongState
from sip.registrar import Binding
from switch.actions import AgentByPhone
from switch.core import Core
from switch.leg_events import FeatureDone
from switch.pins import PinGuard, check_pin
from switch.security_events import SecurityEvent

log = logging.getLogger(__name__)


def check_seat(bindings: list[Binding], extension: str, host: str) -> None:
    """Raises PermissionDenied unless `host` is where a phone of the extension registered from."""
    if all(binding.flow.host != host for binding in bindings):
        raise PermissionDenied(
            f"extension {extension} is not registered from {host or 'there'}, and agents may sign in only from where "
            "their extension is (agents.lock_extension_to_address)"
        )


async def check_pin_in_thread(pin: str, pin_hash: str) -> bool:
    """`check_pin`, which is slow by intent."""
    return await asyncio.to_thread(check_pin, pin, pin_hash)


class AgentPhones:
    """One per switch. `own` sees the work through that a code asks for; `verify` tells whether a PIN fits its hash."""

    def __init__(
        self,
        core: Core,
        own: Callable[[Coroutine[Any, Any, None]], None],
        verify: Callable[[str, str], Awaitable[bool]] = check_pin_in_thread,
    ) -> None:
        self._core = core
        self._verify = verify
        self._guard = PinGuard()
        core.runtime.also_perform(AgentByPhone, lambda action, now: own(self._do(action)))

    async def _do(self, action: AgentByPhone) -> None:
        why = ""
        then: DeskInput | None = None
        try:
            then = await self._carry_out(action)
        except ApiError as problem:
            why = problem.message
            log.info("x extension %s: %s: %s", action.extension, action.feature, why)
        runtime = self._core.runtime
        runtime.tell(FeatureDone(action.call_id, action.leg_id, why))
        if then is not None:
            # Not before: his phone is known to be busy with this call now, and no other call rings it meanwhile.
            self._core.floor.ask(then)

    async def _carry_out(self, action: AgentByPhone) -> DeskInput | None:
        """Returns what is to be asked for next. Raises what the desk refuses it with, and PermissionDenied."""
        if action.feature == "agent_sign_in":
            return await self._sign_in(action)
        floor = self._core.floor
        desk = floor.centre.desk.at(action.extension)
        if desk is None:
            raise NoSuchAgent(f"nobody is signed in at extension {action.extension}")
        agent_id = desk.agent_id
        match action.feature:
            case "agent_sign_out":
                floor.ask(SignOut(agent_id=agent_id, by=agent_id))
            case "agent_ready":
                floor.ask(GoReady(agent_id=agent_id, by=agent_id))
            case "agent_not_ready":
                floor.ask(GoNotReady(agent_id=agent_id, reason=self._reason(action.number), by=agent_id))
            case _:
                raise AssertionError(f"no feature of agents: {action.feature}")
        return None

    async def _sign_in(self, action: AgentByPhone) -> DeskInput | None:
        core, extension = self._core, action.extension
        clock = core.runtime.outside.clock
        rules = core.directory.config.agents
        names = (action.number, f"at {extension}")
        left_s = self._guard.wait_s(names, clock())
        if left_s:
            raise WrongState(f"too many wrong PINs; again in {left_s:.0f} s", left_s=left_s)
        agent = core.directory.agents.get(action.number)
        # Counted before it is looked at, so that many tries at once are no more than many in a row.
        self._guard.failed(names, clock())
        is_right = await self._verify(action.pin, agent.pin_hash if agent is not None else "")
        if agent is None or not is_right:
            self._report(action)
            raise PermissionDenied("no agent has this number and this PIN")
        self._guard.passed(names)
        if rules.lock_extension_to_address:
            check_seat(core.env.bindings(extension, clock()), extension, action.host)
        desk = core.floor.centre.desk.at(extension)
        if desk is None or desk.agent_id != agent.agent_id:
            core.floor.ask(SignIn(agent=agent, mode="extension", extension=extension, by=agent.agent_id))
            core.floor.look_at_device(extension)
        return GoReady(agent_id=agent.agent_id, by=agent.agent_id) if rules.is_ready_after_phone_sign_in else None

    def _reason(self, place: str) -> str:
        reasons = self._core.directory.config.agents.reason
        index = int(place) - 1 if place.isdecimal() else 0
        if not 0 <= index < len(reasons):
            raise InvalidValue(f"there is no reason number {place or 1} (agents.reason)", field="reason")
        return reasons[index].code

    def _report(self, action: AgentByPhone) -> None:
        self._core.runtime.outside.report(
            SecurityEvent(
                kind="wrong_pin",
                source=action.host,
                port=0,
                transport="sip",
                user=action.number,
                is_known=True,
                is_verified=True,
                detail=f"extension {action.extension}",
            )
        )
