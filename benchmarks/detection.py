"""What the detector finds and what it raises for nothing: simulated and real counts, beside what others do.

Losses are laid into counts (simulator.py; nyc_bike and usagov of the real data), and the program's own steps judge them
bucket by bucket (live.py). Recall by share and by events lost, masked against unmasked losses, delay, false incidents
and false episodes a day, precision, nominal against observed, and the same for the formulas of other tools (peers.py).

    python benchmarks/detection.py [--quick] [--seeds N] [--only sim|real|peers] [--common-mode country]
        [--sensitivity] [--list] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alerts.incidents import gap
from benchmarks.limit import knowable
from benchmarks.live import Live, Run
from benchmarks.peers import PEERS, stl
from benchmarks.real_worlds import NYC_BIKE, REALS, Real, shortened
from benchmarks.rows import Row
from benchmarks.scoring import (
    Found,
    Score,
    Told,
    false_episodes,
    rightly_named,
    score,
    slices_found,
    together,
    upper_bound,
)
from benchmarks.simulator import DIMENSIONS, Loss, Plan, World, inject, simulate
from monitor.buckets import to_datetime
from monitor.lattice import Lattice
from monitor.statistics import constants
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place

MEDIUM, HIGH = 1.0, 7.0
BUDGETS = (7.0, 21.0, 70.0)
REFINED = 3
"""Buckets after which the cause of an incident is looked at again."""
STRONGEST = ("UNREST_TOLERANCE", "LEVEL_HOURS", "POOL_STRENGTH", "BORROW_EVENTS", "COMMON_MIN_EXPECTED")
SIZES: dict[str, Callable[[Loss], bool]] = {
    "below 100 events lost": lambda loss: loss.lost < 100,
    "100 to 1,000 events lost": lambda loss: 100 <= loss.lost <= 1000,
    "above 1,000 events lost": lambda loss: loss.lost > 1000,
}


@dataclass(frozen=True)
class Scale:
    """How much is run."""

    seeds: tuple[int, ...]
    days: int
    test_days: int
    countries: int
    plans: tuple[int, ...]
    """Numbers of losses, one setting each."""
    budgets: tuple[float, ...]
    sample: int
    """Slices given to statsmodels."""
    real: tuple[Real, ...]
    common_mode: tuple[str, ...] = ()
    """Dimensions of the simulation whose values each have a common mode of their own."""


FULL = Scale((0, 1, 2, 3), 56, 14, 60, (60, 15), BUDGETS, 60, REALS)
QUICK = Scale((0,), 33, 5, 12, (24,), (7.0,), 10, tuple(shortened(real) for real in REALS))

SIMULATED = Rule(
    "simulated",
    SourceRef("memory", ("events",)),
    Timestamp("at"),
    DIMENSIONS,
    Place("benchmarks/detection.py"),
    depth=3,
    false_incidents_per_week=HIGH,
)


@dataclass(frozen=True)
class Result:
    """A run over a world, and its score."""

    world: World
    run: Run
    score: Score
    episodes: int
    days: float

    @property
    def false(self) -> int:
        return len(self.score.false)


def after_of(rule: Rule) -> int:
    """Buckets past the end of a loss within which an alarm is still its doing: one day, or one bucket of a day."""
    return max(1, int(86_400 / rule.time_bucket.total_seconds()))


def watch(rule: Rule, world: World) -> Result:
    """Run a rule over a world as if live, and score it."""
    live = Live.of(rule, world)
    run = live.run()
    told, corrected = ([Told(item.members, item.column) for item in some] for some in (run.opened, run.corrected))
    after = after_of(rule)
    days = (world.counts.shape[1] - world.begin) * rule.time_bucket.total_seconds() / 86_400
    episodes = false_episodes(world, live.lattice, run.alarmed, after=after)
    return Result(world, run, score(world, told, after=after, corrected=corrected), episodes, days)


# --- the simulation ------------------------------------------------------------------------------------------


def simulated(scale: Scale, log: Callable[[str], None]) -> Iterator[Row]:
    """Recall, masking, delay and false incidents where everything is known."""
    rule = replace(SIMULATED, common_mode=scale.common_mode)
    world = {
        seed: simulate(seed, days=scale.days, test_days=scale.test_days, countries=scale.countries)
        for seed in scale.seeds
    }
    yield Row("simulation: slices", len(Lattice.of(world[scale.seeds[0]].leaves, 3)), "slices")
    for losses in scale.plans:
        halves = []
        for half in (0, 1):
            plan = Plan(losses, masked=half)
            halves.append([watch(rule, inject(world[seed], plan, seed)) for seed in scale.seeds])
            for result in halves[-1]:
                log(listing(result, rule))
        yield from _quality(f"simulation, {losses} losses", [*halves[0], *halves[1]])
        yield from _masked(f"simulation, {losses} losses", *halves)
        yield from _limit(f"simulation, {losses} losses", [*halves[0], *halves[1]])
    for budget in scale.budgets:
        asked = replace(rule, false_incidents_per_week=budget)
        quiet = [watch(asked, world[seed]) for seed in scale.seeds]
        for result in quiet:
            log(listing(result, asked))
        yield from _nominal(f"simulation, nothing lost, budget {budget:g} a week", quiet, budget)


def _quality(name: str, results: Sequence[Result], events: frozenset[date] = frozenset()) -> Iterator[Row]:
    whole = together([result.score for result in results])
    days = sum(result.days for result in results)
    targets = {"below 100": "", "100 to": "at least .93", "above 1,0": "at least .98"} if not events else {}
    recall, count = whole.recall()
    yield Row(f"{name}: recall", recall, "share", f"of {count}")
    for share in (1.0, 0.5, 0.3):
        value, count = whole.recall(lambda loss, share=share: loss.share == share)
        yield Row(f"{name}: recall, {share:.0%} lost", value, "share", f"of {count}")
    for size, chosen in SIZES.items():
        value, count = whole.recall(chosen)
        target = next((text for key, text in targets.items() if size.startswith(key)), "")
        yield Row(f"{name}: recall, {size}", value, "share", f"of {count}; {target}".rstrip("; "))
    if whole.delays:
        yield Row(f"{name}: median delay", float(np.median(whole.delays)), "buckets", "at most 2")
    for later, target in ((0, "at least .60"), (REFINED, "at least .90")):
        right = [named for result in results for named in _named(result, later)]
        when = f"{later} buckets after it was told" if later else "when it was told"
        aim = target if "15 losses" in name else ""
        yield Row(
            f"{name}: right cause first, {when}",
            float(np.mean(right or [0.0])),
            "share",
            f"of {len(right)}; {aim}".rstrip("; "),
        )
    yield Row(f"{name}: false incidents", len(whole.false) / days, "a day", "at most 1.0" if not events else "")
    yield Row(f"{name}: false episodes", sum(result.episodes for result in results) / days, "a day")
    yield Row(f"{name}: precision", 1.0 - len(whole.false) / max(whole.told, 1), "share", f"{whole.told} told")


def _named(result: Result, later: int) -> Iterator[bool]:
    """Of each loss that was found, whether its very leaves were named so many buckets after it was told."""
    for item in result.score.found:
        if item.delay is not None:
            column = min(item.loss.start + item.delay - 1 + later, item.loss.stop - 1, result.world.counts.shape[1] - 1)
            there = sorted(result.run.standing[column - result.world.begin], key=lambda one: -gap(one.incident))
            yield rightly_named(result.world, item.loss, [Told(one.members, one.column) for one in there])


def _limit(name: str, results: Sequence[Result]) -> Iterator[Row]:
    """What one would find who knows how the counts were drawn, at the threshold of the last fit."""
    found = tuple(item for result in results for item in knowable(result.world, result.run.fits[-1].threshold))
    for size, chosen in SIZES.items():
        value, count = Score(found, (), 0).recall(chosen)
        yield Row(f"{name}: recall, {size}, knowing the truth", value, "share", f"of {count}; nobody does better")


def _masked(name: str, first: Sequence[Result], second: Sequence[Result]) -> Iterator[Row]:
    """The same losses, each once masked and once not."""
    pairs = [
        (a, b) if a.loss.masked else (b, a)
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one.score.found, other.score.found, strict=True)
    ]
    hidden, plain = (np.mean([pair[i].delay is not None for pair in pairs]) for i in (0, 1))
    yield Row(f"{name}: recall, masked", float(hidden), "share", f"of {len(pairs)} pairs")
    yield Row(f"{name}: recall, not masked", float(plain), "share")
    yield Row(f"{name}: masked costs", float(plain - hidden), "share", "at most .05")


def _nominal(name: str, results: Sequence[Result], budget: float) -> Iterator[Row]:
    weeks = sum(result.days for result in results) / 7
    seen = sum(result.false for result in results)
    yield Row(f"{name}: observed", seen / weeks, "a week", f"at most {2 * budget:g}")
    yield Row(f"{name}: upper 95 % bound", upper_bound(seen) / weeks, "a week")


# --- real data -----------------------------------------------------------------------------------------------


def real_data(scale: Scale, log: Callable[[str], None]) -> Iterator[Row]:
    """Untouched counts, and the same with losses; sensitivity medium."""
    for real in scale.real:
        world = real.read()
        quiet = watch(real.rule, world)
        log(listing(quiet, real.rule, real.events))
        yield from _untouched(real, quiet)
        lost = watch(real.rule, inject(world, real.plan, 0))
        log(listing(lost, real.rule, real.events))
        yield from _quality(f"{real.name}, losses", [lost], real.events)
        total = lost.score.recall(lambda loss: loss.share == 1.0 and loss.lost >= 100)
        yield Row(f"{real.name}, losses: recall, all of 100 and more events", total[0], "share", f"of {total[1]}; 1.0")


def _untouched(real: Real, result: Result) -> Iterator[Row]:
    ordinary = [item for item in result.score.false if _day(result, item.column) not in real.events]
    every = {_day(result, column) for column in range(result.world.begin, result.world.counts.shape[1])}
    calm = every - real.events
    noisy = {_day(result, item.column) for item in ordinary}
    target = {"nyc_bike": "at most .3", "usagov": "at most .5"}[real.name]
    yield Row(
        f"{real.name}, untouched: false incidents, known events excepted", len(ordinary) / len(calm), "a day", target
    )
    yield Row(f"{real.name}, untouched: incidents, nothing excepted", result.false / len(every), "a day")
    share = 1.0 - len(noisy) / len(calm)
    yield Row(
        f"{real.name}, untouched: days without any", share, "share", "at least .75" if real is not REALS[1] else ""
    )


def _day(result: Result, column: int) -> date:
    return to_datetime(int(result.world.starts[column])).date()


# --- peers ---------------------------------------------------------------------------------------------------


def peers(scale: Scale, log: Callable[[str], None]) -> Iterator[Row]:
    """Formulas of other tools on the first seed's losses; they judge slices, not incidents."""
    seed = scale.seeds[0]
    world = inject(
        simulate(seed, days=scale.days, test_days=scale.test_days, countries=scale.countries),
        Plan(scale.plans[0]),
        seed,
    )
    lattice = Lattice.of(world.leaves, 3)
    values = lattice.rollup(world.counts.astype(float))
    days = (values.shape[1] - world.begin) / 24
    for name, peer in PEERS.items():
        alarmed = peer(values, world.begin, 168)
        log(f"{name}: {int(alarmed.sum())} alarms")
        false = false_episodes(world, lattice, alarmed, after=24)
        yield from _peer_rows(name, slices_found(world, lattice, alarmed), false / days)
    rows = _sampled(world, lattice, scale.sample)
    alarmed = np.zeros((len(lattice), values.shape[1] - world.begin), dtype=bool)
    alarmed[rows] = stl(values[rows], world.begin, 168)
    false = false_episodes(world, lattice, alarmed, after=24) / days * len(lattice) / len(rows)
    some = tuple(f for f in slices_found(world, lattice, alarmed) if _row(lattice, f.loss) in set(rows))
    yield from _peer_rows(f"statsmodels STL, {len(rows)} slices", some, false)


