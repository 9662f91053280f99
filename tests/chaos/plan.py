"""What a chaos run will do, drawn from a seed: which slices are lost when, and what goes wrong when. Pure.

Buckets are numbered from the origin of the run's clock; seconds are real ones since the chaos began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

HEALED = 4
"""Buckets after the end of a loss in which its incident is resolved: two to be sure, and some to be late."""
APART = HEALED + 2
"""Whole buckets between two losses of one rule: they are two incidents, not one that opens again."""
WARM = 2
"""Buckets at the beginning in which nothing is lost."""


class Kind(StrEnum):
    """What goes wrong."""

    KILL = "replica killed (`kill -9`)"
    POSTGRES = "PostgreSQL restarted"
    TERMINATE = "connections terminated"
    CLOCK = "a replica's clock is off"
    SOURCE = "a source fails"
    RECEIVER = "the receiver fails"


HOW: dict[Kind, tuple[str, ...]] = {
    Kind.KILL: ("kill -9",),
    Kind.POSTGRES: ("immediate", "fast"),
    Kind.TERMINATE: ("all", "half"),
    Kind.CLOCK: ("ahead", "behind"),
    Kind.SOURCE: ("error", "slow", "refused", "cut"),
    Kind.RECEIVER: ("500", "503", "cut before", "cut after", "429", "dead"),
}
"""The ways in which each goes wrong."""
BRIEF = frozenset({Kind.POSTGRES, Kind.TERMINATE})
"""Over soon, whatever the plan says."""


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    rules: int
    devices: int
    countries: int
    replicas: int
    sources: int
    buckets: int
    """Buckets from the origin to the end of the chaos."""
    losses: int
    each: int
    """How often each kind of fault at least."""
    together: int
    """How often at least two at once."""
    bucket_seconds: float
    """Real seconds that a bucket takes."""
    learned: int
    """Rules that learn from four weeks; the others have a fixed bound, which is cheap to learn."""

    @property
    def slices(self) -> int:
        return self.devices * self.countries

    @property
    def seconds(self) -> float:
        """How long the chaos lasts."""
        return self.buckets * self.bucket_seconds


FULL = Size(
    rules=200,
    devices=20,
    countries=25,
    replicas=3,
    sources=3,
    buckets=48,
    losses=120,
    each=20,
    together=10,
    bucket_seconds=30.0,
    learned=10,
)
SHORT = Size(
    rules=6,
    devices=5,
    countries=10,
    replicas=2,
    sources=2,
    buckets=12,
    losses=6,
    each=2,
    together=2,
    bucket_seconds=3.0,
    learned=1,
)


@dataclass(frozen=True)
class Loss:
    """One rule's events of a device, or of a device in one country, are lost: buckets `begin` to `end` (excluded)."""

    rule: str
    device: str
    country: str | None
    begin: int
    end: int

    @property
    def cause(self) -> dict[str, str]:
        """The slice, as a person would name it."""
        return {"device": self.device} | ({} if self.country is None else {"country": self.country})


@dataclass(frozen=True)
class Fault:
    """Something goes wrong at a second, for a while. `target` is a replica, a source, or of no meaning."""

    kind: Kind
    at: float
    lasts: float
    how: str
    target: int


@dataclass(frozen=True)
class Plan:
    """A whole run."""

    seed: int
    size: Size
    losses: tuple[Loss, ...]
    faults: tuple[Fault, ...]


def draw(seed: int, size: Size) -> Plan:
    """The plan of a seed: the same at every call."""
    chance = Random(seed)
    return Plan(seed, size, _losses(size, chance), _faults(size, chance))


def rule_name(number: int) -> str:
    return f"stream-{number:03}"


def source_of(number: int, size: Size) -> int:
    """Which source a rule asks."""
    return number % size.sources


