"""Who evaluates what, while it does; and how far a daemon's clock is off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_claim",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "tick", name="slicewatch_claim_pkey"),
    )
    op.add_column(
        "slicewatch_replica", sa.Column("ahead", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )


def downgrade() -> None:
    op.drop_column("slicewatch_replica", "ahead")
    op.drop_table("slicewatch_claim")
