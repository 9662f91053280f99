"""What engines answer, made into the frame that `Source.count` promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from monitor.query import CountQuery, QueryRefusedError, SourceError
from monitor.sources.buckets import BucketPlan

INT64_MAX = 2**63 - 1


def leaf_frame(
    query: CountQuery,
    plan: BucketPlan | None,
    numbers: npt.NDArray[np.int64],
    dimensions: Sequence[npt.NDArray[Any]],
    measures: Sequence[npt.NDArray[np.int64]],
    lags: npt.NDArray[np.int64] | None = None,
) -> pd.DataFrame:
    """Leaves as a frame: arrays of one length, one per dimension (object: str or None) and measure (int64).

    `lags` are the classes of lateness of a query that asks for them.

    Columns stand by position: a dimension may itself be called `bucket` or `m0`.
    """
    starts = plan.starts(numbers) if plan is not None else numbers.view("datetime64[us]")
    bucket = pd.Series(starts).dt.tz_localize("UTC")
    parts = [bucket, *(pd.Series(values, dtype=object) for values in dimensions)]
    parts += [pd.Series(values, dtype="int64") for values in measures]
    names = ["bucket", *query.dimensions, *(f"m{i}" for i in range(len(measures)))]
    if lags is not None:
        parts.append(pd.Series(lags, dtype="int64"))
        names.append("lag")
    frame = pd.DataFrame(dict(enumerate(parts)))
    frame.columns = pd.Index(names, dtype=object)
    return frame


def empty_frame(query: CountQuery) -> pd.DataFrame:
    """No leaf at all, with the columns of `leaf_frame`."""
    whole = np.empty(0, dtype="int64")
    texts: npt.NDArray[Any] = np.empty(0, dtype=object)
    lags = None if query.arrivals is None else whole
    return leaf_frame(query, None, whole, [texts] * len(query.dimensions), [whole] * len(query.measures), lags)


def refuse_negative(column: str) -> QueryRefusedError:
    """A sum must be of a non-negative column, or a loss and a correction would look alike."""
    return QueryRefusedError(
        f"{column!r} has a negative value: sum needs a non-negative integer column", subject=column
    )


def refuse_fraction(column: str, kind: str) -> QueryRefusedError:
    """A sum must be of whole numbers: the test behind it is one for counts."""
    return QueryRefusedError(f"{column!r} is {kind}: sum needs a non-negative integer column", subject=column)


def too_large(column: str) -> SourceError:
    """A sum that 64 bits cannot hold is not guessed at."""
    return SourceError(f"the sum of {column!r} does not fit 64 bits")
