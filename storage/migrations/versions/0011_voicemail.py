"""Messages that callers leave."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TEXTS = ("queue", "extension", "call_id", "path", "caller", "caller_name", "access_number")
_LIVE = sa.text("state IN ('recording', 'new', 'heard')")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

    def texts(*names: str) -> list[sa.Column[Any]]:
        return [sa.Column(name, text, server_default=sa.text("''"), nullable=False) for name in names]

    def numbers(kind: Callable[[], sa.types.TypeEngine[Any]], *names: str) -> list[sa.Column[Any]]:
        return [sa.Column(name, kind(), server_default=sa.text("0"), nullable=False) for name in names]

    op.create_table(
        "voicemail_messages",
        sa.Column("message_id", text, nullable=False),
        sa.Column("box", text, nullable=False),
        *texts(*_TEXTS),
        *numbers(sa.Double, "left_utc", "duration_s"),
        *numbers(sa.BigInteger, "size"),
        *texts("state"),
        sa.Column("is_urgent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *numbers(sa.Double, "heard_utc"),
        *texts("heard_by"),
        *numbers(sa.Double, "called_back_utc"),
        *texts("called_back_by", "remark", "email", "error"),
        sa.PrimaryKeyConstraint("message_id", name="pk_voicemail_messages"),
    )
    op.create_index("ix_voicemail_messages_left", "voicemail_messages", ["left_utc", "message_id"])
    op.create_index("ix_voicemail_messages_box", "voicemail_messages", ["box", "left_utc"])
    op.create_index(
        "ix_voicemail_messages_live",
        "voicemail_messages",
        ["left_utc"],
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )


def downgrade() -> None:
    op.drop_table("voicemail_messages")
