"""Extensions: what their users chose (forwarding, do not disturb, call waiting, pickup group)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TEXTS = ("always_to", "busy_to", "no_answer_to")
_MORE_TEXTS = ("call_waiting", "pickup_group", "source")
_INSTANTS = ("created_utc", "updated_utc")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    empty, zero = sa.text("''"), sa.text("0")
    op.create_table(
        "extension_services",
        sa.Column("domain", text, server_default=empty, nullable=False),
        sa.Column("number", text, nullable=False),
        *(sa.Column(name, text, server_default=empty, nullable=False) for name in _TEXTS),
        sa.Column("is_dnd", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *(sa.Column(name, text, server_default=empty, nullable=False) for name in _MORE_TEXTS),
        *(sa.Column(name, sa.Double(), server_default=zero, nullable=False) for name in _INSTANTS),
        sa.PrimaryKeyConstraint("domain", "number", name="pk_extension_services"),
    )


def downgrade() -> None:
    op.drop_table("extension_services")
