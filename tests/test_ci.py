"""The hook for pre-commit and the example workflow: what they run is what slicewatch has, and does what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli import slicewatch
from rules.formats import FORMATS
from rules.yaml_text import read_yaml
from tests.monitor.commands.place import PROGRAM, RULE, TOML, Place, events

ROOT = Path(__file__).resolve().parents[1]
SECRET = '\n[receivers.slack]\nkind = "slack"\nchannel = "#oncall"\ntoken = {env = "SLACK_BOT_TOKEN"}\n'


def yaml_of(name: str) -> Any:
    found = read_yaml((ROOT / name).read_text(encoding="utf-8"), name)
    assert found.problems == ()
    return found.data


(HOOK,) = yaml_of(".pre-commit-hooks.yaml")
STEPS = yaml_of("examples/ci/slicewatch.yml")["jobs"]["rules"]["steps"]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Place:
    """A repository of settings and a rule, with a receiver whose secret is not here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    place = Place(tmp_path)
    place.write("slicewatch.toml", TOML + SECRET)
    place.write("rules/playback.yaml", RULE + "    notify: [terminal, slack]\n")
    return place


def run(line: str) -> int:
    """The exit code of a command line, in this process."""
    name, *words = shlex.split(line)
    assert name == "slicewatch"
    return CliRunner().invoke(slicewatch, words).exit_code


def test_the_hook_has_what_pre_commit_asks_for():
    """Its keys, and files that are rules or settings."""
    assert {"id", "name", "entry", "language", "files"} <= set(HOOK)
    assert (HOOK["language"], HOOK["pass_filenames"]) == ("python", False)
    names = ["slicewatch.toml", "a/slicewatch.toml", "rules/playback.yaml", "x.yml", "README.md", "pyproject.toml"]
    assert [bool(re.search(HOOK["files"], name)) for name in names] == [True, True, True, True, False, False]


def test_the_hook_stops_a_commit_with_a_broken_rule_and_no_other(place):
    """Its entry as it is written, in the repository: fine without any secret, and 1 for a mistake."""
    assert run(HOOK["entry"]) == 0
    place.write("rules/playback.yaml", RULE.replace("dimensions", "dimension"))
    assert run(HOOK["entry"]) == 1


def test_the_hook_stops_a_real_commit(place):
    """As pre-commit runs it, by git: the commit is not made, and the message is shown."""
    subprocess.run(["git", "init", "-q", place.folder], check=True)
    hook = place.write(".git/hooks/pre-commit", f"#!/bin/sh\nexec {HOOK['entry']}\n")
    hook.chmod(0o755)
    place.write("rules/playback.yaml", RULE.replace("dimensions", "dimension"))
    env = {**os.environ, "PATH": f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["git", "add", "."], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    done = subprocess.run(["git", *author, "commit", "-qm", "x"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rules/playback.yaml:6:5: error[unknown-key]" in done.stdout + done.stderr


def test_the_workflows_commands_and_options_exist():
    """Each is read by the program itself; nothing is run."""
    text = "\n".join(SCRIPTS).replace("$(date", "DATE")
    lines = [shlex.split(line.partition(" > ")[0]) for line in text.splitlines() if line.startswith("slicewatch ")]
    assert [words[1] for words in lines] == ["check", "test", "backtest"]
    for _, name, *words in lines:
        dated = ["2026-03-01" if word.startswith("DATE") else word for word in words]
        command = slicewatch.get_command(None, name)
        assert command.make_context(name, dated).params


def test_the_workflow_fails_at_the_line_of_a_mistake(place):
    """The check as it is written prints annotations and fails."""
    (line,) = [script for script in SCRIPTS if script.startswith("slicewatch check")]
    assert run(line) == 0
    place.write("rules/playback.yaml", RULE.replace("dimensions", "dimension"))
    done = CliRunner().invoke(slicewatch, shlex.split(line)[1:])
    assert done.exit_code == 1
    assert "\n::error file=rules/playback.yaml,line=6,col=5,title=unknown-key::" in done.output


def test_the_page_names_every_form():
    """In its table, in the order of the option's help."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == ["text", *FORMATS]


@pytest.mark.soak
def test_the_workflows_scripts_run_as_they_are_written(place):
    """By bash, on a repository whose rule is changed against its base; only the installation is left out."""
    place.write_events(events(datetime.now(UTC).replace(minute=0, second=0, microsecond=0), days=45, lost=None))
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)
    place.write("rules/playback.yaml", RULE + "    notify: terminal\n    min_change: 30%\n")
    path = f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "BASE": "HEAD", "GITHUB_STEP_SUMMARY": "summary.md", "SLACK_BOT_TOKEN": "none"}
    for script in (script for script in SCRIPTS if "pipx" not in script):
        command = ["bash", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (place.folder / "backtest.html").stat().st_size > 1000
    assert "playback_volume" in (place.folder / "summary.md").read_text()
