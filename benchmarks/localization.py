"""How often the right cause is named, and how long that takes, beside two published methods in the same run.

RS: labelled faults of a video service (stalled of all viewers); S and L: drawn as RiskLoc's generator draws them. An
element counts as right if it has exactly the labelled leaves: two names of the same leaves cannot be told apart. F1 is
2TP/(2TP+FP+FN) over all elements of all cases. On RS a ranking is held against the label's whole set: our first
explanation and what it might have been instead; the peers' answers in their order. Seconds are CPU seconds of one case,
the cube's making included, that of the noise from the leaves not.

    python benchmarks/localization.py [--quick] [--cases N] [--sensitivity] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.localizing.cases import Case, Element, Kind, L, S, real, shared_folder, synthetic
from benchmarks.localizing.peers import adtributor, leaf_scores
from benchmarks.rows import Row
from monitor.lattice import ANY
from monitor.localize.cells import Cells
from monitor.localize.cube import Cube
from monitor.localize.explanations import localize
from monitor.statistics import constants as k

SEED = 20220520
RANKED = 5
MILLION = Kind("million", (100, 100, 10, 10), 0.1, 3, 2, 0.5, 0.05, (1, 4))

TARGETS = {"RS top-1": 0.80, "RS top-3": 0.92, "S F1": 0.85, "L F1": 0.96, "S p95": 0.05, "million": 3.0}
DESIGN = {
    "RS": "design: this method, before, top-1 .763, .009 s; RobustSpot top-1 .643, .17 s; F1: AutoRoot .261, RiskLoc .025",
    "S": "design: this method, before, F1 .79-.85, .03 s; RiskLoc .587, 6.5 s; AutoRoot .425, .63 s",
    "L": "design: this method, before, F1 .89-.97, .012 s; RiskLoc .713, .75 s; AutoRoot .563, .16 s",
}
STRONGEST = ("HOMOGENEITY", "STOP_Z", "SIBLING_LEAST", "SET_DISCOUNT", "RATIO_CAP")


@dataclass(frozen=True)
class Answer:
    """All elements told, and sets of elements in the order of how likely each is the whole answer."""

    told: tuple[Element, ...]
    ranked: tuple[tuple[Element, ...], ...]


def ours(case: Case) -> Answer:
    """The program's own function."""
    found = localize(case.cells, down=case.down, instead=RANKED - 1)
    told = tuple(element.codes for item in found for element in item.elements)
    first = [tuple(element.codes for element in item.elements) for item in found[:1]]
    return Answer(told, (*first, *((other.codes,) for item in found[:1] for other in item.instead)))


def _adtributor(case: Case) -> Answer:
    ranked = tuple(adtributor(case.cells))
    return Answer(ranked[0] if ranked else (), ranked)


def _leaf_scores(case: Case) -> Answer:
    ranked = tuple(leaf_scores(case.cells, Cube.of(case.cells.codes)))
    return Answer(tuple(element for item in ranked for element in item), ranked)


METHODS: dict[str, Callable[[Case], Answer]] = {
    "slicewatch": ours,
    "leaf scores (RiskLoc's manner)": _leaf_scores,
    "Adtributor": _adtributor,
}


@dataclass
class Tally:
    """What one method did on the cases of one set."""

    right: int = 0
    told: int = 0
    labelled: int = 0
    first_told: int = 0
    first_right: int = 0
    ranks: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()

    @property
    def f1(self) -> float:
        return 2.0 * self.right / max(self.told + self.labelled, 1)

    @property
    def first_f1(self) -> float:
        """F1 of the first answer alone."""
        return 2.0 * self.first_right / max(self.first_told + self.labelled, 1)

    def top(self, most: int) -> float:
        """Share of cases whose label is among the first answers."""
        return float(np.mean([rank < most for rank in self.ranks]))

    def add(self, case: Case, answer: Answer, seconds: float) -> None:
        truth = _prints(case.cells, case.truth)
        self.right += len(_prints(case.cells, answer.told) & truth)
        self.told += len(answer.told)
        self.labelled += len(truth)
        first = answer.ranked[:1]
        self.first_told += sum(len(item) for item in first)
        self.first_right += sum(len(_prints(case.cells, item) & truth) for item in first)
        ranked = [i for i, item in enumerate(answer.ranked) if _prints(case.cells, item) == truth]
        self.ranks = (*self.ranks, min(ranked, default=len(truth) + 1_000))
        self.seconds = (*self.seconds, seconds)


