"""What settings are made of: those of the file, of the database and of commands are checked by the same types."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of everything that is configured."""


Text = Annotated[str, Meta(max_length=255)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Number = Annotated[str, Meta(pattern=r"^[0-9*#+]{1,32}$")]
Seconds = Annotated[float, Meta(ge=0, le=86400 * 7)]
