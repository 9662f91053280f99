"""Starting `worker.py`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


def command(*arguments: str) -> list[str]:
    """The command line of a worker."""
    return [sys.executable, "-m", "tests.monitor.store.worker", *arguments]


@contextmanager
def worker(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A worker that runs for the length of the block and is killed at its end at the latest."""
    process = subprocess.Popen(
        command(*arguments), cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(arguments: Sequence[str]) -> str:
    """Run a command to its end; its output. Fails with its standard error."""
    done = subprocess.run(arguments, cwd=ROOT, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
