"""What shows that the rules of calling were kept: whose clock, a promised call, when the message was played."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    for name, kind, default in (
        ("zone", text, "''"),
        ("is_promised", sa.Boolean(), "false"),
        ("message_utc", sa.Double(), "0"),
    ):
        op.add_column("attempts", sa.Column(name, kind, server_default=sa.text(default), nullable=False))


def downgrade() -> None:
    for name in ("message_utc", "is_promised", "zone"):
        op.drop_column("attempts", name)
