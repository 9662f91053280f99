# ruff: noqa: T201  # it prints a table
"""`python -m tests.chaos --seed N --minutes M`: a chaos run, with what goes wrong as it does, and its table."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.chaos.conduct import chaos
from tests.chaos.plan import FULL, SHORT, draw
from tests.chaos.report import faults, table, written

PAGE = Path(__file__).parents[2] / "docs" / "chaos.md"


def main() -> int:
    """Run it; 1 where something was lost."""
    parser = argparse.ArgumentParser(description="Replicas of the daemon on one PostgreSQL while everything fails.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--minutes", type=float, help="how long things go wrong; 24 in full")
    parser.add_argument("--short", action="store_true", help="the short form, as in `make test`")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the logs in this folder")
    parser.add_argument("--write", action="store_true", help="put the table into docs/chaos.md")
    asked = parser.parse_args()
    size = SHORT if asked.short else FULL
    if asked.minutes:
        share = asked.minutes * 60 / size.seconds
        # Fewer of everything, at the same rate.
        few = {name: max(1, round(getattr(size, name) * share)) for name in ("losses", "each", "together")}
        size = replace(size, buckets=max(12, round(size.buckets * share)), **few)
    print(f"seed {asked.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sw-chaos-", ignore_cleanup_errors=True) as name:
        folder = asked.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        report = chaos(
            draw(asked.seed, size), folder, lambda text: print(f"[{time.monotonic() - began:6.0f}] {text}", flush=True)
        )
    print(table(report))
    print(faults(report))
    print(report.log)
    if asked.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), table(report)), encoding="utf-8")
    return 1 if report.verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
