"""The JSON Schema of rule files: made from the model, and tried in the language server that editors use."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.check import HEAD
from benchmarks.check import RULE as EVERY_KEY
from monitor.commands.schema import schema
from rules.explain import key_doc, key_names
from rules.json_schema import json_schema
from rules.schema import FileShape, RuleShape, SlicesShape
from tests.editor import editor

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("rules/*.yaml"))
RULE = "rules:\n  - name: playback\n    source: lake.t\n    timestamp: at\n    dimensions: [device]\n"


def test_every_key_has_the_words_of_the_reference():
    """Of the file, of a rule, and of a mapping within it; no kind of value is without a form."""
    found = json_schema()
    rule = found["definitions"]["rule"]["properties"]
    for model, shown in (
        (FileShape, found["properties"]),
        (RuleShape, rule),
        (SlicesShape, rule["slices"]["properties"]),
    ):
        assert list(shown) == key_names(model)
        assert [value["description"] for value in shown.values()] == [key_doc(model, key).meaning for key in shown]
    assert rule["mode"]["enum"] == ["live", "shadow"]


def test_defaults_hold_no_key_of_one_rule():
    """`name` is offered in a rule and not in `defaults`, where nothing is required."""
    defaults = json_schema()["definitions"]["defaults"]
    assert "name" not in defaults["properties"]
    assert defaults["required"] == []


def test_the_command_writes_it(tmp_path):
    """To a file, with the folders on its way; a file that cannot be written is exit code 2."""
    path = tmp_path / ".slicewatch" / "rules.schema.json"
    assert CliRunner().invoke(schema, ["--output", str(path)]).exit_code == 0
    assert json.loads(path.read_text()) == json_schema()
    assert CliRunner().invoke(schema, ["--output", str(path / "x")]).exit_code == 2


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """An editor, and a function that opens a text in it as a file that names the schema."""
    folder = tmp_path_factory.mktemp("editor")
    (folder / "rules.schema.json").write_text(json.dumps(json_schema()))
    with editor(folder) as client:

        def show(name, text):
            path = folder / name
            path.write_text(f"# yaml-language-server: $schema=rules.schema.json\n{text}")
            return path, client.open(path)

        show.client = client
        yield show


@pytest.mark.xdist_group("editor")
@pytest.mark.timeout(120)
def test_an_editor_finds_nothing_in_good_files_and_tells_mistakes(shown):
    """The examples are clean; an unknown key, a wrong word and a wrong type are told."""
    for number, text in enumerate(
        [*(file.read_text() for file in EXAMPLES), HEAD + EVERY_KEY.format(n=1, other="[a]")]
    ):
        assert shown(f"good{number}.yaml", text)[1] == []
    _, told = shown("bad.yaml", RULE + "    modee: live\n    mode: lve\n    depth: 7\n    slices: {max: many}\n")
    assert len(told) == 4
    assert any("modee" in message for message in told)


@pytest.mark.xdist_group("editor")
@pytest.mark.timeout(120)
def test_an_editor_offers_keys_and_words(shown):
    """Below a rule its keys with their meaning, after `severity:` its words."""
    path, _ = shown("new.yaml", RULE + "    sev\n")
    offered = shown.client.complete(path, 6, 7)
    assert "How loud its incidents are." in offered["severity"]
    path, _ = shown("word.yaml", RULE + "    severity: \n")
    assert {"info", "warning", "critical"} <= set(shown.client.complete(path, 6, 14))
