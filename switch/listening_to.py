"""A caller who is listened to, as plain data (`switch.speech_input`)."""

import msgspec


class Listening(msgspec.Struct, gc=False, kw_only=True):
    token: int
    recording: str
    silence_s: float
    ends_at: float
    """Monotonic instant: he has spoken long enough."""
    has_spoken: bool = False
    is_over: bool = False
    """The file is being closed."""
