"""How the program itself does: counters that outlive it, rules that are told as unchecked, canaries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RUN = "slicewatch_run"
SAYS, FAILED = sa.text("detail != ''"), sa.text("outcome != 'ok'")


def upgrade() -> None:
    op.create_index(f"{RUN}_rule_tick", RUN, ["rule", "tick"], sqlite_where=SAYS, postgresql_where=SAYS)
    op.create_index(f"{RUN}_tick", RUN, ["tick"], sqlite_where=FAILED, postgresql_where=FAILED)
    op.create_table(
        "slicewatch_tally",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", "subject", "result", name="slicewatch_tally_pkey"),
    )
    op.create_table(
        "slicewatch_unchecked",
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("thread", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("receiver", "rule", name="slicewatch_unchecked_pkey"),
    )
    op.create_index("slicewatch_unchecked_thread", "slicewatch_unchecked", ["thread"])
    op.create_table(
        "slicewatch_canary",
        sa.Column("due", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("begun", sa.BigInteger, nullable=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("arrived", sa.BigInteger),
        sa.Column("over", sa.BigInteger),
        sa.Column("problem", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("due", name="slicewatch_canary_pkey"),
    )


def downgrade() -> None:
    op.drop_table("slicewatch_canary")
    op.drop_table("slicewatch_unchecked")
    op.drop_table("slicewatch_tally")
    op.drop_index(f"{RUN}_tick", RUN)
    op.drop_index(f"{RUN}_rule_tick", RUN)
