"""Transfers by the phone itself: REFER and Replaces of SIP legs in the words of calls. No I/O."""

from collections.abc import Mapping

from sip import actions as sip
from sip.refer import Replaces
from sip.stack import SipStack
from switch.actions import RefuseRefer, ReportRefer, SendRefer, TakeRefer
from switch.call import Call, Leg
from switch.causes import status_of_cause
from switch.cdr import mask
from switch.leg_events import CallEvent, LegReferProgress, LegRefers
from switch.numbers import clean
from switch.ring_plan import Target


class SipTransfers:
    """Part of `SipLegs`, whose table of legs by session it reads."""

    def __init__(self, stack: SipStack, legs: Mapping[str, tuple[Call, Leg]]) -> None:
        self._stack = stack
        self._legs = legs

    def referred(self, call: Call, leg: Leg, action: sip.Referred) -> LegRefers:
        """What the phone of `leg` asks for; a dialog it names that is ours is found here."""
        target = action.target
        other_call_id = other_leg_id = ""
        if target.replaces is not None and (found := self._find_own(target.replaces)) is not None:
            other_call_id, other_leg_id = found[0].call_id, found[1].leg_id
        return LegRefers(
            call.call_id,
            leg.leg_id,
            action.refer,
            mask(clean(target.user)),
            target.uri,
            action.by,
            target.replaces,
            other_call_id,
            other_leg_id,
        )

    def _find_own(self, replaces: Replaces) -> tuple[Call, Leg] | None:
        """The call and leg whose dialog this is. Not as RFC 3891 has it for an INVITE: who asks is in that dialog, so
        it may also be one in which he hears us ring."""
        session = self._stack.sessions.get(replaces.to_tag)
        if session is None or (session.call_id, session.remote_tag) != (replaces.call_id, replaces.from_tag):
            return None
        return self._legs.get(session.id)

    def progressed(self, call: Call, leg: Leg, action: sip.ReferAnswered | sip.ReferNotified) -> LegReferProgress:
        """How it goes with our own REFER."""
        match action:
            case sip.ReferAnswered(status=status, is_watched=is_watched):
                return LegReferProgress(call.call_id, leg.leg_id, status if status >= 300 else 100, not is_watched)
            case sip.ReferNotified(status=status, is_final=is_final):
                return LegReferProgress(call.call_id, leg.leg_id, status, is_final)

    def find_replaced(self, replaces: Replaces) -> tuple[tuple[Call, Leg] | None, int, str]:
        """The call and leg that an INVITE with this Replaces takes the place of, or None with status and reason."""
        session, status, reason = self._stack.find_replaced(replaces)
        found = self._legs.get(session) if session else None
        if found is None:
            return None, status or 481, reason or "Call/Transaction Does Not Exist"
        return found, 0, ""

    def dialog_of(self, leg: Leg) -> Replaces | None:
        """The leg as its phone is to be told of it, in an INVITE with Replaces or a REFER that leads there."""
        return self._stack.dialog_of(leg.session)

    def take_refer(self, action: TakeRefer, now: float) -> list[sip.Action]:
        """202."""
        return self._stack.accept_refer(action.refer, now)

    def refuse_refer(self, action: RefuseRefer, now: float) -> list[sip.Action]:
        """The status that tells the cause."""
        return self._stack.refuse_refer(action.refer, *status_of_cause(action.cause), now)

    def report_refer(self, action: ReportRefer, now: float) -> list[sip.Action]:
        """NOTIFY."""
        return self._stack.report_refer(action.refer, action.status, now)

    def send_refer(self, leg: Leg, action: SendRefer, now: float) -> tuple[list[sip.Action], list[CallEvent]]:
        """REFER to the leg itself; at once refused when it is not connected or is being asked already."""
        out = self._stack.refer(leg.session, action.uri, now, replaces=action.replaces, referred_by=action.by)
        return out, [] if out else [LegReferProgress(leg.call_id, leg.leg_id, 491, True)]


def transfer_lines(target: Target) -> str:
    """Header lines of an INVITE that comes of a transfer."""
    lines = f"Replaces: {target.replaces}\r\n" if target.replaces is not None else ""
    return f"{lines}Referred-By: {target.referred_by}\r\n" if target.referred_by else lines
