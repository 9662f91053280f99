"""As much of PromQL as the example alerts are written in: parsed, and evaluated over one or two scrapes.

Selectors with `=` and `=~`, numbers, `+ - * /`, comparisons that filter, `and`, `or`, `absent`, `time`, `increase` over
two scrapes, `sum by`. Anything else is a SyntaxError: an example that needs more needs more of this.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = float | Vector

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<op>==|!=|>=|<=|=~|[-+*/()<>{},=])"
    r"|(?P<text>\"[^\"]*\")|(?P<range>\[\d+[smhd]\]))"
)
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass
class Scrapes:
    """What was scraped: now, and before, for what grows."""

    now: float
    newest: Mapping[str, Vector]
    before: Mapping[str, Vector] = field(default_factory=dict)

    @classmethod
    def of(cls, now: float, newest: str, before: str = "") -> Scrapes:
        """From expositions."""
        return cls(now, _samples(newest), _samples(before))


def _samples(text: str) -> dict[str, Vector]:
    found: dict[str, Vector] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def evaluate(text: str, scrapes: Scrapes) -> Value:
    """The value of an expression: a number, or values by labels."""
    reader = _Reader(_tokens(text), scrapes)
    found = reader.either()
    if reader.tokens:
        raise SyntaxError(f"{reader.tokens[0]!r} is one too many in {text}")
    return found


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise SyntaxError(f"nothing is known of {text[at:]!r}")
        found.append(match[0].strip())
        at = match.end()
    return found


@dataclass
class _Reader:
    tokens: list[str]
    scrapes: Scrapes

    def take(self, *wanted: str) -> str:
        if not self.tokens or (wanted and self.tokens[0] not in wanted):
            raise SyntaxError(f"{wanted} is missing before {self.tokens[:3]}")
        return self.tokens.pop(0)

    def next(self, *wanted: str) -> bool:
        return bool(self.tokens) and self.tokens[0] in wanted

    def either(self) -> Value:
        left = self.both()
        while self.next("or"):
            self.take()
            right = self.both()
            assert isinstance(left, dict)
            assert isinstance(right, dict)
            left = right | left
        return left

    def both(self) -> Value:
        left = self.compared()
        while self.next("and"):
            self.take()
            right = self.compared()
            assert isinstance(left, dict)
            assert isinstance(right, dict)
            left = {labels: value for labels, value in left.items() if labels in right}
        return left

    def compared(self) -> Value:
        left = self.sum()
        if not self.next(*COMPARE):
            return left
        compare, right = COMPARE[self.take()], self.sum()
        assert isinstance(left, dict), "a comparison of two numbers alarms never or always"
        if isinstance(right, dict):
            return {k: v for k, v in left.items() if k in right and compare(v, right[k])}
        return {k: v for k, v in left.items() if compare(v, right)}

    def sum(self) -> Value:
        return self._chain(("+", "-"), self.product)

    def product(self) -> Value:
        return self._chain(("*", "/"), self.one)

    def _chain(self, known: tuple[str, ...], part: Callable[[], Value]) -> Value:
        left = part()
        while self.next(*known):
            left = _combined(ARITHMETIC[self.take()], left, part())
        return left

    def one(self) -> Value:
        token = self.take()
        if token == "(":
            found = self.either()
            self.take(")")
            return found
        if token[0].isdigit():
            return float(token)
        if token == "sum":
            return self._sum_by()
        if self.next("("):
            return self._call(token)
        return self._selected(token, self.scrapes.newest)

    def _call(self, name: str) -> Value:
        self.take("(")
        if name == "time":
            self.take(")")
            return self.scrapes.now
        if name == "absent":
            inside = self.either()
            self.take(")")
            return {} if inside else {frozenset(): 1.0}
        if name == "increase":
            return self._increase()
        raise SyntaxError(f"{name} is no function that is known here")

    def _increase(self) -> Vector:
        metric, matchers = self.take(), self._matchers()
        if not re.fullmatch(r"\[\d+[smhd]\]", self.take()):
            raise SyntaxError("increase is over a range")
        self.take(")")
        newest = _matching(self.scrapes.newest.get(metric, {}), matchers)
        before = self.scrapes.before.get(metric, {})
        return {labels: value - before[labels] for labels, value in newest.items() if labels in before}

    def _sum_by(self) -> Vector:
        self.take("by")
        self.take("(")
        names = [self.take()]
        while self.next(","):
            self.take()
            names.append(self.take())
        self.take(")")
        self.take("(")
        inside = self.either()
        self.take(")")
        assert isinstance(inside, dict)
        found: Vector = {}
        for labels, value in inside.items():
            kept = frozenset((name, text) for name, text in labels if name in names)
            found[kept] = found.get(kept, 0.0) + value
        return found

    def _selected(self, metric: str, scraped: Mapping[str, Vector]) -> Vector:
        return _matching(scraped.get(metric, {}), self._matchers())

    def _matchers(self) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        if not self.next("{"):
            return found
        self.take()
        while not self.next("}"):
            found.append((self.take(), self.take("=", "=~"), self.take()[1:-1]))
            if self.next(","):
                self.take()
        self.take("}")
        return found


def _matching(found: Vector, matchers: list[tuple[str, str, str]]) -> Vector:
    def fits(labels: Labels) -> bool:
        given = dict(labels)
        return all(
            given.get(name, "") == text if how == "=" else re.fullmatch(text, given.get(name, ""))
            for name, how, text in matchers
        )

    return {labels: value for labels, value in found.items() if fits(labels)}


def _combined(how: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, dict) and isinstance(right, dict):
        return {labels: how(value, right[labels]) for labels, value in left.items() if labels in right}
    if isinstance(left, dict) and not isinstance(right, dict):
        return {labels: how(value, right) for labels, value in left.items()}
    if isinstance(right, dict) and not isinstance(left, dict):
        return {labels: how(left, value) for labels, value in right.items()}
    assert not isinstance(left, dict)
    assert not isinstance(right, dict)
    return how(left, right)
