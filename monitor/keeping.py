"""How long everything is kept, and no shorter than the program itself looks back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Retention:
    """How long everything is kept."""

    ripening: timedelta = timedelta(days=35)
    """Counts as they were before they were final: what late data are judged against."""
    fine: timedelta = timedelta(days=63)
    """Buckets shorter than an hour; then sums of hours are kept."""
    buckets: timedelta = timedelta(days=400)
    """Buckets, or sums of hours: a year, and a month to compare with; then sums of days are kept."""
    days: timedelta = timedelta(days=3650)
    """Sums of days."""
    runs: timedelta = timedelta(days=100)
    """That a tick was evaluated. A rule's first one, its newest and its newest good one stay."""
    deliveries: timedelta = timedelta(days=90)
    """Messages of threads that are over, since the last of them was sent."""
    dead_letters: timedelta = timedelta(days=180)
    """Threads in which a message was given up."""
    incidents: timedelta = timedelta(days=1100)
    """Incidents that are over, with all their steps and decisions."""
    actions: timedelta = timedelta(days=1100)
    """Who did what."""
    silences: timedelta = timedelta(days=400)
    """Silences that are over."""
    marks: timedelta = timedelta(days=400)
    """What people said has changed."""


LEAST = Retention(
    ripening=timedelta(days=30),  # how late events come is learned from 28 days of reads
    fine=timedelta(days=35),
    buckets=timedelta(days=63),  # eight weeks of days, and the one before
    days=timedelta(days=400),
    runs=timedelta(days=35),  # the week's digest compares with earlier weeks
    deliveries=timedelta(days=35),
    dead_letters=timedelta(days=35),
    incidents=timedelta(days=100),  # longer than anybody may snooze or silence
    actions=timedelta(days=35),
    silences=timedelta(days=100),
    marks=timedelta(days=63),  # charts show them so long
)
"""What the program itself looks at: nothing is kept for a shorter time."""
