"""Calls: the customer data that went with them, and which calls became part of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NAMES = ("data", "absorbed")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    for name in _NAMES:
        op.add_column("calls", sa.Column(name, text, server_default=sa.text("''"), nullable=False))


def downgrade() -> None:
    for name in reversed(_NAMES):
        op.drop_column("calls", name)
