"""Commands on the library of prompts. `switch/prompts_desk.py` handles them."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from model import views
from model.commands import Cursor, Limit, OptionalText
from model.declare import Command, command
from model.errors import Congested, InUse, InvalidValue, NoSuchPrompt, NoSuchUpload, StorageUnavailable
from model.flows import Language
from model.prompts import PromptName, PromptText, PromptTitle

MAX_PIECE = 32_768
"""Bytes of a file that one request or answer carries: a line of the protocol holds them."""
MAX_UPLOAD = 32 << 20
MAX_DURATION_S = 600.0

Offset = Annotated[int, Meta(ge=0, le=MAX_UPLOAD)]
UploadId = Annotated[str, Meta(max_length=64)]


class PromptVariant(views.View, frozen=True, kw_only=True):
    """A prompt in one language."""

    language: str
    text: str
    """What it says; spoken where there is no audio."""
    has_audio: bool
    duration_s: float = 0.0
    sha256: str = ""
    """Of the file."""
    uploaded_utc: float = 0.0
    uploaded_by: str = ""


class PromptView(views.View, frozen=True, kw_only=True):
    """A prompt of the library. Flows and queues name it as "prompt:NAME"."""

    prompt: str
    title: str
    variants: list[PromptVariant]
    used_by: list[str]
    """Flows, queues, voicemail boxes and access numbers that name it, at most 20."""


class PromptList(views.View, frozen=True, kw_only=True):
    """Prompts by name."""

    prompts: list[PromptView]
    n_prompts: int
    """Of the whole library."""
    cursor: str
    """For the next page; empty = this was the last."""


class PromptUploaded(views.View, frozen=True, kw_only=True):
    """What has come of a file."""

    upload_id: str
    size: int
    """Bytes so far: the offset of the next piece."""
    duration_s: float = 0.0
    """As it will be played, after the last piece; 0 = more is to come."""


class PromptPiece(views.View, frozen=True, kw_only=True):
    """A part of a file."""

    data: str
    """Base64."""
    offset: int
    size: int
    """Of the whole file (WAV, 8 kHz, 16 bits, mono)."""
    sha256: str
    """Of the whole file: another one means that it was replaced meanwhile."""


@command("prompt.list", role="viewer", result=PromptList)
class ListPrompts(Command, frozen=True, kw_only=True):
    """Prompts of the library, by name."""

    prefix: OptionalText = ""
    limit: Limit = 100
    cursor: Cursor = ""


@command("prompt.get", role="viewer", result=PromptView, errors=(NoSuchPrompt,))
class GetPrompt(Command, frozen=True, kw_only=True):
    """One prompt."""

    prompt: PromptName


@command("prompt.download", role="viewer", result=PromptPiece, errors=(NoSuchPrompt, InvalidValue))
class DownloadPrompt(Command, frozen=True, kw_only=True):
    """A part of the audio of a prompt, 32,768 bytes at most; the next part begins at offset + the bytes of this one."""

    prompt: PromptName
    language: Language
    offset: Offset = 0


@command(
    "prompt.upload",
    permission="prompt.manage",
    is_audited=False,
    result=PromptUploaded,
    errors=(NoSuchUpload, InvalidValue, Congested, StorageUnavailable),
)
class UploadPrompt(Command, frozen=True, kw_only=True):
    """Takes a sound file (WAV, MP3, OGG or FLAC; at most 32 MiB and 10 minutes) piece by piece. With the last one it is
    made ready to be played: one channel, 8 kHz, without the silence around it, as loud as the built-in prompts.

    `prompt.set` gives it to a prompt. An upload that nothing comes for within 10 minutes is forgotten.
    """

    data: Annotated[str, Meta(max_length=43_692)]
    """Base64 of at most 32,768 bytes."""
    upload_id: UploadId = ""
    """As the answer to the first piece says; empty = this is the first."""
    offset: Offset = 0
    """Bytes before this piece."""
    is_last: bool = False


@command(
    "prompt.set",
    permission="prompt.manage",
    result=PromptView,
    errors=(NoSuchUpload, InvalidValue, InUse, Congested, StorageUnavailable),
)
class SetPrompt(Command, frozen=True, kw_only=True):
    """Adds a prompt, or changes what is given of it; calls hear it from the next time on that it is played."""

    prompt: PromptName
    title: PromptTitle | UnsetType = UNSET
    texts: Annotated[dict[Language, PromptText], Meta(max_length=20)] = field(default_factory=dict)
    """By language; empty = none any more. Other languages stay as they are."""
    audio: Annotated[dict[Language, UploadId], Meta(max_length=20)] = field(default_factory=dict)
    """Uploads that are complete, by language; empty = no audio any more. Other languages stay as they are."""


@command(
    "prompt.remove",
    permission="prompt.manage",
    result=views.Done,
    errors=(NoSuchPrompt, InUse, StorageUnavailable),
)
class RemovePrompt(Command, frozen=True, kw_only=True):
    """Removes a prompt that nothing uses, with its audio."""

    prompt: PromptName
