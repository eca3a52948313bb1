"""Settings made by API: access numbers, calendars and their closures."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_INSTANTS = ("created_utc", "updated_utc")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty, zero = sa.text("''"), sa.text("0")
    op.create_table(
        "settings",
        sa.Column("domain", text, server_default=empty, nullable=False),
        sa.Column("key", text, nullable=False),
        sa.Column("value", text, server_default=empty, nullable=False),
        sa.Column("source", text, server_default=empty, nullable=False),
        *(sa.Column(name, sa.Double(), server_default=zero, nullable=False) for name in _INSTANTS),
        sa.PrimaryKeyConstraint("domain", "key", name="pk_settings"),
    )


def downgrade() -> None:
    op.drop_table("settings")
