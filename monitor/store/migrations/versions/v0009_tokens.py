"""API tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_token",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="slicewatch_token_pkey"),
        sa.UniqueConstraint("hash", name="slicewatch_token_hash_key"),
    )


def downgrade() -> None:
    op.drop_table("slicewatch_token")
