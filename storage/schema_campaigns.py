"""The tables of outbound work: records of campaigns, attempts, do-not-call lists, customers, appointments.

What is searched for has a column, the rest is JSON. Of a record the columns from `status` on are the dialler's, and it
writes no others: what somebody changes of a record while its call is up stays changed.
"""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table
from sqlalchemy.sql import text

from storage.columns import flag_column as _flag
from storage.columns import float_column as _float
from storage.columns import int_column as _int
from storage.columns import metadata
from storage.columns import text_column as _text

WAITING_RECORDS = "status IN ('new', 'retry_wait', 'callback')"
"""Records that may be taken when they are due, spelled out in a query, as `schema.UNFINISHED` is."""
OWNED = "owner != ''"
OPEN_ATTEMPTS = "ended_utc = 0"
EXPIRING = "expires_utc > 0"

campaign_states = Table(
    "campaign_states",
    metadata,
    _text("campaign", is_key=True),
    _text("state"),
    Column("document", LargeBinary(), nullable=False),
    _float("updated_utc"),
    PrimaryKeyConstraint("campaign"),
)

campaign_records = Table(
    "campaign_records",
    metadata,
    _text("record_id", is_key=True),
    _text("campaign", is_key=True),
    _text("list_name"),
    _int("row"),
    _text("name"),
    _text("numbers"),
    _text("data"),
    _text("customer_id"),
    _text("owner"),
    # The priority, negated: an index is read from its beginning.
    _int("urgency"),
    _flag("has_consent", False),
    _text("status"),
    # What a queued record is when it leaves the hopper.
    _text("waits_as"),
    _int("n_attempts"),
    _float("next_utc"),
    _text("deferred"),
    _float("callback_utc"),
    _text("callback_owner"),
    _float("last_utc"),
    _text("last_result"),
    _text("disposition"),
    _text("agent_id"),
    # Of any of its attempts: a person picked up; an agent or flow had him.
    _flag("is_answered", False),
    _flag("is_connected", False),
    _text("story"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("record_id"),
    Index(
        "ix_campaign_records_due",
        "campaign",
        "status",
        "urgency",
        "next_utc",
        "record_id",
        sqlite_where=text(WAITING_RECORDS),
        postgresql_where=text(WAITING_RECORDS),
    ),
    Index(
        "ix_campaign_records_next",
        "campaign",
        "next_utc",
        sqlite_where=text(WAITING_RECORDS),
        postgresql_where=text(WAITING_RECORDS),
    ),
    # All that is counted, so that no row is read for it.
    Index("ix_campaign_records_counts", "campaign", "status", "owner", "n_attempts", "is_answered", "is_connected"),
    Index("ix_campaign_records_list", "campaign", "list_name"),
    Index("ix_campaign_records_page", "campaign", "record_id"),
    Index("ix_campaign_records_customer", "customer_id"),
    Index("ix_campaign_records_owner", "owner", "record_id", sqlite_where=text(OWNED), postgresql_where=text(OWNED)),
)

campaign_numbers = Table(
    "campaign_numbers",
    metadata,
    _text("record_id", ForeignKey("campaign_records.record_id", ondelete="CASCADE"), is_key=True),
    _int("position"),
    _text("number_reversed"),
    _text("campaign"),
    PrimaryKeyConstraint("record_id", "position"),
    Index("ix_campaign_numbers_number", "number_reversed", "campaign"),
    sqlite_with_rowid=False,
)

# No foreign key to records: who was called stays known when his record has gone.
attempts = Table(
    "attempts",
    metadata,
    _text("attempt_id", is_key=True),
    _text("campaign"),
    _text("record_id"),
    _text("number"),
    _text("mode"),
    _int("position"),
    _text("caller_id"),
    _text("agent_id"),
    _float("started_utc"),
    _float("rang_utc"),
    _float("answered_utc"),
    _float("connected_utc"),
    _float("ended_utc"),
    _float("talk_s"),
    _text("result"),
    _text("cause"),
    _int("sip_status"),
    _text("verdict"),
    _text("evidence"),
    _flag("is_dropped", False),
    _text("disposition"),
    _text("zone"),
    _flag("is_promised", False),
    _float("message_utc"),
    _text("number_reversed"),
    PrimaryKeyConstraint("attempt_id"),
    Index("ix_attempts_started", "started_utc", "attempt_id"),
    Index("ix_attempts_campaign", "campaign", "started_utc"),
    Index("ix_attempts_record", "record_id", "started_utc"),
    Index("ix_attempts_agent", "agent_id", "started_utc"),
    Index("ix_attempts_number", "number_reversed", "started_utc"),
    Index("ix_attempts_open", "started_utc", sqlite_where=text(OPEN_ATTEMPTS), postgresql_where=text(OPEN_ATTEMPTS)),
)

dnc = Table(
    "dnc",
    metadata,
    _text("number", is_key=True),
    _text("campaign"),
    _flag("is_prefix", False),
    _text("reason"),
    _text("source"),
    _text("added_by"),
    _float("added_utc"),
    _float("expires_utc"),
    PrimaryKeyConstraint("number", "campaign", "is_prefix"),
    Index("ix_dnc_expires", "expires_utc", sqlite_where=text(EXPIRING), postgresql_where=text(EXPIRING)),
)

customers = Table(
    "customers",
    metadata,
    _text("customer_id", is_key=True),
    _text("name"),
    _text("numbers"),
    _text("zone"),
    _text("area"),
    _text("owner"),
    _flag("has_consent", False),
    _text("level"),
    _text("tags"),
    _text("data"),
    _text("source"),
    _float("created_utc"),
    _float("updated_utc"),
    PrimaryKeyConstraint("customer_id"),
    Index("ix_customers_owner", "owner", "customer_id"),
)

customer_numbers = Table(
    "customer_numbers",
    metadata,
    _text("customer_id", ForeignKey("customers.customer_id", ondelete="CASCADE"), is_key=True),
    _int("position"),
    _text("number_reversed"),
    PrimaryKeyConstraint("customer_id", "position"),
    Index("ix_customer_numbers_number", "number_reversed"),
    sqlite_with_rowid=False,
)

appointments = Table(
    "appointments",
    metadata,
    _text("appointment_id", is_key=True),
    _text("agent_id"),
    _text("campaign"),
    _text("record_id"),
    _text("customer_id"),
    _text("number"),
    _text("name"),
    _float("at_utc"),
    _text("matter"),
    _text("state"),
    _text("created_by"),
    _float("created_utc"),
    _float("updated_utc"),
    _float("reminded_utc"),
    PrimaryKeyConstraint("appointment_id"),
    Index("ix_appointments_state", "state", "at_utc"),
    Index("ix_appointments_agent", "agent_id", "at_utc"),
    Index("ix_appointments_record", "record_id"),
)

pacing_log = Table(
    "pacing_log",
    metadata,
    _text("campaign", is_key=True),
    _float("at_utc"),
    _int("n_dials"),
    _text("reason"),
    _text("inputs"),
    PrimaryKeyConstraint("campaign", "at_utc"),
    Index("ix_pacing_log_at", "at_utc"),
)
