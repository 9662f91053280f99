"""Rule files with something wrong, made from those of the corpus: by key and value, by line, by character, by byte.

    python -m tests.rules.fuzz [--cpu-minutes N] [--seed N]

prints what could not be answered; keep it as a file of `tests/rules/crashes/`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from rules.explain import key_names
from rules.parse import parse_rules
from rules.resolved import as_yaml, resolved
from rules.schema import BaselineShape, FileShape, RuleShape, SlicesShape
from rules.yaml_text import read_yaml

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
CRASHES = HERE / "crashes"
SCRAPS = [
    *"[]{}:,-?&*!|>'\"%@`#\n\t ~\\\r\0\x07\x85\u2028\ufeff\ud800",
    *(
        "<<: ",
        "&a ",
        "*a",
        "!!int ",
        "!!set ",
        "!x ",
        "---\n",
        "...\n",
        "0x",
        ".inf",
        "-.nan",
        "? ",
        "- ",
        "|-\n ",
        ">+\n",
    ),
]
WORDS: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2.5,
        1e308,
        -0.0,
        float("inf"),
        float("nan"),
        10**40,
        "",
        " ",
        "~",
        "NO",
        "0",
        "1h",
        "28d",
    ),
    *(
        "99999w",
        "20%",
        "200%",
        "2026-11-01",
        "2026-11-03/2026-11-01",
        "9999-12-31",
        "0001-01-01/0001-01-02",
        "*/5 * * * *",
    ),
    *(
        "0 0 31 2 *",
        "count",
        "lake.t",
        "a.b.c.d",
        "..",
        "Europe/Oslo",
        "../../x",
        "x" * 300,
        "é\u0301",
        "\N{GRINNING FACE}",
        "a\nb",
    ),
    *(
        [],
        {},
        [[]],
        [None],
        {"": None},
        {"a": {"b": {"c": []}}},
        {"count": 1},
        {"sum": "n"},
        {"drop": {"device": "ios"}},
    ),
]
KEYS = sorted({key for model in (FileShape, RuleShape, SlicesShape, BaselineShape) for key in key_names(model)})


def corpus() -> list[str]:
    """The broken files, the good ones, and what could not be answered once."""
    files = [*(HERE / "broken").rglob("*.yaml"), *EXAMPLES.rglob("*.yaml"), *CRASHES.glob("*")]
    texts = (file.read_bytes().decode(errors="replace") for file in sorted(files))
    return [text for text in texts if len(text) < 20_000]


def answer(text: str) -> None:
    """Read a text as `check` does, and show all that is found. Raises what nobody should ever see."""
    found = parse_rules(text, "f.yaml")
    lines = text.count("\n") + text.count("\r") + sum(text.count(mark) for mark in "\x85\u2028\u2029") + 1
    for problem in found.problems:
        assert problem.place.file == "f.yaml"
        assert 0 <= problem.place.line <= lines
        assert problem.message
        assert problem.render()
    for rule in found.rules:
        for setting in resolved(rule):
            assert setting.place is None or 0 < setting.place.line <= lines
            as_yaml(setting.value)


def mutant(chance: random.Random, texts: list[str]) -> str:
    """One text of the corpus with one to four things done to it."""
    text = chance.choice(texts)
    for _ in range(chance.randint(1, 4)):
        text = chance.choice(_WAYS)(chance, text)
    return text


def _by_node(chance: random.Random, text: str) -> str:
    """A key or a value of the document is another one."""
    data = read_yaml(text, "f.yaml").data
    nodes = list(_containers(data))
    if not nodes:
        return text
    _change(chance, chance.choice(nodes), nodes)
    try:
        return yaml.safe_dump(
            data, default_flow_style=chance.choice([True, False, None]), allow_unicode=True, sort_keys=False
        )
    except (yaml.YAMLError, RecursionError):
        return text


def _containers(data: Any) -> Iterator[Any]:
    if isinstance(data, dict | list):
        yield data
        for inner in data.values() if isinstance(data, dict) else data:
            yield from _containers(inner)


def _change(chance: random.Random, node: Any, others: list[Any]) -> None:
    value = chance.choice([*WORDS[:12], chance.choice(WORDS), _copied(chance.choice(others))])
    if isinstance(node, list):
        at = chance.randint(0, len(node))
        node[at : at + chance.randint(0, 1)] = [value] * chance.randint(0, 2)
        return
    key = chance.choice([*node, *chance.sample(KEYS, 3)])
    if chance.random() < 0.3 and key in node:
        node[_mistyped(chance, key)] = node.pop(key)
    elif chance.random() < 0.2:
        node.pop(key, None)
    else:
        node[key] = value


def _copied(node: Any) -> Any:
    """A value of its own: one inside itself cannot be written."""
    if isinstance(node, dict):
        return {key: _copied(value) for key, value in node.items()}
    return [_copied(value) for value in node] if isinstance(node, list) else node


def _mistyped(chance: random.Random, word: str) -> str:
    at = chance.randint(0, len(word))
    return word[:at] + chance.choice(["", "x", "_", word[at : at + 1] * 2]) + word[at + 1 :]


def _by_line(chance: random.Random, text: str) -> str:
    """A line is indented otherwise, gone, doubled, or stands elsewhere."""
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    line = lines.pop(at)
    ways = [[], [line, line], [" " * chance.randint(1, 5) + line], [line.lstrip(" ")], [line[1:]], ["\t" + line]]
    lines[at:at] = chance.choice(ways)
    if chance.random() < 0.2:
        lines.insert(chance.randint(0, len(lines)), line)
    return "\n".join(lines)


def _by_character(chance: random.Random, text: str) -> str:
    """A scrap of YAML stands where something else stood."""
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(SCRAPS) + text[at + chance.choice([0, 0, 1, 3, 10]) :]


def _by_byte(chance: random.Random, text: str) -> str:
    """A byte is another one; what is no UTF-8 any more is told apart before a text is read."""
    data = bytearray(text.encode(errors="surrogatepass"))
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)
    return data.decode(errors="replace")


_WAYS: tuple[Callable[[random.Random, str], str], ...] = (_by_node, _by_node, _by_line, _by_character, _by_byte)


def hunt(cpu_seconds: float, seed: int) -> Iterator[tuple[str, str]]:
    """Texts that were not answered, each with its traceback, until so much CPU time of this process is spent."""
    chance, texts = random.Random(seed), corpus()
    until = time.process_time() + cpu_seconds
    while time.process_time() < until:
        text = mutant(chance, texts)
        try:
            answer(text)
        except Exception:  # noqa: BLE001  # whatever it is, it is what is hunted
            yield text, traceback.format_exc()


def main() -> None:
    """Hunt, and print each kind of accident once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu-minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    seen = set()
    for text, told in hunt(options.cpu_minutes * 60, options.seed):
        where = told.splitlines()[-3:]
        if str(where) not in seen:
            seen.add(str(where))
            sys.stdout.write(f"{told}\n{text!r}\n")
    sys.exit(bool(seen))


if __name__ == "__main__":
    main()
