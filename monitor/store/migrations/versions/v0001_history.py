"""History: rules, the dictionary of leaves, pages of counts, flags, fits and runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _of_rule(table: str, *columns: sa.Column[int], rest: tuple[sa.Column[str] | sa.Column[bytes], ...]) -> None:
    """A table whose key is the rule and `columns`."""
    key = ("rule", *(column.name for column in columns))
    op.create_table(
        table,
        sa.Column("rule", sa.Integer, sa.ForeignKey("slicewatch_rule.id", name=f"{table}_rule_fkey"), nullable=False),
        *columns,
        *rest,
        sa.PrimaryKeyConstraint(*key, name=f"{table}_pkey"),
    )


def _number(name: str, kind: type[sa.Integer] = sa.BigInteger) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, autoincrement=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def upgrade() -> None:
    op.create_table(
        "slicewatch_rule",
        sa.Column("id", sa.Integer, nullable=False),
        _text("name"),
        sa.Column("definition", sa.Text),
        sa.PrimaryKeyConstraint("id", name="slicewatch_rule_pkey"),
        sa.UniqueConstraint("name", name="slicewatch_rule_name_key"),
    )
    op.create_table(
        "slicewatch_leaf",
        sa.Column(
            "rule", sa.Integer, sa.ForeignKey("slicewatch_rule.id", name="slicewatch_leaf_rule_fkey"), nullable=False
        ),
        _number("id", sa.Integer),
        _text("terms"),
        _bytes("digest"),
        _number("first_seen"),
        sa.PrimaryKeyConstraint("rule", "id", name="slicewatch_leaf_pkey"),
        sa.UniqueConstraint("rule", "digest", name="slicewatch_leaf_rule_digest_key"),
    )
    op.create_table(
        "slicewatch_page",
        sa.Column(
            "rule", sa.Integer, sa.ForeignKey("slicewatch_rule.id", name="slicewatch_page_rule_fkey"), nullable=False
        ),
        _number("bucket"),
        _number("lag", sa.SmallInteger),
        _number("chunk", sa.Integer),
        _number("leaves", sa.Integer),
        _bytes("version"),
        _bytes("body"),
        sa.PrimaryKeyConstraint("rule", "bucket", "lag", "chunk", name="slicewatch_page_pkey"),
    )
    _of_rule("slicewatch_flags", _number("bucket"), rest=(_bytes("body"),))
    _of_rule("slicewatch_fit", _number("as_of"), rest=(_bytes("body"),))
    _of_rule("slicewatch_run", _number("tick"), rest=(_text("outcome"), _text("detail")))


def downgrade() -> None:
    for table in ("run", "fit", "flags", "page", "leaf", "rule"):
        op.drop_table(f"slicewatch_{table}")
