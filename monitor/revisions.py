"""Rule files as they were at a revision of the git repository that they lie in."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monitor.settings import Settings
from rules.load import RuleSet, load_rules


class RevisionError(Exception):
    """The repository or the revision cannot be read; the message is one line for a person."""


def rules_at(settings: Settings, revision: str) -> RuleSet:
    """The rules that the patterns of `settings` named at a revision, with the files of events beside them.

    Raises `RevisionError` where the settings lie in no git repository, or it has no such revision.
    """
    if any(Path(pattern).is_absolute() for pattern in settings.rules):
        raise RevisionError(f"{settings.file}: a rule file with an absolute path has no revisions")
    folder = settings.folder.resolve()
    root = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip()).resolve()
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = _git(folder, *asked, of=revision).decode().strip()
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", commit).decode(errors="surrogateescape").split("\0")
    suffixes = {".yaml", ".yml", *(Path(pattern).suffix for pattern in settings.rules)}
    names = [name for name in listed if name and Path(name).suffix in suffixes]
    with tempfile.TemporaryDirectory() as made:
        if names:  # the lake may lie in the same repository: only what rules are written in is taken out
            literal = ("--literal-pathspecs", "archive", "--format=tar", commit, "--", *names)
            _unpack(_git(root, *literal), Path(made))
        then = replace(settings, folder=Path(made) / folder.relative_to(root))
        return load_rules(then.rule_paths(), (settings.defaults,), then.roots())


def _unpack(archive: bytes, to: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(to, filter="data")


def _git(folder: Path, *words: str, of: str = "") -> bytes:
    command: Sequence[str] = ("git", "-C", str(folder), *words)
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  # words of ours; a revision is verified
    except OSError as error:
        raise RevisionError(f"git cannot be run: {error.strerror}") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise RevisionError(
            f"'{of}' is no revision of {folder}" if of else f"{folder}: {reason[0] if reason else words[0]}"
        )
    return done.stdout
