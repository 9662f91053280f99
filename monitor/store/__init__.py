"""What slicewatch remembers: history, runs, incidents, decisions and the outbox, in SQLite or PostgreSQL.

`Store.open(url)` gives transactions; the functions here read and write within one.
"""

from monitor.store.action_table import Acted, action, actions, acts_since, add_action, newest_actions
from monitor.store.copying import copy, rewind
from monitor.store.daemon_lock import DaemonLock
from monitor.store.digest_table import digest_thread, digested, join_digest, lately
from monitor.store.effort_table import Effort, efforts, put_effort
from monitor.store.errors import (
    ConflictError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreNewerError,
)
from monitor.store.fit_table import fit, newest_fit, newest_fit_time, put_fit
from monitor.store.flag_table import flags, put_flags
from monitor.store.incident_tables import (
    add_decision,
    add_transition,
    decisions,
    incident,
    incident_page,
    incident_rules,
    incidents,
    open_incidents,
    rules_with_open,
    save_incident,
    sent_since,
    transitions,
)
from monitor.store.leaf_table import LeafTable, add_leaves, leaves
from monitor.store.letters import Letter, letters, requeue
from monitor.store.mail_view import Parcel, Traffic, parcels, traffic
from monitor.store.mark_table import mark, marks, put_mark, remove_mark
from monitor.store.membership_table import Membership, membership, put_membership
from monitor.store.outbox_table import (
    Delivered,
    OutboxCounts,
    SqlOutbox,
    Thread,
    deliveries,
    enqueue,
    newest_thread,
    outbox_counts,
)
from monitor.store.page_table import (
    LAG_FINAL,
    Page,
    PageBlock,
    any_ripened,
    coverage,
    first_events,
    newest_bucket,
    pages,
    put_page,
    put_pages,
    read_again,
)
from monitor.store.renaming import is_known, rename_rule
from monitor.store.replica_table import Replica, put_replica, remove_replica, replicas
from monitor.store.retention import prune
from monitor.store.rows import dump
from monitor.store.rule_table import definition, reset_history, rules
from monitor.store.run_table import (
    BLIND,
    LATE,
    OK,
    Run,
    failed_runs,
    first_run,
    newest_good,
    newest_run,
    notices,
    record_run,
    run,
    run_done,
    runs,
)
from monitor.store.silence_table import put_silence, silence, silences
from monitor.store.standing import Newest, newest_texts
from monitor.store.status import History, RuleStatus, rule_status
from monitor.store.store import Store
from monitor.store.token_table import Token, Used, add_token, change_token, token, token_of, token_used, tokens
from monitor.store.told import first_delivered, inhibitors, told, told_at
from monitor.store.tx import Tx

__all__ = [
    "BLIND",
    "LAG_FINAL",
    "LATE",
    "OK",
    "Acted",
    "ConflictError",
    "DaemonLock",
    "Delivered",
    "Effort",
    "History",
    "LeafTable",
    "Letter",
    "Membership",
    "Newest",
    "OutboxCounts",
    "Page",
    "PageBlock",
    "Parcel",
    "Replica",
    "RuleStatus",
    "Run",
    "SqlOutbox",
    "Store",
    "StoreBusyError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreNewerError",
    "Thread",
    "Token",
    "Traffic",
    "Tx",
    "Used",
    "action",
    "actions",
    "acts_since",
    "add_action",
    "add_decision",
    "add_leaves",
    "add_token",
    "add_transition",
    "any_ripened",
    "change_token",
    "copy",
    "coverage",
    "decisions",
    "definition",
    "deliveries",
    "digest_thread",
    "digested",
    "dump",
    "efforts",
    "enqueue",
    "failed_runs",
    "first_delivered",
    "first_events",
    "first_run",
    "fit",
    "flags",
    "incident",
    "incident_page",
    "incident_rules",
    "incidents",
    "inhibitors",
    "is_known",
    "join_digest",
    "lately",
    "leaves",
    "letters",
    "mark",
    "marks",
    "membership",
    "newest_actions",
    "newest_bucket",
    "newest_fit",
    "newest_fit_time",
    "newest_good",
    "newest_run",
    "newest_texts",
    "newest_thread",
    "notices",
    "open_incidents",
    "outbox_counts",
    "pages",
    "parcels",
    "prune",
    "put_effort",
    "put_fit",
    "put_flags",
    "put_mark",
    "put_membership",
    "put_page",
    "put_pages",
    "put_replica",
    "put_silence",
    "read_again",
    "record_run",
    "remove_mark",
    "remove_replica",
    "rename_rule",
    "replicas",
    "requeue",
    "reset_history",
    "rewind",
    "rule_status",
    "rules",
    "rules_with_open",
    "run",
    "run_done",
    "runs",
    "save_incident",
    "sent_since",
    "silence",
    "silences",
    "token",
    "token_of",
    "token_used",
    "tokens",
    "told",
    "told_at",
    "traffic",
    "transitions",
]
