"""Permutation tests over whole units: the test itself, and what its statistics are asked for.

A statistic compares the candidate's side with the baseline's, larger meaning slower. It is divided
by its own standard error within each arrangement, so that unequal spread does not pass for a shift
(Chung & Romano 2013, Annals of Statistics 41:484). To add one: a class with the members of
`Statistic`, and its line in `samples.STATISTICS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from turnlat.analysis.arrangements import Plan

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SMALLEST_ERROR = 1e-9
"""Stands for a standard error of 0: values that are all the same differ for certain, or not."""

_TIE = 1e-9
"""Arrangements this close to the observed one, in deviations, count as extreme as it."""


@dataclass(frozen=True)
class Sample:
    """The values of one metric in both runs, each with its unit."""

    values: Floats
    unit: npt.NDArray[np.intp]
    candidate: npt.NDArray[np.bool_]
    """Per unit: whether it is the candidate's."""
    pairs: npt.NDArray[np.intp] | None = None
    """In a paired comparison: the positions of the baseline's values, then of their partners'."""

    @property
    def of_candidate(self) -> npt.NDArray[np.bool_]:
        """Per value: whether it is the candidate's."""
        return self.candidate[self.unit]


@dataclass(frozen=True)
class Estimate:
    """A difference between the runs on the scale of the values, and its interval."""

    difference: float
    low: float
    high: float


class Statistic(Protocol):
    """One number that compares two sides, under many arrangements at once."""

    @property
    def width(self) -> int:
        """How many columns one arrangement needs while it is worked on."""

    def of(self, sides: Floats) -> Floats:
        """The statistic, in standard errors, for each row of `sides`."""

    def estimate(self, low: float, high: float) -> Estimate:
        """The observed difference; `low` and `high` are quantiles of the statistic by chance."""


@dataclass(frozen=True)
class Tested:
    """What a family of statistics showed, one element for each of them."""

    worse: Floats
    """The adjusted p-value that the candidate is slower."""
    better: Floats
    chance: Floats
    """All arrangements' statistics; the first row is what was observed."""
    standardised: Floats


def permute(statistics: Sequence[Statistic], plan: Plan) -> Tested:
    """Step-down max-T over all arrangements of `plan`.

    Each statistic is brought to mean 0 and deviation 1 over the arrangements first, so that none
    rules the maximum. Source: Westfall & Young 1993, Resampling-Based Multiple Testing, 2.6.
    """
    width = max(statistic.width for statistic in statistics)
    chance = np.concatenate(
        [np.column_stack([s.of(sides) for s in statistics]) for sides in plan.blocks(width)]
    )
    deviation = chance.std(axis=0)
    standardised = (chance - chance.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return Tested(_step_down(standardised), _step_down(-standardised), chance, standardised)


def _step_down(standardised: Floats) -> Floats:
    """The adjusted p-values: the share of arrangements whose largest statistic is as large."""
    observed = standardised[0]
    order = np.argsort(-observed, kind="stable")
    adjusted, largest = np.empty(len(observed)), 0.0
    for place, number in enumerate(order):
        most = standardised[:, order[place:]].max(axis=1)
        largest = max(largest, float((most >= observed[number] - _TIE).mean()))
        adjusted[number] = largest
    return adjusted
