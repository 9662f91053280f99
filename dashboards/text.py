"""The read model on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from alerts.actions import name_of
from alerts.model import Hush
from dashboards.precision import LOOKBACK, fired_text
from dashboards.read import ArrivalStage, CanaryState, Daemon, Overview, RuleView, Stage


def overview_text(overview: Overview) -> str:
    """One block per rule, worst news in plain sight, and the deliveries."""
    lines = [line for rule in overview.rules for line in _rule(rule)]
    if not overview.rules:
        lines.append("no rule is watched")
    lines += [f"{item.id}: {item.scope.label()} {item.label()}" for item in overview.silences]
    if overview.problems:
        problems = "1 problem" if overview.problems == 1 else f"{overview.problems} problems"
        lines.append(f"{problems} in rule files: see `slicewatch check`")
    lines += [f"not checked, and told so: {name}" for name in overview.unchecked]
    lines += _canary(overview.canary)
    lines.append(f"deliveries: {overview.delivered} done, {overview.queued} waiting, {overview.dead} given up")
    lines += [_daemon(item) for item in overview.daemons]
    return "\n".join(lines)


def _daemon(item: Daemon) -> str:
    there = f"since {_time(item.started_at)}" if item.alive else f"gone since {_time(item.seen_at)}, and did not say so"
    work = f", at {item.evaluating} of its runs" if item.alive and item.evaluating else ""
    return f"daemon {item.host}, process {item.pid}: {'; '.join(filter(None, (there + work, item.clock)))}"


def _canary(canary: CanaryState | None) -> list[str]:
    if canary is None:
        return []
    if not canary.arrived:
        return [f"the canary of {_time(canary.due)} did not arrive: {canary.problem}"]
    return [f"canary: the one of {_time(canary.due)} arrived after {canary.seconds or 0:.0f} s"]


def _rule(rule: RuleView) -> Iterator[str]:
    yield f"{rule.name}  {rule.health.value.upper()}  last run {_time(rule.last_run)}  owner {rule.owner or 'nobody'}"
    if rule.last_error:
        yield f"  could not ask {rule.source}: {rule.last_error}"
    if rule.overdue:
        yield "  evaluations are overdue: is `slicewatch run` running?"
    if rule.history_from is not None:
        yield f"  history {_time(rule.history_from)} to {_time(rule.history_to)}, {rule.leaves:,} slices"
    full = f", full from {_time(rule.full_from)}" if rule.stage is not Stage.FULL and rule.full_from else ""
    yield f"  protection: {rule.stage.value}{full}"
    until = f", until {_time(rule.arrivals_from)}" if rule.arrivals is ArrivalStage.LEARNING else ""
    yield f"  arrivals: {rule.arrivals.value}{until}"
    if rule.fired.told:
        yield f"  last {LOOKBACK.days} days: {fired_text(rule.fired)}"
    for at, notice in rule.notices:
        yield f"  {_time(at)}: {notice}"
    for incident in rule.open:
        since = _time(incident.since)
        yield (
            f"  {incident.id}  {incident.state.value}  {incident.severity.value}  {incident.kind.value}  "
            f"{incident.cause.label()}  {incident.observed:,.0f} of {incident.expected:,.0f} since {since}"
            f"{_hush(incident.hush)}"
        )
        if incident.id in rule.held:
            yield f"    held back: {rule.held[incident.id]}"


def _hush(hush: Hush | None) -> str:
    """Who acknowledged or snoozed it, and until when."""
    if hush is None:
        return ""
    return f"  by {name_of(hush.by)} until {_time(hush.until) if hush.until is not None else 'it is over'}"


def _time(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
