"""The record of a call, made once from its plain data (FEATURES REC-04, P-34). Pure."""

from model.media import LegStatistics
from model.records import CallRecord, LegRecord, SegmentRecord
from switch.call import Call, Leg
from switch.hearing import held_s, talk_s

_MASK = dict.fromkeys((*range(32), 127), "?")


def mask(text: str) -> str:
    """`text` without control characters and undecodable bytes, for records, logs and the API."""
    if text.isascii() and text.isprintable():
        return text
    return text.encode("utf-8", "replace").decode("utf-8").translate(_MASK)


def call_record(call: Call) -> CallRecord:
    """The row of an ended call with its legs and segments."""
    return CallRecord(
        call_id=call.call_id,
        direction=call.direction,
        caller=call.caller,
        dialed=call.dialed,
        access_number=call.access_number,
        extension=call.extension,
        agent_id=call.agent_id,
        trunk=call.trunk,
        route=call.route,
        created_utc=call.created_utc,
        ringing_utc=call.ringing_utc,
        answered_utc=call.answered_utc,
        bridged_utc=call.bridged_utc,
        ended_utc=call.ended_utc,
        duration_s=call.ended_utc - call.created_utc,
        talk_s=talk_s(call),
        hold_s=held_s(call, call.ended_utc),
        hangup_cause=call.hangup_cause.value if call.hangup_cause else "",
        hangup_side=call.hangup_side,
        data=call.variables,
        absorbed=call.absorbed,
        legs=[_leg_record(leg) for leg in call.legs.values()],
        segments=_segments(call),
    )


def _leg_record(leg: Leg) -> LegRecord:
    statistics = leg.statistics or LegStatistics()
    return LegRecord(
        leg_id=leg.leg_id,
        call_id=leg.call_id,
        direction=leg.direction,
        kind=leg.kind,
        name=leg.name,
        remote_address=leg.address,
        sip_call_id=leg.sip_call_id,
        caller=leg.caller,
        dialed=leg.dialed,
        created_utc=leg.created_utc,
        ringing_utc=leg.ringing_utc,
        answered_utc=leg.answered_utc,
        bridged_utc=leg.bridged_utc,
        ended_utc=leg.ended_utc,
        hangup_cause=leg.hangup_cause,
        hangup_side=leg.hangup_side,
        sip_status=leg.sip_status,
        codec=leg.negotiated.codec if leg.negotiated else "",
        packets_received=statistics.packets_received,
        packets_sent=statistics.packets_sent,
        packets_lost=statistics.packets_lost,
        packets_late=statistics.packets_late,
        jitter_ms=statistics.jitter_ms,
        round_trip_ms=max(statistics.round_trip_ms, 0.0),
        mos=max(statistics.mos, 0.0),
        concealed_ms=statistics.concealed_ms,
        speech_s=statistics.speech_s,
    )


def _segments(call: Call) -> list[SegmentRecord]:
    """Each called leg rings until it answers or ends; what the legs did afterwards was noted when it happened."""
    segments = []
    for leg in call.legs.values():
        if leg.direction == "out":
            segments.append(
                SegmentRecord(
                    call_id=call.call_id,
                    leg_id=leg.leg_id,
                    purpose="ring",
                    started_utc=leg.created_utc,
                    ended_utc=leg.answered_utc or leg.ended_utc or call.ended_utc,
                    cause="" if leg.answered_utc else leg.hangup_cause,
                )
            )
    for each in call.segments:
        segments.append(
            SegmentRecord(
                call_id=call.call_id,
                leg_id=each.leg_id,
                purpose=each.purpose,
                started_utc=each.started_utc,
                ended_utc=each.ended_utc or call.ended_utc,
                cause=each.cause,
            )
        )
    segments.sort(key=lambda segment: segment.started_utc)
    return segments
