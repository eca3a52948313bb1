"""The configuration as one frozen value; `switch.config_file` reads it. Every key says what it is and in which unit.

The descriptions here are the documentation: `ringback init` and `docs/configuration.md` are written from them.
"""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from model.access_numbers import AccessNumber
from model.agents import Agent, AgentGroup, AgentRules
from model.alarms import AlarmRule
from model.calendars import Calendar
from model.campaigns import Campaign, DialerRules
from model.queues import AcdRules, Queue
from model.recognition import Recognition
from model.roles import Role
from model.voicemail import VoicemailBox
from switch.config_conference import Conference
from switch.config_email import Email
from switch.config_features import FeatureCodes, Parking
from switch.config_ivr import Ivr
from switch.config_nat import Nat
from switch.config_security import Outbound, OutboundLimit, Security
from switch.config_speech import SpeechRules
from switch.config_supervision import Supervises, Supervision, SupervisionGroup
from switch.config_trunks import Numbering, Route, Trunk, TrunkGroup
from switch.config_types import (
    DtmfKind,
    Name,
    Number,
    RecordingChannels,
    RecordingFormat,
    Seconds,
    Section,
    SrtpPolicy,
    Text,
)
from switch.config_vip import Vip
from switch.config_watching import Messages, Subscriptions
from switch.config_webrtc import WebRtc


class Node(Section, frozen=True):
    """Who this switch is and where it keeps things."""

    name: Annotated[Name, Meta(description="Name of this switch; it stands in every event.")] = "ringback"
    directory: Annotated[str, Meta(description="Where database, recordings, sockets live; relative to this file.")] = (
        "data"
    )
    log_level: Annotated[
        str,
        Meta(pattern=r"^(debug|info|warning|error)$", description="debug, info, warning or error."),
    ] = "info"
    drain_s: Annotated[Seconds, Meta(description="Seconds that live calls get to end by themselves on SIGTERM.")] = 30.0


class Sip(Section, frozen=True):
    """Signalling."""

    listen: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1, max_length=16, description='Listeners, each "transport:address:port"; udp, tcp, tls, ws, wss.'
        ),
    ] = ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
    advertised_host: Annotated[
        Text, Meta(description="Address that peers shall use, when it differs from the listener's (behind NAT).")
    ] = ""
    realm: Annotated[Name, Meta(description="Digest realm; a part of every stored password hash.")] = "ringback"
    user_agent: Annotated[Text, Meta(description="Value of the Server and User-Agent headers.")] = "Ringback"
    tls_certificate: Annotated[Text, Meta(description="PEM file with the certificate chain for tls and wss.")] = ""
    tls_key: Annotated[Text, Meta(description="PEM file with its private key.")] = ""
    tls_ca: Annotated[
        Text,
        Meta(description="PEM file with the authorities that trunks over tls are checked against; empty: system's."),
    ] = ""
    tls_client_certificates: Annotated[
        str,
        Meta(
            pattern=r"^(off|optional|required)$",
            description="Whether who connects to a tls listener (not wss) is asked for a certificate: off; optional: "
            "trunks are known by it (trunk.certificate_name); required: nobody connects without.",
        ),
    ] = "off"
    tls_client_ca: Annotated[
        Text, Meta(description="PEM file with the authorities that certificates of who connects are checked against.")
    ] = ""
    digest_algorithms: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, max_length=3, description="Offered to phones, best first: SHA-256, MD5 (RFC 8760)."),
    ] = ("SHA-256", "MD5")
    min_expires_s: Annotated[int, Meta(ge=1, le=86400, description="Shortest registration granted, s (else 423).")] = 30
    max_expires_s: Annotated[int, Meta(ge=1, le=604800, description="Longest registration granted, s.")] = 3600
    session_expires_s: Annotated[
        int,
        Meta(
            ge=0,
            le=86400,
            description="Session timers (RFC 4028): a call is refreshed twice in so many seconds, and ended when its "
            "phone is gone; 0: only those that phones ask for.",
        ),
    ] = 1800
    min_session_expires_s: Annotated[
        int, Meta(ge=90, le=3600, description="Shortest session timer a phone may ask for, s (else 422).")
    ] = 90
    flow_timer_s: Annotated[
        int,
        Meta(ge=0, le=3600, description="Keep-alive asked of phones that register by flows (RFC 5626), s; 0: none."),
    ] = 120
    service_route: Annotated[
        tuple[Annotated[str, Meta(max_length=255, pattern=r"^<sips?:[^<>\s]+>$")], ...],
        Meta(
            max_length=8,
            description='Way of requests of phones, told when they register (RFC 3608): "<sip:edge.example.com;lr>".',
        ),
    ] = ()
    prack: Annotated[
        str,
        Meta(
            pattern=r"^(off|supported|required)$",
            description="Reliable provisional responses (RFC 3262) of who is called: off, supported, required. "
            "Callers get what they ask for.",
        ),
    ] = "supported"
    max_bindings: Annotated[int, Meta(ge=1, le=32, description="Devices that may register to one extension.")] = 5


