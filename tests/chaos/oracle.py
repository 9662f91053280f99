"""What a chaos run must have come to, by what was injected, and what it came to. Pure, and no part of the program.

A loss is one incident: of its rule, of its slice, from its first bucket to its last, resolved, told when it began and
when it ended. A source that could not be asked is an incident without a slice, told in the same way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.chaos.plan import Loss

LOST, SOURCE = "drop", "blind"


@dataclass(frozen=True)
class Expected:
    """One loss with its times."""

    loss: Loss
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Outage:
    """A source that could not be asked, by the run's clock, and the rules that ask it."""

    rules: frozenset[str]
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Incident:
    """An incident as the program keeps it."""

    id: str
    rule: str
    kind: str
    causes: tuple[Mapping[str, str], ...]
    """Names of its slice."""
    since: datetime
    until: datetime
    raised_at: datetime | None
    resolved_at: datetime | None
    detail: str = ""
    """Of a source that could not be asked, why."""


@dataclass(frozen=True)
class Run:
    """An evaluation as the program keeps it."""

    rule: str
    tick: datetime
    outcome: str
    """`ok`, `blind` or `late`."""


@dataclass(frozen=True)
class Told:
    """Something that Slack took: of an incident or a digest (`key`), in the order of arrival."""

    channel: str
    key: str
    seq: int
    text: str
    how: str
    """`post`, `reply` or `edit`."""

    @property
    def over(self) -> bool:
        """Whether it says that it is over, or that it was before anybody was told of it."""
        first = self.text.split("\n")[0]
        return "RESOLVED" in first or first.startswith("MISSED")


@dataclass(frozen=True)
class Seen:
    """All that can be seen of a run from outside."""

    runs: tuple[Run, ...]
    incidents: tuple[Incident, ...]
    told: tuple[Told, ...]
    digests: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Keys of the digests that told an incident, by its id."""


@dataclass(frozen=True)
class Wanted:
    """What must be seen."""

    losses: tuple[Expected, ...]
    outages: tuple[Outage, ...]
    rules: tuple[str, ...]
    ticks: tuple[datetime, ...]
    """When each rule is evaluated."""
    late: timedelta
    """How much later than that it was evaluated at most."""


@dataclass
class Verdict:
    """What was wrong, one line each, and what was counted."""

    ticks: int = 0
    good: int = 0
    blind: int = 0
    injected: int = 0
    found: int = 0
    outages_told: int = 0
    to_tell: int = 0
    arrived: int = 0
    repeated: int = 0
    disordered: int = 0
    outages: int = 0
    outages_found: int = 0
    """Failures of sources of which some incident tells: one that falls between two ticks is noticed by nobody."""
    missed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    uncalled: list[str] = field(default_factory=list)
    """Incidents for which there was no cause, and ticks that were blind without one."""
    wrong: list[str] = field(default_factory=list)
    """Incidents that were found, but not as they were, or that are not over."""
    untold: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """Replicas that ended by themselves."""

    @property
    def faults(self) -> list[str]:
        """All that is wrong."""
        parts = {
            "missed": self.missed,
            "lost": self.lost,
            "doubled": self.doubled,
            "without cause": self.uncalled,
            "wrong": self.wrong,
            "not told": self.untold,
            "died": self.died,
        }
        return [f"{name}: {line}" for name, lines in parts.items() for line in lines]


def judge(wanted: Wanted, seen: Seen) -> Verdict:
    """Hold what was seen against what must be."""
    verdict = Verdict()
    _ticks(wanted, seen, verdict)
    matched = _losses(wanted, seen, verdict)
    blind = _blind(wanted, seen, verdict)
    _telling([*matched, *blind], seen, verdict)
    return verdict


def _ticks(wanted: Wanted, seen: Seen, verdict: Verdict) -> None:
    """Every tick was evaluated, and where it could not be, a source had failed."""
    runs = {(run.rule, run.tick): run for run in seen.runs}
    blind = defaultdict(list)
    for incident in seen.incidents:
        if incident.kind == SOURCE:
            blind[incident.rule].append(incident)
    for rule in wanted.rules:
        for tick in wanted.ticks:
            verdict.ticks += 1
            run = runs.get((rule, tick))
            if run is None:
                verdict.missed.append(f"{rule} at {tick}: no run")
            elif run.outcome == "ok":
                verdict.good += 1
            else:
                verdict.blind += 1
                if not any(_spans(incident, tick) for incident in blind[rule]):
                    verdict.missed.append(f"{rule} at {tick}: {run.outcome}, and no incident says so")


def _spans(incident: Incident, tick: datetime) -> bool:
    # Of ticks that are made up for together it is raised at the last one, and is since the first.
    begun = incident.raised_at is not None and min(incident.since, incident.raised_at) <= tick
    return begun and (incident.resolved_at is None or tick <= incident.resolved_at)


def _losses(wanted: Wanted, seen: Seen, verdict: Verdict) -> list[Incident]:
    """Each loss is one incident, and each incident is a loss."""
    left = [incident for incident in seen.incidents if incident.kind != SOURCE]
    matched: list[Incident] = []
    for expected in wanted.losses:
        verdict.injected += 1
        mine = [incident for incident in left if _same(incident, expected)]
        left = [incident for incident in left if incident not in mine]
        text = f"{expected.loss.rule} {expected.loss.cause} from {expected.since} to {expected.until}"
        if not mine:
            verdict.lost.append(text)
            continue
        verdict.found += 1
        verdict.doubled += [f"{text}: {incident.id}" for incident in mine[1:]]
        matched.append(mine[0])
        verdict.wrong += [f"{text}: {what}" for what in _differences(mine[0], expected)]
    verdict.uncalled += [
        f"{item.rule} {item.kind} {item.causes} from {item.since} to {item.until} ({item.id})" for item in left
    ]
    return matched


def _same(incident: Incident, expected: Expected) -> bool:
    """Whether an incident is of this loss: its rule, its slice, and some of its time."""
    loss = expected.loss
    overlaps = incident.since < expected.until and incident.until > expected.since
    return incident.rule == loss.rule and loss.cause in incident.causes and overlaps


def _differences(incident: Incident, expected: Expected) -> Iterable[str]:
    if incident.kind != LOST:
        yield f"{incident.id} is called {incident.kind}"
    if incident.raised_at is None:
        yield f"{incident.id} was never raised"
    if incident.resolved_at is None:
        yield f"{incident.id} is not over"
    if (incident.since, incident.until) != (expected.since, expected.until):
        yield f"{incident.id} is from {incident.since} to {incident.until}"


def _blind(wanted: Wanted, seen: Seen, verdict: Verdict) -> list[Incident]:
    """Incidents of sources: each while one of the rule's had failed, one at a time; and all are over."""
    found = [incident for incident in seen.incidents if incident.kind == SOURCE]
    told: set[Outage] = set()
    for incident in found:
        verdict.outages_told += 1
        text = f"{incident.rule} could not ask from {incident.raised_at} to {incident.resolved_at}: {incident.detail} ({incident.id})"
        causes = [outage for outage in wanted.outages if _explains(outage, incident, wanted.late)]
        told |= set(causes)
        if not causes:
            verdict.uncalled.append(text)
        if incident.resolved_at is None:
            verdict.wrong.append(f"{text}: not over")
        if any(_meanwhile(other, incident) for other in found):
            verdict.doubled.append(text)
    verdict.outages, verdict.outages_found = len(wanted.outages), len(told)
    return found


