"""JUnit XML, as CI systems read it: suites of cases, each of which passed, failed, or could not be run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One case. With `error` it could not be run, with `failure` it failed; `details` says more of either."""

    suite: str
    name: str
    file: str
    line: int = 0
    failure: str | None = None
    error: str | None = None
    details: str = ""
    note: str = ""
    """What is told of a case that passed."""


def junit_xml(cases: Sequence[Case]) -> str:
    """Cases that stand together and have one suite are one suite."""
    suites = Element("testsuites", name="slicewatch")
    for name, group in groupby(cases, key=lambda case: case.suite):
        part = list(group)
        counts = (len(part), sum(map(_failed, part)), sum(case.error is not None for case in part))
        tests, failures, errors = map(str, counts)
        suite = SubElement(suites, "testsuite", name=_text(name), tests=tests, failures=failures, errors=errors)
        for case in part:
            _add(suite, case)
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _failed(case: Case) -> bool:
    return case.failure is not None and case.error is None


def _add(suite: Element, case: Case) -> None:
    element = SubElement(suite, "testcase", classname=_text(case.suite), name=_text(case.name), file=_text(case.file))
    if case.line:
        element.set("line", str(case.line))
    if case.error is not None:
        SubElement(element, "error", message=_text(case.error)).text = _text(case.details) or None
    elif case.failure is not None:
        SubElement(element, "failure", message=_text(case.failure)).text = _text(case.details) or None
    elif case.note:
        SubElement(element, "system-out").text = _text(case.note)


def _text(text: str) -> str:
    """Without the characters that no XML may hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
