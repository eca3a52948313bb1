"""Sections about the world outside: numbering, trunks, access numbers and routes."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import DtmfKind, Name, Number, RecordingChannels, RecordingFormat, Section, SrtpPolicy, Text

Pattern = Annotated[
    str,
    Meta(
        pattern=r"^[0-9*#+XZN.\[\]-]{0,64}$",
        description="Prefix, or pattern: X any digit, Z 1–9, N 2–9, [1-5] one of them, a final . anything more. "
        "Longest fixed prefix wins.",
    ),
]


class Numbering(Section, frozen=True):
    """How numbers are read."""

    region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="Country of national numbers (ISO 3166).")] = "CN"
    emergency: Annotated[
        tuple[Number, ...], Meta(description="Emergency numbers: never blocked, whatever else says no.")
    ] = ("110", "119", "120", "122", "112")
    emergency_trunks: Annotated[
        tuple[Name, ...], Meta(description="Trunks for them, in order; empty: all trunks.")
    ] = ()
    emergency_caller_id: Annotated[
        str, Meta(description="Number shown to them, by which this place is known; empty: as for any other call.")
    ] = ""
    emergency_preempts: Annotated[
        bool,
        Meta(
            description="Where all channels of a trunk are taken (max_channels), an emergency call ends another call "
            "of it, for gateways with no channel to spare."
        ),
    ] = False
    time_zone: Annotated[Text, Meta(description='Of `hours`, e.g. "Asia/Shanghai"; empty: that of this machine.')] = ""


class NumberRule(Section, frozen=True):
    """How a number is changed: the first rule of the list whose pattern matches the whole number."""

    pattern: Pattern
    strip: Annotated[int, Meta(ge=0, le=32, description="Digits taken off the front.")] = 0
    prepend: Annotated[str, Meta(pattern=r"^[0-9*#+]{0,32}$", description="Digits put in front, after `strip`.")] = ""
    number: Annotated[
        str, Meta(pattern=r"^(both|dialed|caller)$", description="Which number it is for: both, dialed or caller.")
    ] = "both"


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
    certificate_name: Annotated[
        Text,
        Meta(
            description="Name in the certificate it connects with (sip.tls_client_certificates): then its calls are "
            "known by that alone, wherever they come from; empty: by address."
        ),
    ] = ""
    caller_id: Annotated[str, Meta(description="Number shown when the extension has none of its own.")] = ""
    number_format: Annotated[
        str,
        Meta(
            pattern=r"^(as_dialed|national|e164|e164_plus)$",
            description="How it wants numbers: as_dialed, national, e164 (86…), e164_plus (+86…).",
        ),
    ] = "as_dialed"
    number_format_in: Annotated[
        str,
        Meta(
            pattern=r"^(as_sent|national|e164|e164_plus)$",
            description="How numbers it sends are written here: as_sent, national, e164 (86…), e164_plus (+86…).",
        ),
    ] = "as_sent"
    rules_out: Annotated[
        tuple[NumberRule, ...],
        Meta(
            max_length=100,
            description="Changes of numbers sent to it, after number_format: "
            '{ pattern = "00.", strip = 2, prepend = "+", number = "dialed" }.',
        ),
    ] = ()
    rules_in: Annotated[
        tuple[NumberRule, ...],
        Meta(max_length=100, description="Changes of numbers it sends, before number_format_in."),
    ] = ()
    max_channels: Annotated[
        int, Meta(ge=0, le=100_000, description="Calls at one time, both ways together; 0 = no limit.")
    ] = 0
    max_channels_in: Annotated[int, Meta(ge=0, le=100_000, description="Calls from it at one time; 0 = no limit.")] = 0
    max_channels_out: Annotated[int, Meta(ge=0, le=100_000, description="Calls to it at one time; 0 = no limit.")] = 0
    max_calls_per_second: Annotated[
        float,
        Meta(ge=0, le=10_000, description="New calls to it a second; above it the next trunk is taken. 0 = no limit."),
    ] = 0.0
    call_burst: Annotated[
        int, Meta(ge=0, le=10_000, description="New calls to it at once; 0: as many as max_calls_per_second.")
    ] = 0
    failover_s: Annotated[
        float,
        Meta(
            ge=0,
            le=32,
            description="Seconds in which it must react to an INVITE, all its addresses together, before the next "
            "trunk is tried; 0: as RFC 3261 (32). The last way there is gets that in any case.",
        ),
    ] = 1.8
    rest_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="Seconds for which an address that did not react, or said 503, is tried after all others; "
            "a Retry-After is heeded.",
        ),
    ] = 30.0
    qualify_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="Seconds between OPTIONS that ask whether it is there; 0: never asked."),
    ] = 0.0
    qualify_timeout_s: Annotated[
        float, Meta(ge=0.2, le=32, description="Seconds in which an OPTIONS must be answered.")
    ] = 2.0
    qualify_down_after: Annotated[
        int, Meta(ge=1, le=100, description="OPTIONS in a row without answer (or with 503) after which it is down.")
    ] = 2
    qualify_up_after: Annotated[int, Meta(ge=1, le=100, description="Answers in a row after which it is up again.")] = 2
    is_recorded: Annotated[bool, Meta(description="Its calls are recorded (when recording.enabled).")] = True
    recording_format: RecordingFormat = ""
    recording_channels: RecordingChannels = ""
    media: Annotated[str, Meta(pattern=r"^(relay|direct)$")] = "relay"
    codecs: Annotated[
        tuple[Text, ...],
        Meta(max_length=6, description="Codecs in order of preference; empty: PCMA and PCMU as in media.codecs."),
    ] = ()
    srtp: SrtpPolicy = ""
    dtmf: DtmfKind = "auto"
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
    identity: Annotated[
        str,
        Meta(
            pattern=r"^(off|preferred|asserted)$",
            description="asserted: trust domain (RFC 3325): its P-Asserted-Identity is believed, and it is told "
            "callers' numbers that way, also hidden ones; preferred: told by P-Preferred-Identity; off: neither.",
        ),
    ] = "off"
    diversion: Annotated[
        str,
        Meta(
            pattern=r"^(off|diversion|history_info|both)$",
            description="How it is told who sent a call on: Diversion (RFC 5806), History-Info (RFC 7044), both, off.",
        ),
    ] = "diversion"
    early_media: Annotated[
        str,
        Meta(
            pattern=r"^(sdp|p_early_media|off)$",
            description="Whether callers hear it before it answers: sdp: whenever it sends SDP; p_early_media: when "
            "P-Early-Media says so (RFC 5009); off: never.",
        ),
    ] = "sdp"
    prack: Annotated[
        str,
        Meta(pattern=r"^(|off|supported|required)$", description="Reliable provisional responses; empty: sip.prack."),
    ] = ""
    session_timers: Annotated[
        bool, Meta(description="Ask it for session timers (RFC 4028) as sip.session_expires_s says; its own are kept.")
    ] = True


class GroupMember(Section, frozen=True):
    """A trunk in a group."""

    trunk: Name
    weight: Annotated[int, Meta(ge=0, le=10_000, description="Share of calls, for order = weighted.")] = 1
    cost: Annotated[float, Meta(ge=0, le=1e6, description="Price of a minute, for order = cheapest.")] = 0.0
    hours: Annotated[
        Text, Meta(description='When it takes part: "mon-fri 08:00-18:00; sat 09:00-12:00"; empty: always.')
    ] = ""


class TrunkGroup(Section, frozen=True):
    """Trunks that stand in for each other."""

    name: Name
    members: Annotated[
        tuple[GroupMember, ...],
        Meta(
            min_length=1,
            max_length=100,
            description='{ trunk = "carrier", weight = 3, cost = 0.02, hours = "mon-fri 08:00-18:00" }; all but trunk '
            "may be left out. A trunk may stand there several times, with other hours.",
        ),
    ]
    order: Annotated[
        str,
        Meta(
            pattern=r"^(listed|weighted|least_used|cheapest)$",
            description="Which is tried first: listed, weighted (by chance), least_used or cheapest.",
        ),
    ] = "listed"


class Route(Section, frozen=True):
    """Which trunks a dialled number goes out by."""

    name: Name
    pattern: Pattern
    trunks: Annotated[
        tuple[Name, ...],
        Meta(min_length=1, description="Trunks and trunk groups in order; the next is tried on `failover` causes."),
    ]
    strip: Annotated[int, Meta(ge=0, le=32, description="Digits taken off the front.")] = 0
    prepend: Annotated[str, Meta(pattern=r"^[0-9*#+]{0,32}$", description="Digits put in front, after `strip`.")] = ""
    caller_id: Annotated[str, Meta(description="Number shown; empty: extension's, then trunk's.")] = ""
    failover: Annotated[
        tuple[Text, ...],
        Meta(description='Hangup causes, or SIP statuses as "404", after which the next trunk is tried.'),
    ] = (
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
