"""Alerting: incidents, their transitions, decisions, and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _number(name: str, kind: type[sa.Integer] = sa.BigInteger) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _incident(table: str) -> sa.Column[str]:
    key = sa.ForeignKey("slicewatch_incident.id", name=f"{table}_incident_fkey")
    return sa.Column("incident", sa.Text, key, nullable=False)


def upgrade() -> None:
    op.create_table(
        "slicewatch_incident",
        _text("id"),
        _text("rule"),
        _text("state"),
        _number("seq", sa.Integer),
        _number("since"),
        _text("body"),
        sa.PrimaryKeyConstraint("id", name="slicewatch_incident_pkey"),
    )
    op.create_index("slicewatch_incident_rule_state", "slicewatch_incident", ["rule", "state"])
    op.create_index("slicewatch_incident_since", "slicewatch_incident", ["since"])
    op.create_table(
        "slicewatch_transition",
        _incident("slicewatch_transition"),
        _number("seq", sa.Integer),
        _text("change"),
        _number("at"),
        _text("body"),
        sa.PrimaryKeyConstraint("incident", "seq", name="slicewatch_transition_pkey"),
    )
    op.create_table(
        "slicewatch_decision",
        _incident("slicewatch_decision"),
        _number("seq", sa.Integer),
        _text("receiver"),
        _flag("send"),
        _text("reason"),
        _text("because"),
        _number("at"),
        sa.PrimaryKeyConstraint("incident", "seq", "receiver", name="slicewatch_decision_pkey"),
    )
    _create_outbox()


def _create_outbox() -> None:
    op.create_table(
        "slicewatch_outbox",
        _text("id"),
        _text("incident"),
        _text("receiver"),
        _number("seq", sa.Integer),
        _text("part"),
        _number("rank", sa.SmallInteger),
        _text("state"),
        _number("due"),
        _number("lease_until"),
        _text("owner"),
        _number("claims", sa.Integer),
        _number("attempts", sa.Integer),
        _flag("plain"),
        _text("last_error"),
        _number("created_at"),
        sa.Column("finished_at", sa.BigInteger),
        _text("channel"),
        _text("ref"),
        _text("body"),
        sa.PrimaryKeyConstraint("id", name="slicewatch_outbox_pkey"),
        sa.UniqueConstraint(
            "incident", "receiver", "seq", "rank", name="slicewatch_outbox_incident_receiver_seq_rank_key"
        ),
    )
    op.create_index("slicewatch_outbox_state_due", "slicewatch_outbox", ["state", "due"])


def downgrade() -> None:
    for table in ("outbox", "decision", "transition", "incident"):
        op.drop_table(f"slicewatch_{table}")