class Media(Section, frozen=True):
    """Audio."""

    address: Annotated[
        Text, Meta(description="Local address for RTP; empty: the address of the first SIP listener.")
    ] = ""
    advertised_address: Annotated[Text, Meta(description="Address written into SDP, when it differs (behind NAT).")] = (
        ""
    )
    rtp_ports: Annotated[
        str,
        Meta(pattern=r"^\d{4,5}-\d{4,5}$", description='UDP ports for RTP, "first-last"; two for each leg of a call.'),
    ] = "20000-20999"
    shared_ports: Annotated[
        int,
        Meta(ge=0, le=64, description="How many of each media process's ports the calls of trunks share; 0 = none."),
    ] = 8
    workers: Annotated[int, Meta(ge=0, le=64, description="Media processes; 0 = one for each core but one.")] = 0
    codecs: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            max_length=6,
            description="Codecs in order of preference: PCMA, PCMU, G722, opus, L16/16000, L16/8000. What the other "
            "party of a call speaks goes first. Any other codec passes through where both parties have it.",
        ),
    ] = ("PCMA", "PCMU", "G722", "opus")
    ptime_ms: Annotated[
        int, Meta(ge=10, le=60, description="Length of packets where a peer asks for none, ms: 10, 20, 30, 40, 60.")
    ] = 20
    comfort_noise: Annotated[
        bool, Meta(description="Let peers send comfort noise instead of silence (RFC 3389), and send it to them.")
    ] = False
    detect_speech: Annotated[
        bool, Meta(description="Tell when each party begins and stops to speak (event call.speech_changed).")
    ] = False
    srtp: Annotated[
        str,
        Meta(
            pattern=r"^(off|optional|required)$",
            description="Encrypted audio with keys in SDP (RFC 4568): off; optional: where the other side has it; "
            "required: else 488. Extensions and trunks can say otherwise.",
        ),
    ] = "optional"
    srtp_without_tls: Annotated[
        bool,
        Meta(
            description="Also where signalling is not TLS: then whoever reads it has the keys, which protects nothing."
        ),
    ] = False
    srtp_suites: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1, max_length=4, description="SRTP suites (RFC 4568, RFC 6188), in the order they are offered."
        ),
    ] = (
        "AES_CM_128_HMAC_SHA1_80",
        "AES_256_CM_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
        "AES_256_CM_HMAC_SHA1_32",
    )
    tone_plan: Annotated[str, Meta(pattern=r"^[a-z]{2,3}$", description="Whose tones callers hear: cn, us, eu, …")] = (
        "cn"
    )
    music_on_hold: Annotated[Text, Meta(description='What a held party hears: "moh:default" or "file:PATH" (WAV).')] = (
        "moh:default"
    )
    prompts: Annotated[
        Text, Meta(description="Folder of sound files that may be played by API; relative to node.directory.")
    ] = "prompts"
    inactivity_s: Annotated[
        Seconds, Meta(description="Seconds without RTP after which a connected call is ended; 0 = never.")
    ] = 60.0


