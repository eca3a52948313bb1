"""Speech understood as text (XIVR-05): what the switch and the listening process tell each other: MessagePack, each
message after its length (4 bytes).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from model.settings import Section, Text

MAX_FRAME = 1 << 20
"""Bytes of a message; a longer one is garbage."""
MAX_TEXT = 2000
"""Characters of what somebody said; the rest is cut off."""


class Recognition(Section, frozen=True):
    """Speech of callers understood as text in flows (node `listen`), by a service that you name: it hears them."""

    provider: Annotated[
        Literal["off", "websocket", "vosk"],
        Meta(description="off; websocket: the protocol of docs/ivr.md; vosk: a vosk-server."),
    ] = "off"
    url: Annotated[str, Meta(max_length=500, pattern=r"^(wss?://[^\s]+)?$", description="Where it listens.")] = ""
    token_file: Annotated[
        Text, Meta(description='File with what is sent as "Authorization: Bearer …"; empty: nothing is.')
    ] = ""
    answer_s: Annotated[float, Meta(ge=0.5, le=10, description="How long its answer may take after the end, s.")] = 5.0
    max_listening: Annotated[
        int, Meta(ge=1, le=2000, description="Callers listened to at a time; others take the branch for failures.")
    ] = 60


class Setup(msgspec.Struct, frozen=True, tag=True):
    """The first message to the process. Its repr does not tell the token."""

    settings: Recognition
    token: str
    folder: str
    """Where the files of what is listened to come to stand; those of before are removed."""

    def __repr__(self) -> str:
        return f"Setup({self.settings.provider})"


class Listen(msgspec.Struct, frozen=True, tag=True):
    """Understand what comes to stand in a WAV file; Heard follows. The file is removed."""

    number: int
    path: str
    language: str
    hints: tuple[str, ...]
    """Words that are likely."""
    max_s: float


class Enough(msgspec.Struct, frozen=True, tag=True):
    """Nothing more comes to the file. `is_wanted` False: nobody wants to know any more."""

    number: int
    is_wanted: bool = True


class Heard(msgspec.Struct, frozen=True, tag=True):
    """What somebody said; "" = nothing that could be understood. Its repr does not tell it."""

    number: int
    text: str = ""
    error: str = ""

    def __repr__(self) -> str:
        return f"Heard({self.number}, {self.error!r})"


ToEars = Setup | Listen | Enough
FromEars = Heard
