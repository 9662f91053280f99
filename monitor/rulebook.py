"""The rule files as they stand on disk: read again when they change, each with its last good version to fall back on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.checks import runnable
from monitor.settings import Settings
from rules.load import RuleSet, combine, read_rules
from rules.parse import RuleFile

Mark = tuple[int, int, int]
"""Time of change, size and inode: a file replaced by another of the same time is another file."""


@dataclass
class Rulebook:
    """Reads rules for a daemon. One thread uses it at a time."""

    settings: Settings
    _good: dict[Path, RuleFile] = field(default_factory=dict)
    _beside: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    """Files that the rule files name: shared defaults, planned events."""
    _read: Mapping[Path, Mark | None] = field(default_factory=dict)
    _seen: Mapping[Path, Mark | None] = field(default_factory=dict)

    def read(self) -> RuleSet:
        """All rules. A file with an error counts as it was when it had none; its problems are those of today.

        A file that never was without errors gives the rules that are sound, as at a start.
        """
        paths = list(self.settings.rule_paths())
        before = self._marks(paths)  # what changes while it is read is read again
        files = [self._standing(path, read_rules(path, (self.settings.defaults,))) for path in paths]
        self._beside = {path: beside for path, beside in self._beside.items() if path in paths}
        self._read = self._seen = {path: before.get(path, mark) for path, mark in self._marks(paths).items()}
        self._good = {path: file for path, file in self._good.items() if path in paths}
        return runnable(combine(files), self.settings)

    def changed(self) -> bool:
        """Whether the files differ from those read, and have stood still since the last call: none is half written."""
        now, before = self._marks(list(self.settings.rule_paths())), self._seen
        self._seen = now
        return now != self._read and now == before

    def _standing(self, path: Path, file: RuleFile) -> RuleFile:
        self._beside[path] = tuple(path.parent / name for name in file.reads)
        if not any(problem.severity == "error" for problem in file.problems):
            self._good[path] = file
            return file
        good = self._good.get(path)
        return file if good is None else RuleFile(file.file, good.rules, file.problems)

    def _marks(self, paths: list[Path]) -> dict[Path, Mark | None]:
        beside = (file for files in self._beside.values() for file in files)
        return {path: _mark(path) for path in sorted({*paths, *beside})}


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass(frozen=True)
class Swap:
    """What a reload changed, by names of rules."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @classmethod
    def between(cls, old: RuleSet, new: RuleSet) -> Swap:
        """Rules are told apart by name; one that moved within its file has changed too."""
        was, now = ({rule.name: rule for rule in rules.rules} for rules in (old, new))
        return cls(
            tuple(name for name in now if name not in was),
            tuple(name for name in now if name in was and now[name] != was[name]),
            tuple(name for name in was if name not in now),
        )

    def text(self) -> str:
        """In a line of a log."""
        parts = [
            f"{word}: {', '.join(names)}"
            for word, names in (("added", self.added), ("changed", self.changed), ("removed", self.removed))
            if names
        ]
        return "; ".join(parts) or "no rule changed"
