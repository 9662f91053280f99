"""The command line: `slicewatch COMMAND`. Each command is one file of `monitor.commands`, imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from monitor.commands import HELP

COMMANDS = {
    "ack": "Acknowledge an incident: somebody works on it.",
    "backtest": "Report what rules would have told over a stretch of history.",
    "backup": "Write the store to a file, while the daemon runs.",
    "blindspots": "Tell what a rule would not notice.",
    "check": "Check settings and rule files, and with --online the events themselves.",
    "deliveries": "List what waits to be delivered or was given up, and send it again.",
    "demo": "Generate a small lake, break one device under a stable total, show the alert.",
    "digest": "Tell of the last week: what is protected, what was told, what was no problem.",
    "drill": "Lose every slice on purpose, and see which losses a rule tells.",
    "explain": "Say why a slice was, or was not, alarmed.",
    "health": "Ask a running daemon whether it is well.",
    "init": "Write a first working configuration.",
    "mark": "Mark what has changed: alerts that begin soon after name it.",
    "not-a-problem": "Close an incident that is no problem, and say what it is.",
    "once": "Evaluate rules once, now or as if it were another time.",
    "replay": "Evaluate a stretch of history as if live, sending nothing.",
    "report": "Write how everything stands as one HTML file.",
    "restore": "Put a backup in the place of the store.",
    "run": "Run the daemon: evaluate on schedule, deliver alerts.",
    "schema": "Write the JSON Schema of rule files, for editors.",
    "send-test": "Send a test to a receiver, and say what came of it.",
    "serve": "Serve the pages and the API.",
    "show": "Show a rule with all that it inherits, and where each value comes from.",
    "silence": "Tell nobody of some rules or slices for a while.",
    "snooze": "Hear no more of an incident for a while.",
    "status": "Show how every rule stands.",
    "suggest": "Print a rule for a table, from what it holds.",
    "test": "Run the tests that stand in rules.",
    "token": "Give, list and take back tokens for programs.",
}


class _Lazy(click.Group):
    """Commands load when they are called: `slicewatch status` need not import what `slicewatch run` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        found: click.Command = getattr(importlib.import_module(f"monitor.commands.{name}"), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings=HELP)
@click.version_option(package_name="slicewatch")
def slicewatch() -> None:
    """Notices when one slice of an event pipeline goes missing while the total looks fine."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; exits the process."""
    slicewatch.main(args=list(args) if args is not None else None, prog_name="slicewatch")
