"""Where the calls of an extension go instead: always, on busy or do not disturb, without answer. Pure decisions.

A call is forwarded `MAX_FORWARDS` times at most and never twice by the same extension, so that circles end.
"""

from collections.abc import Iterable
from typing import Protocol

from model.causes import HangupCause
from model.events_services import CallForwarded
from switch.environment import Environment
from switch.ring_plan import Diversion

MAX_FORWARDS = 5


class Diverted(Protocol):
    """What is forwarded: a call, or somebody rung for one."""

    diversions: list[Diversion]


def at_once(diverted: Diverted, number: str, env: Environment) -> Diversion | HangupCause | None:
    """What becomes of a call to the extension before it rings: None = it rings, a cause = it is refused."""
    entry = env.directory.extensions[number]
    services = env.services.of(entry)
    if services.always_to:
        return divert(diverted, Diversion(number, services.always_to, "unconditional"))
    if services.is_dnd:
        reason = "do-not-disturb"
    elif not services.has_call_waiting and env.is_in_call(number):
        reason = "user-busy"
    else:
        return None
    if not services.busy_to:
        return HangupCause.USER_BUSY
    return divert(diverted, Diversion(number, services.busy_to, reason))


def after(diverted: Diverted, number: str, cause: HangupCause, env: Environment) -> Diversion | None:
    """Where the call goes after the extension failed to take it; None: nowhere."""
    entry = env.directory.extensions.get(number)
    if entry is None:
        return None
    services = env.services.of(entry)
    if cause is HangupCause.NO_ANSWER:
        to, reason = services.no_answer_to, "no-answer"
    else:
        to, reason = services.busy_to, "user-busy" if cause is HangupCause.USER_BUSY else "unavailable"
    if not to:
        return None
    result = divert(diverted, Diversion(number, to, reason))
    return result if isinstance(result, Diversion) else None


def divert(diverted: Diverted, diversion: Diversion) -> Diversion | HangupCause:
    """Notes the forwarding, or refuses one that would go round in a circle."""
    if len(diverted.diversions) >= MAX_FORWARDS or diversion.extension in _forwarders(diverted.diversions):
        return HangupCause.SUBSCRIBER_ABSENT
    diverted.diversions.append(diversion)
    return diversion


def told(call_id: str, diversion: Diversion) -> CallForwarded:
    """The event of it."""
    return CallForwarded(call_id=call_id, extension=diversion.extension, to=diversion.to, reason=diversion.reason)


def _forwarders(diversions: Iterable[Diversion]) -> set[str]:
    return {each.extension for each in diversions}
