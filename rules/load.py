"""All rule files of a configuration: each by itself, then together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rules.checks import SET_CHECKS, duplicate_names, former_names, inhibitions
from rules.events import EventFile, read_events, with_events
from rules.extends import read_extended
from rules.model import Rule
from rules.parse import RuleFile, ordered, rules_of
from rules.problem import Problem
from rules.suppress import Suppression
from rules.text import read_text
from rules.written import Layer
from rules.yaml_text import read_yaml


@dataclass(frozen=True)
class RuleSet:
    """The rules that can run, and what is wrong with the others."""

    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    suppressions: tuple[Suppression, ...] = ()


def load_rules(paths: Iterable[Path | str], below: Sequence[Layer] = (), roots: tuple[Path, ...] = ()) -> RuleSet:
    """Read files in their order. A file or a rule that is broken stops no other one; never raises `OSError`.

    `below` are defaults that hold for the rules of all files, where these do not say otherwise.
    """
    return combine(read_rules(Path(path), below, roots) for path in paths)


def read_rules(path: Path, below: Sequence[Layer] = (), roots: tuple[Path, ...] = ()) -> RuleFile:
    """Read one file, and the files it names; what cannot be read is a problem of the whole file.

    With `roots` it may lie, and name files, below one of them or in its own folder, and nowhere else.
    """
    file, within = path.as_posix(), (*roots, path.parent) if roots else ()
    text = read_text(path, within)
    if isinstance(text, Problem):
        return RuleFile(file, (), (text,))
    document = read_yaml(text, file)
    shared = read_extended(document, path, within)
    found = _with_events(rules_of(document, text, file, (*shared.layers, *below)), path.parent, within)
    planned = [rule.events_file for rule in found.rules if rule.events_file is not None]
    return replace(
        found,
        problems=ordered([*found.problems, *shared.problems]),
        reads=tuple(dict.fromkeys([*shared.reads, *planned])),
    )


def _with_events(file: RuleFile, folder: Path, within: tuple[Path, ...]) -> RuleFile:
    """Rules with the planned events of the files they name. A mistake there leaves an event out, and no rule."""
    rules, problems = [], list(file.problems)
    for rule in file.rules:
        if rule.events_file is None:
            rules.append(rule)
            continue
        written = read_events(folder / rule.events_file, within)
        planned, left_out = with_events(rule, written.events)
        rules.append(planned)
        problems += [*_at_the_key(rule, written), *left_out]
    return replace(file, rules=tuple(rules), problems=tuple(dict.fromkeys(problems)))


def _at_the_key(rule: Rule, written: EventFile) -> list[Problem]:
    """The file's problems; that it cannot be read is told where the rule names it."""
    span = rule.span("baseline.events")
    unreadable = [p for p in written.problems if p.code == "unreadable" and not p.place.line]
    rest = [p for p in written.problems if p not in unreadable]
    return [*(span.problem(p.code, f"{written.file} {p.message}", p.hint) for p in unreadable), *rest]


def combine(files: Iterable[RuleFile]) -> RuleSet:
    """Rules of several files: of two with one name the first stands and the later one is a problem.

    What is wrong between rules is left out of them and keeps none from running.
    """
    read = tuple(files)
    rules = [rule for file in read for rule in file.rules]
    taken = list(duplicate_names(rules))
    dropped = {id(rule) for rule, _ in taken}
    kept = _each_table([rule for rule in rules if id(rule) not in dropped])
    names = dict.fromkeys(name for file in read for name in (*file.names, *(rule.name for rule in file.rules)))
    inhibited, renamed = list(inhibitions(kept, names)), list(former_names(kept, names))
    problems = [problem for file in read for problem in file.problems]
    problems += [problem for _, problem in (*taken, *renamed)] + [problem for *_, problem in inhibited]
    problems += [problem for check in SET_CHECKS for problem in check(kept)]
    left_out = {(rule.name, name) for rule, name, _ in inhibited}
    unnamed = {rule.name for rule, _ in renamed}
    sound = tuple(_without(rule, left_out, unnamed) for rule in kept)
    # A mistake in shared defaults is told once, not for each file that extends them.
    return RuleSet(sound, tuple(dict.fromkeys(problems)), tuple(item for file in read for item in file.suppressions))


def _each_table(rules: Sequence[Rule]) -> list[Rule]:
    """The rules, where what one is inhibited by is several tables' rule, by that of each of them."""
    families: dict[str, list[str]] = {}
    for rule in rules:
        families.setdefault(rule.family, []).append(rule.name)
    wide = {family for family, names in families.items() if names != [family]}
    return [
        replace(rule, inhibited_by=tuple(each for name in rule.inhibited_by for each in families.get(name, [name])))
        if wide & set(rule.inhibited_by)
        else rule
        for rule in rules
    ]


def _without(rule: Rule, left_out: Collection[tuple[str, str]], renamed: Collection[str]) -> Rule:
    """The rule without those of its inhibitions, and without its former name where it is one of the `renamed`."""
    still = tuple(name for name in rule.inhibited_by if (rule.name, name) not in left_out)
    was = None if rule.name in renamed else rule.was
    return rule if (still, was) == (rule.inhibited_by, rule.was) else replace(rule, inhibited_by=still, was=was)
