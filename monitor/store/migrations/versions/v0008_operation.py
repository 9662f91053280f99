"""How the program itself does: what evaluations took, and which daemons are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_effort",
        sa.Column("rule", sa.Integer, sa.ForeignKey("slicewatch_rule.id", name="slicewatch_effort_rule_fkey")),
        sa.Column("tick", sa.BigInteger, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("query_seconds", sa.Float, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("rule", "tick", name="slicewatch_effort_pkey"),
    )
    op.create_table(
        "slicewatch_replica",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="slicewatch_replica_pkey"),
    )


def downgrade() -> None:
    op.drop_table("slicewatch_replica")
    op.drop_table("slicewatch_effort")
