"""Outbound work: campaigns' states, records, attempts, do-not-call lists, customers, appointments, the pacing log."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_WAITING = sa.text("status IN ('new', 'retry_wait', 'callback')")
_OWNED = sa.text("owner != ''")
_OPEN = sa.text("ended_utc = 0")
_EXPIRING = sa.text("expires_utc > 0")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _create_campaigns()
    _create_customers()


def _create_campaigns() -> None:
    op.create_table(
        "campaign_states",
        *_keys("campaign"),
        *_texts("state"),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        *_floats("updated_utc"),
        sa.PrimaryKeyConstraint("campaign", name="pk_campaign_states"),
    )
    op.create_table(
        "campaign_records",
        *_keys("record_id", "campaign"),
        *_texts("list_name"),
        *_ints("row"),
        *_texts("name", "numbers", "data", "customer_id", "owner"),
        *_ints("urgency"),
        *_flags("has_consent"),
        *_texts("status", "waits_as"),
        *_ints("n_attempts"),
        *_floats("next_utc"),
        *_texts("deferred"),
        *_floats("callback_utc"),
        *_texts("callback_owner"),
        *_floats("last_utc"),
        *_texts("last_result", "disposition", "agent_id"),
        *_flags("is_answered", "is_connected"),
        *_texts("story"),
        *_floats("created_utc", "updated_utc"),
        sa.PrimaryKeyConstraint("record_id", name="pk_campaign_records"),
    )
    op.create_index(
        "ix_campaign_records_counts",
        "campaign_records",
        ["campaign", "status", "owner", "n_attempts", "is_answered", "is_connected"],
    )
    op.create_index("ix_campaign_records_customer", "campaign_records", ["customer_id"])
    op.create_index(
        "ix_campaign_records_due",
        "campaign_records",
        ["campaign", "status", "urgency", "next_utc", "record_id"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("ix_campaign_records_list", "campaign_records", ["campaign", "list_name"])
    op.create_index(
        "ix_campaign_records_next",
        "campaign_records",
        ["campaign", "next_utc"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index(
        "ix_campaign_records_owner",
        "campaign_records",
        ["owner", "record_id"],
        sqlite_where=_OWNED,
        postgresql_where=_OWNED,
    )
    op.create_index("ix_campaign_records_page", "campaign_records", ["campaign", "record_id"])
    op.create_table(
        "campaign_numbers",
        *_keys("record_id"),
        *_ints("position"),
        *_texts("number_reversed", "campaign"),
        sa.ForeignKeyConstraint(
            ["record_id"], ["campaign_records.record_id"], name="fk_campaign_numbers_record_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record_id", "position", name="pk_campaign_numbers"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_campaign_numbers_number", "campaign_numbers", ["number_reversed", "campaign"])
    op.create_table(
        "attempts",
        *_keys("attempt_id"),
        *_texts("campaign", "record_id", "number", "mode"),
        *_ints("position"),
        *_texts("caller_id", "agent_id"),
        *_floats("started_utc", "rang_utc", "answered_utc", "connected_utc", "ended_utc", "talk_s"),
        *_texts("result", "cause"),
        *_ints("sip_status"),
        *_texts("verdict", "evidence"),
        *_flags("is_dropped"),
        *_texts("disposition", "number_reversed"),
        sa.PrimaryKeyConstraint("attempt_id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_agent", "attempts", ["agent_id", "started_utc"])
    op.create_index("ix_attempts_campaign", "attempts", ["campaign", "started_utc"])
    op.create_index("ix_attempts_number", "attempts", ["number_reversed", "started_utc"])
    op.create_index("ix_attempts_open", "attempts", ["started_utc"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("ix_attempts_record", "attempts", ["record_id", "started_utc"])
    op.create_index("ix_attempts_started", "attempts", ["started_utc", "attempt_id"])
    op.create_table(
        "dnc",
        *_keys("number"),
        *_texts("campaign"),
        *_flags("is_prefix"),
        *_texts("reason", "source", "added_by"),
        *_floats("added_utc", "expires_utc"),
        sa.PrimaryKeyConstraint("number", "campaign", "is_prefix", name="pk_dnc"),
    )
    op.create_index("ix_dnc_expires", "dnc", ["expires_utc"], sqlite_where=_EXPIRING, postgresql_where=_EXPIRING)


def _create_customers() -> None:
    op.create_table(
        "customers",
        *_keys("customer_id"),
        *_texts("name", "numbers", "zone", "area", "owner"),
        *_flags("has_consent"),
        *_texts("level", "tags", "data", "source"),
        *_floats("created_utc", "updated_utc"),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customers"),
    )
    op.create_index("ix_customers_owner", "customers", ["owner", "customer_id"])
    op.create_table(
        "customer_numbers",
        *_keys("customer_id"),
        *_ints("position"),
        *_texts("number_reversed"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name="fk_customer_numbers_customer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", "position", name="pk_customer_numbers"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_customer_numbers_number", "customer_numbers", ["number_reversed"])
    op.create_table(
        "appointments",
        *_keys("appointment_id"),
        *_texts("agent_id", "campaign", "record_id", "customer_id", "number", "name"),
        *_floats("at_utc"),
        *_texts("matter", "state", "created_by"),
        *_floats("created_utc", "updated_utc", "reminded_utc"),
        sa.PrimaryKeyConstraint("appointment_id", name="pk_appointments"),
    )
    op.create_index("ix_appointments_agent", "appointments", ["agent_id", "at_utc"])
    op.create_index("ix_appointments_record", "appointments", ["record_id"])
    op.create_index("ix_appointments_state", "appointments", ["state", "at_utc"])
    op.create_table(
        "pacing_log",
        *_keys("campaign"),
        *_floats("at_utc"),
        *_ints("n_dials"),
        *_texts("reason", "inputs"),
        sa.PrimaryKeyConstraint("campaign", "at_utc", name="pk_pacing_log"),
    )
    op.create_index("ix_pacing_log_at", "pacing_log", ["at_utc"])


def downgrade() -> None:
    for table in (
        "pacing_log",
        "appointments",
        "customer_numbers",
        "customers",
        "dnc",
        "attempts",
        "campaign_numbers",
        "campaign_records",
        "campaign_states",
    ):
        op.drop_table(table)


def _keys(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _TEXT, nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[Any]]:
    return _columns(lambda: _TEXT, "''", names)


def _floats(*names: str) -> list[sa.Column[Any]]:
    return _columns(sa.Double, "0", names)


def _ints(*names: str) -> list[sa.Column[Any]]:
    return _columns(sa.BigInteger, "0", names)


def _flags(*names: str) -> list[sa.Column[Any]]:
    return _columns(sa.Boolean, "false", names)


def _columns(kind: Callable[[], Any], default: str, names: tuple[str, ...]) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind(), server_default=sa.text(default), nullable=False) for name in names]
