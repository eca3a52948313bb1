"""Legs: what their audio was like."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NAMES = ("round_trip_ms", "mos", "concealed_ms", "speech_s")


def upgrade() -> None:
    op.add_column("legs", sa.Column("packets_late", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    for name in _NAMES:
        op.add_column("legs", sa.Column(name, sa.Double(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    for name in reversed(_NAMES):
        op.drop_column("legs", name)
    op.drop_column("legs", "packets_late")
