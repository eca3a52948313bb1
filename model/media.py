"""The protocol between the switch and a media worker: MessagePack maps, each behind its length in 4 bytes (big endian).

Commands are idempotent by session, leg and play id: sent twice they do nothing more. None is answered; what the switch
must know comes as an event. The switch chooses the RTP port itself from the ports named in `Hello`, so no call ever
waits for a round trip to the worker.
"""

import msgspec

PROTOCOL_VERSION = 2
LEGS_OF_SHARED_PORT = 256
"""A worker has room for so many legs on its shared ports, on average."""


class _Tagged(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    pass


# -- commands: switch to worker ---------------------------------------------------------------------------------------


class SrtpKeys(msgspec.Struct, frozen=True, gc=False):
    """Keys of one leg's SRTP (RFC 3711) by SDES (RFC 4568); each is master key and salt in one. Never logged."""

    suite: str
    """AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32, AES_256_CM_HMAC_SHA1_80 or AES_256_CM_HMAC_SHA1_32."""
    send: bytes
    receive: bytes

    def __repr__(self) -> str:
        return f"SrtpKeys({self.suite})"


class ConfigureLeg(_Tagged, frozen=True):
    """Allocates the leg on `port` or changes what it is; only what differs from before is applied."""

    session: str
    leg: str
    port: int
    """Local RTP port, one of `Hello.ports`; RTCP is `port + 1`."""
    codec: str = "PCMU"
    """What we send and expect: PCMU, PCMA, G722, opus, L16/8000, L16/16000; any other name is relayed to a leg that
    speaks the same, and heard by nobody else."""
    clock_hz: int = 8000
    """RTP clock of `codec` (RFC 3551: 8000 for G722, 48000 for opus)."""
    fmtp: str = ""
    """The peer's format parameters: what we send must suit them, e.g. "useinbandfec=1;usedtx=1"."""
    payload_type: int = 0
    """RTP payload type of `codec`, as negotiated."""
    dtmf_payload_type: int = -1
    """RTP payload type of telephone-event (RFC 4733), -1 when the peer has none."""
    takes_digits: bool = True
    """False: digits reach the peer by signalling (SIP INFO), so those of other legs are not passed on in its RTP."""
    passes_digits: bool = True
    """False: its digits are told to the switch alone, whoever hears it."""
    cn_payload_type: int = -1
    """RTP payload type of comfort noise (RFC 3389), -1 when the peer has none: then silence is sent as audio."""
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
    srtp: SrtpKeys | None = None
    """With keys everything is SRTP both ways, and nothing is believed before it is verified."""
    detect: tuple[str, ...] = ()
    """What to listen for: "dtmf" (in-band digits), "tones" (busy, congestion, fax …; of one plan: "tones/cn"), "speech"
    (begin and end)."""


class Edge(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One entry of the hear-matrix: `listener` hears `speaker` with this gain (1.0 = as it is). Who hears himself
    has an echo."""

    speaker: str
    listener: str
    gain: float = 1.0


class Room(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Everybody in `speakers` is heard by everybody in `listeners` (never by himself): a conference in few words. Of
    many speakers the loudest are mixed, and the level is held below clipping."""

    speakers: list[str]
    listeners: list[str]
    gains: dict[str, float] = {}
    """How loud speakers are heard who are not heard as they are (1.0)."""


class ConnectMatrix(_Tagged, frozen=True):
    """Replaces the session's whole hear-matrix at the next tick, without a gap. Edges and rooms add up."""

    session: str
    edges: list[Edge] = []
    rooms: list[Room] = []


class SecureLeg(_Tagged, frozen=True):
    """While `is_secure`, what the leg sends (its digits and its audio) reaches nobody and no recording; its digits are
    told to the switch alone. For card numbers and the like."""

    session: str
    leg: str
    is_secure: bool


class Play(_Tagged, frozen=True):
    """Plays to one leg, instead of what its matrix edges give (they stay, and sound again afterwards).

    A source is "tone:NAME/PLAN" (ringback, busy, congestion, dial … of cn, us, eu), "moh:NAME", "voice:LANGUAGE/NAME",
    "file:PATH" (WAV) or "silence:MS"; sources follow each other without a gap.
    """

    session: str
    leg: str
    play_id: str
    sources: list[str]
    is_looped: bool = False
    offset_s: float = 0.0
    """Begins so far into the sources: it played in another worker."""


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

    def __repr__(self) -> str:
        return f"SendDigits({self.session}, {self.leg}, {len(self.digits)} digits)"


class StartRecording(_Tagged, frozen=True):
    """Records the session into a WAV file; channel i is the mix of what the legs in `channels[i]` say.

    Sent again while it runs it changes `channels` from now on (as many as before), and nothing else.
    """

    session: str
    recording: str
    path: str
    channels: list[list[str]]
    """Leg ids by channel, e.g. [["customer"], ["agent"]]."""
    encoding: str = "g711"
    """"g711": A-law or µ-law as on the wire, 1 byte a sample (16-bit linear all the same when a leg is wideband);
    "pcm16": 16-bit linear."""
    format: str = "wav"
    """"wav" or "mp3" (made from the WAV when it is finished)."""
    continues_s: float = -1.0
    """Not negative: the recording began so long ago, in a worker that died or gave it up; the file at `path` is
    repaired and goes on there, with silence for what is missing up to now."""
    pauses: list[tuple[float, float]] = []
    """Its pauses until then, [from, to] in seconds from the start."""


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


class DetectAnswer(_Tagged, frozen=True):
    """Finds out who answered: `AnswerDetected` follows once, after `max_s` at the latest."""

    session: str
    leg: str
    max_s: float = 4.0


class Snapshot(_Tagged, frozen=True):
    """Asks for `SnapshotTaken` of the session."""

    session: str


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


class LegState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a leg's peer has seen of us and we have learned of it: enough to go on without a break."""

    ssrc: int
    seq: int
    """Of the newest packet sent."""
    timestamp: int
    """Of the newest packet sent."""
    sent_utc: float = 0.0
    """When that was; 0 = nothing was sent."""
    source: tuple[str, int] | None = None
    """Learned address of the peer."""
    destination: tuple[str, int] | None = None
    srtp_roll_over: tuple[int, int] = (0, 0)
    """SRTP roll-over counters: sending, receiving."""


class SessionSnapshot(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A session as plain data."""

    session: str
    legs: list[tuple[ConfigureLeg, LegState]] = []
    matrix: ConnectMatrix | None = None
    plays: list[Play] = []
    recordings: list[StartRecording] = []
    paused: list[str] = []
    """Recordings that are paused."""
    secure: list[str] = []
    """Legs that are secure."""


class Adopt(_Tagged, frozen=True):
    """Takes a session over as it was described, on the same ports, with unbroken sequence numbers."""

    session: str
    snapshot: SessionSnapshot


Command = (
    ConfigureLeg
    | ConnectMatrix
    | SecureLeg
    | DetectAnswer
    | Snapshot
    | Adopt
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
    mos: float = -1.0
    """Estimated listening quality of what the peer sent us, 1 to 4.5 (ITU-T G.107, G.113); -1 while unknown."""
    concealed_ms: float = 0.0
    """Audio made up for packets that were lost or late (only where audio is decoded)."""
    speech_s: float = 0.0
    """Seconds in which the peer spoke (only where audio is decoded)."""
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
    shared_ports: list[int] = []
    """Those of `ports` on which many legs may live, each known by its peer's address."""
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
    is_secure: bool = False
    """Pressed while the leg was secure, wholly or in part: nobody else may know it."""

    def __repr__(self) -> str:
        return f"Digit({self.session}, {self.leg})"


class PlayFinished(_Tagged, frozen=True):
    session: str
    leg: str
    play_id: str
    reason: str = "finished"
    """finished, stopped, replaced, released, error"""
    error: str = ""


class ToneDetected(_Tagged, frozen=True):
    """A tone of the network or of a machine: busy, congestion, ringback, dial, fax_cng, fax_ced, special_info."""

    session: str
    leg: str
    tone: str


class SpeechChanged(_Tagged, frozen=True):
    """The peer begins or stops to speak (`ConfigureLeg.detect` has "speech")."""

    session: str
    leg: str
    is_speaking: bool


class AnswerDetected(_Tagged, frozen=True):
    """Who answered, and why it is believed."""

    session: str
    leg: str
    result: str
    """human, machine, not_sure"""
    after_s: float
    """Seconds of audio that were needed."""
    evidence: dict[str, float] = {}


class OneWayAudio(_Tagged, frozen=True):
    """Two legs are connected and one hears nothing: `leg` sends no packets (`why` = "no_rtp") or nothing but silence
    ("silent") while the other side speaks."""

    session: str
    leg: str
    why: str
    silent_s: float


class QualityChanged(_Tagged, frozen=True):
    """The estimated quality of what the peer sends fell below, or rose above, what one can talk with."""

    session: str
    leg: str
    mos: float
    is_poor: bool


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
    format: str = "wav"
    silent_because: list[str] = []
    """Per channel: why it is silent although somebody spoke, e.g. "G729 is not decoded"; empty: it is not."""
    is_encoding: bool = False
    """The MP3 is being made: the same event follows once more, for the MP3."""
    format_error: str = ""
    """Why there is no MP3 although one was wanted; the WAV is whole."""
    error: str = ""


class SnapshotTaken(_Tagged, frozen=True):
    session: str
    snapshot: SessionSnapshot


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
    packets_strange: int = 0
    """To shared ports, from nobody known there; since the worker started."""
    writer_backlog: int = 0
    """Recording blocks waiting for the disk."""
    is_disk_failing: bool = False
    """A recording cannot be written at the moment, or gets silence because the disk does not keep up."""
    disk_error: str = ""


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
    | ToneDetected
    | SpeechChanged
    | AnswerDetected
    | OneWayAudio
    | QualityChanged
    | SnapshotTaken
    | RecordingStarted
    | RecordingFinished
    | LegReleased
    | Statistics
    | Health
    | CommandRefused
)
