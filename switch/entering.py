"""What the routing core is told of a call that comes to a queue. Pure."""

from acd.inputs import CallEnters, EntryPlace
from switch.call import Call
from switch.environment import Environment


def enters_of(
    call: Call, queue: str, place: EntryPlace | None, entry_id: str, now: float, env: Environment
) -> CallEnters:
    directory, wall = env.directory, env.wall(now)
    lists = directory.caller_lists
    is_listed = env.config.vip.method == "list" and lists.find("vip", call.caller, queue, wall) is not None
    dedicated = lists.find("dedicated", call.caller, queue, wall)
    return CallEnters(
        entry_id=entry_id,
        call_id=call.call_id,
        queue=queue,
        caller=call.caller,
        place=place,
        is_vip=call.is_vip or is_listed,
        priority=call.queue_priority,
        skills=call.queue_skills,
        area=directory.regions.area_of(call.caller),
        dedicated_agent=dedicated.agent_id if dedicated is not None else "",
        last_agent=directory.last_agents.of(call.caller, wall),
    )
