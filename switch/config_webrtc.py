"""`[webrtc]` of the configuration: browsers as phones."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import Seconds, Section, Text


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
    listen: Annotated[
        Text,
        Meta(
            description='UDP "address:port" for the audio of all browsers; empty: the RTP address, port 3480. '
            "Firewalls must let it in."
        ),
    ] = ""
    advertised_address: Annotated[
        Text, Meta(description="IP address that browsers are told, when it differs (behind NAT); empty: as for RTP.")
    ] = ""
    reattach_s: Annotated[
        Seconds,
        Meta(
            description="Seconds a call waits, with music, for a browser whose page is loaded again or has no network."
        ),
    ] = 30.0
    silence_s: Annotated[
        float,
        Meta(ge=3, le=60, description="Seconds without a sign of life after which a browser counts as gone."),
    ] = 5.0
