"""Pages made from the program: docs/cli.md, docs/checks/, docs/openapi.json, the alert on README's first screen, what commands print on the demo.

`.venv/bin/python -m tests.documents` writes them anew; tests compare them with what the program prints.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tempfile
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import click
from click.testing import CliRunner

from alerts.notifiers.abilities import table
from dashboards.views.readings import Readings
from dashboards.web.access.doors import Loopback
from dashboards.web.pages.metrics import Read
from monitor.app import App
from monitor.cli import COMMANDS, slicewatch
from monitor.serving.wiring import web_app
from tests import check_pages
from tests.monitor.commands.place import PROGRAM

ROOT = Path(__file__).resolve().parents[1]
SHOWN = re.compile(r"```sh\n(slicewatch [^\n]*)\n```\n\n```text\n(.*?)```", re.DOTALL)
"""A command on a page, and what it prints on the demo's lake."""
PAGES = tuple(ROOT / "docs" / f"{name}.md" for name in ("backtest", "blindspots", "explain", "suggest"))
CLI, README = ROOT / "docs" / "cli.md", ROOT / "README.md"
BEGIN = "<!-- commands: made from the program by tests/documents.py; a test compares -->"
OPENAPI = ROOT / "docs" / "openapi.json"
RECEIVERS, WEBHOOK = ROOT / "docs" / "receivers.md", ROOT / "docs" / "webhook.schema.json"
ABILITIES = re.compile(
    r"(?<=<!-- abilities: made from the program by tests/documents.py; a test compares -->\n\n)(\|.*?\n)(?=\n)",
    re.DOTALL,
)
SELFWATCH = ROOT / "docs" / "self-monitoring.md"
METRICS = re.compile(
    r"(?<=<!-- metrics: made from the program by tests/documents.py; a test compares -->\n\n)(\|.*?\n)(?=\n)",
    re.DOTALL,
)
ALERT = re.compile(r"```text\n(.*?)\n```", re.DOTALL)
RULER = re.compile(r"^─+$", re.MULTILINE)


def command_reference() -> str:
    """Every command with its help text, as a terminal of 100 columns shows it."""
    parts = [f"### `slicewatch {name}`\n\n```text\n{help_of(name)}\n```" for name in sorted(COMMANDS)]
    return "\n\n".join(parts)


def receivers_page() -> str:
    """docs/receivers.md with the table of abilities as it is now."""
    return ABILITIES.sub(lambda _: f"{table()}\n", RECEIVERS.read_text(encoding="utf-8"))


def selfwatch_page() -> str:
    """docs/self-monitoring.md with the table of metrics as it is now."""
    return METRICS.sub(lambda _: metrics_table(), SELFWATCH.read_text(encoding="utf-8"))


def metrics_table() -> str:
    """Every metric that `/metrics` exposes, with its labels and what it says of itself."""
    nothing = Readings(datetime(2026, 1, 1, tzinfo=UTC), "", 0, 0, (), None)
    rows = ["| metric | type | labels | |", "|---|---|---|---|"]
    for family in Read(nothing).collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in family._labelnames)
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(rows) + "\n"


def webhook_schema() -> str:
    """What `slicewatch schema --webhook` prints."""
    return CliRunner().invoke(slicewatch, ["schema", "--webhook"]).output


def openapi() -> str:
    """The description of the API, as any site serves it."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "slicewatch.toml"
        config.write_text('rules = ["*.yaml"]\n', encoding="utf-8")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        with App.open(config, {}, StringIO()) as app, web_app(app, Loopback(), lambda: now, bytes(32)) as web:
            return json.dumps(web.openapi(), indent=1, ensure_ascii=False) + "\n"


def help_of(command: str) -> str:
    """What `slicewatch COMMAND --help` prints."""
    run = CliRunner().invoke(
        slicewatch, [command, "--help"], prog_name="slicewatch", terminal_width=100, max_content_width=100
    )
    if run.exit_code:
        raise click.ClickException(run.output)
    return run.output.rstrip()


def messages(out: str) -> list[str]:
    """The messages in what the console receiver wrote, without their rulers."""
    return [part.strip("\n") for part in RULER.split(out)[1::2]]


def demo_output(folder: str) -> str:
    """What `slicewatch demo` prints; the demo is left in the folder."""
    return subprocess.run([PROGRAM, "demo"], cwd=folder, capture_output=True, text=True, check=True).stdout


def shown(page: str, folder: str) -> str:
    """A page with what its commands print now, in a folder that holds the demo."""

    def run(found: re.Match[str]) -> str:
        words = [PROGRAM, *shlex.split(found[1])[1:]]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        return f"```sh\n{found[1]}\n```\n\n```text\n{done.stdout}```"

    return SHOWN.sub(run, page)


def main() -> None:
    """Write all of them anew."""
    head = CLI.read_text(encoding="utf-8").partition(BEGIN)[0]
    CLI.write_text(f"{head}{BEGIN}\n\n{command_reference()}\n", encoding="utf-8")
    RECEIVERS.write_text(receivers_page(), encoding="utf-8")
    SELFWATCH.write_text(selfwatch_page(), encoding="utf-8")
    WEBHOOK.write_text(webhook_schema(), encoding="utf-8")
    OPENAPI.write_text(openapi(), encoding="utf-8")
    check_pages.main()
    with tempfile.TemporaryDirectory() as folder:
        block = f"```text\n{messages(demo_output(folder))[0]}\n```"
        README.write_text(ALERT.sub(lambda _: block, README.read_text(encoding="utf-8"), count=1), encoding="utf-8")
        for page in PAGES:
            page.write_text(shown(page.read_text(encoding="utf-8"), folder), encoding="utf-8")


if __name__ == "__main__":
    main()
