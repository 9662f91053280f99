"""docs/cli.md and README say what the program does."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from alerts.notifiers.abilities import ABILITIES
from monitor import web_settings
from monitor.cli import COMMANDS, slicewatch
from monitor.replay import LINE
from monitor.selfwatch_settings import CanaryShape, HeartbeatShape, TracingShape
from monitor.settings import SOURCES, parse_settings
from rules.parse import parse_rules
from tests.documents import (
    BEGIN,
    CLI,
    OPENAPI,
    README,
    RECEIVERS,
    SELFWATCH,
    WEBHOOK,
    command_reference,
    openapi,
    receivers_page,
    selfwatch_page,
    webhook_schema,
)

PAGE = CLI.read_text(encoding="utf-8")


def test_the_page_holds_the_help_of_every_command():
    """An option that is added, renamed or explained otherwise shows here; `python -m tests.documents` writes it anew."""
    assert PAGE.partition(BEGIN)[2].strip() == command_reference()


def test_the_settings_of_sources_are_read_by_the_program():
    """Its page tells every key that a source of any kind has, and its example is one."""
    page = (CLI.parent / "sources.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    settings = parse_settings(f'rules = ["rules/*.yaml"]\n{block}', "slicewatch.toml", Path(), {})
    assert {source.kind for source in settings.sources} == {"duckdb", "sql"}
    told = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    keys = {key for shape in SOURCES.values() for key in shape.model_fields}
    assert told == keys - {"kind", "url", "tables"}


def test_the_page_of_receivers_says_what_each_can_do():
    """Its table is the program's; each kind has a section, whose settings the program reads."""
    page = RECEIVERS.read_text(encoding="utf-8")
    assert page == receivers_page()
    assert {f"`{kind}`" for kind in ABILITIES} <= set(re.findall(r"`[a-z-]+`", page))
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= len(ABILITIES) - 1
    for block in blocks:
        parse_settings(f'rules = ["rules/*.yaml"]\n{block}', "slicewatch.toml", Path(), {})


def test_the_page_of_self_monitoring_says_what_is_exposed():
    """Its table is the program's; its settings are read, every key stands there, and every example alert is explained."""
    page = SELFWATCH.read_text(encoding="utf-8")
    assert page == selfwatch_page()
    assert page.count("| `slicewatch_") > 40
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    head = 'rules = ["*.yaml"]\nfallback = "a"\n'
    receivers = '[receivers.a]\nkind = "console"\n[receivers.canary-channel]\nkind = "console"\n'
    found = [parse_settings(head + receivers + block, "slicewatch.toml", Path(), {}).selfwatch for block in blocks]
    assert [bool(f.heartbeat) + 2 * bool(f.canary) + 4 * bool(f.tracing) for f in found] == [1, 2, 4]
    for shape in (HeartbeatShape, CanaryShape, TracingShape):
        assert [key for key in shape.model_fields if not re.search(rf"\b{key}\b", page)] == []
    rules = (README.parent / "examples/prometheus/slicewatch.rules.yaml").read_text(encoding="utf-8")
    alerts = re.findall(r"alert: (\w+)", rules)
    assert re.findall(r"^\| `(Slicewatch\w+)` \|", page, re.MULTILINE) == alerts


def test_the_schema_of_the_webhook_is_published():
    """As the command prints it."""
    assert WEBHOOK.read_text(encoding="utf-8") == webhook_schema()


def test_the_description_of_the_api_is_published():
    """As any site serves it: what programs are made from changes in sight."""
    assert OPENAPI.read_text(encoding="utf-8") == openapi()


def test_the_settings_on_the_page_of_dashboards_are_read():
    """Each way in, as it is to be copied; every key of `[web]` and its tables stands there."""
    page = (CLI.parent / "dashboards.md").read_text(encoding="utf-8")
    blocks = [dedent(block) for block in re.findall(r"^ *```toml\n(.*?)```", page, re.DOTALL | re.MULTILINE)]
    ways = [
        parse_settings(f'rules = ["*.yaml"]\n{block}', "slicewatch.toml", Path(), {}).web.access for block in blocks
    ]
    assert ways == ["none", "oidc", "proxy"]
    shapes = [item for item in vars(web_settings).values() if isinstance(item, type) and issubclass(item, BaseModel)]
    keys = {key for shape in shapes for key in shape.model_fields}
    assert {"listen", "networks", "issuer", "viewer"} <= keys
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", page)] == []


def test_the_page_documents_the_keys_of_replay():
    """The table names the keys of a line in their order, and no others."""
    table = PAGE.partition("**`replay`**")[2].partition("**`demo`**")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [key for row in rows for key in re.findall(r"`(\w+)`", row)] == list(LINE)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_takes_config_and_json(command):
    """As README and the page promise."""
    found = slicewatch.get_command(None, command)
    options = {option for parameter in found.params for option in parameter.opts}
    assert {"--config", "--json"} <= options


def test_the_readme_lists_every_command():
    """The table of commands has each of them once."""
    rows = re.findall(r"^\| `([\w-]+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_the_readmes_commands_have_their_options():
    """Every option in a shell block of the README is one of the command it stands with."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.partition("#")[0].split() for block in blocks for line in block.splitlines()]
    used = [words for words in lines if words[:1] == ["slicewatch"]]
    assert len(used) >= 6
    for words in used:
        text = CliRunner().invoke(slicewatch, [words[1], "--help"]).output
        assert [word for word in words if word.startswith("--") and word not in text] == []


def test_the_readmes_rule_is_the_one_that_raised_the_alert():
    """The rule of the first screen is the demo's, but for who is told."""
    from monitor.demo.config import RULE

    (shown,) = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    mine, theirs = (parse_rules(text, "rules.yaml").rules[0] for text in (shown, RULE))
    for name in ("name", "source", "timestamp", "metrics", "dimensions", "severity", "time_bucket"):
        assert getattr(mine, name) == getattr(theirs, name), name
