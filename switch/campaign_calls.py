"""Calls of campaigns: how they are made, and what is read off them afterwards. Pure."""

from ivr import announcements
from ivr.voices import language_of
from model.campaigns import AttemptResult, Campaign
from model.causes import HangupCause
from model.dialing import Attempt, CampaignRecord
from switch.call import Call
from switch.config_trunks import Route
from switch.dialing import Dialing
from switch.environment import Environment
from switch.leg_events import AnswererFound, CallEvent, Release
from switch.numbers import format_number
from switch.phases.route import take_decision
from switch.routing import FLOW, QUEUE, Decision, Origin, Refuse, ToExtension, ToTrunks, by_route, choose_route

MAX_FIELDS = 40
MAX_VALUE = 500
"""What of a record's fields travels with its call."""

_BUSY = frozenset((HangupCause.USER_BUSY, HangupCause.CALL_REJECTED))
_SILENT = frozenset(
    (
        HangupCause.NO_ANSWER,
        HangupCause.NO_USER_RESPONSE,
        HangupCause.SUBSCRIBER_ABSENT,
        HangupCause.USER_NOT_REGISTERED,
        HangupCause.ALLOTTED_TIMEOUT,
    )
)
_NO_NUMBER = frozenset(
    (
        HangupCause.UNALLOCATED_NUMBER,
        HangupCause.INVALID_NUMBER_FORMAT,
        HangupCause.NUMBER_CHANGED,
        HangupCause.OUTGOING_CALL_BARRED,
    )
)
_OURS = frozenset(
    (
        HangupCause.NORMAL_CIRCUIT_CONGESTION,
        HangupCause.SWITCH_CONGESTION,
        HangupCause.REQUESTED_CHAN_UNAVAIL,
        HangupCause.NORMAL_TEMPORARY_FAILURE,
        HangupCause.NETWORK_OUT_OF_ORDER,
        HangupCause.RECOVERY_ON_TIMER_EXPIRE,
        HangupCause.SERVICE_UNAVAILABLE,
        HangupCause.GATEWAY_DOWN,
        HangupCause.INVALID_GATEWAY,
        HangupCause.NO_ROUTE_DESTINATION,
    )
)
"""The line's fault or the carrier's: nothing about the customer."""


def make_call(
    attempt: Attempt, record: CampaignRecord, campaign: Campaign, ring_timeout_s: float, now: float, env: Environment
) -> tuple[Call, HangupCause | None]:
    """A call in phase dialed to the attempt's number; or why there is no way there."""
    language = language_of(_sound_language(campaign, env))
    shown, to = attempt.caller_id or campaign.caller_id, campaign.answered_to
    call = Call(
        call_id=attempt.attempt_id,
        phase="dialed",
        direction="outbound",
        caller=shown,
        caller_name=campaign.caller_name,
        dialed=as_dialed(campaign, attempt.number, env),
        caller_id=shown,
        ring_timeout_s=ring_timeout_s,
        dialing=Dialing(
            attempt_id=attempt.attempt_id,
            campaign=campaign.name,
            record_id=record.record_id,
            number=attempt.number,
            queue=to.removeprefix(QUEUE) if to.startswith(QUEUE) else campaign.queue,
            flow=to.removeprefix(FLOW) if to.startswith(FLOW) else "",
            patience_s=campaign.patience_s,
            abandon_message=[env.sound(each, language) for each in campaign.abandon_message]
            or announcements.nobody_here(shown, language),
            machine_message=[env.sound(each, language) for each in campaign.machine_message],
            detects_machines=campaign.detects_machines,
            is_verdict_waited_for=campaign.is_amd_waited_for,
        ),
        variables=data_of(record, attempt),
        hears="silence",
        worker=max(0, env.media.choose_worker()),
        created_utc=env.wall(now),
    )
    return call, take_decision(call, way_to(campaign, attempt, now, env), now, env)


def way_to(campaign: Campaign, attempt: Attempt, now: float, env: Environment) -> Decision:
    """Where the attempt's number leads: by the campaign's own trunks, or as it would for who dials it. It never is an
    emergency number, an access number of ours or a room."""
    number = as_dialed(campaign, attempt.number, env)
    origin = Origin(caller=attempt.caller_id, caller_id=attempt.caller_id, seed=attempt.attempt_id)
    directory, wall = env.directory, env.wall(now)
    if attempt.number in directory.emergency or number in directory.emergency:
        return Refuse(HangupCause.OUTGOING_CALL_BARRED, "emergency numbers are called by people")
    if campaign.trunks and number not in directory.extensions:
        route = Route(name=campaign.name, pattern="X.", trunks=campaign.trunks)
        return by_route(directory, origin, route, number, wall)
    decision = choose_route(directory, origin, number, wall)
    if not isinstance(decision, Refuse | ToExtension | ToTrunks) or (
        isinstance(decision, ToTrunks) and decision.is_emergency
    ):
        return Refuse(HangupCause.INVALID_NUMBER_FORMAT, f"{number} is no customer's number")
    return decision


def as_dialed(campaign: Campaign, number: str, env: Environment) -> str:
    """A record's number as people here dial it, which is what routes are made for: "+8613800138000" is 13800138000."""
    return campaign.dial_prefix + format_number(number, env.config.numbering.region, "national")


def data_of(record: CampaignRecord, attempt: Attempt) -> dict[str, str]:
    """What flows, agents and the record of the call know of him."""
    fields = {name: value[:MAX_VALUE] for name, value in [*record.data.items()][:MAX_FIELDS]}
    known = {
        "campaign": record.campaign,
        "record_id": record.record_id,
        "attempt_id": attempt.attempt_id,
        "customer_name": record.name,
        "customer_id": record.customer_id,
    }
    return fields | {name: value for name, value in known.items() if value}


def result_of(call: Call) -> tuple[AttemptResult, bool]:
    """(how an ended attempt went, whether that was our lines' fault)"""
    dialing, cause = call.dialing, call.hangup_cause or HangupCause.NORMAL_UNSPECIFIED
    assert dialing is not None
    if dialing.verdict in ("machine", "fax"):
        return ("machine" if dialing.verdict == "machine" else "fax"), False
    if call.answered_utc:
        return ("dropped" if dialing.is_dropped else "human"), False
    if dialing.agent_id and (not call.a or call.hangup_side == "caller"):
        # The agent's own phone did not pick up, or he gave up.
        return "cancelled", False
    return result_of_cause(cause, is_given_up=dialing.is_given_up)


def result_of_cause(cause: HangupCause, *, is_given_up: bool = False) -> tuple[AttemptResult, bool]:
    """The same of a call that nobody answered."""
    if is_given_up or cause is HangupCause.ORIGINATOR_CANCEL:
        return "cancelled", False
    if cause in _BUSY:
        return "busy", False
    if cause in _SILENT:
        return "no_answer", False
    if cause in _NO_NUMBER:
        return "invalid", False
    if cause in _OURS:
        return "congestion", True
    return "failed", False


def late_verdict(dialing: Dialing, found: AnswererFound) -> CallEvent:
    """AMD that nobody waited for: a machine is taken away from whoever has it."""
    dialing.verdict, dialing.evidence = found.result, found.evidence
    if found.result != "machine":
        return found
    return Release(found.call_id, "", HangupCause.NORMAL_CLEARING, "system")


def _sound_language(campaign: Campaign, env: Environment) -> str:
    queue = env.directory.queue_of(campaign.queue)
    return queue.sound.language if queue is not None else "zh"
