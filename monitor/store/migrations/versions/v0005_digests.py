"""Which incident was told to whom within a digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slicewatch_digest",
        sa.Column(
            "incident",
            sa.Text,
            sa.ForeignKey("slicewatch_incident.id", name="slicewatch_digest_incident_fkey"),
            nullable=False,
        ),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("incident", "receiver", name="slicewatch_digest_pkey"),
    )
    op.create_index("slicewatch_digest_digest", "slicewatch_digest", ["digest"])
    op.create_index("slicewatch_digest_receiver_at", "slicewatch_digest", ["receiver", "at"])


def downgrade() -> None:
    op.drop_table("slicewatch_digest")
