"""What a call of a campaign is for and how far it has come: plain data of the call, filled by `switch.dialer`."""

from typing import Literal

import msgspec

Stage = Literal["ringing", "judging", "led", "dropped", "machine"]
"""judging: whether a machine has answered is found out; led: to an agent or flow; dropped, machine: it hears the
message for those, and is hung up."""


class Dialing(msgspec.Struct, gc=False, kw_only=True):
    """Of `Call.dialing`. Sources of sound are as the media worker takes them."""

    attempt_id: str
    campaign: str
    record_id: str
    number: str
    """Of the customer, as the record has it."""
    agent_id: str = ""
    """Who calls himself (preview); "" = the dialler does."""
    queue: str = ""
    flow: str = ""
    """Who answers is led there; "" = to the queue."""
    patience_s: float = 2.0
    abandon_message: list[str] = []
    machine_message: list[str] = []
    detects_machines: bool = False
    is_verdict_waited_for: bool = True
    stage: Stage = "ringing"
    verdict: str = ""
    """Of who answered: human, machine, fax, not_sure."""
    evidence: str = ""
    """The rule by which that was decided."""
    waits_since_utc: float = 0.0
    """Since when he would want to speak to somebody."""
    connected_utc: float = 0.0
    """An agent or flow had him."""
    is_dropped: bool = False
    message_utc: float = 0.0
    """When he, or a machine, began to hear what is left for him."""
    is_given_up: bool = False
    """Nobody would have been there for him."""
