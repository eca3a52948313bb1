"""What the types of queues and agents cannot say: names that must exist, numbers that must differ."""

from collections.abc import Callable, Container, Iterator, Mapping, Set

from model.agents import BUILT_IN_GROUP, SYSTEM_REASONS, Agent
from model.alarms import rule_problem
from model.prompts import Prompt
from model.queues import Queue, SoundStep
from model.voicemail import VoicemailBox
from switch.config import Config
from switch.config_ivr import flow_names
from switch.pins import is_pin_hash
from switch.sources import source_problem
from switch.voicemail import box_name, is_voicemail

Wrong = Callable[[list[str | int], str], Exception]


def targets_of(queue: Queue) -> Iterator[tuple[list[str], str]]:
    """(key, target) of everything that sends calls on."""
    limits = queue.limits
    yield ["limits", "full_to"], limits.full_to
    yield ["limits", "timeout_to"], limits.timeout_to
    yield ["limits", "no_agent_to"], limits.no_agent_to
    yield ["limits", "closed_to"], limits.closed_to
    if queue.sound.voicemail_key:
        yield ["sound", "voicemail_to"], queue.sound.voicemail_to
    if queue.satisfaction.flow:
        yield ["satisfaction", "flow"], f"ivr:{queue.satisfaction.flow}"


def target_problem(
    target: str, queues: Set[str], flows: Container[str] | None, boxes: Container[str] | None = None, queue: str = ""
) -> str:
    """What is wrong with where calls are sent; "" = nothing. `flows`, `boxes`: None = not known yet. `queue`: that
    sends them, whose voicemail needs no box of its own."""
    if target.startswith("queue:") and target.removeprefix("queue:") not in queues:
        return f'there is no queue "{target.removeprefix("queue:")}"'
    if flows is not None and target.startswith("ivr:") and target.removeprefix("ivr:") not in flows:
        name = target.removeprefix("ivr:")
        return f'there is no flow "{name}" (published, or {name}.json in the folder that ivr.flows names)'
    if boxes is not None and is_voicemail(target) and (name := box_name(target, queue)) not in boxes and name != queue:
        return f'there is no voicemail box "{name}"' if name else "say which box: voicemail:NAME"
    return ""


def _step_problem(step: SoundStep) -> str:
    if step.kind == "music" and step.seconds < 1.0:
        return "music of less than a second (seconds)"
    if step.kind == "say" and not step.sources:
        return "has nothing to say (sources)"
    if step.sources and step.kind not in ("music", "say"):
        return f"{step.kind} has no sources"
    return next((problem for source in step.sources if (problem := source_problem(source))), "")


def queue_problem(
    queue: Queue, queues: Set[str], flows: Container[str] | None, boxes: Container[str] | None = None
) -> tuple[list[str], str]:
    """(key, what is wrong with it); "" = nothing. `queues`: all there are, with this one."""
    for key, target in targets_of(queue):
        if problem := target_problem(target, queues, flows, boxes, queue.name):
            return key, problem
    for i, step in enumerate(queue.sound.program):
        if problem := _step_problem(step):
            return ["sound", "program", str(i)], problem
    if queue.sound.program and all(step.kind != "music" for step in queue.sound.program):
        return ["sound", "program"], "has no step music, without which nobody could rest from it"
    if len({*queue.prefer}) != len(queue.prefer):
        return ["prefer"], "names one of them twice"
    if any(a.after_s >= b.after_s for a, b in zip(queue.relax, queue.relax[1:], strict=False)):
        return ["relax"], "each step must come later than the one before (after_s)"
    return [], ""


def box_problem(
    box: VoicemailBox,
    numbers: Container[str],
    extensions: Container[str],
    queues: Container[str],
    library: Mapping[str, Prompt] | None = None,
) -> tuple[list[str], str]:
    """(key, what is wrong with it); "" = nothing. `numbers`: that lead elsewhere; `library`: None = not known here."""
    if box.queue and box.queue not in queues:
        return ["queue"], f'there is no queue "{box.queue}"'
    if box.number and box.number in numbers:
        return ["number"], f"{box.number} leads elsewhere already"
    for number in box.extensions:
        if number not in extensions:
            return ["extensions"], f'there is no extension "{number}"'
    if box.pin_hash and not is_pin_hash(box.pin_hash):
        return ["pin_hash"], "is not what `ringback pin` makes"
    if box.greeting and (problem := source_problem(box.greeting, library)):
        return ["greeting"], problem
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
        ("voicemail", [each.name for each in config.voicemail]),
        ("alarm", [each.name for each in config.alarm]),
    ):
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong([section, i], f'"{name}" is there twice')
    boxes = {box.name for box in config.voicemail}
    for i, queue in enumerate(config.queue):
        keys, problem = queue_problem(queue, queues, flow_names(config), boxes)
        if problem:
            raise wrong(["queue", i, *keys], problem)
    groups = {each.name for each in config.agent_group} | {BUILT_IN_GROUP}
    extensions = {each.number for each in config.extension}
    numbers = {*extensions, *(each.number for each in config.conference)}
    for i, box in enumerate(config.voicemail):
        keys, problem = box_problem(box, numbers, extensions, queues)
        if problem:
            raise wrong(["voicemail", i, *keys], problem)
        if box.number:
            numbers.add(box.number)
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
