"""Options and exit codes that commands share: in a file of their own, so that a command that needs no more starts fast."""

from __future__ import annotations

from pathlib import Path

import click

FAILED = 2
"""Exit code: something could not be asked, read or written."""

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("slicewatch.toml"),
    show_default=True,
    help="The operators' file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
