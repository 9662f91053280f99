"""Every kind of mistake in a rule file, with the exact message that answers it."""

from pathlib import Path

import pytest

from rules.load import load_rules

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))
RUN_ALL_THE_SAME = {
    "rule_not_a_mapping": ["playback_volume"],
    "was_a_rule": ["playback_volume", "playback"],
    "was_itself": ["playback_volume"],
    "was_twice": ["playback_volume", "playback"],
    "inhibited_by_unknown": ["playback_volume", "ingest"],
    "inhibited_by_itself": ["playback_volume"],
    "inhibited_by_cycle": ["playback_volume", "ingest", "labels"],
}
"""Rules that are sound, or whose mistake is left out of them."""


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_broken_file_is_answered_with_its_message(file):
    """The message beside the file is what `check` prints; a rule with an error is not run, one with a warning is."""
    found = load_rules([file])
    rendered = "\n".join(problem.render() for problem in found.problems) + "\n"
    assert rendered.replace(f"{BROKEN.as_posix()}/", "") == file.with_suffix(".expected").read_text(encoding="utf-8")
    assert found.problems
    warned = all(problem.severity == "warning" for problem in found.problems) and file.stem != "empty_file"
    run = RUN_ALL_THE_SAME.get(file.stem, ["playback_volume"] if warned else [])
    assert [rule.name for rule in found.rules][: len(run) or None] == run


def test_each_file_has_its_message_and_each_message_its_file():
    """No pair is left half, and the corpus stays large."""
    assert {file.stem for file in FILES} == {file.stem for file in BROKEN.glob("*.expected")}
    assert len(FILES) >= 90
