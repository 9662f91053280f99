"""`slicewatch test`: run the tests that stand in rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from dashboards.trials import Trial, junit, summary_text, trial_text
from monitor.commands import HELP
from monitor.commands.common import FAILED, config_option, json_option, opened, rules_called, write_report
from monitor.replay import line_of
from monitor.rule_trials import Trials


@click.command("test", context_settings=HELP)
@click.argument("rules", nargs=-1)
@click.option(
    "--run",
    "pattern",
    metavar="PATTERN",
    default="",
    help="Only tests whose `rule: name` holds this regular expression.",
)
@click.option("--junit", "xml", type=click.Path(path_type=Path, dir_okay=False), help="Also write JUnit XML.")
@config_option
@json_option
def test(rules: tuple[str, ...], pattern: str, xml: Path | None, config: Path, *, as_json: bool) -> None:
    """Run the `tests` of RULES (all by default): break events on purpose, and compare what fires with what must.

    Synthetic events need no source; tests with `history: {at: TIME}` break recorded ones. Exits with 0 where all passed, 1
    where one failed, 2 where one could not be run.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise click.UsageError(f"--run {pattern!r} is no regular expression: {error}") from None
    found: list[Trial] = []
    with opened(config, store_url="sqlite://") as app:
        broken = any(problem.severity == "error" for problem in app.rules.problems)
        chosen = rules_called(app, rules)
        for rule in chosen:
            tests = [item for item in rule.tests if wanted.search(f"{rule.name}: {item.name}")]
            for trial in Trials(rule, lambda name=rule.source.source: app.source(name)).run(tests):  # type: ignore[misc]
                found.append(trial)
                click.echo(json.dumps(_to_json(trial), ensure_ascii=False) if as_json else trial_text(trial))
        untested = sum(not rule.tests for rule in chosen)
    click.echo(summary_text(found, untested), err=as_json)
    if xml is not None:
        write_report(xml, junit(found))
    if broken or any(trial.error for trial in found):
        raise SystemExit(FAILED)
    raise SystemExit(int(not all(trial.passed for trial in found)))


def _to_json(trial: Trial) -> dict[str, Any]:
    return {
        "rule": trial.rule,
        "test": trial.name,
        "passed": trial.passed,
        "error": trial.error or None,
        "differences": list(trial.differences),
        "fired": [line_of(incident) for incident in trial.fired],
    }
