"""What people say has changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_mark",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="slicewatch_mark_pkey"),
    )
    op.create_index("slicewatch_mark_at", "slicewatch_mark", ["at"])


def downgrade() -> None:
    op.drop_table("slicewatch_mark")
