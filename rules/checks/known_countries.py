"""Holidays are those of countries that have a calendar, or of a dimension of the rule."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.vocabulary import did_you_mean

HINT = "write ISO 3166 codes: NO, SE, US-CA"


def known_countries(rule: Rule) -> Iterator[Problem]:
    """Codes that no calendar has, and a dimension that the rule does not slice by."""
    by = rule.holidays.by
    if by is not None and by not in rule.dimensions:
        message = f"'{by}' is not a dimension of {rule.name}"
        yield rule.span("baseline.holidays.by").problem("unknown-dimension", message, did_you_mean(by, rule.dimensions))
    for index, code in enumerate(rule.holidays.countries):
        known = _calendars()
        country, _, subdivision = code.partition("-")
        if country not in known or (subdivision and subdivision not in known[country]):
            message = f"there is no calendar of holidays for '{code}'"
            yield rule.span(f"baseline.holidays.{index}").problem("unknown-country", message, HINT)


def _calendars() -> dict[str, list[str]]:
    """Countries, and the subdivisions of each."""
    import holidays  # noqa: PLC0415  half a second, only for rules that name countries

    return holidays.list_supported_countries()
