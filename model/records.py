"""What is kept of a call: the rows of REC-04 and P-34, as plain values the switch makes and the storage writes.

Instants are UTC seconds since 1970 as floats; 0.0 means "did not happen". Texts are masked of control characters.
"""

import msgspec


class LegRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One dialog of a call."""

    leg_id: str
    call_id: str
    direction: str
    """in: they called us; out: we called them."""
    kind: str
    """extension, trunk"""
    name: str
    """Extension number or trunk name."""
    remote_address: str = ""
    """Signalling address, "host:port"."""
    sip_call_id: str = ""
    caller: str = ""
    dialed: str = ""
    created_utc: float
    ringing_utc: float = 0.0
    answered_utc: float = 0.0
    bridged_utc: float = 0.0
    ended_utc: float = 0.0
    hangup_cause: str = ""
    hangup_side: str = ""
    """caller, agent, system or remote (FEATURES 4.3)."""
    sip_status: int = 0
    """Final status of the INVITE, 0 when there was none."""
    codec: str = ""
    packets_received: int = 0
    packets_sent: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    jitter_ms: float = 0.0
    round_trip_ms: float = 0.0
    """From RTCP; 0 = not known."""
    mos: float = 0.0
    """Estimated listening quality of what the peer sent, 1 to 4.5 (ITU-T G.107); 0 = not known."""
    concealed_ms: float = 0.0
    """Audio made up for packets that were lost or late (only where audio was decoded)."""
    speech_s: float = 0.0
    """Seconds in which the peer spoke (only where audio was kept)."""


class SegmentRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A stretch in which a leg did one thing (FEATURES 4.1); the segments of a leg do not overlap."""

    call_id: str
    leg_id: str = ""
    purpose: str
    """ring, talk, hold, ivr, queue, …"""
    started_utc: float
    ended_utc: float
    cause: str = ""


class CallRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The CDR: one row a call, its legs and segments with it."""

    call_id: str
    direction: str
    """internal, inbound, outbound"""
    caller: str
    dialed: str
    access_number: str = ""
    extension: str = ""
    """The extension that talked, or was rung last."""
    agent_id: str = ""
    trunk: str = ""
    route: str = ""
    created_utc: float
    ringing_utc: float = 0.0
    answered_utc: float = 0.0
    bridged_utc: float = 0.0
    ended_utc: float
    duration_s: float
    """created to ended"""
    talk_s: float = 0.0
    """bridged to ended, holds included; without the time in which a party only waited for somebody to answer"""
    hold_s: float = 0.0
    hangup_cause: str
    hangup_side: str = ""
    data: dict[str, str] = {}
    """Customer data that went with the call."""
    absorbed: list[str] = []
    """Ids of calls that became part of this one (attended transfer), and have no record of their own."""
    legs: list[LegRecord] = []
    segments: list[SegmentRecord] = []


class RecordingRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One file of a call's audio."""

    recording_id: str
    call_id: str
    path: str
    started_utc: float
    ended_utc: float = 0.0
    duration_s: float = 0.0
    size: int = 0
    sha256: str = ""
    channels: int = 2
    encoding: str = "g711"
    state: str = "finished"
    """recording; encoding (the WAV at `path` is whole, its MP3 is being made); finished; failed; recovered"""
    caller: str = ""
    dialed: str = ""
    extension: str = ""
    agent_id: str = ""
    trunk: str = ""
    """The line (channel) of REC-09: the trunk the outside party came over, empty for internal calls."""
    pauses: list[tuple[float, float]] = []
    speech_s: list[float] = []
    error: str = ""
    """Why it failed, what is missing, or why it stayed a WAV."""
    format: str = "wav"
    """wav or mp3: what is wanted while `state` is recording or encoding, afterwards what the file is"""
    silent_because: list[str] = []
    """Per channel: why it is silent although somebody spoke; empty when nothing is."""


class MessageRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message in a box (voicemail). Its audio is the recording of the same id, as long as it is kept."""

    message_id: str
    box: str
    queue: str = ""
    """Whose box it is."""
    extension: str = ""
    """The first of its phones."""
    call_id: str
    path: str
    caller: str = ""
    caller_name: str = ""
    access_number: str = ""
    left_utc: float
    """When it began."""
    duration_s: float = 0.0
    size: int = 0
    state: str = "recording"
    """recording; new; heard; deleted (the audio is gone); discarded (by the caller, or there was nothing); failed"""
    is_urgent: bool = False
    heard_utc: float = 0.0
    heard_by: str = ""
    called_back_utc: float = 0.0
    called_back_by: str = ""
    remark: str = ""
    email: str = ""
    """due, sent, failed; empty: nobody is told by e-mail"""
    error: str = ""
    """Why it failed, or why nobody could be told."""


class EventRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An event of the contact centre as it was told: the log that figures are computed from."""

    node: str
    seq: int
    """As in the envelope: grows, also from one start of the switch to the next."""
    at_utc: float
    """As in the envelope."""
    name: str
    call_id: str = ""
    queue: str = ""
    agent_id: str = ""
    body: str = ""
    """All fields, as JSON."""