def _sampled(world: World, lattice: Lattice, sample: int) -> list[int]:
    """Slices that lose something, and as many others."""
    lossy = [_row(lattice, loss) for loss in world.losses][: sample // 2]
    other = np.random.default_rng(0).permutation(len(lattice))[: sample - len(lossy)]
    return sorted({*lossy, *(int(row) for row in other)})


def _row(lattice: Lattice, loss: Loss) -> int:
    return int(np.flatnonzero((lattice.codes == np.array(loss.codes)).all(axis=1))[0])


def _peer_rows(name: str, found: Iterable[Found], false: float) -> Iterator[Row]:
    whole = Score(tuple(found), (), 0)
    recall, count = whole.recall()
    yield Row(f"peer {name}: recall", recall, "share", f"of {count}")
    for share in (1.0, 0.5, 0.3):
        value, count = whole.recall(lambda loss, share=share: loss.share == share)
        yield Row(f"peer {name}: recall, {share:.0%} lost", value, "share", f"of {count}")
    for size, chosen in SIZES.items():
        yield Row(f"peer {name}: recall, {size}", whole.recall(chosen)[0], "share")
    yield Row(f"peer {name}: false episodes", false, "a day")


# --- the table -----------------------------------------------------------------------------------------------


def listing(result: Result, rule: Rule, events: frozenset[date] = frozenset()) -> str:
    """Misses and false incidents one by one, for whoever looks for the reason."""
    lines = [
        f"-- {rule.name}: {result.days:g} days, {result.score.told} told, {result.false} false, {result.episodes} episodes"
    ]
    for item in result.score.found:
        loss, leaves = item.loss, result.world.leaves
        what = f"{leaves.slice_of(loss.codes).label():44} {loss.lost:>7} lost, {loss.share:.0%}, {loss.stop - loss.start} buckets"
        lines.append(
            f"  {'MISS' if item.delay is None else f'{item.delay:>4}'} {what} {'masked' if loss.masked else ''}"
        )
    false = {(item.column, item.members.tobytes()) for item in result.score.false}
    for opened in result.run.opened:
        if (opened.column, opened.members.tobytes()) in false:
            one = opened.incident
            known = "known event" if _day(result, opened.column) in events else ""
            lines.append(
                f"  FALSE {one.raised_at:%m-%d %H:%M} {one.kind.value} {one.cause.label():40} "
                f"{one.observed:.0f} of {one.expected:.0f} since {one.since:%m-%d %H:%M} p={one.p:.1e} {known}"
            )
    return "\n".join(lines)


def measure(scale: Scale, parts: Sequence[str], log: Callable[[str], None]) -> Iterator[Row]:
    """The rows of the parts asked for."""
    for name, part in (("sim", simulated), ("real", real_data), ("peers", peers)):
        if name in parts:
            yield from part(scale, log)


@contextmanager
def changed(name: str, factor: float) -> Iterator[None]:
    """A constant of the method, multiplied for a while."""
    before = getattr(constants, name)
    setattr(constants, name, type(before)(before * factor))
    try:
        yield
    finally:
        setattr(constants, name, before)


def sensitivity(scale: Scale) -> Iterator[Row]:
    """One seed and the bikes, with each of the strongest constants a quarter lower and higher."""
    less = replace(
        scale, seeds=scale.seeds[:1], plans=scale.plans[:1], budgets=(), real=tuple(map(shortened, (NYC_BIKE,)))
    )
    for name, factor in [("", 1.0), *((name, factor) for name in STRONGEST for factor in (0.75, 1.25))]:
        with changed(name or STRONGEST[0], factor):
            rows = list(measure(less, ("sim", "real"), lambda _: None))
        prefix = f"{name} {factor - 1.0:+.0%}" if name else "as it is"
        yield from (replace(row, figure=f"{prefix}: {row.figure}") for row in rows if _matters(row.figure))


def _matters(figure: str) -> bool:
    return any(
        figure.endswith(part) for part in (": recall", "false incidents", "excepted", "masked costs", "events lost")
    )


def show(row: Row) -> str:
    """A row as aligned text."""
    value = f"{row.value:,.0f}" if abs(row.value) >= 100 else f"{row.value:.3g}"
    return f"{row.figure:<76} {value:>8} {row.unit:<8} {row.against}".rstrip()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small world, three weeks of bikes")
    parser.add_argument("--seeds", type=int, help="how many seeds of the simulation")
    parser.add_argument("--only", choices=("sim", "real", "peers"), action="append", help="one part; may be repeated")
    parser.add_argument(
        "--common-mode", choices=DIMENSIONS, action="append", help="a dimension with one for each value"
    )
    parser.add_argument("--sensitivity", action="store_true", help="the strongest constants a quarter lower and higher")
    parser.add_argument("--list", action="store_true", help="every miss and false incident, on stderr")
    parser.add_argument("--json", action="store_true", help="one object per row")
    options = parser.parse_args(arguments)
    scale = QUICK if options.quick else FULL
    if options.seeds:
        scale = replace(scale, seeds=tuple(range(options.seeds)))
    scale = replace(scale, common_mode=tuple(options.common_mode or ()))
    log = (lambda text: print(text, file=sys.stderr, flush=True)) if options.list else (lambda _: None)
    rows = sensitivity(scale) if options.sensitivity else measure(scale, options.only or ("sim", "real", "peers"), log)
    for row in rows:
        print(json.dumps(asdict(row)) if options.json else show(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
