"""`slicewatch backup`: the store as one file, while the daemon runs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor import store
from monitor.commands import HELP
from monitor.commands.common import FAILED, config_option, json_option
from monitor.replay import stamp
from monitor.settings import SettingsError, load_settings


@click.command("backup", context_settings=HELP)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE where it is there already.")
@config_option
@json_option
def backup(file: Path, config: Path, *, force: bool, as_json: bool) -> None:
    """Write the store to FILE: all of one moment, also while the daemon runs.

    FILE appears when it is whole and was checked. A store on PostgreSQL is backed up with PostgreSQL's own tools.
    """
    try:
        url = load_settings(config, os.environ).store_url()
        made = store.back_up(url, file, datetime.now(UTC), replace=force)
    except (SettingsError, store.StoreError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None
    if as_json:
        click.echo(json.dumps({"file": str(made.file), "bytes": made.size, "at": stamp(made.at)}))
        return
    click.echo(f"{made.file}: {made.size / 1e6:,.1f} MB, checked, as of {stamp(made.at)}")
