"""`extends:` of a rule file: defaults that several files share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os.path import normpath
from pathlib import Path

from rules.document import Document
from rules.parse import defaults_problems, layer_of, ordered, shaped
from rules.problem import Problem
from rules.schema import SharedShape, is_yaml_name
from rules.text import read_text
from rules.written import Layer
from rules.yaml_text import read_yaml


@dataclass(frozen=True)
class Shared:
    """What a rule file extends. A layer that is wholly spoilt keeps every rule over it from running."""

    layers: tuple[Layer, ...] = ()
    problems: tuple[Problem, ...] = ()
    reads: tuple[str, ...] = ()
    """The file's name as it was written."""


def read_extended(document: Document, path: Path, within: tuple[Path, ...] = ()) -> Shared:
    """Read the file that a rule file (with its path) names at its top; nothing where it names none.

    One outside of the folders `within` is not opened.
    """
    top = layer_of(document, path.as_posix())
    name = top.data.get("extends")
    if "extends" not in top.data:
        return Shared()
    if not is_yaml_name(name):
        return Shared((_unknown(),))  # the shape of the file tells why
    name = str(name)
    text = read_text(path.parent / name, within)
    if isinstance(text, Problem):
        hint = "name a file of defaults, from this file's folder"
        problem = top.locate(("extends",), False).problem(text.code, f"{name}: {text.message}", text.hint or hint)
        return Shared((_unknown(problem),), (problem,), (name,))
    file = Path(normpath(path.parent / name)).as_posix()  # `rules/../defaults.yaml` is shown without its detour
    return _shared(read_yaml(text, file), file, name)


def _unknown(*problems: Problem) -> Layer:
    """Defaults of which nobody knows what they say: no rule over them runs."""
    return Layer(is_unknown=True, problems=tuple(((), problem) for problem in problems))


def _shared(document: Document, file: str, name: str) -> Shared:
    problems = [problem for _, problem in document.problems]
    if document.data is None and problems:
        return Shared((_unknown(*problems),), ordered(problems), (name,))
    layer = layer_of(document, file, "defaults")
    wrong = shaped(SharedShape, document.data or {}, layer_of(document, file).locate)[1]
    if wrong:
        layer = replace(layer, is_unknown=True)
    return Shared((layer,), ordered([*problems, *(wrong or defaults_problems(layer))]), (name,))
