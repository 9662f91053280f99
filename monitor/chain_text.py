"""A chain for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alerts.actions import name_of
from alerts.model import Change
from alerts.wording import clean, counted
from monitor.chain import Chain, Window
from monitor.explaining import Explanation, Told
from monitor.replay import incident_to_json, stamp
from rules.slices import slice_to_json

AGES = ("at the detection delay", "three hours later", "a day later", "final")
STAGES = ("only total silence", "time of day", "weekday and weekend", "full")


def explanation_text(found: Explanation) -> str:
    """All of it, the conclusion first."""
    lines: list[str] = []
    for chain, query in zip(found.chains, found.queries, strict=True):
        lines += [*_chain(chain), *(["query", *(f"  {line}" for line in query.splitlines())] if query else [])]
    if found.run is not None:
        detail = f": {found.run.detail}" if found.run.detail else ""
        lines.append(f"evaluated  {found.run.outcome}{detail}")
    else:
        lines.append("evaluated  no evaluation is recorded for this bucket alone")
    lines += [f"changed    {stamp(mark.at)} {mark.text}, by {name_of(mark.by)}" for mark in found.marks]
    for told in found.told:
        lines += _told(told)
    if not found.told:
        lines.append("incidents  none that this slice had part in")
    return "\n".join(lines)


def _chain(chain: Chain) -> Iterator[str]:
    metric = "" if chain.metric == "count" else f" {chain.metric}"
    yield f"{chain.rule}{metric}: {chain.slice.label()} from {stamp(chain.start)} to {stamp(chain.end)}"
    yield f"  {chain.conclusion}"
    if not chain.reads:
        return
    yield "counts     " + ", ".join(f"{read.observed:,.0f} {AGES[read.lag]}" for read in chain.reads)
    yield f"           {chain.present:.1%} of the events should be there at that age"
    weeks = ", ".join(
        ("unknown" if p.observed is None else f"{p.observed:,.0f}") + (" (flagged)" if p.flagged else "")
        for p in chain.past
    )
    yield f"history    same place of the week, newest first: {weeks or 'none'}"
    yield f"learned    as of {stamp(chain.learned)}, stage: {STAGES[chain.stage]}"
    if chain.windows:
        yield f"expected   seasonal mean {chain.seasonal:,.1f} at level {chain.level:.3f}"
        yield from _windows(chain)
    yield "causes     " + ("; ".join(item.label() for item in chain.causes) or "none told at this bucket")


def _windows(chain: Chain) -> Iterator[str]:
    yield (
        f"threshold  {chain.threshold:.1f} nats: {_budget(chain.budget)} a week over "
        f"{chain.slices:,} slices in {len(chain.windows)} windows"
    )
    for window in chain.windows:
        yield f"tested     {_window(window)}"


def _budget(budget: float) -> str:
    return f"{budget:g} false incident{'' if budget == 1 else 's'}"


def _window(window: Window) -> str:
    buckets = f"{window.buckets} bucket{'s' if window.buckets > 1 else ''}"
    surprise = f"{window.surprise:.1f} nats" if window.surprise else "out of the threshold's reach"
    return (
        f"{buckets}: {window.observed:,.0f} of {window.expected:,.1f} ({window.change:+.0%}), normal "
        f"{window.low:,.0f} to {window.high:,.0f}, common mode {window.common:.2f}, alpha {window.alpha:.4f}, "
        f"p {window.p:.1e}, calibrated {surprise}"
    )


def told_text(told: Told) -> str:
    """What became of an incident whose rule is no more."""
    return "\n".join((f"{told.incident.rule} is no rule any more: what it counted is gone", *_told(told)))


def fate_text(told: Told) -> str:
    """What was decided of an incident, what was sent, and what people did."""
    return "\n".join(_told(told))


def told_to_json(told: Told) -> dict[str, Any]:
    """The same as an explanation without chains."""
    return {"chains": [], "run": None, "incidents": [_told_to_json(told)], "marks": []}


def _told(told: Told) -> Iterator[str]:
    incident = told.incident
    yield f"incident   {incident.id} {incident.kind.value} {incident.cause.label()}, {incident.state.value}"
    decisions: dict[int, list[str]] = {}
    for decision in told.decisions:
        word = f"sent to {decision.receiver}" if decision.send else f"not sent ({decision.reason.value})"
        decisions.setdefault(decision.seq, []).append(f"{word}: {decision.because}")
    for step in told.transitions:
        if step.change is not Change.CONFIRMED:
            yield f"  {stamp(step.at)} {step.change.value}: {step.because}"
            yield from (f"    {text}" for text in decisions.get(step.incident.seq, ()))
    for act in told.actions:
        yield f"  {stamp(act.at)} {act.action} by {name_of(act.by)} ({act.by.kind} {clean(act.by.id)}): {act.detail}"
    for part in told.deliveries:
        failed = f", {counted(part.attempts, 'attempt')} failed" if part.attempts else ""
        error = f": {part.last_error}" if part.last_error and (failed or part.state != "done") else ""
        yield f"  {part.part} of step {part.seq} to {part.receiver}: {part.state}{failed}{error}"


def explanation_to_json(found: Explanation) -> dict[str, Any]:
    """The same as one object."""
    run = found.run
    return {
        "chains": [_chain_to_json(c, q) for c, q in zip(found.chains, found.queries, strict=True)],
        "run": None if run is None else {"outcome": run.outcome, "detail": run.detail or None},
        "incidents": [_told_to_json(told) for told in found.told],
        "marks": [{"id": mark.id, "at": stamp(mark.at), "text": mark.text} for mark in found.marks],
    }


def _chain_to_json(chain: Chain, query: str) -> dict[str, Any]:
    by = chain.explained_by
    return {
        "rule": chain.rule,
        "metric": chain.metric,
        "slice": slice_to_json(chain.slice),
        "start": stamp(chain.start),
        "end": stamp(chain.end),
        "conclusion": chain.conclusion,
        "reads": [{"lag": AGES[r.lag], "observed": r.observed} for r in chain.reads],
        "present": chain.present,
        "past": [{"start": stamp(p.start), "observed": p.observed, "flagged": p.flagged} for p in chain.past],
        "learned": stamp(chain.learned),
        "stage": STAGES[chain.stage],
        "seasonal": chain.seasonal,
        "level": chain.level,
        "threshold": chain.threshold,
        "budget": chain.budget,
        "slices": chain.slices,
        "windows": [dict(vars(window)) for window in chain.windows],
        "causes": [slice_to_json(item) for item in chain.causes],
        "explained_by": None if by is None else slice_to_json(by),
        "query": query or None,
    }


def _told_to_json(told: Told) -> dict[str, Any]:
    return {
        **incident_to_json(told.incident),
        "transitions": [
            {"seq": t.incident.seq, "at": stamp(t.at), "change": t.change.value, "because": t.because}
            for t in told.transitions
        ],
        "decisions": [
            {"seq": d.seq, "receiver": d.receiver, "send": d.send, "reason": d.reason.value, "because": d.because}
            for d in told.decisions
        ],
        "actions": [
            {"at": stamp(a.at), "action": a.action, "by": dict(vars(a.by)), "detail": a.detail} for a in told.actions
        ],
        "deliveries": [vars(part) | {"finished_at": stamp(part.finished_at)} for part in told.deliveries],
    }
