from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from monitor.checks import load_runnable
from monitor.settings import Settings, load_settings
from rules.parse import parse_rules

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("run", "dev")}
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)
EXAMPLES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*/slicewatch.toml"))
OWN = ("rules", "alerts", "dashboards", "monitor", "tests", "benchmarks", "docs", "examples", "requirements", ".ci")


TEXTS = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".expected", ".mako", ".service"}
NAMED = {"Makefile", "Containerfile", "LICENSE", ".dockerignore", ".gitignore", "run"}


def own_files() -> list[Path]:
    """Every text file of the project, wherever it was cloned to."""
    inside = [path for name in OWN for path in (ROOT / name).rglob("*") if "__pycache__" not in path.parts]
    return [path for path in [*ROOT.iterdir(), *inside] if path.suffix in TEXTS or path.name in NAMED]


def normal(requirement: str) -> str:
    """A requirement's name as lock files write it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=;! ]", requirement.strip(), maxsplit=1)[0]).lower()


def locked(lock: str) -> set[str]:
    return {normal(line) for line in LOCKS[lock].splitlines() if line and line[0].isalnum()}


def declared(*groups: str) -> set[str]:
    listed = [item for group in groups for item in PYPROJECT["dependency-groups"][group]]
    return {normal(item) for item in [*PYPROJECT["project"]["dependencies"], *listed] if isinstance(item, str)}


def test_locks_hold_what_is_declared():
    """Each lock holds every declared requirement, and the development lock all that runs, in the same versions."""
    assert declared("build") <= locked("run")
    assert declared("build", "dev") <= locked("dev")
    for extra in PYPROJECT["project"]["optional-dependencies"].values():
        assert {normal(item) for item in extra} <= locked("dev")
    pins = [set(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?(==[\w.+!-]+)", text, re.MULTILINE)) for text in LOCKS.values()]
    assert pins[0] <= pins[1]


def test_locks_pin_the_extras_that_are_asked_for():
    """`coverage[toml]` asked for is `coverage[toml]==` pinned: older pips take the newest release of it otherwise."""
    pinned = {
        normal(name): set(filter(None, extras.split(",")))
        for name, extras in re.findall(r"^([\w.-]+)(?:\[([\w,-]+)\])?==", LOCKS["dev"], re.MULTILINE)
    }
    asked = [
        (normal(item.name), set(item.extras))
        for package in distributions()
        if normal(package.metadata["Name"]) in pinned
        for item in map(Requirement, package.requires or ())
        if item.extras and (item.marker is None or item.marker.evaluate({"extra": ""}))
    ]
    assert asked
    assert [(name, extras) for name, extras in asked if not extras <= pinned[name]] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_are_hashed(lock):
    """Every requirement is pinned to one version, with hashes and nothing else."""
    entries = re.split(r"\n(?=\S)", LOCKS[lock].strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"^[\w.-]+(\[[\w,-]+\])?==\S+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+$", entry), (
            entry[:80]
        )


def test_no_file_names_a_registry_or_a_machine():
    """No registry's host and no path of somebody's machine stands in any file."""
    banned = [
        "pypi" + ".org",
        "python" + "hosted.org",
        "--index" + "-url http",
        "/ho" + "me/",
        "/ro" + "ot/",
        "/wo" + "rk/",
    ]
    found = [(path.name, word) for path in own_files() for word in banned if word in path.read_text(errors="replace")]
    assert found == []


def test_the_two_commands_are_one():
    """README names `make demo` and `make test`, the Makefile has them, and CI runs the second."""
    readme, makefile, ci = ((ROOT / name).read_text() for name in ("README.md", "Makefile", ".ci/run"))
    for command in ("demo", "test"):
        assert re.search(rf"^make {command}\b", readme, re.MULTILINE)
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
    assert ci.rstrip().endswith("\nmake test")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_make_help_names_every_target():
    """`make` alone lists what there is."""
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    helped = set(re.findall(r'@echo "make (\w+)', makefile))
    assert helped == set(phony.split()) - {"help"}


def test_a_machine_without_python_is_told_so(tmp_path):
    """Without Python 3.11 or later `make` says what is missing and how to name one."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    run = subprocess.run([make, "test"], cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "No Python 3.11 or later" in run.stderr
    assert "make PYTHON=" in run.stderr


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    """Every relative link of a document names a file that exists."""
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    links = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:|#", target)]
    missing = [target for target in links if not ((ROOT / document).parent / target.partition("#")[0]).exists()]
    assert missing == []


def test_contributing_names_what_exists():
    """Every path CONTRIBUTING writes without a placeholder exists, so a newcomer finds each place."""
    words = re.findall(r"`([\w.-]+/[\w./-]*)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(words) > 10
    assert [word for word in words if not (ROOT / word).exists()] == []


def test_decisions_are_numbered_and_shaped_alike():
    """Records count up without a gap, are listed, and have the three headings."""
    folder = ROOT / "docs" / "decisions"
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert [int(path.name[:4]) for path in records] == list(range(len(records)))
    index = (folder / "README.md").read_text()
    for path in records:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]}: ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert f"({path.name})" in index


def test_changelog_knows_the_version():
    """The newest released entry is the version in pyproject, unless nothing was released yet."""
    entries = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert entries[0] == "Unreleased"
    assert entries[1:2] in ([], [PYPROJECT["project"]["version"]])


def sound_example(config: str) -> Settings:
    settings = load_settings(ROOT / config, {})
    loaded = load_runnable(settings)
    assert [problem.render() for problem in loaded.problems] == []
    assert loaded.rules
    for rule in loaded.rules:
        assert settings.source(rule.source.source) is not None
        assert rule.notify or settings.fallback
        assert all(settings.receiver(name) for _, names in rule.notify for name in names)
    return settings


@pytest.mark.parametrize("config", EXAMPLES)
def test_examples_are_sound(config):
    """Each example's settings and rules are checked without a word, and name sources and receivers that exist."""
    settings = sound_example(config)
    listed = (ROOT / "examples" / "README.md").read_text()
    assert f"({settings.folder.name}/slicewatch.toml)" in listed


def test_readme_rule_is_sound():
    """The rule on README's first screen is complete and right."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    parsed = parse_rules(text, "README.md")
    assert parsed.problems == ()
    assert [rule.name for rule in parsed.rules] == ["playback_volume"]


def test_wheel_holds_the_four_packages(tmp_path):
    """The wheel holds the four typed packages with their data files, the command, and nothing else."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("slicewatch-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "slicewatch = monitor.cli:main" in archive.read(entry).decode()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"alerts", "dashboards", "monitor", "rules"}
    assert {f"{name}/py.typed" for name in ("alerts", "dashboards", "monitor", "rules")} <= set(names)
    assert "monitor/demo/lake.py" in names
    assert any(name.startswith("monitor/store/migrations/") for name in names)


def test_every_linter_exception_is_explained():
    """Each ignored lint in pyproject carries its reason."""
    section = (ROOT / "pyproject.toml").read_text().partition("\nignore = [\n")[2].partition("\n]")[0]
    lines = section.splitlines()
    assert len(lines) == len(PYPROJECT["tool"]["ruff"]["lint"]["ignore"])
    assert [line for line in lines if not re.search(r"# \w+ \w+", line)] == []


@pytest.mark.xdist_group("house")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="groups are of tests that run side by side")
def test_tests_of_a_group_share_a_worker(request: pytest.FixtureRequest):
    """What is set up for a group is set up once: the marks are known to whoever hands out the tests."""
    assert request.node.nodeid.endswith("@house")
