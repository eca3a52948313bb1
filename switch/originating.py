"""Makes the call that the API asks for, up to where its first party rings. Pure."""

from model.causes import HangupCause
from switch.call import Call
from switch.environment import Environment
from switch.parties import party_number, plan_parties
from switch.preview_calls import plan_customer
from switch.ring_plan import OriginateOptions
from switch.routing import Origin


class NoRouteError(Exception):
    """There is no way to the first party of an originated call."""

    def __init__(self, cause: HangupCause) -> None:
        super().__init__(cause.value)
        self.cause = cause


def make_call(
    env: Environment,
    *,
    first: str,
    second: str,
    caller_id: str,
    ring_timeout_s: float,
    variables: dict[str, str],
    record: bool | None,
    has_ringback: bool,
    worker: int,
    now: float,
    options: OriginateOptions,
) -> Call:
    """A call in phase originate whose plan leads to `first`. Raises NoRouteError when nothing does."""
    shown = caller_id or options.campaign_caller_id
    call = Call(
        call_id=env.ids.new(),
        phase="originate",
        caller=shown or party_number(first),
        caller_name=options.caller_name,
        dialed=party_number(second),
        originate_to=second,
        options=options,
        caller_id=shown,
        ring_timeout_s=ring_timeout_s,
        variables=variables,
        wants_recording=record is not False,
        has_ringback=has_ringback and options.hears in ("auto", "ringback"),
        hears=options.hears,
        confirm=options.confirm if options.confirms in ("from", "both") else None,
        worker=worker,
        created_utc=env.wall(now),
    )
    # Who is rung first sees where it is going to, unless told otherwise: it knows itself who it is.
    origin = Origin(caller=options.from_caller_id or party_number(second), caller_id=options.from_caller_id or shown)
    cause = plan_parties(call, (first, *options.also_from), options.strategy, origin, now, env)
    if cause is not None:
        raise NoRouteError(cause)
    for step in call.plan:
        for target in step.targets:
            if target.kind == "extension":
                target.caller = origin.caller
    return call


def plan_second(call: Call, origin: Origin, now: float, env: Environment) -> HangupCause | None:
    """The first party answered: where the second is, or why nowhere."""
    if call.dialing is not None:
        campaign = env.directory.campaigns.get(call.dialing.campaign)
        return plan_customer(call, campaign, now, env) if campaign is not None else HangupCause.ORIGINATOR_CANCEL
    options = call.options
    if options is None:
        return plan_parties(call, (call.originate_to,), "serial", origin, now, env)
    call.confirm = options.confirm if options.confirms in ("to", "both") else None
    return plan_parties(call, (call.originate_to, *options.also_to), options.strategy, origin, now, env)
