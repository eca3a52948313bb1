"""Members, who tell by a keyed password who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_TEXTS = ("name", "password_hash", "source")
_INSTANTS = ("created_utc", "updated_utc")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty, zero = sa.text("''"), sa.text("0")
    op.create_table(
        "members",
        sa.Column("domain", text, server_default=empty, nullable=False),
        sa.Column("number", text, nullable=False),
        *(sa.Column(name, sa.Text(), server_default=empty, nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Double(), server_default=zero, nullable=False) for name in _INSTANTS),
        sa.PrimaryKeyConstraint("domain", "number", name="pk_members"),
    )


def downgrade() -> None:
    op.drop_table("members")
