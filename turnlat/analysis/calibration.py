"""Calibration: how often rules would cry wolf on a run, found by splitting it over and over.

To add a rule: a function of a split, and its line in `RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from turnlat.analysis.arrangements import Plan
from turnlat.analysis.permutation import Sample
from turnlat.analysis.samples import FEWEST_UNITS, as_units, pool
from turnlat.analysis.statistics import beta_quantile, mid_ranks, normal_quantile
from turnlat.analysis.verdicts import (
    ALPHA,
    DEFAULT_MARGIN,
    POWER,
    Margin,
    Question,
    check_alpha,
    judge,
)
from turnlat.errors import NotComparableError
from turnlat.notes import Note
from turnlat.run import Run
from turnlat.summaries import latency

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SPLITS, FEWEST_SPLITS = 200, 50
CATCHING_SPLITS = 100
"""Of these, how many are looked at for what a rule catches."""

_TURNS = 1_000_000
"""Turns × splits: runs of more than 5,000 turns are split less often."""

DRAWS = 499
"""Arrangements of each split; a comparison has 9,999."""

FACTORS = (1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5, 1.75, 2.0, 2.5, 3.0)
"""How much slower all turns of a half are made, to see which rule notices."""


@dataclass(frozen=True)
class Split:
    """A run in two halves, the second one perhaps made slower."""

    values: Floats
    unit: npt.NDArray[np.intp]
    candidate: npt.NDArray[np.bool_]
    """Per unit."""
    margin: Margin
    alpha: float

    @property
    def halves(self) -> tuple[Floats, Floats]:
        """The values of the baseline and of the candidate."""
        sides = self.candidate[self.unit]
        return self.values[~sides], self.values[sides]

    def slower(self, factor: float) -> Split:
        """The split with a candidate whose turns all take longer."""
        return replace(self, values=np.where(self.candidate[self.unit], factor, 1.0) * self.values)


@dataclass(frozen=True)
class Rule:
    """What a rule did on splits of a run."""

    name: str
    false_alarms: float
    """The share of splits that it calls worse though nothing changed."""
    low: float
    high: float
    """The 95 % interval of that share (Clopper–Pearson)."""
    smallest: float | None
    """The least slowdown of all turns that it calls worse in 4 splits of 5, 0.2 for 20 %."""


@dataclass(frozen=True)
class Calibration:
    """How rules do on one run."""

    run: str
    wait: str
    splits: int
    sessions: tuple[int, int]
    """In each half."""
    turns: int
    rules: tuple[Rule, ...]
    notes: tuple[Note, ...]


def _whole_sessions(split: Split) -> bool:
    sample = Sample(np.log(split.values), split.unit, split.candidate)
    early, late = split.halves
    questions = [
        Question(sample, name, *_quantiles(early, late, share), True, split.margin)  # noqa: FBT003
        for name, share in (("p50", 0.5), ("p95", 0.95))
    ]
    plan = Plan(split.candidate, paired=False, candidate_first=True, seed=1, draws=DRAWS,
                most_exact=DRAWS)  # fmt: skip
    return any(answer.verdict == "worse" for answer in judge(questions, plan, split.alpha))


def _quantiles(early: Floats, late: Floats, share: float) -> tuple[float, float]:
    return float(np.quantile(early, share)), float(np.quantile(late, share))


def _p95_grew(by: float) -> Callable[[Split], bool]:
    def grew(split: Split) -> bool:
        early, late = _quantiles(*split.halves, 0.95)
        return late > early * (1 + by)

    return grew


def _mean_grew(split: Split) -> bool:
    early, late = split.halves
    return bool(late.mean() > early.mean() * 1.1)


def _mann_whitney(split: Split) -> bool:
    """One-sided, over turns as if they were independent."""
    late = split.candidate[split.unit]
    number, candidates = len(late), int(late.sum())
    ranks = float(mid_ranks(split.values)[late].sum())
    mean = candidates * (number + 1) / 2
    deviation = math.sqrt(candidates * (number - candidates) * (number + 1) / 12)
    return ranks - mean > normal_quantile(1 - split.alpha) * deviation


RULES: dict[str, Callable[[Split], bool]] = {
    "turnlat compare": _whole_sessions,
    "p95 grew by 10 %": _p95_grew(0.10),
    "p95 grew by 25 %": _p95_grew(0.25),
    "mean grew by 10 %": _mean_grew,
    "Mann–Whitney over turns": _mann_whitney,
}
"""Turnlat's own verdict, and what people use."""


def calibrate(run: Run, *, margin: Margin = DEFAULT_MARGIN, alpha: float = ALPHA) -> Calibration:
    """How often each rule calls one half of a run worse than the other, over many splits.

    Raises `NotComparableError` where the run has too few sessions to split, and `UsageError` where
    `alpha` is no error rate.
    """
    check_alpha(alpha)
    turns, notes = latency.population(run.frame)
    wait = "e2e_latency" if turns["e2e_latency"].count() else "total_latency"
    units, alone = as_units(turns.drop_nulls(wait))
    pooled = pool(units, units.clear(), (wait,))
    number = len(pooled.candidate)
    if number < 2 * FEWEST_UNITS:
        raise NotComparableError(
            f"{run.label}: {number} sessions with a {wait} are too few to be split",
            hint=f"a calibration needs {2 * FEWEST_UNITS}, and says more with every further one",
        )
    values = pooled.turns[wait].to_numpy()
    splits = _splits(values, pooled.index, number, pooled.plan().seed, margin, alpha)
    return Calibration(
        run=run.label,
        wait=wait,
        splits=len(splits),
        sessions=(number - number // 2, number // 2),
        turns=len(values),
        rules=tuple(_tried(name, rule, splits) for name, rule in RULES.items()),
        notes=(*notes, *([Note.of("turns-as-units", len(values))] if alone else [])),
    )


def _splits(  # noqa: PLR0913, PLR0917  # what a split is made of
    values: Floats,
    index: npt.NDArray[np.intp],
    units: int,
    seed: int,
    margin: Margin,
    alpha: float,
) -> list[Split]:
    dice = np.random.default_rng(seed)
    number = max(FEWEST_SPLITS, min(SPLITS, _TURNS // len(values)))
    found = []
    for _ in range(number):
        candidate = np.zeros(units, dtype=np.bool_)
        candidate[dice.permutation(units)[: units // 2]] = True
        found.append(Split(values, index, candidate, margin, alpha))
    return found


def _tried(name: str, rule: Callable[[Split], bool], splits: Sequence[Split]) -> Rule:
    alarms, number = sum(map(rule, splits)), len(splits)
    low = beta_quantile(0.025, alarms, number - alarms + 1) if alarms else 0.0
    high = beta_quantile(0.975, alarms + 1, number - alarms) if alarms < number else 1.0
    return Rule(name, alarms / number, round(low, 6), round(high, 6), _smallest(rule, splits))


def _smallest(rule: Callable[[Split], bool], splits: Sequence[Split]) -> float | None:
    """The first of `FACTORS` that the rule catches often enough, by halving."""
    splits = splits[:CATCHING_SPLITS]

    def caught(factor: float) -> bool:
        return sum(rule(split.slower(factor)) for split in splits) >= POWER * len(splits)

    first, last = 0, len(FACTORS)
    while first < last:
        middle = (first + last) // 2
        first, last = (first, middle) if caught(FACTORS[middle]) else (middle + 1, last)
    return round(FACTORS[first] - 1, 2) if first < len(FACTORS) else None
