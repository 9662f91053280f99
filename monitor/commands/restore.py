"""`slicewatch restore`: a backup in the place of the store."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.wording import counted
from monitor import store
from monitor.commands import HELP
from monitor.commands.common import FAILED, config_option, json_option
from monitor.replay import stamp
from monitor.settings import SettingsError, load_settings


@click.command("restore", context_settings=HELP)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--hold", is_flag=True, help="Give up what waited to be delivered: a person sends it again, or not.")
@config_option
@json_option
def restore(file: Path, config: Path, *, hold: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of the store, while nothing else uses it.

    The store that is there is kept beside it. The next `run` makes up for every evaluation since the backup. What was
    told since is told again where a receiver cannot look it up: `--hold` gives up what waited at the time of the backup,
    and a silence (`slicewatch silence add '*' --for 1h`) holds back the rest.
    """
    try:
        url = load_settings(config, os.environ).store_url()
        done = store.restore(url, file, datetime.now(UTC), held=hold)
    except (SettingsError, store.StoreError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None
    click.echo(json.dumps(_to_json(done)) if as_json else "\n".join(_lines(done)))


def _lines(done: store.Restored) -> list[str]:
    made = f", made at {stamp(done.at)}" if done.at is not None else ""
    found = [f"{done.file}: restored{made}"]
    if done.aside is not None:
        found.append(f"the store that was there is kept: {done.aside}")
    if done.held:
        found.append(f"{counted(done.held, 'message')} held back: see `slicewatch deliveries --dead`")
    elif done.waiting:
        found.append(f"{counted(done.waiting, 'message')} that waited then will be delivered")
    return found


def _to_json(done: store.Restored) -> dict[str, object]:
    return {
        "file": str(done.file),
        "aside": None if done.aside is None else str(done.aside),
        "at": stamp(done.at),
        "waiting": done.waiting,
        "held": done.held,
    }
