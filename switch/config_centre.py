"""What the types of queues and agents cannot say: names that must exist, numbers that must differ."""

from collections.abc import Callable, Iterator

from model.agents import SYSTEM_REASONS
from model.queues import Queue
from switch.config import Config
from switch.pins import is_pin_hash

Wrong = Callable[[list[str | int], str], Exception]
NOT_YET = ("ivr:", "voicemail")
"""Targets that nothing can serve so far."""


def targets_of(queue: Queue) -> Iterator[tuple[list[str], str]]:
    """(key, target) of everything that sends calls on."""
    limits = queue.limits
    yield ["limits", "full_to"], limits.full_to
    yield ["limits", "timeout_to"], limits.timeout_to
    yield ["limits", "no_agent_to"], limits.no_agent_to
    yield ["limits", "closed_to"], limits.closed_to
    if queue.sound.voicemail_key:
        yield ["sound", "voicemail_to"], queue.sound.voicemail_to


def target_problem(target: str, queues: set[str]) -> str:
    """What is wrong with where a queue sends calls; "" = nothing."""
    if target.startswith("queue:") and target.removeprefix("queue:") not in queues:
        return f'there is no queue "{target.removeprefix("queue:")}"'
    if target.startswith(NOT_YET):
        return f'"{target}" cannot be served yet; there are hangup, queue:NAME, external:NUMBER and numbers'
    return ""


def check_centre(config: Config, wrong: Wrong) -> None:
    """Raises what `wrong` makes."""
    queues = {queue.name for queue in config.queue}
    for section, names in (
        ("queue", [each.name for each in config.queue]),
        ("agent_group", [each.name for each in config.agent_group]),
        ("agent", [each.agent_id for each in config.agent]),
    ):
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong([section, i], f'"{name}" is there twice')
    for i, queue in enumerate(config.queue):
        for key, target in targets_of(queue):
            if problem := target_problem(target, queues):
                raise wrong(["queue", i, *key], problem)
        if len({*queue.prefer}) != len(queue.prefer):
            raise wrong(["queue", i, "prefer"], "names one of them twice")
        if any(a.after_s >= b.after_s for a, b in zip(queue.relax, queue.relax[1:], strict=False)):
            raise wrong(["queue", i, "relax"], "each step must come later than the one before (after_s)")
    groups = {each.name for each in config.agent_group} | {"default"}
    extensions = {each.number for each in config.extension}
    for i, agent in enumerate(config.agent):
        if agent.group not in groups:
            raise wrong(["agent", i, "group"], f'there is no agent_group "{agent.group}"')
        if agent.extension and agent.extension not in extensions:
            raise wrong(["agent", i, "extension"], f'there is no extension "{agent.extension}"')
        if agent.pin_hash and not is_pin_hash(agent.pin_hash):
            raise wrong(["agent", i, "pin_hash"], "is not what `ringback pin` makes")
        for each in agent.queues:
            if each.queue not in queues:
                raise wrong(["agent", i, "queues"], f'there is no queue "{each.queue}"')
    for i, reason in enumerate(config.agents.reason):
        if reason.code in SYSTEM_REASONS:
            raise wrong(["agents", "reason", i, "code"], f'"{reason.code}" is a reason of the switch itself')
