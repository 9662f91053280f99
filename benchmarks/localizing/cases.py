"""Labelled cases for the benchmark of localization: RS from real faults, S and L drawn by RiskLoc's published generator.

Kalander 2022, "RiskLoc: Localization of Multi-dimensional Root Causes by Weighted Risk"; RobustSpot, IEEE TSC 2023.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ruamel.yaml import YAML

from monitor.lattice import ANY
from monitor.localize.cells import Cells, measured_noise, ratio_cells

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int32]
Element = tuple[int, ...]
"""Codes over the dimensions, ANY where not named."""

ENVIRONMENT = "SLICEWATCH_SHARED_DATA"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"

MINUTES_BEFORE = 10
"""Minutes before the faulty one that say what is usual."""
PRIOR_VIEWERS = 100.0
"""A leaf's usual rate is drawn towards everybody's as if by so many viewers."""
CORRELATION = 0.001
"""Of two viewers of one leaf: the beta-binomial's."""


@dataclass(frozen=True)
class Case:
    """What every method is given: leaves with what came and what was expected, and the elements that caused it.

    `down` is the way that is asked about, None where both are.
    """

    name: str
    cells: Cells
    truth: frozenset[Element]
    down: bool | None = None


@dataclass(frozen=True)
class Kind:
    """Ranges of a synthetic data set; `layers` are how many dimensions an anomaly names."""

    name: str
    sizes: tuple[int, ...]
    noise: float
    anomalies: int
    elements: int
    severity: float
    deviation: float
    layers: tuple[int, int]


S = Kind("S", (10, 12, 10, 8, 5), 0.25, 3, 3, 0.2, 0.1, (1, 5))
L = Kind("L", (10, 24, 10, 15), 0.1, 5, 1, 0.5, 0.0, (4, 4))


@dataclass(frozen=True)
class Anomaly:
    """Elements of one cuboid that are scaled alike."""

    dimensions: tuple[int, ...]
    elements: tuple[tuple[int, ...], ...]
    severity: float
    deviation: float


def synthetic(kind: Kind, count: int, seed: int) -> Iterator[Case]:
    """Cases of a kind; each is drawn from (seed, its number) alone."""
    codes = np.array(list(product(*(range(size) for size in kind.sizes))), dtype=np.int32)
    for number in range(count):
        yield _draw(kind, codes, np.random.default_rng([seed, number]), f"{kind.name}{number}")


def _draw(kind: Kind, codes: Codes, rng: np.random.Generator, name: str) -> Case:
    zero_rate, noise = rng.uniform(0.0, 0.25), rng.uniform(0.0, kind.noise)
    real = 100.0 * rng.weibull(rng.uniform(0.5, 1.0), len(codes)) * (rng.uniform(size=len(codes)) >= zero_rate)
    forecast = np.maximum(real * (1.0 + rng.normal(0.0, noise, len(codes))), 0.0)
    swapped = rng.integers(0, 2, len(codes)) == 1
    real, forecast = np.where(swapped, forecast, real), np.where(swapped, real, forecast)
    anomalies = _anomalies(kind, rng, noise, real)
    grown = real.sum() > forecast.sum()
    for anomaly in anomalies:
        inside = _inside(codes, anomaly)
        left = np.maximum(1.0 - rng.normal(anomaly.severity, anomaly.deviation, int(inside.sum())), 0.0)
        if grown:
            forecast[inside] = real[inside] * left
        else:
            real[inside] = forecast[inside] * left
    truth = frozenset(_named(a, element, len(kind.sizes)) for a in anomalies for element in a.elements)
    return Case(name, measured_noise(codes, real, forecast), truth)


def _anomalies(kind: Kind, rng: np.random.Generator, noise: float, real: Floats) -> list[Anomaly]:
    found: list[Anomaly] = []
    wanted = [
        (int(rng.integers(kind.layers[0], kind.layers[1] + 1)), int(rng.integers(1, kind.elements + 1)))
        for _ in range(rng.integers(1, kind.anomalies + 1))
    ]
    for depth, elements in wanted:
        severity, deviation = rng.uniform(kind.severity, 1.0) + noise, rng.uniform(0.0, kind.deviation)
        places = None
        while places is None:
            places = _places(kind, rng, found, depth, elements, real)
        found.append(Anomaly(*places, severity, deviation))
    return found


