"""What every section of the configuration is made of: the base class and the types that several of them share."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


Text = Annotated[str, Meta(max_length=255)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Number = Annotated[str, Meta(pattern=r"^[0-9*#+]{1,32}$")]
Port = Annotated[int, Meta(ge=1, le=65535)]
RecordingFormat = Annotated[str, Meta(pattern=r"^(wav|mp3)?$", description="wav or mp3; empty: as recording.format.")]
RecordingChannels = Annotated[
    str, Meta(pattern=r"^(stereo|mono)?$", description="stereo or mono; empty: as recording.channels.")
]
Seconds = Annotated[float, Meta(ge=0, le=86400 * 7)]
DtmfKind = Annotated[
    str,
    Meta(
        pattern=r"^(auto|rfc4733|inband|info)$",
        description="How it sends and wants digits: rfc4733 (telephone-event), inband (tones), info (SIP INFO); "
        "auto: telephone-event where it was agreed, else tones, and INFO is understood.",
    ),
]
SrtpPolicy = Annotated[
    str,
    Meta(pattern=r"^(|off|optional|required)$", description="off, optional or required; empty: as media.srtp."),
]
