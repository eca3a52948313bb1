"""The event log of the contact centre."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_TEXTS = ("name", "call_id", "queue", "agent_id", "body")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty, zero = sa.text("''"), sa.text("0")
    op.create_table(
        "event_log",
        sa.Column("node", text, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_utc", sa.Double(), server_default=zero, nullable=False),
        *(sa.Column(name, text, server_default=empty, nullable=False) for name in _TEXTS),
        sa.PrimaryKeyConstraint("node", "seq", name="pk_event_log"),
    )
    op.create_index("ix_event_log_at", "event_log", ["at_utc"])
    op.create_index("ix_event_log_call", "event_log", ["call_id", "seq"])


def downgrade() -> None:
    op.drop_table("event_log")
