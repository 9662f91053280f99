"""A chaos run's table."""

from __future__ import annotations

from tests.chaos.conduct import Report
from tests.chaos.plan import at_once, counts
from tests.chaos.world import BUCKET

MOST_LINES = 40
BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"


def table(report: Report) -> str:
    """What was injected, and what it came to, in Markdown."""
    plan, verdict = report.plan, report.verdict
    size = plan.size
    injected = [f"| {kind.value} | {count} |" for kind, count in counts(report.injected).items()]
    rows = {
        f"rules, slices of each, replicas: {size.rules}, {size.slices}, {size.replicas}": "",
        "ticks of a rule that were due": verdict.ticks,
        "evaluated; evaluated while the source could not be asked": f"{verdict.good:,}; {verdict.blind:,}",
        "longest time that a tick waited, in real seconds": round(report.latest / BUCKET * size.bucket_seconds),
        "**ticks missed**": len(verdict.missed),
        "losses injected": verdict.injected,
        "found as one incident, from the first bucket to the last": verdict.found - len(verdict.wrong),
        "**incidents lost**": len(verdict.lost),
        "**incidents doubled**": len(verdict.doubled),
        "incidents without a cause": len(verdict.uncalled),
        "incidents that are not as they were injected, or not over": len(verdict.wrong),
        "failures of a source; noticed at a tick": f"{verdict.outages}; {verdict.outages_found}",
        "incidents of rules that could not ask": verdict.outages_told,
        "beginnings and ends to tell; arrived": f"{verdict.to_tell:,}; {verdict.arrived:,}",
        "**notifications lost**": len(verdict.untold),
        "messages that a person saw twice": verdict.repeated,
        "messages of a thread that arrived after later ones": verdict.disordered,
        "replicas that ended by themselves": len(verdict.died),
        "starts that failed while the store was away": report.failed_starts,
    }
    lines = [
        f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value} |" for name, value in rows.items()
    ]
    head = f"Seed {plan.seed}; {report.learning:.0f} s of learning, then {report.seconds / 60:.1f} minutes."
    return "\n".join(
        [
            head,
            "",
            "| what went wrong | times |\n|---|---|",
            *injected,
            f"| began while something else was wrong | {at_once(report.injected)} |",
            "",
            "| what it came to | |\n|---|---|",
            *lines,
        ]
    )


def faults(report: Report) -> str:
    """What is wrong, one line each, the first ones."""
    found = report.verdict.faults
    more = [f"and {len(found) - MOST_LINES} more"] if len(found) > MOST_LINES else []
    return "\n".join([*found[:MOST_LINES], *more])


def written(page: str, content: str) -> str:
    """The page with what stands between the marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{content}\n{END}{after}"