class Recording(Section, frozen=True):
    """Recording of calls."""

    enabled: Annotated[bool, Meta(description="Record every call; extensions and trunks can say otherwise.")] = True
    directory: Annotated[Text, Meta(description="Where the files go; relative to node.directory.")] = "recordings"
    encoding: Annotated[
        str,
        Meta(
            pattern=r"^(g711|pcm16)$",
            description="g711: as on the wire, 1 byte a sample (calls with a wideband leg: pcm16 at 16 kHz); "
            "pcm16: 2 bytes.",
        ),
    ] = "g711"
    format: Annotated[
        str,
        Meta(pattern=r"^(wav|mp3)$", description="mp3: made of the WAV after the call; then the WAV goes."),
    ] = "wav"
    channels: Annotated[
        str,
        Meta(pattern=r"^(stereo|mono)$", description="stereo: customer left, agent right; mono: both on one channel."),
    ] = "stereo"


class Storage(Section, frozen=True):
    """Database."""

    url: Annotated[
        Text,
        Meta(description="SQLAlchemy URL; empty: SQLite in node.directory. postgresql+asyncpg://user:secret@host/name"),
    ] = ""
    event_log_days: Annotated[
        float,
        Meta(ge=0, le=36_500, description="The log of queues and agents is kept for so long; 0: for ever."),
    ] = 400.0
    max_backlog: Annotated[
        int,
        Meta(ge=100, le=1_000_000, description="Records kept while the database fails; beyond it new calls get 503."),
    ] = 50_000


class User(Section, frozen=True):
    """Somebody who may use the control API."""

    name: Name
    token_hash: Annotated[
        Text, Meta(description="Hash of the token, made by `ringback token`; the token itself is never stored.")
    ]
    role: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]{0,64}$",
            description="Name of a `[[role]]`, or agent, viewer, operator, supervisor, administrator. Empty: the role "
            "of `agent`; without an agent: operator.",
        ),
    ] = ""
    agent: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9_.-]{0,32}$", description="Id of the agent this user is; empty: nobody's."),
    ] = ""


class Control(Section, frozen=True):
    """Control API: JSON-RPC 2.0, one object a line, over TCP."""

    listen: Annotated[Text, Meta(description='"address:port"; loopback unless you know better (no TLS here).')] = (
        "127.0.0.1:8470"
    )
    event_history: Annotated[
        int, Meta(ge=100, le=1_000_000, description="Events kept for clients that resume after a lost connection.")
    ] = 10_000
    user: Annotated[tuple[User, ...], Meta(max_length=1000)] = ()


class CallLimits(Section, frozen=True):
    """Limits of calls."""

    ring_timeout_s: Annotated[Seconds, Meta(description="Seconds a destination may ring.")] = 60.0
    max_duration_s: Annotated[Seconds, Meta(description="Longest call, s; 0 = no limit.")] = 14400.0
    recall_timeout_s: Annotated[
        Seconds,
        Meta(
            description="Seconds that the extension which transferred is rung when nobody answers; 0: it is not, "
            "and the call ends."
        ),
    ] = 30.0
    hold_recall_s: Annotated[
        Seconds,
        Meta(
            description="Seconds on hold after which, again and again, who holds is reminded: by a tone, or by a call "
            "to the phone that holds; 0: never."
        ),
    ] = 0.0
    release_tone_s: Annotated[
        Seconds,
        Meta(description="Seconds that an extension with auto_release = false hears busy tone when it is left alone."),
    ] = 60.0
    max_calls: Annotated[int, Meta(ge=1, le=100_000, description="Calls at one time; above it new ones get 503.")] = (
        2000
    )


