"""The story without crashes: what must come out, and the points at which it can be interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.crash.bench import Bench, Rows, Snapshot, Told


@dataclass(frozen=True)
class Stretch:
    """The story up to one more evaluation, for a process that begins where the one before ended."""

    begin: Snapshot
    ticks: tuple[datetime, ...]
    trace: tuple[str, ...]
    """Points that are passed."""
    told: int
    """Calls that Slack had taken before."""
    told_after: int
    """Calls that Slack had taken at its end."""
    rows: Rows
    """The store at its end."""

    def points(self) -> Iterator[str]:
        """All points, in order: those of the trace, and *during* each call that Slack takes.

        Before the first request of a send nothing happens that did not before the send.
        """
        for line in self.trace:
            if not line.startswith("before request 1 "):
                yield self.named(line)
            if _is_call(line):
                yield self.named(line.replace("before", "during", 1))

    def named(self, line: str) -> str:
        """A point's name in the whole story."""
        return f"{self.ticks[-1]:%H:%M} {line}"

    def call(self, point: str) -> int:
        """The number, from the story's begin, of the call that a point is during."""
        calls = [self.named(line).replace("before", "during", 1) for line in self.trace if _is_call(line)]
        return self.told + calls.index(point) + 1


@dataclass(frozen=True)
class Undisturbed:
    """What comes out of the story, and its stretches."""

    ticks: tuple[datetime, ...]
    rows: Rows
    told: tuple[Told, ...]
    stretches: tuple[Stretch, ...]

    def points(self, first: int) -> list[str]:
        """All points from a stretch on."""
        return [point for stretch in self.stretches[first:] for point in stretch.points()]

    def stretch_of(self, point: str) -> Stretch:
        """The stretch that passes a point."""
        return next(stretch for stretch in self.stretches if point in stretch.points())

    def told_after(self, stretch: Stretch, trace: Sequence[str], taken: int) -> tuple[Told, ...]:
        """What Slack has been told by a stretch's end if a process that left this trace in it was killed.

        `taken` are the calls taken before its death. Of a send under way edits and uploads are made again; a post that
        was taken is found.
        """
        told, repeated = self.told[: stretch.told_after], unsettled(trace, stretch.told)
        again = told[taken if repeated is None else repeated : taken]
        return (*told[:taken], *(call for call in again if call.method != "chat.postMessage"), *told[taken:])


def tell(on: Bench, ticks: tuple[datetime, ...]) -> Undisturbed:
    """The whole story in one process, and then again with a process for each evaluation."""
    assert on.live(ticks) == 0
    rows, told = on.rows(), on.told()
    on.clear()
    stretches = []
    for number in range(len(ticks)):
        begin, before = on.snapshot(f"{number}"), len(on.told())
        assert on.live(ticks[: number + 1]) == 0
        stretches.append(Stretch(begin, ticks[: number + 1], tuple(on.trace), before, len(on.told()), on.rows()))
    assert stretches[-1].rows == rows, "restarts between the evaluations make a difference"
    assert on.told() == told
    return Undisturbed(ticks, rows, tuple(told), tuple(stretches))


def unsettled(trace: Sequence[str], before: int) -> int | None:
    """The first call of the send whose outcome is unknown at a trace's end; None where all are noted."""
    begin, calls = None, before
    for line in trace:
        if line.startswith("before send "):
            begin = calls
        elif line.startswith("after commit ") and ": settled" in line:
            begin = None
        calls += _is_call(line)
    return begin


def _is_call(line: str) -> bool:
    """Whether a point is before a request that is one of Slack's methods."""
    return line.startswith("before request ") and not line.endswith(": upload")
