"""The rule files as they stand on disk: read again when they change, each with its last good version to fall back on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from alerts.breakage import BrokenFile
from alerts.wording import counted
from monitor.checks import NOT_RUNNABLE, check_wiring, runnable
from monitor.settings import Settings
from rules.load import RuleSet, combine, read_rules
from rules.parse import RuleFile
from rules.problem import Problem

Mark = tuple[int, int, int]
"""Time of change, size and inode: a file replaced by another of the same time is another file."""


@dataclass
class Rulebook:
    """Reads rules for a daemon. One thread uses it at a time."""

    settings: Settings
    broken: tuple[BrokenFile, ...] = ()
    """Files that have errors, as they were last read."""
    sound: tuple[RuleFile, ...] = ()
    """Files that have none."""
    names: frozenset[str] | None = None
    """Names of all rules; None where a file has errors or a pattern names none: a rule may be there and not be seen."""
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
        today = {
            path: self._wired(self._told(path, read_rules(path, (self.settings.defaults,), self.settings.roots())))
            for path in paths
        }
        files = [self._standing(path, file) for path, file in today.items()]
        self._look_over(today, files)
        self._beside = {path: beside for path, beside in self._beside.items() if path in paths}
        self._read = self._seen = {path: before.get(path, mark) for path, mark in self._marks(paths).items()}
        self._good = {path: file for path, file in self._good.items() if path in paths}
        return runnable(combine(files), self.settings)

    def _told(self, path: Path, file: RuleFile) -> RuleFile:
        """The file; that it held rules and holds nothing at all is an error: who removes rules says so, or the file."""
        good = self._good.get(path)
        if file.rules or good is None or not good.rules:
            return file
        problems = tuple(
            replace(
                found,
                severity="error",
                hint=f"its {counted(len(good.rules), 'rule')} run on; to remove them write rules: []",
            )
            if found.code == "empty"
            else found
            for found in file.problems
        )
        return replace(file, problems=problems)

    def _wired(self, file: RuleFile) -> RuleFile:
        """The file; that a rule names a source, table or detector that there is not is an error of it like any other."""
        wrong = [[p for p in check_wiring(rule, self.settings) if p.code in NOT_RUNNABLE] for rule in file.rules]
        if not any(wrong):
            return file
        rules = tuple(rule for rule, problems in zip(file.rules, wrong, strict=True) if not problems)
        return replace(file, rules=rules, problems=(*file.problems, *(p for problems in wrong for p in problems)))

    def _look_over(self, today: Mapping[Path, RuleFile], standing: Iterable[RuleFile]) -> None:
        pairs = list(zip(today.items(), standing, strict=True))
        self.broken = tuple(
            BrokenFile(file.file, _errors(file), stands.rules, kept=path in self._good)
            for (path, file), stands in pairs
            if _errors(file)
        )
        self.sound = tuple(file for file in today.values() if not _errors(file))
        whole = not self.broken and all(self.settings.matches(pattern) for pattern in self.settings.rules)
        self.names = frozenset(rule.name for file in self.sound for rule in file.rules) if whole else None

    def changed(self) -> bool:
        """Whether the files differ from those read, and have stood still since the last call: none is half written."""
        now, before = self._marks(list(self.settings.rule_paths())), self._seen
        self._seen = now
        return now != self._read and now == before

    def forget(self) -> None:
        """Count the files as not read: `changed` says so again at its next call but one."""
        self._read = {}

    def _standing(self, path: Path, file: RuleFile) -> RuleFile:
        self._beside[path] = tuple(path.parent / name for name in file.reads)
        if not _errors(file):
            self._good[path] = file
            return file
        good = self._good.get(path)
        return file if good is None else RuleFile(file.file, good.rules, file.problems)

    def _marks(self, paths: list[Path]) -> dict[Path, Mark | None]:
        beside = (file for files in self._beside.values() for file in files)
        return {path: _mark(path) for path in sorted({*paths, *beside})}


def _errors(file: RuleFile) -> tuple[Problem, ...]:
    return tuple(problem for problem in file.problems if problem.severity == "error")


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
