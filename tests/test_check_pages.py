"""docs/checks/ has a page for each code that can be told, and each page says what the program says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.codes import CODES
from tests.check_pages import FOLDER, HEADINGS, PLACES, ROOT, index, page, parts, printed, problems_in

CODE_AT = {"problem": 0, "refusal": 0, "Problem": 1, "_wrong": 2}
"""Which argument is the code, by what is called."""


def raised() -> set[str]:
    """Every code that stands in a call of `rules/` or `monitor/`."""
    trees = [ast.parse(file.read_text()) for name in ("rules", "monitor") for file in (ROOT / name).rglob("*.py")]
    return {code for tree in trees for node in ast.walk(tree) for code in _codes(node)} | _elsewhere()


def _codes(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        at = CODE_AT.get(getattr(node.func, "attr", None) or getattr(node.func, "id", ""))
        yield from _texts(node.args[at]) if at is not None and len(node.args) > at else ()


def _texts(node: ast.AST) -> Iterator[str]:
    return (item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str))


def _elsewhere() -> set[str]:
    """The first words of what `_builtin` returns, and the codes by which refusals of sources are told."""
    explain, checks = (ast.parse((ROOT / name).read_text()) for name in ("rules/explain.py", "monitor/checks.py"))
    returned = [node.value for node in ast.walk(explain) if isinstance(node, ast.Return)]
    firsts = {next(_texts(value.elts[0])) for value in returned if isinstance(value, ast.Tuple)}
    named = {ast.unparse(node.targets[0]): node.value for node in ast.walk(checks) if isinstance(node, ast.Assign)}
    return firsts | set(ast.literal_eval(named["_CODES"]).values()) | {"refused"}


def test_each_code_has_its_page_and_each_page_its_code():
    """A check that is added without a page, or a page whose check is gone, fails here."""
    pages = {file.stem for file in FOLDER.glob("*.md")} - {"README"}
    assert raised() == set(CODES)
    assert pages == set(CODES)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_page_says_what_the_program_says(code):
    """Fixed headings, each with something below it; an example that shows the code; generated parts as they are now."""
    text = (FOLDER / f"{code.name}.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## (.*)$", text, re.MULTILINE)) == HEADINGS
    assert re.search(r"^## .*\n\n(## |\Z)", text, re.MULTILINE) is None
    assert f"[{code.name}]: " in text
    assert text == page(code, text), "write it anew with python -m tests.check_pages"


@pytest.mark.parametrize("place", sorted(PLACES.glob("*.txt")), ids=lambda place: place.stem)
def test_a_place_is_answered_as_it_says(place: Path):
    """What `check` prints for mistakes that take more than one rule file, line and caret included."""
    assert problems_in(printed(place)) == parts(place.read_text(encoding="utf-8"))[1]["expected"]
    assert place.stem in CODES


def test_the_index_lists_them_all():
    """In the order of the catalogue."""
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == index()
