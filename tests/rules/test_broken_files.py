"""Every kind of mistake in a rule file, with the exact message that answers it."""

from pathlib import Path

import pytest

from rules.load import load_rules

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_broken_file_is_answered_with_its_message(file):
    """The message beside the file is what `check` prints; a rule with an error is not run, one with a warning is."""
    found = load_rules([file])
    rendered = "\n".join(problem.render() for problem in found.problems) + "\n"
    assert rendered.replace(f"{BROKEN.as_posix()}/", "") == file.with_suffix(".expected").read_text(encoding="utf-8")
    assert found.problems
    warned = all(problem.severity == "warning" for problem in found.problems) and file.stem != "empty_file"
    runs = warned or file.stem == "rule_not_a_mapping"
    assert [rule.name for rule in found.rules[:1]] == (["playback_volume"] if runs else [])


def test_each_file_has_its_message_and_each_message_its_file():
    """No pair is left half, and the corpus stays large."""
    assert {file.stem for file in FILES} == {file.stem for file in BROKEN.glob("*.expected")}
    assert len(FILES) >= 90
