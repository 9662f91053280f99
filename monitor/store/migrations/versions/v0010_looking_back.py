"""The newest of a long outbox, and the newest actions and decisions, found without reading all of it."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = (
    ("slicewatch_outbox", ("created_at",)),
    ("slicewatch_outbox", ("state", "created_at")),
    ("slicewatch_outbox", ("state", "finished_at")),
    ("slicewatch_action", ("at",)),
    ("slicewatch_decision", ("at",)),
)


def upgrade() -> None:
    for table, columns in INDEXES:
        op.create_index(_name(table, columns), table, list(columns))


def downgrade() -> None:
    for table, columns in reversed(INDEXES):
        op.drop_index(_name(table, columns), table)


def _name(table: str, columns: tuple[str, ...]) -> str:
    return f"{table}_{'_'.join(columns)}"
