"""`slicewatch show`: what holds for a rule, and where it comes from."""

import json

import pytest
from click.testing import CliRunner

from monitor.commands.show import show
from rules.load import read_rules
from rules.resolved import resolved

TOML = """\
rules = ["rules/*.yaml"]

[defaults]
min_loss = 50
baseline.exclude = [2026-11-01]

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
    severity: critical
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command, in a folder with settings, shared defaults and a rule."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "slicewatch.toml").write_text(TOML)
    (tmp_path / "shared.yaml").write_text("defaults:\n  owner: recs\n")
    (tmp_path / "rules/a.yaml").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(show, words)


def test_each_value_stands_beside_its_file_and_line(run):
    """Of the rule, the shared file, the operators' file, and built in."""
    lines = run("playback_volume", "--resolved").output.splitlines()
    told = dict(line.strip(" -").rsplit("  # ", 1) for line in lines if "#" in line)
    told = {key.strip(): origin for key, origin in told.items()}
    assert told["severity: critical"] == "rules/a.yaml:7"
    assert told["owner: recs"] == "shared.yaml:2"
    assert told["min_loss: 50"] == "slicewatch.toml:4"
    assert told["exclude: [2026-11-01]"] == "slicewatch.toml:5"
    assert told["schedule: 1h"] == "built in"


def test_what_is_shown_is_a_rule_that_means_the_same(run, tmp_path):
    """Pasted into a file of its own it is the same rule, with nothing inherited."""
    pasted = tmp_path / "pasted.yaml"
    pasted.write_text("rules:\n" + run("playback_volume").output)
    (rule,) = read_rules(pasted).rules
    assert all(setting.place and setting.place.file == pasted.as_posix() for setting in resolved(rule))
    assert (rule.owner, rule.min_loss, len(rule.exclude)) == ("recs", 50, 1)


def test_json_has_files_and_lines(run):
    """Null where a value is built in."""
    values = {value["key"]: value for value in json.loads(run("playback_volume", "--json").output)["values"]}
    assert values["owner"] == {"key": "owner", "value": "recs", "file": "shared.yaml", "line": 2}
    assert values["slices.max"] == {"key": "slices.max", "value": 20000, "file": None, "line": None}


def test_a_rule_that_is_not_there_is_a_usage_error(run):
    """With the name that was meant."""
    found = run("playback_volum")
    assert (found.exit_code, "did you mean 'playback_volume'?" in found.output) == (2, True)


def test_a_mistake_in_the_operators_defaults_is_told_at_its_place(run, tmp_path):
    """It is no mistake of every rule."""
    (tmp_path / "slicewatch.toml").write_text(TOML.replace("min_loss = 50", "min_los = 50"))
    found = run("playback_volume")
    assert found.exit_code == 2
    assert found.output.startswith("slicewatch.toml:4:1: error[unknown-key]: 'min_los' is not a key of a rule")
