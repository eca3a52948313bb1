"""Sections about the world outside: numbering, trunks, access numbers and routes."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import Name, Number, RecordingChannels, RecordingFormat, Section, Text


class Numbering(Section, frozen=True):
    """How numbers are read."""

    region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="Country of national numbers (ISO 3166).")] = "CN"
    emergency: Annotated[
        tuple[Number, ...], Meta(description="Emergency numbers: never blocked, whatever else says no.")
    ] = ("110", "119", "120", "122", "112")
    emergency_trunks: Annotated[
        tuple[Name, ...], Meta(description="Trunks for them, in order; empty: all trunks.")
    ] = ()


class Trunk(Section, frozen=True):
    """A carrier, a gateway or another switch."""

    name: Name
    host: Annotated[Text, Meta(min_length=1, description="Address or host name (looked up as RFC 3263 says).")]
    port: Annotated[int, Meta(ge=0, le=65535, description="0: by DNS, or the transport's default.")] = 0
    transport: Annotated[str, Meta(pattern=r"^(udp|tcp|tls)$")] = "udp"
    listener: Annotated[int, Meta(ge=0, le=15, description="Index of the sip.listen entry it goes out by.")] = 0
    username: Annotated[Text, Meta(description="For its challenges and for registering.")] = ""
    password: Annotated[str, Meta(max_length=128)] = ""
    realm: Annotated[
        Text, Meta(description="The only realm the password is used for; empty: the first one this trunk asks for.")
    ] = ""
    register: Annotated[bool, Meta(description="Register there, so that calls come in.")] = False
    expires_s: Annotated[int, Meta(ge=30, le=86400, description="Registration asked for, s.")] = 600
    from_addresses: Annotated[
        tuple[Text, ...],
        Meta(description='Where its calls come from: "ip" or "ip:port"; empty: from host:port alone.'),
    ] = ()
    caller_id: Annotated[str, Meta(description="Number shown when the extension has none of its own.")] = ""
    number_format: Annotated[
        str,
        Meta(
            pattern=r"^(as_dialed|national|e164|e164_plus)$",
            description="How it wants numbers: as_dialed, national, e164 (86…), e164_plus (+86…).",
        ),
    ] = "as_dialed"
    max_channels: Annotated[int, Meta(ge=0, le=100_000, description="Calls at one time; 0 = no limit.")] = 0
    is_recorded: Annotated[bool, Meta(description="Its calls are recorded (when recording.enabled).")] = True
    recording_format: RecordingFormat = ""
    recording_channels: RecordingChannels = ""
    media: Annotated[str, Meta(pattern=r"^(relay|direct)$")] = "relay"
    codecs: Annotated[
        tuple[Text, ...],
        Meta(max_length=6, description="Codecs in order of preference; empty: PCMA and PCMU as in media.codecs."),
    ] = ()
    srtp: Annotated[
        str,
        Meta(pattern=r"^(|off|optional|required)$", description="off, optional or required; empty: as media.srtp."),
    ] = ""
    dtmf: Annotated[
        str,
        Meta(
            pattern=r"^(auto|rfc4733|inband|info)$",
            description="How it sends and wants digits: rfc4733 (telephone-event), inband (tones), info (SIP INFO); "
            "auto: telephone-event where it was agreed, else tones, and INFO is understood.",
        ),
    ] = "auto"
    detect_tones: Annotated[
        bool, Meta(description="Listen for busy, congestion, information and fax tones (event call.tone_detected).")
    ] = False
    rtp_ports: Annotated[
        str,
        Meta(
            pattern=r"^(shared|own)$",
            description="shared: its calls share a few RTP ports, the cheapest way; own: two ports for each call, for "
            "a trunk behind a NAT or one that wants a port a call.",
        ),
    ] = "shared"


class AccessNumber(Section, frozen=True):
    """A number of ours that trunks deliver."""

    number: Number
    to: Annotated[Number, Meta(description="Extension (or number) that is called.")]
    trunk: Annotated[str, Meta(description="Only when it comes by this trunk; empty: by any.")] = ""


class Route(Section, frozen=True):
    """Which trunks a dialled number goes out by."""

    name: Name
    pattern: Annotated[
        str,
        Meta(
            pattern=r"^[0-9*#+XZN.\[\]-]{0,64}$",
            description="Prefix, or pattern: X any digit, Z 1–9, N 2–9, [1-5] one of them, a final . anything more. "
            "Longest fixed prefix wins.",
        ),
    ]
    trunks: Annotated[
        tuple[Name, ...], Meta(min_length=1, description="In order; the next is tried on `failover` causes.")
    ]
    strip: Annotated[int, Meta(ge=0, le=32, description="Digits taken off the front.")] = 0
    prepend: Annotated[str, Meta(pattern=r"^[0-9*#+]{0,32}$", description="Digits put in front, after `strip`.")] = ""
    caller_id: Annotated[str, Meta(description="Number shown; empty: extension's, then trunk's.")] = ""
    failover: Annotated[tuple[Text, ...], Meta(description="Hangup causes after which the next trunk is tried.")] = (
        "NORMAL_TEMPORARY_FAILURE",
        "NETWORK_OUT_OF_ORDER",
        "NORMAL_CIRCUIT_CONGESTION",
        "SWITCH_CONGESTION",
        "REQUESTED_CHAN_UNAVAIL",
        "RECOVERY_ON_TIMER_EXPIRE",
        "DESTINATION_OUT_OF_ORDER",
        "SERVICE_UNAVAILABLE",
        "GATEWAY_DOWN",
    )
