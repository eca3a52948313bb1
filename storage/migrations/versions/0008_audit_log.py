"""The audit log: who did or tried what, chained by hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TEXTS = ("who", "role", "agent_id", "address", "action", "subject", "outcome", "reason")
_MORE_TEXTS = ("params", "old_value", "new_value")
_HASHES = ("previous_hash", "hash")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty, zero = sa.text("''"), sa.text("0")
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("at_utc", sa.Double(), server_default=zero, nullable=False),
        *(sa.Column(name, text, server_default=empty, nullable=False) for name in (*_TEXTS, *_MORE_TEXTS)),
        sa.Column("n_times", sa.BigInteger(), server_default=zero, nullable=False),
        *(sa.Column(name, text, server_default=empty, nullable=False) for name in (*_HASHES, "domain")),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at_utc"])


def downgrade() -> None:
    op.drop_table("audit_log")
