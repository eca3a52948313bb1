"""Asks who picked up whether a human takes the call ("press 1 to accept") before anybody is connected or stops ringing:
a voice mailbox that answers wins nothing. Pure."""

from model import media
from model.causes import HangupCause
from model.events_outbound import CallConfirming
from switch.actions import Action, TellCall
from switch.call import Call, Leg
from switch.environment import Environment
from switch.leg_events import DropLeg
from switch.ring_plan import Ringing

PLAY_ID = "confirm"
_PREFIX = "confirm:"


def begin(call: Call, ringing: Ringing, leg: Leg, now: float, env: Environment) -> list[Action]:
    """The leg picked up: it hears the question until it accepts, hangs up or waits too long. The others ring on."""
    confirm = ringing.confirm
    assert confirm is not None
    leg.state = "answered"
    leg.answered_utc = env.wall(now)
    leg.sip_status = 200
    leg.is_confirming = True
    leg.other_ways = []
    call.timers[_PREFIX + leg.leg_id] = now + confirm.timeout_s
    sources = list(confirm.sources) or [f"tone:confirmation/{env.config.media.tone_plan}", "silence:2000"]
    actions: list[Action] = []
    if ringing is call and ringing.is_heard:
        ringing.is_heard = False
        actions.append(media.ConnectMatrix(call.call_id, []))
    return [
        *actions,
        media.Play(session=call.call_id, leg=leg.leg_id, play_id=PLAY_ID, sources=sources, is_looped=True),
        CallConfirming(call_id=call.call_id, leg_id=leg.leg_id),
    ]


def is_accepted(ringing: Ringing, leg: Leg, digit: str) -> bool:
    """Whether the digit is the one that takes the call."""
    return leg.is_confirming and ringing.confirm is not None and digit == ringing.confirm.digit


def accept(call: Call, leg: Leg) -> list[Action]:
    """The question is over."""
    leg.is_confirming = False
    forget_timer(call, leg)
    return [media.StopPlay(call.call_id, leg.leg_id, PLAY_ID)]


def due(call: Call, name: str) -> list[Action]:
    """A timer of `begin` is due: whoever picked up did not accept. [] for any other timer."""
    if not name.startswith(_PREFIX):
        return []
    leg = call.legs.get(name.removeprefix(_PREFIX))
    if leg is None or not leg.ringing or not leg.is_confirming:
        return []
    return [TellCall(DropLeg(call.call_id, leg.leg_id, HangupCause.NO_ANSWER))]


def forget_timer(call: Call, leg: Leg) -> None:
    call.timers.pop(_PREFIX + leg.leg_id, None)
