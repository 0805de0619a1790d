"""Order statistics: percentiles, and the intervals that need no assumption about the values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

CONFIDENCE = 0.95
_REACH = 10.0
"""Standard deviations of the binomial around its mean that are summed; the rest is below 1e-20."""


class Values(Protocol):
    """A list, an array or a column of numbers."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> float: ...


def percentile(ordered: Values, share: float) -> float:
    """The type-7 (linear) percentile of sorted values, as numpy's and polars' default.

    Source: Hyndman & Fan 1996, The American Statistician 50:361.
    """
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    low, high = (float(ordered[min(at, len(ordered) - 1)]) for at in (below, below + 1))
    rest = place - below
    # From the nearer of the two, as numpy does: rounding takes no percentile past its neighbours.
    return high - (high - low) * (1 - rest) if rest >= 0.5 else low + (high - low) * rest  # noqa: PLR2004


def interval(ordered: Values, share: float) -> tuple[float | None, float | None]:
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
    lower = _fewest(number, share, tail)  # the largest l with P(B < l) ≤ tail
    upper = number + 1 - _fewest(number, 1 - share, tail)  # the smallest u with P(B ≥ u) ≤ tail
    return (lower - 1 if lower >= 1 else None), (upper - 1 if upper <= number else None)


def _fewest(number: int, share: float, tail: float) -> int:
    """The smallest k with P(B ≤ k) above `tail`."""
    mean, deviation = number * share, math.sqrt(number * share * (1 - share))
    first = max(0, math.floor(mean - _REACH * deviation - _REACH))
    below = 0.0
    for count, probability in enumerate(_binomial(number, share, first), first):
        below += probability
        if below > tail:
            return count
    return number


def _binomial(number: int, share: float, first: int) -> Iterator[float]:
    """The binomial probabilities of `first` and of the counts after it."""
    odds = share / (1 - share)
    probability = math.exp(
        math.lgamma(number + 1)
        - math.lgamma(first + 1)
        - math.lgamma(number - first + 1)
        + first * math.log(share)
        + (number - first) * math.log1p(-share)
    )
    for count in range(first, number + 1):
        yield probability
        probability *= (number - count) / (count + 1) * odds
