"""Roles: what users of the control API and agents may do, and of whom."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TEXTS = ("title", "base", "permissions", "queues", "agent_groups", "source")
_INSTANTS = ("created_utc", "updated_utc")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty, zero = sa.text("''"), sa.text("0")
    op.create_table(
        "roles",
        sa.Column("domain", text, server_default=empty, nullable=False),
        sa.Column("name", text, nullable=False),
        *(sa.Column(name, text, server_default=empty, nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Double(), server_default=zero, nullable=False) for name in _INSTANTS),
        sa.PrimaryKeyConstraint("domain", "name", name="pk_roles"),
    )


def downgrade() -> None:
    op.drop_table("roles")
