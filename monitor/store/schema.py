"""Tables of the state store, the same in SQLite and PostgreSQL.

A new store is made from them, an older one is migrated to them; a test holds that both are the same.

Times are epoch seconds (buckets, ticks) or microseconds (moments of delivery), UTC. Texts of JSON are pure ASCII:
PostgreSQL refuses NUL in text, and dimension values may hold anything.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

VERSION_TABLE = "slicewatch_schema"
REVISION = "0014"
"""The newest migration: what these tables are."""

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


# Alembic's own table, spelled as it spells it.
version = Table(
    VERSION_TABLE,
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def _rule_key() -> Column[int]:
    return Column("rule", Integer, ForeignKey("slicewatch_rule.id"), primary_key=True)


rule = Table(
    "slicewatch_rule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("definition", Text),  # fingerprint of what the history's ids mean
    Column("dropped", LargeBinary),  # compressed bitmap of leaf ids that stand for nothing any more
)

leaf = Table(
    "slicewatch_leaf",
    metadata,
    _rule_key(),
    Column("id", Integer, primary_key=True, autoincrement=False),  # counted from 0 within a rule, never reused
    Column("terms", Text, nullable=False),  # JSON list of values in the order of the rule's dimensions
    Column("digest", LargeBinary, nullable=False),  # of `terms`: values may be longer than an index entry
    Column("first_seen", BigInteger, nullable=False),
    UniqueConstraint("rule", "digest"),
)

page = Table(
    "slicewatch_page",
    metadata,
    _rule_key(),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("lag", SmallInteger, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),  # leaf id // 4,096; chunk 0 always exists
    Column("leaves", Integer, nullable=False),  # that have a row
    Column("version", LargeBinary, nullable=False),  # hash of the content before compression
    Column("body", LargeBinary, nullable=False),
)

sums = Table(
    "slicewatch_sum",
    metadata,
    _rule_key(),
    Column("span", Integer, primary_key=True, autoincrement=False),  # seconds of an hour, or of a day
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),  # as of a page
    Column("leaves", Integer, nullable=False),
    Column("buckets", Integer, nullable=False),  # that were known of it
    Column("version", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

flags = Table(
    "slicewatch_flags",
    metadata,
    _rule_key(),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # compressed bitmap of leaf ids
)

fit = Table(
    "slicewatch_fit",
    metadata,
    _rule_key(),
    Column("as_of", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

membership = Table(
    "slicewatch_membership",
    metadata,
    _rule_key(),
    Column("as_of", BigInteger, nullable=False),  # local midnight
    Column("combinations", Integer, nullable=False),
    Column("folded", LargeBinary, nullable=False),  # compressed bitmap of leaf ids
)

run = Table(
    "slicewatch_run",
    metadata,
    _rule_key(),
    Column("tick", BigInteger, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    # Of many thousand evaluations people look for the few that failed, or that found something to be known.
    Index(None, "rule", "tick", sqlite_where=text("detail != ''"), postgresql_where=text("detail != ''")),
    Index(None, "tick", sqlite_where=text("outcome != 'ok'"), postgresql_where=text("outcome != 'ok'")),
)

incident = Table(
    "slicewatch_incident",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),  # its name: incidents outlive a rule's history
    Column("state", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "rule", "state"),
    Index(None, "since"),
)

transition = Table(
    "slicewatch_transition",
    metadata,
    Column("incident", Text, ForeignKey("slicewatch_incident.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("change", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

decision = Table(
    "slicewatch_decision",
    metadata,
    Column("incident", Text, ForeignKey("slicewatch_incident.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("receiver", Text, primary_key=True),
    Column("send", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "at"),
)

outbox = Table(
    "slicewatch_outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident", Text, nullable=False),  # the message's key
    Column("receiver", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("part", Text, nullable=False),
    Column("rank", SmallInteger, nullable=False),  # text 0, chart 1, file 2: the order within a message
    Column("state", Text, nullable=False),  # queued, done, merged, dead
    Column("due", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),  # 0: not claimed
    Column("owner", Text, nullable=False),
    Column("claims", Integer, nullable=False),  # fences a worker whose lease ran out
    Column("attempts", Integer, nullable=False),
    Column("plain", Boolean, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("channel", Text, nullable=False),  # the receipt
    Column("ref", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("deadline", BigInteger),  # a critical text goes to the fallback then; NULL: whenever it can
    Column("in_doubt", Boolean, nullable=False, server_default=false()),  # an earlier send may have arrived
    UniqueConstraint("incident", "receiver", "seq", "rank"),
    Index(None, "state", "receiver", "rank", "due"),
    Index(None, "state", "receiver", "rank", "deadline"),
    Index(None, "created_at"),
    Index(None, "state", "created_at"),
    Index(None, "state", "finished_at"),
)

action = Table(
    "slicewatch_action",
    metadata,
    Column("id", Text, primary_key=True),  # of what was done, by whom and when: the same again is the same
    Column("at", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),  # an incident's id, or a silence's
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "subject"),
    Index(None, "at"),
)

silence = Table(
    "slicewatch_silence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "ends"),
)

mark = Table(
    "slicewatch_mark",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "at"),
)

token = Table(
    "slicewatch_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("used_at", BigInteger),
)

digest = Table(
    "slicewatch_digest",
    metadata,
    Column("incident", Text, ForeignKey("slicewatch_incident.id"), primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # the key of its messages
    Column("at", BigInteger, nullable=False),
    Index(None, "digest"),
    Index(None, "receiver", "at"),
)

effort = Table(
    "slicewatch_effort",
    metadata,
    _rule_key(),
    Column("tick", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("query_seconds", Float, nullable=False),
    Column("rows", BigInteger, nullable=False),
)

replica = Table(
    "slicewatch_replica",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column(
        "ahead", BigInteger, nullable=False, server_default=text("0")
    ),  # of the store's clock, its own: microseconds
)

claim = Table(
    "slicewatch_claim",
    metadata,
    Column("rule", Text, primary_key=True),  # its name: a claim waits for no transaction that holds the rule's row
    Column("tick", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", BigInteger, nullable=False),  # 0: handed back
)

parked = Table(
    "slicewatch_parked",
    metadata,
    _rule_key(),
    Column("mark", Text, nullable=False),  # of the rule as it failed: another rule of that name is tried at once
    Column("failures", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
)

tally = Table(
    "slicewatch_tally",
    metadata,
    Column("name", Text, primary_key=True),
    Column("subject", Text, primary_key=True),  # a rule, a receiver, a daemon; "" where there is none
    Column("result", Text, primary_key=True),
    Column("value", Float, nullable=False),
    Column("at", BigInteger, nullable=False),
)

unchecked = Table(
    "slicewatch_unchecked",
    metadata,
    Column("receiver", Text, primary_key=True),
    Column("rule", Text, primary_key=True),  # its name: one that was never evaluated has no key
    Column("thread", Text, nullable=False),  # the key of the messages in which it was told
    Column("since", BigInteger, nullable=False),
    Index(None, "thread"),
)

canary = Table(
    "slicewatch_canary",
    metadata,
    Column("due", BigInteger, primary_key=True, autoincrement=False),  # when the plan asked for it
    Column("owner", Text, nullable=False),  # the daemon that has it in hand
    Column("begun", BigInteger, nullable=False),
    Column("incident", Text, nullable=False),  # "" before it was judged
    Column("arrived", BigInteger),
    Column("over", BigInteger),  # it arrived, or was given up
    Column("problem", Text, nullable=False),  # why it did not arrive
)

upkeep = Table(
    "slicewatch_upkeep",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

OPERATION = frozenset(
    {effort.name, replica.name, claim.name, parked.name, tally.name, unchecked.name, canary.name, upkeep.name}
)
"""Tables of how the program itself does: no two runs are alike, and nothing that is told rests on them."""
