"""What the pacing model is told (`pacing_model.observe`). Instants `at` are monotonic seconds and never go back."""

import msgspec


class DialStarted(msgspec.Struct, frozen=True, gc=False):
    """The INVITE was sent."""

    at: float
    dial_id: str


class DialAnswered(msgspec.Struct, frozen=True, gc=False):
    """By a person, as far as is known: with detection of machines, when it has said so."""

    at: float
    dial_id: str


class DialFailed(msgspec.Struct, frozen=True, gc=False):
    """Busy, not answered within the ring limit, no such number, a machine …"""

    at: float
    dial_id: str
    is_trunk_failure: bool = False
    """The trunk refused, was full or out of reach: tells nothing about who was dialled."""


class DialWithdrawn(msgspec.Struct, frozen=True, gc=False):
    """Cancelled by us before its ring limit, or lost: tells nothing."""

    at: float
    dial_id: str


class AgentConnected(msgspec.Struct, frozen=True, gc=False):
    """A dialled call got its agent."""

    credit: float
    """`Ledger.credit` then."""
    n_agents: int
    """Signed in for the campaign."""


class TalkEnded(msgspec.Struct, frozen=True, gc=False):
    """Of an agent of the campaign, whomever he talked to."""

    talk_s: float


class WrapEnded(msgspec.Struct, frozen=True, gc=False):
    """Also when there was none: 0.0 seconds."""

    wrap_s: float


class InboundArrived(msgspec.Struct, frozen=True, gc=False):
    """A caller who wants one of the same agents."""

    at: float


PacingEvent = (
    DialStarted | DialAnswered | DialFailed | DialWithdrawn | AgentConnected | TalkEnded | WrapEnded | InboundArrived
)
