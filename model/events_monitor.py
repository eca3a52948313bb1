"""What supervisors do, as told to subscribers (also `call.monitored` of the feature catalogue)."""

from model.declare import Event, event


class _MonitorEvent(Event, frozen=True, kw_only=True):
    monitor_id: str
    call_id: str
    supervisor: str
    """His extension."""


@event("monitor.started", permission="monitor.listen")
class MonitorStarted(_MonitorEvent, frozen=True, kw_only=True):
    """A supervisor answered and is on the call. Nobody on it was told."""

    leg_id: str
    agent_leg_id: str
    agent: str
    """Name of the agent's leg: extension or trunk."""
    mode: str
    """listen, whisper, whisper_customer or barge."""
    agent_audio: str = "full"
    """full or listen_only."""


@event("monitor.changed", permission="monitor.listen")
class MonitorChanged(_MonitorEvent, frozen=True, kw_only=True):
    """What he is heard by changed, or whom he supervises (the call went to another agent)."""

    agent_leg_id: str
    agent: str
    mode: str
    agent_audio: str = "full"


@event("monitor.ended", permission="monitor.listen")
class MonitorEnded(_MonitorEvent, frozen=True, kw_only=True):
    """He is off the call, or never answered."""

    reason: str
    """stopped, hung_up, no_answer, failed, takeover, disconnect, call_ended or not_permitted (the call went to an agent
    whom he may not supervise)."""


@event("call.taken_over")
class CallTakenOver(Event, frozen=True, kw_only=True):
    """A supervisor has taken an agent's place."""

    call_id: str
    leg_id: str
    """The supervisor's leg, from now on a party like any other."""
    from_leg_id: str
    """The agent's leg; it is over."""
    supervisor: str


@event("call.dispatched")
class CallDispatched(Event, frozen=True, kw_only=True):
    """A supervisor sent a call to somebody else."""

    call_id: str
    to: str
    by: str
    """The API user."""