Places = tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]


def _places(
    kind: Kind, rng: np.random.Generator, before: list[Anomaly], depth: int, count: int, real: Floats
) -> Places | None:
    """Dimensions and elements of one more anomaly; None where the draw breaks a rule of the generator."""
    deepest = depth == len(kind.sizes)
    dimensions = tuple(sorted(int(d) for d in rng.choice(len(kind.sizes), depth, replace=False)))
    if not deepest and any(dimensions == other.dimensions for other in before):
        return None
    columns = []
    for d in dimensions:
        taken = {e[a.dimensions.index(d)] for a in before if d in a.dimensions for e in a.elements}
        left = [value for value in range(kind.sizes[d]) if value not in taken]
        if not left:
            return None
        columns.append([int(value) for value in rng.choice(left, count)])
    elements = tuple(zip(*columns, strict=True))
    if len(set(elements)) < count:
        return None
    # A leaf without events shows nothing: nobody could find it.
    if deepest and any(real[np.ravel_multi_index(element, kind.sizes)] == 0 for element in elements):
        return None
    return dimensions, elements


def _inside(codes: Codes, anomaly: Anomaly) -> Bools:
    columns = codes[:, list(anomaly.dimensions)]
    return np.logical_or.reduce([(columns == np.array(element)).all(axis=1) for element in anomaly.elements])


def _named(anomaly: Anomaly, element: tuple[int, ...], width: int) -> Element:
    named = dict(zip(anomaly.dimensions, element, strict=True))
    return tuple(named.get(d, ANY) for d in range(width))


def shared_folder() -> Path:
    """The folder of the real data; an error that says how to name it where it is absent."""
    folder = Path(os.environ.get(ENVIRONMENT) or BESIDE) / "rs"
    if not folder.is_dir():
        raise SystemExit(f"no data set RS: {folder} is no folder (set {ENVIRONMENT})")
    return folder


def real(folder: Path, limit: int | None = None) -> Iterator[Case]:
    """The cases of RS: viewers that stall, of all viewers, per combination of attributes in the faulty minute."""
    for label in YAML(typ="safe").load(folder / "labels.yaml")[:limit]:
        frame = pd.read_parquet(folder / f"{label['case']}.parquet")
        yield _faulty(frame, int(label["minute"]), label["causes"], str(label["case"]))


def _faulty(frame: pd.DataFrame, minute: int, causes: list[dict[str, str]], name: str) -> Case:
    dimensions = [c for c in frame.columns if c not in ("minute", "stalled", "viewers")]
    frame = frame.astype(dict.fromkeys(dimensions, str))
    now = frame[frame.minute == minute].groupby(dimensions)[["stalled", "viewers"]].sum()
    before = frame[(frame.minute < minute) & (frame.minute >= minute - 60 * MINUTES_BEFORE)]
    usual = before.groupby(dimensions)[["stalled", "viewers"]].sum().reindex(now.index).fillna(0.0)
    overall = float(usual.stalled.sum() / max(usual.viewers.sum(), 1.0))
    rate = ((usual.stalled + PRIOR_VIEWERS * overall) / (usual.viewers + PRIOR_VIEWERS)).to_numpy()
    levels = [pd.factorize(now.index.get_level_values(d)) for d in dimensions]
    codes = np.stack([code for code, _ in levels], axis=1).astype(np.int32)
    place = {d: {value: i for i, value in enumerate(values)} for d, (_, values) in zip(dimensions, levels, strict=True)}
    truth = frozenset(
        tuple(place[d].get(str(cause[d]), ANY - 1) if d in cause else ANY for d in dimensions) for cause in causes
    )
    cells = ratio_cells(codes, now.stalled.to_numpy(float), now.viewers.to_numpy(float), rate, CORRELATION)
    return Case(name, cells, truth, down=False)
