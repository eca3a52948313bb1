"""Who a phone is, one call of it as plain data, and what its audio must be able to do."""

import asyncio
import random
from typing import Protocol

import msgspec

from sip.flow import Flow
from sip.offer_answer import LocalMedia, Negotiated
from switch.demo.rtp import LineStatistics


class PhoneError(ValueError):
    """What was asked of the phone makes no sense now."""


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who the agent is. `name` is the user part of its address; without a password it does not register."""

    name: str
    server: Flow
    """All it sends outside a dialog goes here."""
    domain: str
    password: str = ""
    display: str = ""
    expires_s: int = 300
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    answer_after_s: float = -1.0
    """Incoming calls ring this long; negative: they are answered by `answer` alone."""
    is_carrier: bool = False
    """Takes calls to any number, several at a time; a phone that talks is busy."""
    user_agent: str = "Ringback demo phone"


class Media(Protocol):
    """The audio of one call; `switch.demo.rtp.RtpLine` is one."""

    address: tuple[str, int]
    statistics: LineStatistics

    def configure(self, media: Negotiated) -> None: ...
    def send_digits(self, digits: str) -> None: ...
    def close(self) -> None: ...


class PhoneCall:
    """One call at one agent."""

    __slots__ = (
        "answered_at",
        "dialed",
        "direction",
        "id",
        "is_held",
        "is_held_by_peer",
        "is_up",
        "local",
        "media",
        "negotiated",
        "number",
        "offer",
        "session",
        "timer",
        "wanted",
    )

    def __init__(self, call_id: str, session: str, direction: str, number: str, dialed: str, media: Media) -> None:
        self.id = call_id
        self.session = session
        self.direction = direction
        self.number = number
        self.dialed = dialed
        self.media = media
        self.local = LocalMedia(media.address[0], media.address[1], random.getrandbits(31))
        self.negotiated: Negotiated | None = None
        self.offer = b""
        """The offer of an incoming INVITE; b"" when it had none."""
        self.is_up = False
        self.is_held = False
        self.is_held_by_peer = False
        self.wanted: bool | None = None
        """Hold (True) or resume (False) that is under way."""
        self.answered_at = 0.0
        self.timer: asyncio.TimerHandle | None = None

    def next_version(self) -> LocalMedia:
        """RFC 3264 §8: each new description has the next version."""
        self.local = msgspec.structs.replace(self.local, version=self.local.version + 1)
        return self.local
