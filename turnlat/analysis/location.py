"""Location: whether turns as a whole are slower, between runs or between partners."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from turnlat.analysis.permutation import SMALLEST_ERROR, Estimate, Sample
from turnlat.analysis.statistics import crossing, mid_ranks, sizes_by, sums_by

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


class Linear:
    """The difference of the mean score of the turns, with its cluster-robust standard error."""

    width = 0

    def __init__(self, sample: Sample, scores: Floats) -> None:
        units = len(sample.candidate)
        sizes, sums = sizes_by(sample.unit, units), sums_by(sample.unit, scores, units)
        self._moments = _moments(sizes, sums)
        self.sample = sample

    def of(self, sides: Floats) -> Floats:
        """The studentised difference of means for each row of `sides`."""
        difference, error = self.parts(sides)
        return difference / np.maximum(error, SMALLEST_ERROR)

    def parts(self, sides: Floats) -> tuple[Floats, Floats]:
        """The difference of means and its standard error for each row of `sides`."""
        candidate = sides @ self._moments
        baseline = self._moments.sum(axis=0) - candidate
        (mean, variance), (base, base_variance) = _mean(candidate), _mean(baseline)
        return mean - base, np.sqrt(variance + base_variance)

    def estimate(self, low: float, high: float) -> Estimate:
        """The difference of the mean scores."""
        difference, error = (
            float(part[0]) for part in self.parts(self.sample.candidate.astype(np.float64)[None])
        )
        return Estimate(difference, difference - high * error, difference - low * error)


def _moments(sizes: Floats, sums: Floats) -> Floats:
    """Per unit, what adds up to the mean of a side and to its variance."""
    present = (sizes > 0).astype(np.float64)
    return np.column_stack([sizes, sums, sizes**2, sizes * sums, sums**2, present])


def _mean(moments: Floats) -> tuple[Floats, Floats]:
    """The mean of a side's turns and its variance, by the sums of its units."""
    sizes, sums, squares, products, sum_squares, units = moments.T
    number = np.maximum(sizes, 1)
    mean = sums / number
    spread = np.maximum(sum_squares - 2 * mean * products + mean**2 * squares, 0)
    return mean, spread / number**2 * units / np.maximum(units - 1, 1)


class Location(Linear):
    """Whether the candidate's turns are the slower ones: a Mann–Whitney test over whole units.

    Estimated by the shift that makes the two alike, which is the Hodges–Lehmann estimate: the
    median of all differences between a turn of the one and a turn of the other.
    """

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample, mid_ranks(sample.values))

    def estimate(self, low: float, high: float) -> Estimate:
        """The shift, and the shifts that the test would not tell from it."""
        shifts = _Shifts(self.sample)
        least, most = shifts.range
        return Estimate(
            crossing(shifts.statistic, least, most),
            crossing(lambda shift: shifts.statistic(shift) - high, least, most),
            crossing(lambda shift: shifts.statistic(shift) - low, least, most),
        )


class _Shifts:
    """The location statistic as observed, had the candidate been faster by some shift."""

    def __init__(self, sample: Sample) -> None:
        order = np.argsort(sample.values, kind="stable")
        candidate = sample.of_candidate[order]
        values, unit = sample.values[order], sample.unit[order]
        self._slow, self._fast = values[candidate], values[~candidate]
        self._ranks = mid_ranks(self._slow), mid_ranks(self._fast)
        self._units = unit[candidate], unit[~candidate]
        self._number = len(sample.candidate)
        self.range = (
            float(self._slow[0] - self._fast[-1]) - 1e-6,
            float(self._slow[-1] - self._fast[0]) + 1e-6,
        )

    def statistic(self, shift: float) -> float:
        """The studentised difference of mean ranks after the shift."""
        slow = self._slow - shift
        (mean, variance), (base, base_variance) = (
            self._side(ranks + _places(own, other), unit)
            for ranks, own, other, unit in (
                (self._ranks[0], slow, self._fast, self._units[0]),
                (self._ranks[1], self._fast, slow, self._units[1]),
            )
        )
        return (mean - base) / max(math.sqrt(variance + base_variance), SMALLEST_ERROR)

    def _side(self, ranks: Floats, unit: npt.NDArray[np.intp]) -> tuple[float, float]:
        moments = _moments(sizes_by(unit, self._number), sums_by(unit, ranks, self._number))
        mean, variance = _mean(moments.sum(axis=0)[None])
        return float(mean[0]), float(variance[0])


def _places(values: Floats, others: Floats) -> Floats:
    """How many of `others` are below each value, those that are equal counting half."""
    below = np.searchsorted(others, values, side="left")
    return (below + np.searchsorted(others, values, side="right")) / 2


class PairedLocation:
    """Whether the candidate's turns are slower than their partners: signed ranks by unit."""

    width = 0

    def __init__(self, sample: Sample) -> None:
        if sample.pairs is None:
            raise ValueError("a paired statistic needs pairs")
        earlier, later = np.split(sample.pairs, 2)
        self._differences = sample.values[later] - sample.values[earlier]
        self._units = len(sample.candidate) // 2
        self._unit = sample.unit[earlier]
        self._sums = self._signed_ranks(0.0)

    def _signed_ranks(self, shift: float) -> Floats:
        left = self._differences - shift
        return sums_by(self._unit, np.sign(left) * mid_ranks(np.abs(left)), self._units)

    def of(self, sides: Floats) -> Floats:
        """The studentised sum of signed ranks for each row of `sides`."""
        signs = 2 * sides[:, self._units :] - 1
        return signs @ self._sums / max(SMALLEST_ERROR, float(np.sqrt(self._sums @ self._sums)))

    def estimate(self, low: float, high: float) -> Estimate:
        """The median of all means of two differences, and what the test does not tell from it."""
        least, most = self._differences.min() - 1e-6, self._differences.max() + 1e-6

        def shifted(shift: float) -> float:
            sums = self._signed_ranks(shift)
            return float(sums.sum() / max(SMALLEST_ERROR, np.sqrt(sums @ sums)))

        return Estimate(
            crossing(shifted, least, most),
            crossing(lambda shift: shifted(shift) - high, least, most),
            crossing(lambda shift: shifted(shift) - low, least, most),
        )
