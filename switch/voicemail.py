"""Boxes of messages: which box a target means, what a call that leaves or hears messages holds. Pure."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from model.records import MessageRecord
from model.voicemail import VoicemailBox

VOICEMAIL = "voicemail"
_NAMED = "voicemail:"

Result = Literal["", "left", "nothing", "full"]
"""What came of it: a message, none (he said nothing, or hung up before), none since the box is full."""


class LeavingMessage(msgspec.Struct, gc=False, kw_only=True):
    """A caller who leaves a message."""

    box: VoicemailBox
    language: str
    stage: str = ""
    """greeting, tone, recording, closing, review, listening, bye"""
    message_id: str = ""
    """"" = none, or its fate is decided."""
    path: str = ""
    n_tries: int = 0
    n_said: int = 0
    has_spoken: bool = False
    result: Result = ""


class HearingMessages(msgspec.Struct, gc=False, kw_only=True):
    """A phone that hears the messages of a box. Its repr tells nothing that was keyed."""

    language: str
    stage: str = ""
    """number, pin, opening, menu, calling, bye"""
    box: str = ""
    number: str = ""
    typed: str = ""
    n_tries: int = 0
    messages: list[MessageRecord] = []
    index: int = 0
    n_said: int = 0

    def __repr__(self) -> str:
        return f"HearingMessages({self.box!r}, {self.stage!r})"


def is_voicemail(target: str) -> bool:
    """Whether a target of queues, numbers … means a box."""
    return target == VOICEMAIL or target.startswith(_NAMED)


def box_name(target: str, queue: str = "") -> str:
    """The box that a target means; for "voicemail" alone that of the queue."""
    return target.removeprefix(_NAMED) if target.startswith(_NAMED) else queue


def find_box(boxes: Mapping[str, VoicemailBox], name: str, queue: str = "") -> VoicemailBox | None:
    """The box of a name. A queue has one even where none is configured: of its name, else the first that belongs to it,
    else one as boxes usually are."""
    found = boxes.get(name)
    if found is None and queue and name == queue:
        found = next((box for box in boxes.values() if box.queue == queue), None)
        found = found or VoicemailBox(name=queue, queue=queue)
    return found


def boxes_of(boxes: Mapping[str, VoicemailBox], extension: str) -> list[VoicemailBox]:
    """Those whose lamp the phone has, in order."""
    return [box for box in boxes.values() if extension in box.extensions]
