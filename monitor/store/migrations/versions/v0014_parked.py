"""Rules whose evaluation fails again and again, and when they are tried next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_parked",
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["rule"], ["slicewatch_rule.id"], name="slicewatch_parked_rule_fkey"),
        sa.PrimaryKeyConstraint("rule", name="slicewatch_parked_pkey"),
    )


def downgrade() -> None:
    op.drop_table("slicewatch_parked")
