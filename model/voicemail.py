"""Boxes for messages that callers leave (FEATURES 1.10, XREC-09)."""

from typing import Annotated

from msgspec import Meta

from model.flows import Language
from model.settings import Name, Number, Section, Text

MailAddress = Annotated[str, Meta(pattern=r"^[^@\s,;<>\x00-\x1f]{1,64}@[^@\s,;<>\x00-\x1f]{1,190}$")]


class VoicemailBox(Section, frozen=True):
    """A box that callers leave messages in: queues, numbers and flows name it as voicemail:NAME. A queue that says only
    "voicemail" and has no box of its own has one with these settings."""

    name: Name
    title: Text = ""
    number: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{0,32}$",
            description="Dialled by a phone, or as what a phone is forwarded to, it leads to the box; it also names "
            "the box to who wants to hear it.",
        ),
    ] = ""
    queue: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9_.-]{1,64})?$",
            description="Queue that the box belongs to: who may listen to its voicemail may listen to this (VM-03).",
        ),
    ] = ""
    extensions: Annotated[
        tuple[Number, ...],
        Meta(max_length=100, description="Phones whose message lamp it lights, and which hear it without its number."),
    ] = ()
    pin_hash: Annotated[
        Text,
        Meta(description="What `ringback pin` makes; needed to hear it from other phones. Empty: only from its own."),
    ] = ""
    language: Language = "zh"
    greeting: Annotated[Text, Meta(description='What callers hear: "file:PATH" …; empty: the built-in words.')] = ""
    max_s: Annotated[float, Meta(ge=5, le=3600, description="Longest message, s.")] = 180.0
    min_s: Annotated[float, Meta(ge=0, le=60, description="What is shorter is not kept, s.")] = 1.0
    silence_s: Annotated[float, Meta(ge=0, le=60, description="So much silence ends it, s; 0: nothing but a key.")] = (
        6.0
    )
    has_review: Annotated[bool, Meta(description="Callers may listen to it, and record it again.")] = True
    dial_prefix: Annotated[
        str, Meta(pattern=r"^[0-9*#]{0,8}$", description="Dialled before the number of who is called back.")
    ] = ""
    max_messages: Annotated[int, Meta(ge=1, le=10_000, description="More do not go in.")] = 200
    keep_days: Annotated[float, Meta(ge=0, description="Older messages are removed; 0: never.")] = 90.0
    email: Annotated[tuple[MailAddress, ...], Meta(max_length=20, description="Told of every message ([email]).")] = ()
    email_has_audio: Annotated[bool, Meta(description="The audio goes with it.")] = True
