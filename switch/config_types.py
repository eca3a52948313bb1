"""What every section of the configuration is made of: the base class and the types that several of them share."""

from typing import Annotated

from msgspec import Meta

from model.settings import Name, Number, Seconds, Section, Text

__all__ = [
    "DtmfKind",
    "Name",
    "Number",
    "Port",
    "RecordingChannels",
    "RecordingFormat",
    "Seconds",
    "Section",
    "SrtpPolicy",
    "Text",
]

Port = Annotated[int, Meta(ge=1, le=65535)]
RecordingFormat = Annotated[str, Meta(pattern=r"^(wav|mp3)?$", description="wav or mp3; empty: as recording.format.")]
RecordingChannels = Annotated[
    str, Meta(pattern=r"^(stereo|mono)?$", description="stereo or mono; empty: as recording.channels.")
]
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
