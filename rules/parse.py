"""One rule file: text in, rules and problems out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
from rules.written import Layer, Locate, Written
from rules.yaml_text import read_yaml

LOOKBACK = timedelta(days=28)
LOOKBACK_OF_DAYS = timedelta(days=56)

NOT_BY_DEFAULT = frozenset({"name", "was", "known", "tests"})
"""Keys that belong to one rule and have no place in defaults."""


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
    reads: tuple[str, ...] = ()
    """Other files that were read for it, named from its own folder."""


def parse_rules(text: str, file: str, below: Sequence[Layer] = ()) -> RuleFile:
    """Read the text of a rule file; `file` is the name that places are given with. Never raises.

    `below` are the defaults that hold where the file says nothing, the nearest first. What the file `extends` is not
    read here: see `rules.load`.
    """
    return rules_of(read_yaml(text, file), text, file, below)


def rules_of(document: Document, text: str, file: str, below: Sequence[Layer] = ()) -> RuleFile:
    """As `parse_rules`, of a text that was read."""
    spoilt = [problem for _, problem in document.problems]
    if document.data is None:
        return RuleFile(file, (), tuple(spoilt) or (_empty(file),))
    problems = spoilt + shaped(FileShape, document.data, layer_of(document, file).locate)[1]
    if any(problem.code == "bad-version" for problem in problems):
        return RuleFile(file, (), ordered(problems))
    rules: list[Rule] = []
    for index, raw in enumerate(_rule_list(document)):
        own = layer_of(document, file, "rules", index)
        of_tables, found = _read_rule(raw, own, (layer_of(document, file, "defaults"), *below))
        rules += of_tables
        problems += found
    return RuleFile(
        file,
        tuple(rules),
        ordered(problems),
        names=_names(document),
        suppressions=suppressions(text, file, _starts(document)),
    )


def _starts(document: Document) -> list[int]:
    """The lines in which rules begin."""
    spans = (document.value(("rules", index)) for index in range(len(_rule_list(document))))
    return [span.place.line for span in spans if span is not None]


def defaults_problems(layer: Layer) -> list[Problem]:
    """What is wrong with defaults by themselves, before any rule inherits them."""
    needed = {"name": "a", "source": "a.b", "timestamp": "a", "dimensions": ["a"]}
    data = {key: value for key, value in layer.data.items() if key not in NOT_BY_DEFAULT}
    return [*_misplaced([layer]), *shaped(RuleShape, {**needed, **data}, layer.locate)[1]]


def layer_of(document: Document, file: str, *root: str | int) -> Layer:
    """The mapping at `root` of a document, with its places; empty where there is none."""
    data: Any = document.data
    for part in root:
        data = data[part] if isinstance(part, int) or (isinstance(data, dict) and part in data) else None

    def locate(path: Path, at_key: bool) -> Span:
        key = document.keys.get((*root, *path)) if at_key else None
        return key or document.value((*root, *path)) or Span(Place(file))

    depth = len(root)
    problems = tuple((path[depth:], found) for path, found in document.problems if path[:depth] == root[: len(path)])
    return Layer(data if isinstance(data, dict) else {}, locate, problems)


def shaped(model: type[BaseModel], data: object, locate: Locate) -> tuple[Any, list[Problem]]:
    """The data in a model's shape, or None with what is wrong."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, explain(error, model, locate)


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, in the order of the file."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.place, problem.code)))


def _empty(file: str) -> Problem:
    return Problem(Place(file), "empty", "the file holds no rules", "begin with 'rules:'", severity="warning")


def _rule_list(document: Document) -> list[Any]:
    rules = document.data.get("rules") if isinstance(document.data, dict) else None
    return rules if isinstance(rules, list) else []


def _names(document: Document) -> tuple[str, ...]:
    names = (raw.get("name") for raw in _rule_list(document) if isinstance(raw, dict))
    return tuple(name for name in names if isinstance(name, str))


def _read_rule(raw: object, own: Layer, below: Sequence[Layer]) -> tuple[list[Rule], list[Problem]]:
    """A rule over the defaults that hold for it, the nearest first: one for each of its tables."""
    if not isinstance(raw, dict):
        return [], [own.locate((), False).problem("wrong-type", "a rule is a mapping", "write '- name: ...'")]
    written = Written((own, *map(_inheritable, below)))
    shape, problems = shaped(RuleShape, written.data, written.locate)
    unreadable = {problem.place for layer in (own, *below) for _, problem in layer.problems}
    problems = [problem for problem in problems if problem.place not in unreadable]
    problems += _misplaced(below)
    if shape is None or problems or _spoilt(own, below):
        return [], problems
    rules = [
        _rule(shape, own.locate((), False).place, written if table is None else _of_table(written, index), parts)
        for index, (table, parts) in enumerate(shape.source)
    ]
    # A mistake of all its tables says the same of each, and is told once: they have their own names only then.
    found = list(dict.fromkeys(problem for rule in rules for check in RULE_CHECKS for problem in check(rule)))
    if any(problem.severity == "error" for problem in found):
        return [], found
    return [_named(rule, table) for rule, (table, _) in zip(rules, shape.source, strict=True)], found


def _named(rule: Rule, table: str | None) -> Rule:
    """A rule of several tables by a name of its own; what it was, it was for this table."""
    if table is None:
        return rule
    return replace(rule, name=f"{rule.name}@{table}", was=None if rule.was is None else f"{rule.was}@{table}")


def _of_table(written: Written, index: int) -> Written:
    """The rule as if it named this one of its tables alone."""
    own, *below = written.layers

    def locate(path: Path, at_key: bool) -> Span:
        if path[:1] == ("source",):
            return written.locate(("source", index), False)
        return own.locate(path, at_key)

    data = {**own.data, "source": written.data["source"][index]}
    return Written((replace(own, data=data, locate=locate), *below))


def _inheritable(layer: Layer) -> Layer:
    return replace(layer, data={key: value for key, value in layer.data.items() if key not in NOT_BY_DEFAULT})


def _misplaced(below: Iterable[Layer]) -> list[Problem]:
    spans = [layer.locate((key,), True) for layer in below for key in layer.data if key in NOT_BY_DEFAULT]
    hint = "write it in the rule"
    return [span.problem("unknown-key", "this key belongs to one rule, not to defaults", hint) for span in spans]


def _spoilt(own: Layer, below: Sequence[Layer]) -> bool:
    """Whether a text is wrong somewhere this rule reads."""
    taken: dict[str, Any] = dict(own.data)
    for layer in below:
        if layer.is_spoilt(taken):
            return True
        taken |= layer.data
    return own.is_spoilt({})


def _rule(shape: RuleShape, place: Place, written: Written, source: tuple[str, ...]) -> Rule:
    return Rule(
        name=shape.name,
        source=SourceRef(source[0], source[1:], shape.query),
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
        schedule=shape.schedule or shape.time_bucket,
        detection_delay=shape.detection_delay,
        timezone=shape.timezone,
        max_scan=shape.max_scan,
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
        for_=_evaluations(shape.for_, shape.time_bucket),
        keep_firing_for=_evaluations(shape.keep_firing_for, shape.time_bucket),
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
        written=written,
    )


def _evaluations(value: int | timedelta, bucket: timedelta) -> int:
    """A duration as the buckets that fill it: each is judged once, however many a schedule judges together."""
    return value if isinstance(value, int) else math.ceil(value / bucket)


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
