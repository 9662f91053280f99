"""All rule files of a configuration: each by itself, then together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rules.checks import duplicate_names
from rules.model import Rule
from rules.parse import RuleFile, parse_rules
from rules.problem import Place, Problem


@dataclass(frozen=True)
class RuleSet:
    """The rules that can run, and what is wrong with the others."""

    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()


def load_rules(paths: Iterable[Path | str]) -> RuleSet:
    """Read files in their order. A file or a rule that is broken stops no other one; never raises `OSError`."""
    return combine(read_rules(Path(path)) for path in paths)


def read_rules(path: Path) -> RuleFile:
    """Read one file; one that cannot be read is a problem of the whole file."""
    file = path.as_posix()
    try:
        return parse_rules(path.read_bytes().decode("utf-8-sig"), file)
    except OSError as error:
        return RuleFile(file, (), (Problem(Place(file), "unreadable", f"cannot be read: {error.strerror or error}"),))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = f"byte {error.start + 1} is not UTF-8"
        return RuleFile(file, (), (Problem(Place(file, line), "unreadable", message, "save the file as UTF-8"),))


def combine(files: Iterable[RuleFile]) -> RuleSet:
    """Rules of several files: of two with one name the first stands and the later one is a problem."""
    read = tuple(files)
    rules = [rule for file in read for rule in file.rules]
    taken = list(duplicate_names(rules))
    dropped = {id(rule) for rule, _ in taken}
    problems = [problem for file in read for problem in file.problems] + [problem for _, problem in taken]
    return RuleSet(tuple(rule for rule in rules if id(rule) not in dropped), tuple(problems))
