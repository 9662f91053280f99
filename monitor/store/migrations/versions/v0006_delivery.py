"""Delivery: when a message must be out, whether a send may have arrived, and long queues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OUTBOX = "slicewatch_outbox"


def upgrade() -> None:
    op.add_column(OUTBOX, sa.Column("deadline", sa.BigInteger))
    op.add_column(OUTBOX, sa.Column("in_doubt", sa.Boolean, nullable=False, server_default=sa.false()))
    op.drop_index("slicewatch_outbox_state_due", OUTBOX)
    op.create_index("slicewatch_outbox_state_receiver_rank_due", OUTBOX, ["state", "receiver", "rank", "due"])
    op.create_index("slicewatch_outbox_state_receiver_rank_deadline", OUTBOX, ["state", "receiver", "rank", "deadline"])


def downgrade() -> None:
    op.drop_index("slicewatch_outbox_state_receiver_rank_deadline", OUTBOX)
    op.drop_index("slicewatch_outbox_state_receiver_rank_due", OUTBOX)
    op.create_index("slicewatch_outbox_state_due", OUTBOX, ["state", "due"])
    op.drop_column(OUTBOX, "in_doubt")
    op.drop_column(OUTBOX, "deadline")
