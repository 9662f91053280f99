"""`slicewatch schema`: the JSON Schema of rule files, for editors, and of what a webhook is sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from monitor.commands import HELP
from rules.json_schema import json_schema

CANNOT = 2
"""Exit code: the file cannot be written."""


@click.command("schema", context_settings=HELP)
@click.option("--output", type=click.Path(path_type=Path), help="Where to write it; standard output where not given.")
@click.option("--webhook", is_flag=True, help="That of what a receiver of kind webhook is sent.")
@click.option("--config", type=click.Path(path_type=Path), hidden=True, help="Taken as by every command, and not read.")
@click.option("--json", "_json", is_flag=True, hidden=True, help="As it is anyway.")
def schema(output: Path | None, config: Path | None, *, webhook: bool, _json: bool) -> None:  # noqa: ARG001  # as every command
    """Write the JSON Schema of rule files, for completion and diagnostics in editors.

    With --output .slicewatch/rules.schema.json, a first line of a rule file tells the YAML language server of it:
    # yaml-language-server: $schema=../.slicewatch/rules.schema.json
    """
    text = json.dumps(_webhook() if webhook else json_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        click.echo(f"{output}: cannot be written: {error.strerror}", err=True)
        raise SystemExit(CANNOT) from None


def _webhook() -> dict[str, object]:
    from alerts.notifiers.webhook_body import body_schema

    return body_schema()
