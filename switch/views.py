"""Snapshots of live things for the control API, made when asked for."""

from model.views import CallView, ConsultView, ExtensionView, LegView, TrunkAddressView, TrunkView
from switch.call import Call, Consult, Leg
from switch.directory import ExtensionEntry, TrunkState
from switch.hearing import HOLD_PLAY


def call_view(call: Call, wall: float, worker_name: str) -> CallView:
    """A live call; `wall` is now in UTC seconds."""
    running = call.recording
    return CallView(
        call_id=call.call_id,
        phase=call.phase,
        direction=call.direction,
        caller=call.caller,
        dialed=call.dialed,
        created_utc=call.created_utc,
        answered_utc=call.answered_utc,
        duration_s=wall - call.created_utc,
        talk_s=(call.ended_utc or wall) - call.bridged_utc if call.bridged_utc else 0.0,
        legs=[leg_view(leg) for leg in call.legs.values()],
        is_recorded=running is not None,
        is_recording_paused=running is not None and running.is_paused,
        recording_id=running.recording_id if running is not None else "",
        media_worker=worker_name,
        variables=call.variables,
        consults=[consult_view(call, consult) for consult in call.consults.values()],
    )


def consult_view(call: Call, consult: Consult, state: str = "") -> ConsultView:
    by = call.legs[consult.by]
    return ConsultView(
        consult_id=consult.consult_id,
        call_id=call.call_id,
        by_leg_id=consult.by,
        leg_id=consult.leg,
        number=consult.number,
        state=state or ("consulting" if consult.leg else "ringing"),
        talks_with="consulted" if by.room == consult.consult_id else "others",
        started_utc=consult.started_utc,
    )


def leg_view(leg: Leg) -> LegView:
    return LegView(
        leg_id=leg.leg_id,
        kind=leg.kind,
        name=leg.name,
        direction=leg.direction,
        state="held" if leg.is_up and leg.playing == HOLD_PLAY else leg.state,
        address=leg.address,
        role=leg.role,
        room=leg.room,
        is_muted=leg.is_muted,
        codec=leg.negotiated.codec if leg.negotiated is not None else "",
        is_held=leg.playing == HOLD_PLAY,
        created_utc=leg.created_utc,
        ringing_utc=leg.ringing_utc,
        answered_utc=leg.answered_utc,
        user_agent=leg.user_agent,
        statistics=leg.statistics,
    )


def extension_view(entry: ExtensionEntry, n_registrations: int, n_calls: int) -> ExtensionView:
    return ExtensionView(
        extension=entry.number,
        name=entry.name,
        caller_id=entry.caller_id,
        ring_timeout_s=entry.ring_timeout_s,
        busy_to=entry.busy_to,
        no_answer_to=entry.no_answer_to,
        may_call_external=entry.may_call_external,
        may_call_international=entry.may_call_international,
        is_recorded=entry.is_recorded,
        media=entry.media,
        is_enabled=entry.is_enabled,
        source=entry.source,
        n_registrations=n_registrations,
        n_calls=n_calls,
    )


def trunk_view(trunk: TrunkState, now: float) -> TrunkView:
    """`now` is monotonic seconds."""
    config = trunk.config
    addresses = [
        TrunkAddressView(
            address=f"{flow.transport}:{flow.host}:{flow.port}",
            state=health.state,
            is_resting=health.resting_until > now,
            status=health.status,
            round_trip_ms=health.round_trip_ms,
        )
        for flow, health in ((flow, trunk.health_of(flow)) for flow in trunk.flows)
    ]
    address = f"{trunk.flows[0].transport}:{trunk.flows[0].host}:{trunk.flows[0].port}" if trunk.flows else ""
    return TrunkView(
        trunk=config.name,
        state=trunk.state,
        reason=trunk.reason,
        address=address,
        since_utc=trunk.since_utc,
        is_registering=config.register,
        n_calls=trunk.n_calls,
        max_calls=config.max_channels,
        calls_total=trunk.calls_total,
        calls_failed=trunk.calls_failed,
        n_calls_in=trunk.n_in,
        max_calls_in=config.max_channels_in,
        max_calls_out=config.max_channels_out,
        max_calls_per_second=config.max_calls_per_second,
        calls_skipped=trunk.calls_skipped,
        is_qualified=config.qualify_s > 0,
        addresses=addresses,
    )
