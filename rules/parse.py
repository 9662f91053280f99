"""One rule file: text in, rules and problems out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from rules.alerting import escalations, mutes
from rules.checks import RULE_CHECKS
from rules.document import Document, Path
from rules.explain import explain
from rules.known import known_incidents
from rules.model import Interval, Rule, SlicePolicy, SourceRef, Timestamp
from rules.problem import Place, Problem, Span
from rules.rule_tests import rule_tests
from rules.schema import DAY, FileShape, RuleShape
from rules.slices import Slice
from rules.suppress import Suppression, suppressions
from rules.yaml_text import read_yaml

LOOKBACK = timedelta(days=28)
LOOKBACK_OF_DAYS = timedelta(days=56)

NOT_BY_DEFAULT = frozenset({"name", "was", "known", "tests"})
"""Keys that belong to one rule and have no place in `defaults`."""


@dataclass(frozen=True)
class RuleFile:
    """What one file says. A rule with an error is in `problems` and not in `rules`."""

    file: str
    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    names: tuple[str, ...] = ()
    """Of all rules as they are written, those with an error included."""
    suppressions: tuple[Suppression, ...] = ()
    """Comments by which warnings are silenced, by whoever shows them."""


def parse_rules(text: str, file: str) -> RuleFile:
    """Read the text of a rule file; `file` is the name that places are given with. Never raises."""
    document = read_yaml(text, file)
    spoilt = [problem for _, problem in document.problems]
    if document.data is None:
        return RuleFile(file, (), tuple(spoilt) or (_empty(file),))
    problems = spoilt + _file_problems(document, file)
    if any(problem.code == "bad-version" for problem in problems):
        return RuleFile(file, (), _ordered(problems))
    rules: list[Rule] = []
    for index in range(len(_rule_list(document))):
        rule, found = _RuleReader(document, file, index).read()
        rules += [rule] if rule is not None else []
        problems += found
    return RuleFile(
        file,
        tuple(rules),
        _ordered(problems),
        names=_names(document),
        suppressions=suppressions(text, file, _starts(document)),
    )


def _starts(document: Document) -> list[int]:
    """The lines in which rules begin."""
    spans = (document.value(("rules", index)) for index in range(len(_rule_list(document))))
    return [span.place.line for span in spans if span is not None]


def _empty(file: str) -> Problem:
    return Problem(Place(file), "empty", "the file holds no rules", "begin with 'rules:'", severity="warning")


def _ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.place, problem.code)))


def _file_problems(document: Document, file: str) -> list[Problem]:
    def locate(path: Path, at_key: bool) -> Span:
        return (document.keys.get(path) if at_key else None) or document.value(path) or Span(Place(file))

    return _shaped(FileShape, document.data, locate)[1]


def _shaped(model: type[BaseModel], data: object, locate: Any) -> tuple[Any, list[Problem]]:
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, explain(error, model, locate)


def _rule_list(document: Document) -> list[Any]:
    rules = document.data.get("rules") if isinstance(document.data, dict) else None
    return rules if isinstance(rules, list) else []


def _names(document: Document) -> tuple[str, ...]:
    names = (raw.get("name") for raw in _rule_list(document) if isinstance(raw, dict))
    return tuple(name for name in names if isinstance(name, str))


def _defaults(document: Document) -> dict[str, Any]:
    defaults = document.data.get("defaults")
    return defaults if isinstance(defaults, dict) else {}


@dataclass(frozen=True)
class WrittenAt(Mapping[str, Span]):
    """Places of a rule's values by path (`dimensions.0`), and of its keys by path and `:`; made when first asked for."""

    document: Document
    roots: tuple[tuple[str, str | int], ...]
    """Where in the document the rule stands (`rules`, 3), and what it inherits (`defaults`, `owner`)."""

    def __getitem__(self, path: str) -> Span:
        return self._plainly(path) or self._found[path]

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and (self._plainly(path) is not None or path in self._found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def _plainly(self, path: str) -> Span | None:
        """What is there if no key holds a dot or is a number, without looking at all the others."""
        places = self.document.keys if path.endswith(":") else self.document.values
        parts = tuple(int(part) if part.isdecimal() else part for part in path.removesuffix(":").split("."))
        roots = [
            root[:1] if root[0] == "defaults" else root
            for root in self.roots
            if root[1] == parts[0] or root[0] != "defaults"
        ]
        return next((places[*root, *parts] for root in roots if (*root, *parts) in places), None)

    @cached_property
    def _found(self) -> dict[str, Span]:
        return {
            ".".join(map(str, path[1 if root[0] == "defaults" else 2 :])) + mark: span
            for root in self.roots
            for places, mark in ((self.document.values, ""), (self.document.keys, ":"))
            for path, span in places.below(*root)
        }


class _RuleReader:
    """Reads the rule at one index of a document, over the file's defaults."""

    def __init__(self, document: Document, file: str, index: int) -> None:
        self._document = document
        self._file = file
        self._at: tuple[str, int] = ("rules", index)
        self._raw = _rule_list(document)[index]
        self._defaults = _defaults(document)
        self._unreadable = {problem.place for _, problem in document.problems}

    def read(self) -> tuple[Rule | None, list[Problem]]:
        if not isinstance(self._raw, dict):
            problem = self._locate((), False).problem("wrong-type", "a rule is a mapping", "write '- name: ...'")
            return None, [problem]
        shape, problems = _shaped(RuleShape, self._merged(), self._locate)
        problems = [problem for problem in problems if problem.place not in self._unreadable]
        problems += self._misplaced_defaults()
        if shape is None or problems or self._spoilt():
            return None, problems
        rule = _rule(shape, self._locate((), False).place, self._spans())
        found = [problem for check in RULE_CHECKS for problem in check(rule)]
        return (None if any(problem.severity == "error" for problem in found) else rule), found

    def _merged(self) -> dict[str, Any]:
        inherited = {key: value for key, value in self._defaults.items() if key not in NOT_BY_DEFAULT}
        return {**inherited, **self._raw}

    def _misplaced_defaults(self) -> list[Problem]:
        spans = (self._document.keys[("defaults", key)] for key in self._defaults if key in NOT_BY_DEFAULT)
        hint = "write it in the rule"
        return [span.problem("unknown-key", "this key belongs to one rule, not to defaults", hint) for span in spans]

    def _spoilt(self) -> bool:
        """Whether the text itself is wrong somewhere this rule reads."""
        return any(self._reads(path) for path, _ in self._document.problems)

    def _reads(self, path: Path) -> bool:
        if path[:1] == ("defaults",):
            return len(path) < 2 or path[1] not in self._raw
        return path[:2] == self._at

    def _locate(self, path: Path, at_key: bool) -> Span:
        root = self._root(path)
        key = self._document.keys.get((*root, *path)) if at_key else None
        return key or self._document.value((*root, *path)) or Span(Place(self._file))

    def _root(self, path: Path) -> Path:
        inherited = bool(path) and path[0] not in self._raw and path[0] in self._defaults
        return ("defaults",) if inherited else self._at

    def _spans(self) -> WrittenAt:
        inherited: list[tuple[str, str | int]] = [
            ("defaults", name) for name in self._defaults if name not in self._raw
        ]
        return WrittenAt(self._document, (self._at, *inherited))


def _rule(shape: RuleShape, place: Place, spans: Mapping[str, Span]) -> Rule:
    schedule = shape.schedule or shape.time_bucket
    return Rule(
        name=shape.name,
        source=SourceRef(shape.source[0], shape.source[1:], shape.query),
        timestamp=Timestamp(shape.timestamp.column, shape.timestamp.timezone),
        dimensions=shape.dimensions,
        place=place,
        metrics=shape.metrics,
        arrived_at=Timestamp(shape.arrived_at.column, shape.arrived_at.timezone) if shape.arrived_at else None,
        where=shape.where,
        was=shape.was,
        description=shape.description,
        mode=shape.mode,
        depth=shape.depth,
        time_bucket=shape.time_bucket,
        schedule=schedule,
        detection_delay=shape.detection_delay,
        timezone=shape.timezone,
        slices=_slice_policy(shape),
        lookback=shape.baseline.lookback or (LOOKBACK_OF_DAYS if shape.time_bucket >= DAY else LOOKBACK),
        exclude=tuple(_interval(start, end, shape.timezone) for start, end in shape.baseline.exclude),
        holidays=shape.baseline.holidays,
        common_mode=shape.baseline.common_mode,
        events_file=shape.baseline.events,
        detector=shape.detector,
        false_incidents_per_week=shape.sensitivity,
        direction=shape.direction,
        min_change=shape.min_change,
        min_loss=shape.min_loss,
        for_=_evaluations(shape.for_, schedule),
        keep_firing_for=_evaluations(shape.keep_firing_for, schedule),
        severity=shape.severity,
        repeat_interval=shape.repeat_interval,
        escalate=escalations(shape.escalate),
        mute=mutes(shape.mute),
        inhibited_by=tuple(dict.fromkeys(shape.inhibited_by)),
        labels=tuple(shape.labels.items()),
        owner=shape.owner,
        notify=shape.notify,
        runbook_url=shape.runbook_url,
        known=known_incidents(shape.known, shape.dimensions, shape.timezone),
        tests=rule_tests(shape.tests, shape.dimensions, shape.timezone),
        spans=spans,
    )


def _evaluations(value: int | timedelta, schedule: timedelta) -> int:
    """A duration as the evaluations that fill it."""
    return value if isinstance(value, int) else math.ceil(value / schedule)


def _slice_policy(shape: RuleShape) -> SlicePolicy:
    order = {name: position for position, name in enumerate(shape.dimensions)}
    last = len(order)
    expected = sorted(shape.slices.expected.items(), key=lambda item: order.get(item[0], last))
    ignored = tuple(_in_order(terms, order) for terms in shape.slices.ignore)
    return SlicePolicy(shape.slices.max, tuple(expected), ignored, shape.slices.new)


def _in_order(terms: Mapping[str, str | None], order: Mapping[str, int]) -> Slice:
    return Slice.of(sorted(terms.items(), key=lambda term: order.get(term[0], len(order))))


def _interval(start: datetime, end: datetime, timezone: str) -> Interval:
    return Interval(_utc(start, timezone), _utc(end, timezone))


def _utc(moment: datetime, timezone: str) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
    return aware.astimezone(UTC)
