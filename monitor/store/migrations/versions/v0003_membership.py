"""Membership of bounded cubes: which leaves are folded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_membership",
        sa.Column(
            "rule",
            sa.Integer,
            sa.ForeignKey("slicewatch_rule.id", name="slicewatch_membership_rule_fkey"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("combinations", sa.Integer, nullable=False),
        sa.Column("folded", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("rule", name="slicewatch_membership_pkey"),
    )


def downgrade() -> None:
    op.drop_table("slicewatch_membership")
