"""Recordings: their format, why a channel is silent; those whose MP3 is being made are unfinished too."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, server_default=sa.text(default), nullable=False)


def _index(where: str) -> None:
    op.create_index(
        "ix_recordings_unfinished",
        "recordings",
        ["started_utc"],
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def upgrade() -> None:
    op.drop_index("ix_recordings_unfinished", "recordings")
    # No copy of the table: it may be long.
    op.add_column("recordings", _text("format", "'wav'"))
    op.add_column("recordings", _text("silent_because", "''"))
    _index("state IN ('recording', 'encoding')")


def downgrade() -> None:
    op.drop_index("ix_recordings_unfinished", "recordings")
    op.drop_column("recordings", "silent_because")
    op.drop_column("recordings", "format")
    _index("state = 'recording'")
