"""Messages waiting and presence of extensions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTS = ("new", "old", "urgent_new", "urgent_old")
_TEXTS = ("activity", "note", "source")
_INSTANTS = ("created_utc", "updated_utc")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty, zero = sa.text("''"), sa.text("0")
    op.create_table(
        "extension_states",
        sa.Column("domain", text, server_default=empty, nullable=False),
        sa.Column("number", text, nullable=False),
        *(sa.Column(name, sa.BigInteger(), server_default=zero, nullable=False) for name in _COUNTS),
        *(sa.Column(name, text, server_default=empty, nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Double(), server_default=zero, nullable=False) for name in _INSTANTS),
        sa.PrimaryKeyConstraint("domain", "number", name="pk_extension_states"),
    )


def downgrade() -> None:
    op.drop_table("extension_states")
