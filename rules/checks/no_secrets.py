"""A rule file is read by many: no secret stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem

_SECRET = re.compile(
    r"xox[abeoprs]-[0-9A-Za-z-]{10,}|xapp-[0-9A-Za-z-]{10,}|hooks\.slack\.com/services/\w"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[opsu]_[0-9A-Za-z]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|[a-z][a-z0-9+]*://[^\s/:@]+:[^\s/@]+@"
)
"""Tokens of Slack, AWS and GitHub, private keys, and addresses with a password: forms that mean nothing else."""


def no_secrets(rule: Rule) -> Iterator[Problem]:
    """Texts that hold a secret; the line is not shown, since what is printed is read by more people still."""
    texts = {
        "description": rule.description,
        "owner": rule.owner,
        "where": rule.where,
        "query": rule.source.query,
        "runbook_url": rule.runbook_url,
        **{f"labels.{name}": value for name, value in rule.labels},
        "notify": " ".join(name for _, names in rule.notify for name in names),
    }
    for path, text in texts.items():
        if text and _SECRET.search(text):
            message = f"'{path.partition('.')[0]}' holds a secret"
            hint = "revoke it, remove it, and let slicewatch.toml name where it is read from"
            yield Problem(rule.span(path).place, "secret-in-rule", message, hint)
