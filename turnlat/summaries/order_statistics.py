"""Order statistics: percentiles, and the intervals that need no assumption about the values."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

CONFIDENCE = 0.95
_REACH = 10.0
"""Standard deviations of the binomial around its mean that are summed; the rest is below 1e-20."""


def percentile(ordered: npt.NDArray[np.float64], share: float) -> float:
    """The type-7 (linear) percentile of sorted values, as numpy's and polars' default.

    Source: Hyndman & Fan 1996, The American Statistician 50:361.
    """
    return float(np.quantile(ordered, share, method="linear"))


def interval(ordered: npt.NDArray[np.float64], share: float) -> tuple[float | None, float | None]:
    """The distribution-free interval of a percentile; a bound that cannot be had is null."""
    low, high = ranks(len(ordered), share)
    return (
        None if low is None else float(ordered[low]),
        None if high is None else float(ordered[high]),
    )


@lru_cache(maxsize=1024)
def ranks(
    number: int, share: float, confidence: float = CONFIDENCE
) -> tuple[int | None, int | None]:
    """The 0-based ranks of the values that bound the percentile `share` of `number` values.

    With B binomial(number, share), P(x_(l) > q) = P(B < l) and P(x_(u) < q) = P(B ≥ u); each may
    be at most (1 − confidence) / 2. Source: David & Nagaraja 2003, Order Statistics, 7.1.
    """
    if number == 0:
        return None, None
    tail = (1 - confidence) / 2
    first, pmf = _binomial(number, share)
    below = np.cumsum(pmf)  # P(B ≤ k) for k = first, first + 1, …
    above = np.cumsum(pmf[::-1])[::-1]  # P(B ≥ k)
    lower = first + int((below <= tail).sum())  # the largest l with P(B < l) ≤ tail
    upper = first + int((above > tail).sum())  # the smallest u with P(B ≥ u) ≤ tail
    return (lower - 1 if lower >= 1 else None), (upper - 1 if upper <= number else None)


def _binomial(number: int, share: float) -> tuple[int, npt.NDArray[np.float64]]:
    """The binomial probabilities around the mean, and the count that the first one is of."""
    mean, deviation = number * share, math.sqrt(number * share * (1 - share))
    first = max(0, math.floor(mean - _REACH * deviation - _REACH))
    last = min(number, math.ceil(mean + _REACH * deviation + _REACH))
    counts = np.arange(first, last, dtype=np.float64)
    steps = np.log((number - counts) / (counts + 1)) + math.log(share / (1 - share))
    start = (
        math.lgamma(number + 1)
        - math.lgamma(first + 1)
        - math.lgamma(number - first + 1)
        + first * math.log(share)
        + (number - first) * math.log1p(-share)
    )
    return first, np.exp(start + np.concatenate([[0.0], np.cumsum(steps)]))