def _meanwhile(first: Incident, second: Incident) -> bool:
    """Whether the second began while the first, of the same rule, went on."""
    if first.id == second.id or first.rule != second.rule or first.raised_at is None or second.raised_at is None:
        return False
    return first.raised_at <= second.raised_at and (first.resolved_at is None or second.raised_at < first.resolved_at)


def _explains(outage: Outage, incident: Incident, late: timedelta) -> bool:
    """Whether a source failed when the tick that found it so was due, or before it was evaluated at the latest."""
    raised = incident.raised_at
    if raised is None or incident.rule not in outage.rules:
        return False
    return raised <= outage.end and raised + late >= outage.begin


def _telling(incidents: Sequence[Incident], seen: Seen, verdict: Verdict) -> None:
    """Each was told when it began and when it ended, alone or in a digest; what was told twice is counted."""
    by_key: dict[str, list[Told]] = defaultdict(list)
    for told in seen.told:
        by_key[told.key].append(told)
    for incident in incidents:
        keys = {incident.id, *seen.digests.get(incident.id, ())}
        news = [told for key in keys for told in by_key[key]]
        for what, came in (("its beginning", bool(news)), ("its end", any(told.over for told in news))):
            verdict.to_tell += 1
            verdict.arrived += came
            if not came:
                verdict.untold.append(f"{what} of {incident.rule} {incident.kind} {incident.causes} ({incident.id})")
    verdict.repeated = repeats(seen.told)
    verdict.disordered = disordered(seen.told)


def repeats(told: Iterable[Told]) -> int:
    """Messages that a person sees twice: the same news in the same channel, edits left out."""
    seen = Counter((item.channel, item.key, item.seq, item.how) for item in told if item.how != "edit")
    return sum(count - 1 for count in seen.values())


def disordered(told: Iterable[Told]) -> int:
    """Messages of a thread, edits left out, that arrived after later ones."""
    newest: dict[tuple[str, str], int] = {}
    count = 0
    for item in told:
        if item.how != "edit":
            place = (item.channel, item.key)
            count += item.seq < newest.get(place, item.seq)
            newest[place] = max(item.seq, newest.get(place, item.seq))
    return count
