"""What people do: a log of their actions, and silences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_action",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="slicewatch_action_pkey"),
    )
    op.create_index("slicewatch_action_subject", "slicewatch_action", ["subject"])
    op.create_table(
        "slicewatch_silence",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("starts", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="slicewatch_silence_pkey"),
    )
    op.create_index("slicewatch_silence_ends", "slicewatch_silence", ["ends"])


def downgrade() -> None:
    op.drop_table("slicewatch_silence")
    op.drop_table("slicewatch_action")
