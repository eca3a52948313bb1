"""A supervisor on a live call, as plain data. `switch.supervision` says what he does."""

import msgspec

SUPERVISOR = "supervisor"
"""Role of a leg that supervises: it is in the room of the agent and counts as no party of the call."""

MODES = ("listen", "whisper", "whisper_customer", "barge")


class Monitor(msgspec.Struct, gc=False, kw_only=True):
    """From the moment his phone rings until he is off the call, or is a party of it."""

    monitor_id: str
    supervisor: str
    """His extension."""
    agent_leg: str
    """Leg he supervises; another one after a transfer."""
    mode: str = "listen"
    """listen, whisper, whisper_customer or barge."""
    agent_audio: str = "full"
    """full, or listen_only: nobody hears the agent while the mode is barge."""
    leg_id: str = ""
    """His leg, once he has answered."""
    by: str = ""
    """API user that began it."""
    has_silenced: bool = False
    """The agent is muted because of this monitor."""
    keys: str = ""
    """What he typed of a key sequence."""
    keys_at: float = 0.0
    """Monotonic instant of the last key."""
    started_utc: float = 0.0
    recording_id: str = ""
    """His own track; empty = none."""
    path: str = ""
    is_track_paused: bool = False

    @property
    def is_active(self) -> bool:
        return bool(self.leg_id)

    @property
    def timer(self) -> str:
        """Name of the call's timer after which his phone has rung long enough (as `switch.ringing.timer_of`)."""
        return "ring:" + self.monitor_id
