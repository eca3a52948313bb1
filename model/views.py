"""What the control API shows: snapshots of live things, made when asked for.

Instants (`_utc`) are seconds since 1970 UTC as floats, 0.0 = did not happen; durations (`_s`) are seconds.
"""

import msgspec

from model.media import LegStatistics
from model.records import CallRecord, RecordingRecord


class View(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of what commands return."""


class LegView(View, frozen=True, kw_only=True):
    """One leg of a live call: a SIP dialog and its audio."""

    leg_id: str
    kind: str
    """extension or trunk."""
    name: str
    """Extension number or trunk name."""
    direction: str
    """in: they called us; out: we called them."""
    state: str
    """trying, ringing, early_media, answered, held or ended."""
    role: str = ""
    """customer, agent, consulted …: who it is in the conversation; empty before it is connected."""
    room: str = ""
    """Legs of one room hear each other: "main", or the id of a consultation; empty = it hears nobody."""
    is_muted: bool = False
    address: str = ""
    """Signalling address, "host:port"."""
    codec: str = ""
    is_held: bool = False
    created_utc: float = 0.0
    ringing_utc: float = 0.0
    answered_utc: float = 0.0
    user_agent: str = ""
    statistics: LegStatistics | None = None
    """What the media worker last reported; null before the first report."""


class ConsultView(View, frozen=True, kw_only=True):
    """A consultation of a live call."""

    consult_id: str
    call_id: str
    by_leg_id: str
    """The leg that consults."""
    leg_id: str = ""
    """The leg that is consulted, once it has answered."""
    number: str
    state: str
    """ringing, consulting or failed."""
    talks_with: str = ""
    """consulted or others: whom the consulting leg hears at present."""
    started_utc: float = 0.0


class CallView(View, frozen=True, kw_only=True):
    """A live call."""

    call_id: str
    phase: str
    """What the call is doing: route, ring, bridged, releasing …"""
    direction: str
    """internal, inbound or outbound."""
    caller: str
    dialed: str
    created_utc: float
    answered_utc: float = 0.0
    duration_s: float = 0.0
    """Since it was created."""
    talk_s: float = 0.0
    """Since the legs were connected."""
    legs: list[LegView] = []
    is_recorded: bool = False
    is_recording_paused: bool = False
    recording_id: str = ""
    """The running recording; empty when there is none."""
    media_worker: str = ""
    variables: dict[str, str] = {}
    """Customer data: as given to `call.originate` and changed by `call.set_data`."""
    consults: list[ConsultView] = []


class CallList(View, frozen=True, kw_only=True):
    """Live calls, oldest first."""

    calls: list[CallView]
    n_calls: int
    """All that match, also those beyond `limit`."""


class CallDetail(View, frozen=True, kw_only=True):
    """A call by its id: live, or from the records, or both for a moment."""

    live: CallView | None = None
    record: CallRecord | None = None
    recordings: list[RecordingRecord] = []


class CallHistory(View, frozen=True, kw_only=True):
    """A page of call records, latest first."""

    calls: list[CallRecord]
    cursor: str = ""
    """Give it to the next request for the page after this; empty = this was the last."""


class RecordingList(View, frozen=True, kw_only=True):
    """A page of recordings, latest first."""

    recordings: list[RecordingRecord]
    cursor: str = ""
    """Give it to the next request for the page after this; empty = this was the last."""


class RecordingState(View, frozen=True, kw_only=True):
    """A running or just ended recording."""

    recording_id: str
    call_id: str
    path: str
    state: str
    """recording, paused or finished."""


class PlayStarted(View, frozen=True, kw_only=True):
    """What `call.play` began."""

    play_id: str
    """To be found in `call.play_finished`, once for each leg."""


class RegistrationView(View, frozen=True, kw_only=True):
    """One binding of an extension (RFC 3261 §10)."""

    extension: str
    address: str
    """Where requests go, "transport:host:port"."""
    contact: str = ""
    """The contact URI as registered."""
    user_agent: str = ""
    registered_utc: float = 0.0
    expires_s: float = 0.0
    """Seconds left."""


class RegistrationList(View, frozen=True, kw_only=True):
    """Bindings, by extension."""

    registrations: list[RegistrationView]


class TrunkAddressView(View, frozen=True, kw_only=True):
    """One address of a trunk."""

    address: str
    """"transport:host:port" """
    state: str = "unknown"
    """up, down or unknown: what OPTIONS says."""
    is_resting: bool = False
    """It failed a call lately and is tried after all others."""
    status: int = 0
    """Of its last answer to OPTIONS; 408 = there was none."""
    round_trip_ms: float = 0.0


class TrunkView(View, frozen=True, kw_only=True):
    """A trunk and how it does."""

    trunk: str
    state: str
    """up, down, registering or rejected."""
    reason: str = ""
    """Why it is not up."""
    address: str = ""
    since_utc: float = 0.0
    """When the state began."""
    is_registering: bool = False
    """Whether the switch registers itself there."""
    n_calls: int = 0
    max_calls: int = 0
    """0 = no limit."""
    calls_total: int = 0
    calls_failed: int = 0
    n_calls_in: int = 0
    """Of n_calls, those that came by it."""
    max_calls_in: int = 0
    max_calls_out: int = 0
    max_calls_per_second: float = 0.0
    calls_skipped: int = 0
    """Calls that went another way because a limit of it was reached."""
    is_qualified: bool = False
    """Whether it is asked by OPTIONS."""
    addresses: list[TrunkAddressView] = []
    """In the order in which they are tried."""


class TrunkList(View, frozen=True, kw_only=True):
    """All trunks."""

    trunks: list[TrunkView]


class ExtensionView(View, frozen=True, kw_only=True):
    """An extension; its password is never shown."""

    extension: str
    name: str = ""
    """Shown to who is called."""
    caller_id: str = ""
    """Number shown on trunks; empty = the trunk's."""
    ring_timeout_s: float = 0.0
    """Seconds it rings; 0 = the switch's default."""
    busy_to: str = ""
    """Number called instead when it is busy or not registered."""
    no_answer_to: str = ""
    """Number called instead when it does not answer in time."""
    may_call_external: bool = True
    """May call by trunk; emergency numbers always."""
    may_call_international: bool = False
    """May call foreign countries by trunk."""
    is_recorded: bool = True
    """Its calls are recorded, when recording is on at all."""
    media: str = "relay"
    """relay: audio through the switch; direct: from phone to phone, never recorded."""
    is_enabled: bool = True
    """False: it can neither register nor call nor be called."""
    source: str = "file"
    """file: from the configuration, changed only there; database: made by this API."""
    n_registrations: int = 0
    n_calls: int = 0


class ExtensionList(View, frozen=True, kw_only=True):
    """Extensions, by number."""

    extensions: list[ExtensionView]
    cursor: str = ""
    """Give it to the next request for the page after this; empty = this was the last."""


class ExtensionCreated(View, frozen=True, kw_only=True):
    """The new extension, and its password this one time."""

    extension: ExtensionView
    password: str
    """As given, or the random one the switch made."""


class MediaWorkerView(View, frozen=True, kw_only=True):
    """A media worker and its health."""

    worker: str
    state: str
    """starting, up, down or failing."""
    pid: int = 0
    n_sessions: int = 0
    n_legs: int = 0
    tick_late_ms_max: float = 0.0
    """Worst lateness of a 20-ms tick in the last report."""
    packets_dropped: int = 0
    writer_backlog: int = 0
    """Recording blocks waiting for the disk."""
    is_disk_failing: bool = False
    n_restarts: int = 0


class StorageView(View, frozen=True, kw_only=True):
    """How the writer of records does."""

    is_failing: bool = False
    error: str = ""
    since_utc: float = 0.0
    """Since when it fails; 0 = it does not."""
    backlog: int = 0
    """Records waiting to be written."""
    written_total: int = 0


class WebrtcView(View, frozen=True, kw_only=True):
    """The process that carries browsers' audio. Counters since its start, at most a few seconds old."""

    state: str = "off"
    """off (nobody listens for browsers), up or down."""
    pid: int = 0
    n_browsers: int = 0
    """Legs of browsers."""
    n_away: int = 0
    """Those that are waited for."""
    packets_in: int = 0
    packets_out: int = 0
    packets_strange: int = 0
    """From nobody known, or with wrong credentials."""
    packets_unsent: int = 0
    cpu_s: float = 0.0


class SystemStatus(View, frozen=True, kw_only=True):
    """The whole switch in one answer."""

    version: str
    node: str
    started_utc: float
    uptime_s: float
    is_draining: bool = False
    n_calls: int = 0
    n_legs: int = 0
    n_registrations: int = 0
    calls_total: int = 0
    calls_answered: int = 0
    calls_failed: int = 0
    """Ended by a fault of ours: congestion, a media or internal failure."""
    unhandled_errors: int = 0
    """Faults caught at the edge of a call, datagram or request; each is in the log. Should be 0."""
    loop_lag_ms: float = 0.0
    """How late the event loop's last look at its clock was."""
    loop_lag_ms_max: float = 0.0
    """The worst since the last `system.status`."""
    memory_bytes: int = 0
    """Resident memory of the switch process."""
    cpu_s: float = 0.0
    """CPU time of the switch process."""
    trunks: dict[str, str] = {}
    """State of each trunk by its name: up, down, registering or rejected."""
    media_workers: list[MediaWorkerView] = []
    webrtc: WebrtcView = WebrtcView()
    storage: StorageView = StorageView()
    sip: dict[str, int] = {}
    """Counters of the SIP stack: requests, responses, retransmissions, timeouts, rejected …"""
    events: dict[str, int] = {}
    """Counters of the event hub and the control server."""


class Subscription(View, frozen=True, kw_only=True):
    """What a subscriber will get."""

    node: str
    oldest_seq: int
    """The oldest event that is still kept."""
    next_seq: int
    """The number the next event will have."""
    is_complete: bool
    """False: some of what was asked for with `from_seq` is gone; `events.lost` names it."""


class Pong(View, frozen=True, kw_only=True):
    """The switch is alive."""

    node: str
    at_utc: float


class LoggedIn(View, frozen=True, kw_only=True):
    """Who this connection is now."""

    user: str
    role: str
    node: str
    version: str
    agent_id: str = ""
    """The agent this user is; empty: nobody's."""


class DrainState(View, frozen=True, kw_only=True):
    """The drain has begun."""

    n_calls: int
    deadline_s: float
    """Seconds until the calls that are left are ended; 0 = never."""


class SecureDigits(View, frozen=True, kw_only=True):
    """What was typed while the leg was secure."""

    digits: str = ""
    """Empty when it begins; at most 64."""

    def __repr__(self) -> str:
        return f"SecureDigits({len(self.digits)} digits)"


class Done(View, frozen=True, kw_only=True):
    """It is done; there is nothing to tell."""