def _prints(cells: Cells, elements: Iterable[Element]) -> set[bytes]:
    """The leaves of each element, as something to compare."""
    found = set()
    for element in elements:
        named = [d for d, code in enumerate(element) if code != ANY]
        inside = (cells.codes[:, named] == np.array([element[d] for d in named], dtype=np.int32)).all(axis=1)
        found.add(np.packbits(inside).tobytes())
    return found


def judge(cases: Iterable[Case], method: Callable[[Case], Answer]) -> Tally:
    """A method's tally over some cases."""
    tally = Tally()
    for case in cases:
        began = time.process_time()
        answer = method(case)
        tally.add(case, answer, time.process_time() - began)
    return tally


def rows_of(name: str, method: str, tally: Tally) -> Iterator[Row]:
    """The figures of one method on one set."""
    mine = method == "slicewatch"
    if name == "RS":
        for most in (1, 3, 5):
            target = TARGETS.get(f"RS top-{most}")
            against = f"at least {target:g}" if mine and target else ""
            yield Row(f"RS: {method}: top-{most}, exact set", tally.top(most), "share", against)
        yield Row(f"RS: {method}: F1 of the first answer", tally.first_f1, "F1", DESIGN["RS"] if mine else "")
    else:
        against = f"at least {TARGETS[f'{name} F1']:g}; {DESIGN[name]}" if mine else ""
        yield Row(f"{name}: {method}: F1", tally.f1, "F1", against)
    target = f"at most {TARGETS['S p95']:g}" if mine and name == "S" else ""
    yield Row(f"{name}: {method}: a case, median", float(np.median(tally.seconds)), "CPU s")
    yield Row(f"{name}: {method}: a case, p95", float(np.quantile(tally.seconds, 0.95)), "CPU s", target)


def cases_of(name: str, count: int) -> Iterable[Case]:
    """The cases of a set: RS as it is, `count` of S or L."""
    return real(shared_folder()) if name == "RS" else synthetic(S if name == "S" else L, count, SEED)


def million() -> Iterator[Row]:
    """One case of a million leaves, 4 dimensions."""
    case = next(iter(synthetic(MILLION, 1, SEED)))
    tally = judge([case], ours)
    yield Row("a million leaves: slicewatch", tally.seconds[0], "CPU s", f"at most {TARGETS['million']:g}")
    yield Row("a million leaves: slicewatch: F1", tally.f1, "F1")
    began = time.process_time()
    case.cells.observed.copy().sum()
    yield Row("a million leaves: copying and summing one array", time.process_time() - began, "CPU s")


def everything(count: int) -> Iterator[Row]:
    """All rows; the peers that need seconds a case get fewer of S and L."""
    for name in ("RS", "S", "L"):
        cases = list(cases_of(name, count)) if name == "RS" else None
        for method, answer in METHODS.items():
            some = count if method == "slicewatch" else max(count // 4, 1)
            tally = judge(cases if cases is not None else cases_of(name, some), answer)
            yield Row(f"{name}: {method}: cases", len(tally.seconds), "cases")
            yield from rows_of(name, method, tally)
    yield from million()


def sensitivity(count: int) -> Iterator[Row]:
    """The main figures with each of the strongest constants a quarter smaller and larger."""
    for constant in (None, *STRONGEST):
        for factor in (0.75, 1.25) if constant else (1.0,):
            yield from _moved(constant, factor, count)


def _moved(constant: str | None, factor: float, count: int) -> Iterator[Row]:
    usual = getattr(k, constant) if constant else 0.0
    if constant:
        setattr(k, constant, usual * factor)
    label = f"{constant} {usual * factor:g}" if constant else "as it is"
    try:
        for name in ("RS", "S", "L"):
            tally = judge(cases_of(name, count), ours)
            if name == "RS":
                yield Row(f"{label}: RS top-1", tally.top(1), "share")
                yield Row(f"{label}: RS top-3", tally.top(3), "share")
            else:
                yield Row(f"{label}: {name} F1", tally.f1, "F1")
    finally:
        if constant:
            setattr(k, constant, usual)


def main(arguments: list[str]) -> None:
    """Print the rows as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200, help="cases of S and of L")
    parser.add_argument("--quick", action="store_const", const=20, dest="cases", help="20 cases")
    parser.add_argument("--sensitivity", action="store_true", help="main figures, the constants moved by a quarter")
    parser.add_argument("--json", action="store_true", help="one object per row")
    options = parser.parse_args(arguments)
    for row in sensitivity(options.cases) if options.sensitivity else everything(options.cases):
        text = f"{row.figure:<64}  {_number(row.value):>9}  {row.unit:<6}  {row.against}".rstrip()
        print(json.dumps(asdict(row)) if options.json else text, flush=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


if __name__ == "__main__":
    main(sys.argv[1:])
