"""The quick reader of YAML and the careful one say the same, or the quick one leaves the text to the other."""

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from rules.yaml_events import NotPlainError, read_plainly
from rules.yaml_nodes import read_carefully

ROOT = Path(__file__).parents[2]
CORPUS = [
    file.read_text(encoding="utf-8")
    for folder in ("tests/rules/broken", "examples")
    for file in sorted((ROOT / folder).rglob("*.yaml"))
]
SHORT = [text for text in CORPUS if len(text) < 400]
SCRAPS = [
    *"[]{}:,-?&*!|>'\"%@`#\n\t ~\\.é=",
    *("<<: ", "&a ", "---\n", "...\n", "0x1f", "1_0", ".inf", "? ", ": ", "- ", "\n  ", "\r\n", "|-\n ", ">+\n", " #c"),
    *("http://x:1", "\N{GRINNING FACE}", "\\u00e9", "null", "1e3", "+1", "0o7", "012", "NO", "10:30", "2026-11-01"),
]
WORDS = [
    "NO",
    "on",
    "~",
    "012",
    "0o14",
    "1_000",
    "1e3",
    ".5",
    "-.inf",
    "0x1F",
    "10:30",
    "2026-11-01",
    "a: b",
    "- a",
    "#",
    "=",
    "",
]
scalars = st.one_of(
    st.sampled_from(WORDS), st.text(st.characters(codec="utf-8"), max_size=12), st.integers(), st.booleans(), st.none()
)
data = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from([*WORDS, "values", "given"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def read_twice(text):
    """Whether the quick reader took the text; what both say of it is equal, key by key and place by place."""
    try:
        quick = read_plainly(text, "f.yaml")
    except NotPlainError:
        return False
    careful = read_carefully(text, "f.yaml")
    assert careful.problems == ()
    assert repr(quick.data) == repr(careful.data)  # 1 is not 1.0 here, and NaN is NaN
    assert dict(quick.keys) == dict(careful.keys)
    assert dict(quick.values) == dict(careful.values)
    return True


def test_rule_files_are_read_quickly_and_as_with_care():
    """All rule files of the corpus and the examples; most of them need no second look."""
    taken = sum(map(read_twice, CORPUS))
    assert taken / len(CORPUS) > 0.9


@given(data, st.booleans(), st.sampled_from([20, 80]))
def test_written_data_is_read_the_same(written, flow, width):
    """Block and flow style, quoted where a dumper quotes, folded over lines."""
    read_twice(yaml.safe_dump(written, default_flow_style=flow, width=width, allow_unicode=True))


@given(st.sampled_from(SHORT), st.data())
def test_a_mutilated_file_is_read_the_same(text, data):
    """Pieces cut out and scraps of YAML put in: the quick reader takes nothing that the careful one refuses."""
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(SCRAPS)) + text[at + data.draw(st.integers(0, 5)) :]
    read_twice(text)


def test_a_folded_text_is_its_words():
    """`>` joins lines by a space and by nothing else."""
    for read in (read_plainly, read_carefully):
        assert read("a: >-\n  one\n  two\n", "f.yaml").data == {"a": "one two"}
