"""What the routing core is told of a call that comes to a queue. Pure."""

from acd.inputs import CallEnters, EntryPlace
from switch.call import Call
from switch.environment import Environment


def enters_of(
    call: Call, queue: str, place: EntryPlace | None, entry_id: str, now: float, env: Environment
) -> CallEnters:
    directory, wall = env.directory, env.wall(now)
    lists, customer = directory.caller_lists, call.customer_number
    is_listed = env.config.vip.method == "list" and lists.find("vip", customer, queue, wall) is not None
    dedicated = lists.find("dedicated", customer, queue, wall)
    return CallEnters(
        entry_id=entry_id,
        call_id=call.call_id,
        queue=queue,
        caller=customer,
        place=place,
        is_vip=call.is_vip or is_listed,
        priority=call.queue_priority,
        skills=call.queue_skills,
        area=directory.regions.area_of(customer),
        dedicated_agent=dedicated.agent_id if dedicated is not None else "",
        last_agent=directory.last_agents.of(customer, wall),
        is_outbound=call.dialing is not None,
    )
