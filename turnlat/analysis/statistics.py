"""Estimates and errors for latencies that are skewed and correlated within a session.

scipy loads here, when it is first needed, and nowhere else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.intp]

NEGLIGIBLE = 1e-14
"""The weight that Harrell–Davis estimates leave out at either end."""

_SHORTEST = 1e-6
"""A crossing is known there: a millionth of a log ratio or of a second."""

_MOST_STEPS = 60
_LEAST_STEP = 0.02
"""No step is shorter than this share of what is left: statistics of ranks go in steps."""


def beta_distribution(points: Floats, first: Floats, second: Floats) -> Floats:
    """The beta distribution's cumulative probability at `points`."""
    from scipy.special import betainc  # noqa: PLC0415  # `analyze` must not load it

    return np.asarray(betainc(first, second, points), dtype=np.float64)


def beta_quantile(share: float, first: float, second: float) -> float:
    """The quantile of the beta distribution."""
    from scipy.special import betaincinv  # noqa: PLC0415

    return float(betaincinv(first, second, share))


def normal_quantile(share: float) -> float:
    """The quantile of the standard normal distribution."""
    from scipy.special import ndtri  # noqa: PLC0415

    return float(ndtri(share))


def harrell_davis(ordered: Floats, share: float) -> tuple[float, float]:
    """The Harrell–Davis quantile of sorted values, and its standard error.

    Sources: Harrell & Davis 1982, Biometrika 69:635; for the error, `maritz_jarrett`.
    """
    return maritz_jarrett(ordered, *quantile_shape(np.float64(len(ordered)), share))


def maritz_jarrett(
    ordered: Floats, first: Floats | float, second: Floats | float
) -> tuple[float, float]:
    """The mean of sorted values that a beta distribution weighs, and its standard error.

    The error is the square root of the variance under the same weights, for values that are
    independent. Source: Maritz & Jarrett 1978, JASA 73:194.
    """
    points = np.arange(len(ordered) + 1) / len(ordered)
    shape = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    weights = np.diff(beta_distribution(points, *shape))
    estimate = float(weights @ ordered)
    return estimate, math.sqrt(max(0.0, float(weights @ (ordered - estimate) ** 2)))


def quantile_shape(number: Floats | np.float64, share: float) -> tuple[Floats, Floats]:
    """The parameters of the beta distribution that weighs `number` order statistics."""
    return np.asarray((number + 1) * share), np.asarray((number + 1) * (1 - share))


def sums_by(unit: Indices, values: Floats, units: int) -> Floats:
    """The sum of the values of each unit."""
    return np.asarray(np.bincount(unit, values, units), dtype=np.float64)


def sizes_by(unit: Indices, units: int) -> Floats:
    """How many values each unit has."""
    return np.bincount(unit, minlength=units).astype(np.float64)


def mid_ranks(values: Floats) -> Floats:
    """The ranks of values from 1 on; those of ties are their mean."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    upto = np.searchsorted(ordered, values, side="right")
    return (below + upto + 1) / 2


def intraclass_correlation(values: Floats, unit: Indices) -> float:
    """How much alike the values of one unit are: 0 not at all, 1 entirely.

    The estimator of the one-way analysis of variance for units of unequal sizes; 0 where it is
    negative or cannot be had. Source: Donner 1986, International Statistical Review 54:67.
    """
    number_of_units = int(unit.max()) + 1
    sizes = sizes_by(unit, number_of_units)
    means = sums_by(unit, values, number_of_units) / np.maximum(sizes, 1)
    units, number = int((sizes > 0).sum()), len(values)
    if units < 2 or number <= units:  # noqa: PLR2004  # no variance between, or within
        return 0.0
    within = float(((values - means[unit]) ** 2).sum()) / (number - units)
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (units - 1)
    typical = (number - float((sizes**2).sum()) / number) / (units - 1)
    spread = between + (typical - 1) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0


def design_effect(squares: Floats, number: Floats, correlation: float) -> Floats:
    """By how much correlation within units inflates a variance: `1 + (m − 1)·ICC`.

    m is the mean size of the unit that a value is in: the sum of squared sizes over that of sizes.
    Source: Kish 1965, Survey Sampling, 5.4.
    """
    return 1 + (squares / np.maximum(number, 1) - 1) * correlation


def crossing(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that falls with its argument crosses 0 between `low` and `high`.

    The Illinois method: false position that halves the weight of an end which stays. Source:
    Dowell & Jarratt 1971, BIT 11:168. Ends with the bound itself where there is no crossing.
    """
    upper, lower = function(low), function(high)
    if upper <= 0 or lower >= 0:
        return low if upper <= 0 else high
    for _ in range(_MOST_STEPS):
        if high - low <= _SHORTEST:
            break
        share = min(max(upper / (upper - lower), _LEAST_STEP), 1 - _LEAST_STEP)
        middle = low + share * (high - low)
        value = function(middle)
        if value == 0:
            return _middle_of_level(function, low, middle, high)
        if value > 0:
            low, upper, lower = middle, value, lower / 2
        else:
            high, lower, upper = middle, value, upper / 2
    return (low + high) / 2


def _middle_of_level(
    function: Callable[[float], float], low: float, inside: float, high: float
) -> float:
    """The middle of the stretch around `inside` where a falling function is 0."""
    first, last = inside, inside
    while first - low > _SHORTEST:
        middle = (low + first) / 2
        low, first = (middle, first) if function(middle) > 0 else (low, middle)
    while high - last > _SHORTEST:
        middle = (last + high) / 2
        last, high = (last, middle) if function(middle) < 0 else (middle, high)
    return (first + last) / 2
