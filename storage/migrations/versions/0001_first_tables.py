"""First tables: extensions, trunks, access numbers; calls with legs and segments; recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, server_default=sa.text("''"), nullable=False)


def _float(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), server_default=sa.text("0"), nullable=False)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _flag(name: str, default: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.text(default), nullable=False)


def upgrade() -> None:
    _create_directory()
    _create_calls()
    _create_recordings()


def downgrade() -> None:
    for name in ("recordings", "segments", "legs", "calls", "access_numbers", "trunks", "extensions"):
        op.drop_table(name)


def _create_directory() -> None:
    op.create_table(
        "extensions",
        _text("domain"),
        _key("number"),
        _text("name"),
        _text("realm"),
        _text("ha1_md5"),
        _text("ha1_sha256"),
        _text("caller_id"),
        _float("ring_timeout_s"),
        _text("busy_to"),
        _text("no_answer_to"),
        _flag("is_recorded", "true"),
        _flag("may_call_external", "true"),
        _flag("may_call_international", "false"),
        _text("media"),
        _flag("is_enabled", "true"),
        _text("source"),
        _float("created_utc"),
        _float("updated_utc"),
        sa.PrimaryKeyConstraint("domain", "number", name=op.f("pk_extensions")),
    )
    op.create_table(
        "trunks",
        _text("domain"),
        _key("name"),
        _text("host"),
        _int("port"),
        _text("transport"),
        _text("proxy"),
        _text("username"),
        _text("secret"),
        _flag("is_registering", "false"),
        _float("register_expires_s"),
        _text("caller_id"),
        _int("max_channels"),
        _text("codecs"),
        _text("accept_from"),
        _flag("is_enabled", "true"),
        _text("source"),
        _float("created_utc"),
        _float("updated_utc"),
        sa.PrimaryKeyConstraint("domain", "name", name=op.f("pk_trunks")),
    )
    op.create_table(
        "access_numbers",
        _text("domain"),
        _key("number"),
        _text("name"),
        _text("trunk"),
        _text("destination"),
        _flag("is_enabled", "true"),
        _text("source"),
        _float("created_utc"),
        _float("updated_utc"),
        sa.PrimaryKeyConstraint("domain", "number", name=op.f("pk_access_numbers")),
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        _key("call_id"),
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
        _text("caller_reversed"),
        _text("dialed_reversed"),
        _text("domain"),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_calls")),
    )
    op.create_index("ix_calls_agent", "calls", ["domain", "agent_id", "created_utc", "duration_s"])
    op.create_index("ix_calls_caller", "calls", ["domain", "caller_reversed", "created_utc", "call_id"])
    op.create_index("ix_calls_cause", "calls", ["domain", "hangup_cause", "created_utc"])
    op.create_index("ix_calls_created", "calls", ["domain", "created_utc", "duration_s"])
    op.create_index("ix_calls_dialed", "calls", ["domain", "dialed_reversed", "created_utc", "call_id"])
    op.create_index("ix_calls_extension", "calls", ["domain", "extension", "created_utc", "duration_s"])
    op.create_index("ix_calls_trunk", "calls", ["domain", "trunk", "created_utc", "duration_s"])
    op.create_table(
        "legs",
        _key("call_id"),
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
        _float("jitter_ms"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], name=op.f("fk_legs_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "position", name=op.f("pk_legs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segments",
        _key("call_id"),
        _int("position"),
        _text("leg_id"),
        _text("purpose"),
        _float("started_utc"),
        _float("ended_utc"),
        _text("cause"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], name=op.f("fk_segments_call_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "position", name=op.f("pk_segments")),
        sqlite_with_rowid=False,
    )


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        _key("recording_id"),
        _key("call_id"),
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
        _text("caller_reversed"),
        _text("dialed_reversed"),
        _text("remark"),
        _flag("is_important", "false"),
        _text("domain"),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_recordings")),
    )
    op.create_index("ix_recordings_agent", "recordings", ["domain", "agent_id", "started_utc", "duration_s"])
    op.create_index("ix_recordings_call", "recordings", ["call_id"])
    op.create_index("ix_recordings_caller", "recordings", ["domain", "caller_reversed", "started_utc", "recording_id"])
    op.create_index("ix_recordings_dialed", "recordings", ["domain", "dialed_reversed", "started_utc", "recording_id"])
    op.create_index("ix_recordings_extension", "recordings", ["domain", "extension", "started_utc", "duration_s"])
    op.create_index("ix_recordings_important", "recordings", ["domain", "is_important", "started_utc"])
    op.create_index("ix_recordings_started", "recordings", ["domain", "started_utc", "duration_s"])
    op.create_index("ix_recordings_trunk", "recordings", ["domain", "trunk", "started_utc", "duration_s"])
    op.create_index(
        "ix_recordings_unfinished",
        "recordings",
        ["started_utc"],
        sqlite_where=sa.text("state = 'recording'"),
        postgresql_where=sa.text("state = 'recording'"),
    )
