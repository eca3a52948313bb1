"""Calls that agents place themselves in a campaign: their own phone rings first, then the customer. Pure."""

from model.campaigns import Campaign
from model.causes import HangupCause
from model.dialing import Attempt, CampaignRecord
from switch.call import Call
from switch.campaign_calls import as_dialed, data_of, way_to
from switch.dialing import Dialing
from switch.environment import Environment
from switch.phases.route import take_decision
from switch.targets import extension_step

AGENT_RINGS_S = 30.0
"""He has asked for the call: a phone that he does not pick up by then is not his."""


def make_agent_call(
    attempt: Attempt,
    record: CampaignRecord,
    campaign: Campaign,
    extension: str,
    shown: str,
    now: float,
    env: Environment,
) -> Call | HangupCause:
    """A call in phase originate whose plan leads to the agent's phone, which shows `shown`; or why it cannot be rung.
    Where the phone can, it picks up by itself."""
    call = Call(
        call_id=attempt.attempt_id,
        phase="originate",
        direction="outbound",
        caller=attempt.caller_id or extension,
        caller_name=campaign.caller_name,
        dialed=as_dialed(campaign, attempt.number, env),
        originate_to=attempt.number,
        caller_id=attempt.caller_id,
        extension=extension,
        ring_timeout_s=AGENT_RINGS_S,
        dialing=Dialing(
            attempt_id=attempt.attempt_id,
            campaign=campaign.name,
            record_id=record.record_id,
            number=attempt.number,
            agent_id=attempt.agent_id,
            queue=campaign.queue,
        ),
        variables=data_of(record, attempt),
        has_ringback=True,
        worker=max(0, env.media.choose_worker()),
        created_utc=env.wall(now),
    )
    if extension not in env.directory.extensions:
        return HangupCause.USER_NOT_REGISTERED
    step = extension_step(call, extension, now, env)
    # What the extension says of forwarding is for calls to it, not for those its agent places.
    step.extension = ""
    if not step.targets:
        return HangupCause.USER_NOT_REGISTERED
    for target in step.targets:
        target.auto_answer, target.caller = True, shown
    call.plan.append(step)
    return call


def plan_customer(call: Call, campaign: Campaign, now: float, env: Environment) -> HangupCause | None:
    """The agent has picked up: where the customer is, or why nowhere."""
    dialing = call.dialing
    assert dialing is not None
    attempt = Attempt(
        attempt_id=dialing.attempt_id,
        campaign=campaign.name,
        record_id=dialing.record_id,
        number=dialing.number,
        mode="preview",
        caller_id=call.caller_id,
        agent_id=dialing.agent_id,
        started_utc=call.created_utc,
    )
    call.ring_timeout_s = campaign.ring_timeout_s
    return take_decision(call, way_to(campaign, attempt, now, env), now, env)