class Extension(Section, frozen=True):
    """A phone of ours."""

    number: Number
    password: Annotated[
        str,
        Meta(min_length=8, max_length=128, description="SIP password; long and random (`ringback init` makes such)."),
    ]
    name: Annotated[Text, Meta(description="Shown to who is called.")] = ""
    caller_id: Annotated[str, Meta(description="Number shown on trunks; empty: the trunk's.")] = ""
    ring_timeout_s: Annotated[Seconds, Meta(description="Seconds it rings; 0: as calls.ring_timeout_s.")] = 0.0
    busy_to: Annotated[str, Meta(description="Number called instead when it is busy or not registered.")] = ""
    no_answer_to: Annotated[str, Meta(description="Number called instead when it does not answer in time.")] = ""
    always_to: Annotated[str, Meta(description="Number that all its calls go to.")] = ""
    has_call_waiting: Annotated[bool, Meta(description="A second call rings; false: it finds the extension busy.")] = (
        True
    )
    pickup_group: Annotated[
        Text,
        Meta(description="Phones of one group may take each other's calls while they ring; empty: the common group."),
    ] = ""
    auto_answer: Annotated[
        bool,
        Meta(
            description="Its phone is asked to answer by itself (Answer-Mode, Call-Info, Alert-Info), and hears a tone "
            "before the caller."
        ),
    ] = False
    auto_release: Annotated[
        bool, Meta(description="False: when the other party hangs up, its user hangs up, too, to end the call.")
    ] = True
    may_call_external: Annotated[bool, Meta(description="May call by trunk.")] = True
    may_call_international: Annotated[bool, Meta(description="May call foreign countries by trunk.")] = False
    max_outbound_calls: OutboundLimit = 0
    max_outbound_calls_per_day: OutboundLimit = 0
    max_outbound_minutes_per_day: OutboundLimit = 0
    supervision_group: SupervisionGroup = ""
    supervises: Supervises = ()
    is_recorded: Annotated[bool, Meta(description="Its calls are recorded (when recording.enabled).")] = True
    recording_format: RecordingFormat = ""
    recording_channels: RecordingChannels = ""
    media: Annotated[
        str,
        Meta(pattern=r"^(relay|direct)$", description="relay: audio through us; direct: phone to phone, unrecorded."),
    ] = "relay"
    codecs: Annotated[
        tuple[Text, ...], Meta(max_length=6, description="Codecs in order of preference; empty: as media.codecs.")
    ] = ()
    srtp: SrtpPolicy = ""
    dtmf: DtmfKind = "auto"
    watched_by: Annotated[
        tuple[Text, ...],
        Meta(max_length=64, description="Who may watch its calls and presence; empty: as subscriptions.watched_by."),
    ] = ()


class Prometheus(Section, frozen=True):
    """Figures for Prometheus, by HTTP at /metrics."""

    listen: Annotated[
        str,
        Meta(
            pattern=r"^((127\.0\.0\.1|localhost|\[::1\]):\d{1,5})?$",
            description='"127.0.0.1:9464": only this machine is served, others by a proxy that asks who they are; '
            "empty: off.",
        ),
    ] = ""


class Config(Section, frozen=True):
    """The whole file."""

    node: Node = Node()
    sip: Sip = Sip()
    media: Media = Media()
    webrtc: WebRtc = WebRtc()
    recording: Recording = Recording()
    storage: Storage = Storage()
    control: Control = Control()
    numbering: Numbering = Numbering()
    calls: CallLimits = CallLimits()
    supervision: Supervision = Supervision()
    outbound: Outbound = Outbound()
    subscriptions: Subscriptions = Subscriptions()
    messages: Messages = Messages()
    nat: Nat = Nat()
    feature_codes: FeatureCodes = FeatureCodes()
    parking: Parking = Parking()
    security: Security = Security()
    extension: tuple[Extension, ...] = ()
    trunk: tuple[Trunk, ...] = ()
    trunk_group: tuple[TrunkGroup, ...] = ()
    dialer: DialerRules = DialerRules()
    campaign: tuple[Campaign, ...] = ()
    calendar: tuple[Calendar, ...] = ()
    access_number: tuple[AccessNumber, ...] = ()
    route: tuple[Route, ...] = ()
    conference: tuple[Conference, ...] = ()
    acd: AcdRules = AcdRules()
    agents: AgentRules = AgentRules()
    queue: tuple[Queue, ...] = ()
    ivr: Ivr = Ivr()
    recognition: Recognition = Recognition()
    voicemail: tuple[VoicemailBox, ...] = ()
    email: Email = Email()
    speech: SpeechRules = SpeechRules()
    alarm: tuple[AlarmRule, ...] = ()
    vip: Vip = Vip()
    prometheus: Prometheus = Prometheus()
    agent_group: tuple[AgentGroup, ...] = ()
    agent: tuple[Agent, ...] = ()
    role: tuple[Role, ...] = ()
    path: str = ""
    """Where it was read from; never in the file."""

    def resolve(self, path: str) -> Path:
        """`path` relative to the data directory, which is relative to the file."""
        base = Path(self.path).parent if self.path else Path.cwd()
        return base / self.node.directory / path

    @property
    def storage_url(self) -> str:
        return self.storage.url or f"sqlite+aiosqlite:///{self.resolve('ringback.db').absolute()}"
