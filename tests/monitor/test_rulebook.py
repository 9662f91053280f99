"""Which files a daemon watches."""

import os
from pathlib import Path

from monitor.rulebook import Rulebook
from monitor.settings import parse_settings

TOML = """\
rules = ["rules/*.yaml"]

[sources.lake]
kind = "duckdb"
tables.playback = "*.csv"
"""

RULES = """\
extends: ../shared.yaml
rules:
  - name: playback_volume
    source: lake.playback
    timestamp: at
    dimensions: [device]
"""


def written(path: Path, text: str, at: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_a_change_of_shared_defaults_is_a_change_of_the_rules(tmp_path):
    """Once it stands still; and nothing has changed right after the rules were read, also while the file is broken."""
    written(tmp_path / "rules/a.yaml", RULES, 1)
    written(tmp_path / "shared.yaml", "defaults: {owner: recs}\n", 1)
    book = Rulebook(parse_settings(TOML, "slicewatch.toml", tmp_path, {}))
    assert [rule.owner for rule in book.read().rules] == ["recs"]
    assert (book.changed(), book.changed()) == (False, False)
    written(tmp_path / "shared.yaml", "defaults: {depth: 9}\n", 2)
    assert (book.changed(), book.changed()) == (False, True)
    assert [rule.owner for rule in book.read().rules] == ["recs"]
    assert (book.changed(), book.changed()) == (False, False)
    written(tmp_path / "shared.yaml", "defaults: {owner: ads}\n", 3)
    assert (book.changed(), book.changed()) == (False, True)
    assert [rule.owner for rule in book.read().rules] == ["ads"]
