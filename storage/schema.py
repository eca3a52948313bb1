"""The tables, once for SQLite and PostgreSQL. Migrations bring a database here; a test compares the two.

Decisions that hold everywhere:
- Instants are UTC seconds since 1970 as doubles, as in `model/records.py`: exact to less than a microsecond, the same
  in both databases, compared and subtracted without time zones; 0.0 means "did not happen".
- Texts are NOT NULL; "" means "none". In PostgreSQL they sort by code point (collation "C") as in SQLite, so that
  prefixes are index ranges.
- `domain` (tenant) is "" while there is one; it leads every index, which costs a byte a row now and no rebuild later.
- Numbers are kept reversed too: the end of a number (what people remember) is then a prefix, so one index serves
  exact and suffix search. These indexes hold the sort key as well, so even an end that millions of calls share (our own
  access number) is answered from the index alone.
- Durations have no index of their own, they ride in those ordered by time: a search by duration reads an index, not the
  table, and a new call touches one page less. Pages touched are what writing costs: each is logged, synced and copied.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
)
from sqlalchemy.sql import text

from storage.columns import flag_column as _flag
from storage.columns import float_column as _float
from storage.columns import int_column as _int
from storage.columns import metadata
from storage.columns import text_column as _text

UNFINISHED = "state IN ('recording', 'encoding')"
"""Recordings that are not finished, spelled out in a query: with parameters the partial index is not used."""


def _call_number_columns() -> list[Column[str]]:
    return [_text("caller_reversed"), _text("dialed_reversed")]


extensions = Table(
    "extensions",
    metadata,
    _text("domain"),
    _text("number", is_key=True),
    _text("name"),
    # Digest secrets as HA1 for `realm`, not as passwords: whoever reads this table cannot try the password elsewhere.
    _text("realm"),
    _text("ha1_md5"),
    _text("ha1_sha256"),
    _text("caller_id"),
    _float("ring_timeout_s"),
    _text("busy_to"),
    _text("no_answer_to"),
    _flag("is_recorded", True),
    _flag("may_call_external", True),
    _flag("may_call_international", False),
    _text("media"),
    _flag("is_enabled", True),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "number"),
)

# Beside `extensions`, not in it: extensions of the configuration file have services too.
extension_services = Table(
    "extension_services",
    metadata,
    _text("domain"),
    _text("number", is_key=True),
    _text("always_to"),
    _text("busy_to"),
    _text("no_answer_to"),
    _flag("is_dnd", False),
    _text("call_waiting"),
    _text("pickup_group"),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "number"),
)

members = Table(
    "members",
    metadata,
    _text("domain"),
    _text("number", is_key=True),
    _text("name"),
    _text("password_hash"),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "number"),
)

roles = Table(
    "roles",
    metadata,
    _text("domain"),
    _text("name", is_key=True),
    _text("title"),
    _text("base"),
    _text("permissions"),
    _text("queues"),
    _text("agent_groups"),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "name"),
)

# Each value is JSON that `switch/access_desk.py` knows the type of; nothing asks for what is inside.
settings = Table(
    "settings",
    metadata,
    _text("domain"),
    _text("key", is_key=True),
    _text("value"),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "key"),
)

flows = Table(
    "flows",
    metadata,
    _text("domain"),
    _text("name", is_key=True),
    Column("version", BigInteger(), nullable=False),
    _text("document"),
    _float("saved_utc"),
    _text("saved_by"),
    _text("note"),
    PrimaryKeyConstraint("domain", "name", "version"),
)

trunks = Table(
    "trunks",
    metadata,
    _text("domain"),
    _text("name", is_key=True),
    _text("host"),
    _int("port"),
    _text("transport"),
    _text("proxy"),
    _text("username"),
    # In clear: we are the client, and the realm it is hashed with is the carrier's choice.
    _text("secret"),
    _flag("is_registering", False),
    _float("register_expires_s"),
    _text("caller_id"),
    _int("max_channels"),
    _text("codecs"),
    _text("accept_from"),
    _flag("is_enabled", True),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "name"),
)

access_numbers = Table(
    "access_numbers",
    metadata,
    _text("domain"),
    _text("number", is_key=True),
    _text("name"),
    _text("trunk"),
    _text("destination"),
    _flag("is_enabled", True),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "number"),
)

extension_states = Table(
    "extension_states",
    metadata,
    _text("domain"),
    _text("number", is_key=True),
    _int("new"),
    _int("old"),
    _int("urgent_new"),
    _int("urgent_old"),
    _text("activity"),
    _text("note"),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("domain", "number"),
)

calls = Table(
    "calls",
    metadata,
    _text("call_id", is_key=True),
    _text("direction"),
    _text("caller"),
    _text("dialed"),
    _text("access_number"),
    _text("extension"),
    _text("agent_id"),
    _text("trunk"),
    _text("route"),
    _float("created_utc"),
    _float("ringing_utc"),
    _float("answered_utc"),
    _float("bridged_utc"),
    _float("ended_utc"),
    _float("duration_s"),
    _float("talk_s"),
    _float("hold_s"),
    _text("hangup_cause"),
    _text("hangup_side"),
    _text("data"),
    _text("absorbed"),
    *_call_number_columns(),
    _text("domain"),
    PrimaryKeyConstraint("call_id"),
    Index("ix_calls_created", "domain", "created_utc", "duration_s"),
    Index("ix_calls_caller", "domain", "caller_reversed", "created_utc", "call_id"),
    Index("ix_calls_dialed", "domain", "dialed_reversed", "created_utc", "call_id"),
    Index("ix_calls_extension", "domain", "extension", "created_utc", "duration_s"),
    Index("ix_calls_agent", "domain", "agent_id", "created_utc", "duration_s"),
    Index("ix_calls_trunk", "domain", "trunk", "created_utc", "duration_s"),
    Index("ix_calls_cause", "domain", "hangup_cause", "created_utc"),
)

# Legs and segments lie in the order of their calls (no rowid): a call's are read in one go and need no second index.
legs = Table(
    "legs",
    metadata,
    _text("call_id", ForeignKey("calls.call_id", ondelete="CASCADE"), is_key=True),
    _int("position"),
    _text("leg_id"),
    _text("direction"),
    _text("kind"),
    _text("name"),
    _text("remote_address"),
    _text("sip_call_id"),
    _text("caller"),
    _text("dialed"),
    _float("created_utc"),
    _float("ringing_utc"),
    _float("answered_utc"),
    _float("bridged_utc"),
    _float("ended_utc"),
    _text("hangup_cause"),
    _text("hangup_side"),
    _int("sip_status"),
    _text("codec"),
    _int("packets_received"),
    _int("packets_sent"),
    _int("packets_lost"),
    _int("packets_late"),
    _float("jitter_ms"),
    _float("round_trip_ms"),
    _float("mos"),
    _float("concealed_ms"),
    _float("speech_s"),
    PrimaryKeyConstraint("call_id", "position"),
    sqlite_with_rowid=False,
)

segments = Table(
    "segments",
    metadata,
    _text("call_id", ForeignKey("calls.call_id", ondelete="CASCADE"), is_key=True),
    _int("position"),
    _text("leg_id"),
    _text("purpose"),
    _float("started_utc"),
    _float("ended_utc"),
    _text("cause"),
    PrimaryKeyConstraint("call_id", "position"),
    sqlite_with_rowid=False,
)

# Rows are only ever added; each holds the hash of the one before it (model/audit.py).
audit_log = Table(
    "audit_log",
    metadata,
    _int("seq"),
    _float("at_utc"),
    _text("who"),
    _text("role"),
    _text("agent_id"),
    _text("address"),
    _text("action"),
    _text("subject"),
    _text("outcome"),
    _text("reason"),
    _text("params"),
    _text("old_value"),
    _text("new_value"),
    _int("n_times"),
    _text("previous_hash"),
    _text("hash"),
    _text("domain"),
    PrimaryKeyConstraint("seq"),
    Index("ix_audit_log_at", "at_utc"),
)

# No foreign key to `calls`: a recording is noted when it begins, its call when it has ended, or never after a crash.
recordings = Table(
    "recordings",
    metadata,
    _text("recording_id", is_key=True),
    _text("call_id", is_key=True),
    _text("path"),
    _float("started_utc"),
    _float("ended_utc"),
    _float("duration_s"),
    _int("size"),
    _text("sha256"),
    _int("channels"),
    _text("encoding"),
    _text("state"),
    _text("caller"),
    _text("dialed"),
    _text("extension"),
    _text("agent_id"),
    _text("trunk"),
    _text("pauses"),
    _text("speech_s"),
    _text("error"),
    _text("format", default="wav"),
    _text("silent_because"),
    *_call_number_columns(),
    # From here on what people add; the writer never touches these.
    _text("remark"),
    _flag("is_important", False),
    _text("domain"),
    PrimaryKeyConstraint("recording_id"),
    Index("ix_recordings_call", "call_id"),
    Index("ix_recordings_started", "domain", "started_utc", "duration_s"),
    Index("ix_recordings_caller", "domain", "caller_reversed", "started_utc", "recording_id"),
    Index("ix_recordings_dialed", "domain", "dialed_reversed", "started_utc", "recording_id"),
    Index("ix_recordings_extension", "domain", "extension", "started_utc", "duration_s"),
    Index("ix_recordings_agent", "domain", "agent_id", "started_utc", "duration_s"),
    Index("ix_recordings_trunk", "domain", "trunk", "started_utc", "duration_s"),
    # Only the few that are unfinished: after a crash they are looked for by themselves.
    Index(
        "ix_recordings_unfinished",
        "started_utc",
        sqlite_where=text(UNFINISHED),
        postgresql_where=text(UNFINISHED),
    ),
    Index("ix_recordings_important", "domain", "is_important", "started_utc"),
)

LIVE_MESSAGES = "state IN ('recording', 'new', 'heard')"
"""Messages that are in their boxes, spelled out in a query, as `UNFINISHED` is."""

voicemail_messages = Table(
    "voicemail_messages",
    metadata,
    _text("message_id", is_key=True),
    _text("box", is_key=True),
    _text("queue"),
    _text("extension"),
    _text("call_id"),
    _text("path"),
    _text("caller"),
    _text("caller_name"),
    _text("access_number"),
    _float("left_utc"),
    _float("duration_s"),
    _int("size"),
    _text("state"),
    _flag("is_urgent", False),
    _float("heard_utc"),
    _text("heard_by"),
    _float("called_back_utc"),
    _text("called_back_by"),
    _text("remark"),
    _text("email"),
    _text("error"),
    PrimaryKeyConstraint("message_id"),
    Index("ix_voicemail_messages_left", "left_utc", "message_id"),
    Index("ix_voicemail_messages_box", "box", "left_utc"),
    Index(
        "ix_voicemail_messages_live", "left_utc", sqlite_where=text(LIVE_MESSAGES), postgresql_where=text(LIVE_MESSAGES)
    ),
)

# Told in the order of `seq`; what it is asked for is always a stretch of time.
event_log = Table(
    "event_log",
    metadata,
    _text("node", is_key=True),
    Column("seq", BigInteger(), nullable=False),
    _float("at_utc"),
    _text("name"),
    _text("call_id"),
    _text("queue"),
    _text("agent_id"),
    _text("body"),
    PrimaryKeyConstraint("node", "seq"),
)
Index("ix_event_log_at", event_log.c.at_utc)
Index("ix_event_log_call", event_log.c.call_id, event_log.c.seq)
