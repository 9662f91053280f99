"""Daily sums of what is no longer kept by the hour, ids of leaves that are gone, and when upkeep was done last."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("slicewatch_rule", sa.Column("dropped", sa.LargeBinary))
    op.create_table(
        "slicewatch_sum",
        sa.Column("rule", sa.Integer, sa.ForeignKey("slicewatch_rule.id", name="slicewatch_sum_rule_fkey")),
        sa.Column("span", sa.Integer, autoincrement=False),
        sa.Column("start", sa.BigInteger, autoincrement=False),
        sa.Column("chunk", sa.Integer, autoincrement=False),
        sa.Column("leaves", sa.Integer, nullable=False),
        sa.Column("buckets", sa.Integer, nullable=False),
        sa.Column("version", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("rule", "span", "start", "chunk", name="slicewatch_sum_pkey"),
    )
    op.create_table(
        "slicewatch_upkeep",
        sa.Column("name", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="slicewatch_upkeep_pkey"),
    )


def downgrade() -> None:
    _fill_gaps()
    op.drop_table("slicewatch_upkeep")
    op.drop_table("slicewatch_sum")
    op.drop_column("slicewatch_rule", "dropped")


def _fill_gaps() -> None:
    """The program before counts leaves from 0 without gaps: each dropped one comes back, as values that no event has."""
    found = op.get_bind().execute(sa.text("SELECT id, dropped FROM slicewatch_rule WHERE dropped IS NOT NULL")).all()
    for rule, dropped in found:
        terms = op.get_bind().execute(_TERMS, {"rule": rule}).scalar()
        if terms is None:
            continue  # no leaf is left, and no page that names one
        rows = [_stopgap(rule, leaf, len(json.loads(terms))) for leaf in _ids(dropped)]
        op.get_bind().execute(_LEAF.insert(), rows)


_TERMS = sa.text("SELECT terms FROM slicewatch_leaf WHERE rule = :rule LIMIT 1")
_LEAF = sa.table(
    "slicewatch_leaf",
    *(sa.column(name) for name in ("rule", "id", "terms", "digest", "first_seen")),
)


def _stopgap(rule: int, leaf: int, dimensions: int) -> dict[str, object]:
    terms = json.dumps([f"(dropped {leaf})"] * dimensions)
    digest = hashlib.blake2b(terms.encode("ascii"), digest_size=16).digest()
    return {"rule": rule, "id": leaf, "terms": terms, "digest": digest, "first_seen": 0}


def _ids(body: bytes) -> list[int]:
    bits = zstandard.ZstdDecompressor().decompress(body)
    return [8 * place + bit for place, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1]
