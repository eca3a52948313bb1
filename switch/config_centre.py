"""What the types of queues and agents cannot say: names that must exist, numbers that must differ."""

from collections.abc import Callable, Container, Iterator, Set

from model.agents import BUILT_IN_GROUP, SYSTEM_REASONS, Agent
from model.alarms import rule_problem
from model.queues import Queue
from switch.config import Config
from switch.config_ivr import flow_names
from switch.pins import is_pin_hash

Wrong = Callable[[list[str | int], str], Exception]
NOT_YET = ("voicemail",)
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


def target_problem(target: str, queues: Set[str], flows: Container[str] | None) -> str:
    """What is wrong with where calls are sent; "" = nothing. `flows`: None = not known yet."""
    if target.startswith("queue:") and target.removeprefix("queue:") not in queues:
        return f'there is no queue "{target.removeprefix("queue:")}"'
    if flows is not None and target.startswith("ivr:") and target.removeprefix("ivr:") not in flows:
        return f'there is no flow "{target.removeprefix("ivr:")}" (NAME.json in the folder that ivr.flows names)'
    if target.startswith(NOT_YET):
        return f'"{target}" cannot be served yet; there are hangup, queue:NAME, ivr:FLOW, external:NUMBER and numbers'
    return ""


def queue_problem(queue: Queue, queues: Set[str], flows: Container[str] | None) -> tuple[list[str], str]:
    """(key, what is wrong with it); "" = nothing. `queues`: all there are, with this one."""
    for key, target in targets_of(queue):
        if problem := target_problem(target, queues, flows):
            return key, problem
    if len({*queue.prefer}) != len(queue.prefer):
        return ["prefer"], "names one of them twice"
    if any(a.after_s >= b.after_s for a, b in zip(queue.relax, queue.relax[1:], strict=False)):
        return ["relax"], "each step must come later than the one before (after_s)"
    return [], ""


def agent_problem(
    agent: Agent, groups: Container[str], extensions: Container[str], queues: Container[str]
) -> tuple[list[str], str]:
    """(key, what is wrong with it); "" = nothing."""
    if agent.group not in groups:
        return ["group"], f'there is no agent_group "{agent.group}"'
    if agent.extension and agent.extension not in extensions:
        return ["extension"], f'there is no extension "{agent.extension}"'
    if agent.pin_hash and not is_pin_hash(agent.pin_hash):
        return ["pin_hash"], "is not what `ringback pin` makes"
    for i, each in enumerate(agent.queues):
        if each.queue not in queues:
            return ["queues"], f'there is no queue "{each.queue}"'
        if any(each.queue == other.queue for other in agent.queues[:i]):
            return ["queues"], f'queue "{each.queue}" is there twice'
    return [], ""


def check_centre(config: Config, wrong: Wrong) -> None:
    """Raises what `wrong` makes."""
    queues = {queue.name for queue in config.queue}
    for section, names in (
        ("queue", [each.name for each in config.queue]),
        ("agent_group", [each.name for each in config.agent_group]),
        ("agent", [each.agent_id for each in config.agent]),
        ("alarm", [each.name for each in config.alarm]),
    ):
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong([section, i], f'"{name}" is there twice')
    for i, queue in enumerate(config.queue):
        keys, problem = queue_problem(queue, queues, flow_names(config))
        if problem:
            raise wrong(["queue", i, *keys], problem)
    groups = {each.name for each in config.agent_group} | {BUILT_IN_GROUP}
    extensions = {each.number for each in config.extension}
    for i, agent in enumerate(config.agent):
        keys, problem = agent_problem(agent, groups, extensions, queues)
        if problem:
            raise wrong(["agent", i, *keys], problem)
    for i, rule in enumerate(config.alarm):
        if problem := rule_problem(rule):
            raise wrong(["alarm", i, "clear"], problem)
        for name in rule.queues:
            if name not in queues:
                raise wrong(["alarm", i, "queues"], f'there is no queue "{name}"')
    for i, reason in enumerate(config.agents.reason):
        if reason.code in SYSTEM_REASONS:
            raise wrong(["agents", "reason", i, "code"], f'"{reason.code}" is a reason of the switch itself')
