"""Flows of the voice menu: drafts and versions."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty = sa.text("''")
    op.create_table(
        "flows",
        sa.Column("domain", text, server_default=empty, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", text, server_default=empty, nullable=False),
        sa.Column("saved_utc", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("saved_by", text, server_default=empty, nullable=False),
        sa.Column("note", text, server_default=empty, nullable=False),
        sa.PrimaryKeyConstraint("domain", "name", "version", name="pk_flows"),
    )


def downgrade() -> None:
    op.drop_table("flows")
