"""Makes the call in which who waits in a queue is called back (XACD-03). Pure."""

from model.errors import InvalidValue
from model.queues import Queue
from switch.call import Call, QueueStay
from switch.environment import Environment
from switch.numbers import clean
from switch.routing import Origin, Refuse, ToExtension, ToTrunks, choose_route


def callback_call(asked_in: Call, queue: Queue, number: str, now: float, env: Environment, entry_id: str = "") -> Call:
    """A call in phase callback that takes the place of `asked_in` in the queue, or, without `entry_id`, one of its own.

    Raises InvalidValue when the number cannot be called from here.
    """
    if not any(c.isdigit() for c in number):
        raise InvalidValue("the caller shows no number that could be called back: name one", field="number")
    dialed = queue.callback.dial_prefix + clean(number)
    if clean(number) in env.directory.emergency:
        raise InvalidValue(f"{number} cannot be called back: it is an emergency number", field="number")
    decision = choose_route(env.directory, origin_of(asked_in, queue), dialed, env.wall(now))
    if isinstance(decision, Refuse):
        raise InvalidValue(f"{number} cannot be called back: {decision.why}", field="number")
    if not isinstance(decision, ToExtension | ToTrunks) or (isinstance(decision, ToTrunks) and decision.is_emergency):
        raise InvalidValue(f"{number} cannot be called back: it is no customer's number", field="number")
    call_id = env.ids.new()
    origin = origin_of(asked_in, queue)
    return Call(
        call_id=call_id,
        phase="callback",
        direction="outbound",
        caller=origin.caller_id,
        caller_name=asked_in.caller_name,
        dialed=dialed,
        access_number=asked_in.access_number,
        is_vip=asked_in.is_vip,
        stay=QueueStay(queue=queue.name, entry_id=entry_id or call_id),
        variables={**asked_in.variables, "callback_of": asked_in.call_id, "callback_number": number},
        created_utc=env.wall(now),
    )


def origin_of(call: Call, queue: Queue) -> Origin:
    """The centre's own number pays for it, as for an access number that leads outside."""
    own = call.access_number or call.dialed
    return Origin(caller=own, caller_id=queue.callback.caller_id or own)