def _losses(size: Size, chance: Random) -> tuple[Loss, ...]:
    """Losses spread over the rules; those of one rule are of different slices, and apart."""
    found: list[Loss] = []
    order = chance.sample(range(size.rules), size.rules)
    free = dict.fromkeys(order, WARM)
    for turn in range(size.losses * 20):
        number = order[turn % size.rules]
        long = chance.randint(2, 4)
        latest = size.buckets - HEALED - long
        if len(found) < size.losses and free[number] <= latest:
            # The first of a rule anywhere in the first half, so that there is room for a second.
            begin = chance.randint(free[number], max(free[number], min(latest, free[number] + size.buckets // 2)))
            found.append(_loss(number, begin, long, found, size, chance))
            free[number] = begin + long + APART
    if len(found) < size.losses:
        raise ValueError(f"{size.losses} losses have no room in {size.rules} rules of {size.buckets} buckets")
    return tuple(sorted(found, key=lambda loss: (loss.begin, loss.rule)))


def _loss(number: int, begin: int, long: int, found: Sequence[Loss], size: Size, chance: Random) -> Loss:
    rule = rule_name(number)
    used = {loss.device for loss in found if loss.rule == rule}
    device = chance.choice([name for name in names("device", size.devices) if name not in used])
    country = chance.choice(names("country", size.countries)) if chance.random() < 0.5 else None
    return Loss(rule, device, country, begin, begin + long)


def names(kind: str, count: int) -> list[str]:
    """The values of a dimension."""
    return [f"{kind}-{number:02}" for number in range(count)]


def _faults(size: Size, chance: Random) -> tuple[Fault, ...]:
    """Each kind as often as asked, one after another and evenly; every third begins while the one before lasts."""
    kinds = _order(size, chance)
    step = size.seconds * 0.92 / len(kinds)
    ways = {kind: _cycle(HOW[kind], size.each, chance) for kind in Kind}
    found: list[Fault] = []
    for turn, kind in enumerate(kinds):
        lasts = step * chance.uniform(0.6, 1.4)
        at = turn * step
        if turn % 3 == 1:
            at = found[-1].at + found[-1].lasts * chance.uniform(0.2, 0.5)
        target = chance.randrange(size.sources if kind is Kind.SOURCE else size.replicas)
        if turn % 3 == 1 and {kind, found[-1].kind} == {Kind.KILL, Kind.CLOCK} and target == found[-1].target:
            # What a replica's clock says while it is dead nobody sees.
            target = (target + 1) % size.replicas
        found.append(Fault(kind, at, lasts, ways[kind].pop(), target))
    return tuple(sorted(found, key=lambda fault: fault.at))


def _order(size: Size, chance: Random) -> list[Kind]:
    """All faults in threes: one that lasts, another kind that comes while it does, and one that comes alone."""
    left = [kind for kind in Kind for _ in range(size.each)]
    chance.shuffle(left)
    found: list[Kind] = []
    while left:
        lasts = next((n for n, kind in enumerate(left) if kind not in BRIEF), 0)
        found.append(left.pop(lasts))
        if left:
            other = next((n for n, kind in enumerate(left) if kind is not found[-1]), 0)
            found.append(left.pop(other))
        if left:
            found.append(left.pop())
    return found


def _cycle(ways: Sequence[str], count: int, chance: Random) -> list[str]:
    """Each way about as often as the others, in any order."""
    found = [ways[number % len(ways)] for number in range(count)]
    if count < len(ways):
        found = chance.sample(list(ways), count)
    chance.shuffle(found)
    return found


@dataclass(frozen=True)
class Injected:
    """A fault as it really was: real seconds since the chaos began."""

    kind: Kind
    how: str
    target: int
    begin: float
    end: float


def counts(injected: Sequence[Injected]) -> dict[Kind, int]:
    """How often each kind was injected."""
    found = Counter(item.kind for item in injected)
    return {kind: found[kind] for kind in Kind}


def at_once(injected: Sequence[Injected]) -> int:
    """How many faults began while another one, of another kind or target, lasted."""
    ordered = sorted(injected, key=lambda item: item.begin)
    return sum(any(before.end > item.begin for before in ordered[:n]) for n, item in enumerate(ordered))
