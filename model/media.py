"""The protocol between the switch and a media worker: MessagePack maps, each behind its length in 4 bytes (big endian).

Commands are idempotent by session, leg and play id: sent twice they do nothing more. None is answered; what the switch
must know comes as an event. The switch chooses the RTP port itself from the ports named in `Hello`, so no call ever
waits for a round trip to the worker.
"""

import msgspec

PROTOCOL_VERSION = 1


class _Tagged(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    pass


# -- commands: switch to worker ---------------------------------------------------------------------------------------


class ConfigureLeg(_Tagged, frozen=True):
    """Allocates the leg on `port` or changes what it is; only what differs from before is applied."""

    session: str
    leg: str
    port: int
    """Local RTP port, one of `Hello.ports`; RTCP is `port + 1`."""
    codec: str = "PCMU"
    """What we send and expect: "PCMU" or "PCMA"."""
    payload_type: int = 0
    """RTP payload type of `codec`, as negotiated."""
    dtmf_payload_type: int = -1
    """RTP payload type of telephone-event (RFC 4733), -1 when the peer has none."""
    ptime_ms: int = 20
    """Length of the packets we make."""
    remote_host: str = ""
    """Peer address from its SDP; empty while it is unknown."""
    remote_port: int = 0
    remote_rtcp_port: int = 0
    """0 means `remote_port + 1`."""
    learn_from: str = ""
    """The signalling source address. RTP from this IP may replace the address of the SDP, once (TRUST §2); packets from
    anywhere but here and `remote_host` are counted and dropped."""
    may_send: bool = True
    """False while the peer does not want audio (it is on hold: a=sendonly or inactive from its side)."""
    may_receive: bool = True
    """False while the peer's audio is not wanted."""
    inactivity_s: float = 0.0
    """Seconds without RTP, while audio is expected, after which `Inactivity` is sent; 0 = never."""


class Edge(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One entry of the hear-matrix: `listener` hears `speaker` with this gain (1.0 = as it is)."""

    speaker: str
    listener: str
    gain: float = 1.0


class ConnectMatrix(_Tagged, frozen=True):
    """Replaces the session's whole hear-matrix at the next tick, without a gap."""

    session: str
    edges: list[Edge]


class Play(_Tagged, frozen=True):
    """Plays to one leg, instead of what its matrix edges give (they stay, and sound again afterwards).

    A source is "tone:NAME/PLAN" (ringback, busy, congestion, dial … of cn, us, eu), "moh:NAME", "file:PATH" (WAV) or
    "silence:MS"; sources follow each other without a gap.
    """

    session: str
    leg: str
    play_id: str
    sources: list[str]
    is_looped: bool = False


class StopPlay(_Tagged, frozen=True):
    session: str
    leg: str
    play_id: str = ""
    """Empty: whatever is playing."""


class SendDigits(_Tagged, frozen=True):
    """Sends RFC 4733 events to the leg, one after the other (in-band tones where the peer has no telephone-event)."""

    session: str
    leg: str
    digits: str
    duration_ms: int = 100
    gap_ms: int = 60


class StartRecording(_Tagged, frozen=True):
    """Records the session into a WAV file; channel i is the mix of what the legs in `channels[i]` say."""

    session: str
    recording: str
    path: str
    channels: list[list[str]]
    """Leg ids by channel, e.g. [["customer"], ["agent"]]."""
    encoding: str = "g711"
    """"g711": A-law or µ-law as on the wire, 1 byte a sample; "pcm16": 16-bit linear."""


class PauseRecording(_Tagged, frozen=True):
    """From now on silence is written and a marker noted; time goes on."""

    session: str
    recording: str


class ResumeRecording(_Tagged, frozen=True):
    session: str
    recording: str


class StopRecording(_Tagged, frozen=True):
    session: str
    recording: str


class ReleaseLeg(_Tagged, frozen=True):
    """Frees the leg's port; `LegReleased` follows."""

    session: str
    leg: str


class ReleaseSession(_Tagged, frozen=True):
    """Frees everything of the session: `LegReleased` for each leg, `RecordingFinished` for each recording follow."""

    session: str


class GetStatistics(_Tagged, frozen=True):
    """Asks for `Statistics` of every leg of the session (all sessions when empty)."""

    session: str = ""


Command = (
    ConfigureLeg
    | ConnectMatrix
    | Play
    | StopPlay
    | SendDigits
    | StartRecording
    | PauseRecording
    | ResumeRecording
    | StopRecording
    | ReleaseLeg
    | ReleaseSession
    | GetStatistics
)


# -- events: worker to switch -----------------------------------------------------------------------------------------


class LegStatistics(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What went over one leg, since it was allocated (RFC 3550 §6.4.1, A.3, A.8)."""

    packets_received: int = 0
    packets_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    packets_lost: int = 0
    """Expected minus received, by extended sequence numbers; never negative."""
    packets_late: int = 0
    """Arrived behind the play pointer."""
    packets_duplicate: int = 0
    packets_rejected: int = 0
    """From an address that may not send here, or no RTP."""
    jitter_ms: float = 0.0
    max_jitter_ms: float = 0.0
    round_trip_ms: float = -1.0
    """From RTCP; -1 while unknown."""
    remote_lost_fraction: float = -1.0
    """What the peer last reported of our packets; -1 while unknown."""
    first_packet_s: float = -1.0
    """Seconds from allocation to the first packet; -1 = never came."""
    codec: str = ""
    remote: str = ""
    """Where the peer's RTP really came from, "host:port"; empty if none came."""


class Hello(_Tagged, frozen=True):
    """First message on every connection."""

    worker: str
    version: int
    ports: list[int]
    """Every even port the worker owns with its odd neighbour."""
    sessions: list[str] = []
    """Sessions that are alive (after the switch was restarted)."""
    host: str = ""
    pid: int = 0


class FirstPacket(_Tagged, frozen=True):
    session: str
    leg: str


class Digit(_Tagged, frozen=True):
    """A digit came in, once per event whatever was lost or repeated; sent at the event's end."""

    session: str
    leg: str
    digit: str
    duration_ms: int = 0


class PlayFinished(_Tagged, frozen=True):
    session: str
    leg: str
    play_id: str
    reason: str = "finished"
    """finished, stopped, replaced, released, error"""
    error: str = ""


class Inactivity(_Tagged, frozen=True):
    """No RTP for `ConfigureLeg.inactivity_s` while some was due."""

    session: str
    leg: str
    silent_s: float


class RecordingStarted(_Tagged, frozen=True):
    session: str
    recording: str


class RecordingFinished(_Tagged, frozen=True):
    """The file is closed and on disk. With `error` set the file holds what could be written."""

    session: str
    recording: str
    path: str
    duration_s: float = 0.0
    size: int = 0
    sha256: str = ""
    channels: int = 0
    speech_s: list[float] = []
    """Per channel: seconds in which RTP arrived (so a channel nobody filled shows as 0)."""
    pauses: list[tuple[float, float]] = []
    """[from, to] in seconds from the start."""
    error: str = ""


class LegReleased(_Tagged, frozen=True):
    session: str
    leg: str
    statistics: LegStatistics


class Statistics(_Tagged, frozen=True):
    session: str
    legs: dict[str, LegStatistics]


class Health(_Tagged, frozen=True):
    """Every few seconds while sessions are live, and once when the last one ends."""

    sessions: int
    legs: int
    tick_late_ms_max: float
    """Worst lateness of a tick since the last report."""
    packets_dropped: int = 0
    writer_backlog: int = 0
    """Recording blocks waiting for the disk."""
    is_disk_failing: bool = False


class CommandRefused(_Tagged, frozen=True):
    """A command that made no sense here; nothing was changed."""

    command: str
    session: str
    error: str


Event = (
    Hello
    | FirstPacket
    | Digit
    | PlayFinished
    | Inactivity
    | RecordingStarted
    | RecordingFinished
    | LegReleased
    | Statistics
    | Health
    | CommandRefused
)
