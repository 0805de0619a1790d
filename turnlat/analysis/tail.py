"""Tail: whether a percentile is slower, by Harrell–Davis estimates of whole arrangements."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from turnlat.analysis.permutation import SMALLEST_ERROR, Estimate, Sample
from turnlat.analysis.statistics import (
    NEGLIGIBLE,
    beta_distribution,
    design_effect,
    harrell_davis,
    intraclass_correlation,
    quantile_shape,
    sizes_by,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


_PART, _MOST_PARTS = 64, 256
"""The sorted values are cut into parts of so many, to find those that an estimate weighs."""

_MOST_CELLS = 500_000
"""Units × parts, which bounds the memory."""


class Quantile:
    """The difference of Harrell–Davis quantiles over its Maritz–Jarrett standard error."""

    def __init__(self, sample: Sample, share: float) -> None:
        order = np.argsort(sample.values, kind="stable")
        self._values, self._unit = sample.values[order], sample.unit[order]
        self._share, self.sample = share, sample
        self._correlation = intraclass_correlation(sample.values, sample.unit)
        self._sizes = sizes_by(sample.unit, len(sample.candidate))
        most = min(_MOST_PARTS, _MOST_CELLS // len(sample.candidate))
        parts = max(1, min(most, len(order) // _PART))
        self._edges = np.unique(np.linspace(0, len(order), parts + 1).astype(np.intp))
        self._below = self._counts_at_edges()

    @property
    def width(self) -> int:
        """The whole sample at most; in fact the part that an estimate gives weight to."""
        return max(64, round(len(self._values) * 0.05))

    def _counts_at_edges(self) -> Floats:
        """Per unit, how many of its values are among the first so many of all."""
        steps = np.searchsorted(self._edges, np.arange(len(self._values)), side="right")
        counts = np.zeros((len(self.sample.candidate), len(self._edges)))
        np.add.at(counts, (self._unit, steps), 1)
        return counts.cumsum(axis=1)

    def of(self, sides: Floats) -> Floats:
        """The studentised difference of quantiles for each row of `sides`."""
        (slow, slow_variance), (fast, fast_variance) = self._side(sides), self._side(1 - sides)
        error = np.sqrt(slow_variance + fast_variance)
        return (slow - fast) / np.maximum(error, SMALLEST_ERROR)

    def _side(self, sides: Floats) -> tuple[Floats, Floats]:
        """The quantile of the values that each row holds, and its variance."""
        numbers = (sides @ self._sizes).astype(np.intp)
        first, table = self._weights(numbers)
        begin, end = self._window(sides, first, first + table.shape[1] - 1)
        here = sides[:, self._unit[begin:end]].astype(np.int32)
        before = (sides @ self._below[:, np.searchsorted(self._edges, begin)]).astype(np.int32)
        places = before[:, None] + here.cumsum(axis=1, dtype=np.int32) - first[:, None]
        np.clip(places, 0, table.shape[1] - 1, out=places)
        rows = self._rows(numbers)
        reached = table[rows[:, None], places]
        weights = np.diff(reached, axis=1, prepend=0.0)
        values = self._values[begin:end]
        centre = values[len(values) // 2]
        mean = weights @ (values - centre)
        spread = np.maximum(weights @ (values - centre) ** 2 - mean**2, 0)
        squares = sides @ self._sizes**2
        return mean + centre, spread * design_effect(
            squares, numbers.astype(np.float64), self._correlation
        )

    @staticmethod
    def _rows(numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        return np.unique(numbers, return_inverse=True)[1].reshape(-1)

    def _weights(self, numbers: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], Floats]:
        """The weight of the first so many values, a row for each distinct number of values.

        Tables begin at the rank before the first one that has weight, which is given for each of
        `numbers`; all of them end with 1.
        """
        distinct = np.unique(numbers)
        tables = [_table(int(number), self._share) for number in distinct]
        padded = np.ones((len(tables), max(len(table) for _, table in tables)))
        for row, (_, table) in zip(padded, tables, strict=True):
            row[: len(table)] = table
        firsts = np.array([first for first, _ in tables], dtype=np.intp)
        return firsts[self._rows(numbers)], padded

    def _window(
        self, sides: Floats, first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]
    ) -> tuple[int, int]:
        """The positions among all values that hold every weighed value of every row."""
        below = sides @ self._below
        begin = int((below <= first[:, None]).all(axis=0).sum()) - 1
        end = len(self._edges) - int((below >= last[:, None]).all(axis=0).sum())
        return int(self._edges[max(begin, 0)]), int(self._edges[min(end, len(self._edges) - 1)])

    def estimate(self, low: float, high: float) -> Estimate:
        """The observed difference of quantiles."""
        candidate = self.sample.candidate[self._unit]
        sizes, sides = self._sizes, self.sample.candidate
        (slow, error), (fast, base) = (
            harrell_davis(self._values[part], self._share) for part in (candidate, ~candidate)
        )
        effects = [
            design_effect((sizes[part] ** 2).sum(), sizes[part].sum(), self._correlation)
            for part in (sides, ~sides)
        ]
        total = math.sqrt(error**2 * float(effects[0]) + base**2 * float(effects[1]))
        difference = slow - fast
        return Estimate(difference, difference - high * total, difference - low * total)


@lru_cache(maxsize=10_000)
def _table(number: int, share: float) -> tuple[int, Floats]:
    """The cumulative weights of `number` order statistics where they are not negligible.

    With the rank of the value that the first of them, which is 0, is of.
    """
    deviation = math.sqrt(share * (1 - share) / (number + 2))
    reach = 12 * deviation + 12 / (number + 1)
    first = max(0, math.floor((share - reach) * number))
    last = min(number, math.ceil((share + reach) * number))
    points = np.arange(first, last + 1) / max(number, 1)
    table = beta_distribution(points, *quantile_shape(np.float64(number), share))
    table[table < NEGLIGIBLE] = 0.0
    table[-1] = 1.0
    start = max(0, int((table == 0).sum()) - 1)
    end = int((table < 1 - NEGLIGIBLE).sum()) + 1
    return first + start, table[start:end]
