"""`[webrtc]` of the configuration: browsers as phones."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import Section, Text


class WebRtc(Section, frozen=True):
    """Browsers as phones: SIP by the ws and wss entries of sip.listen, audio by one UDP port for all of them."""

    origins: Annotated[
        tuple[Text, ...],
        Meta(
            max_length=64,
            description='Pages whose scripts may connect by ws and wss, each "https://host[:port]"; "*": all, "none": '
            "programs that are no browser; empty: pages of the host they connect to.",
        ),
    ] = ()
