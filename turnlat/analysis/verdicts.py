"""Verdicts: what a family of questions about two runs comes to, at one error rate for all."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from turnlat.analysis.arrangements import Plan
from turnlat.analysis.location import Linear, Location, PairedLocation
from turnlat.analysis.permutation import Estimate, Sample, Statistic, Tested, permute
from turnlat.analysis.statistics import normal_quantile
from turnlat.analysis.tail import Quantile
from turnlat.errors import UsageError
from turnlat.metrics import METRICS
from turnlat.summaries.latency import PERCENTILES

if TYPE_CHECKING:
    import numpy.typing as npt

Verdict = Literal["worse", "same", "better", "inconclusive"]

STATISTICS = ("p50", "mean", "p90", "p95", "p99")
"""What can be tested of a metric. `p50` stands for the location of all turns."""

ALPHA = 0.05
_LARGEST_EFFECT = 20.0
"""On the scale of the test: what is beyond is no effect but a division by an error of 0."""

POWER = 0.8
"""The chance with which a detectable effect is found."""


def check_alpha(alpha: float) -> None:
    """Raise `UsageError` where an error rate is none."""
    if not 0 < alpha < 0.5:  # noqa: PLR2004
        raise UsageError(f"--alpha {alpha:g}: a chance between 0 and 0.5")


@dataclass(frozen=True)
class Margin:
    """How much slower is too much: the larger of a share of the value and seconds."""

    relative: float = 0.10
    absolute: float = 0.050

    def above(self, value: float) -> float:
        """The margin at a value, in seconds."""
        return max(self.relative * abs(value), self.absolute)


DEFAULT_MARGIN = Margin()


@dataclass(frozen=True)
class Gate:
    """A statistic of a metric that gets a verdict, and how much slower is too much."""

    metric: str
    statistic: str
    margin: Margin = DEFAULT_MARGIN

    def check(self) -> None:
        """Raise `UsageError` where a name is not known."""
        for name, known, kind in (
            (self.metric, tuple(METRICS), "metric"),
            (self.statistic, STATISTICS, "statistic that can be compared"),
        ):
            if name not in known:
                close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
                hint = f"did you mean {' or '.join(close)}?" if close else ", ".join(known)
                raise UsageError(f"{self.metric}.{self.statistic}: no {kind} {name}", hint=hint)


@dataclass(frozen=True)
class Question:
    """Whether one statistic of one metric is worse in the candidate."""

    sample: Sample
    """On the scale of the test: logarithms where `logarithmic`, else seconds."""
    statistic: str
    baseline: float
    """The statistic as it is shown, in seconds."""
    candidate: float
    logarithmic: bool = True
    margin: Margin = DEFAULT_MARGIN

    @property
    def slower_by(self) -> float:
        """The margin on the scale of the test, above the baseline."""
        return self._on_scale(self.baseline)

    @property
    def faster_by(self) -> float:
        """The margin that the baseline must be above the candidate: the mirror image."""
        return self._on_scale(self.candidate)

    def _on_scale(self, value: float) -> float:
        seconds = self.margin.above(value)
        return math.log1p(seconds / value) if self.logarithmic else seconds


@dataclass(frozen=True)
class Judgement:
    """The answer to a question; effects are on the scale of the test."""

    verdict: Verdict
    estimate: Estimate
    worse: float
    """The adjusted p-value that the candidate is slower, and below that it is faster."""
    better: float
    detectable: float | None
    """The smallest effect that these samples show as worse four times out of five.

    Null, as is `needed`, where values that are all alike leave the error unknown.
    """
    needed: float | None
    """By which factor more units would show the margin as often."""


def statistic_of(question: Question) -> Statistic:
    """What tests the question."""
    sample = question.sample
    if question.statistic == "p50":
        return Location(sample) if sample.pairs is None else PairedLocation(sample)
    if question.statistic == "mean":
        return Linear(sample, sample.values)
    return Quantile(sample, PERCENTILES[question.statistic])


def judge(questions: Sequence[Question], plan: Plan, alpha: float = ALPHA) -> list[Judgement]:
    """The verdicts on a family of questions: one chance of `alpha` to call any worse wrongly."""
    statistics = [statistic_of(question) for question in questions]
    tested = permute(statistics, plan)
    critical = float(np.quantile(tested.standardised.max(axis=1), 1 - alpha))
    return [
        _judged(question, statistic, tested, number, alpha, critical)
        for number, (question, statistic) in enumerate(zip(questions, statistics, strict=True))
    ]


def estimate(questions: Sequence[Question], plan: Plan, alpha: float = ALPHA) -> list[Estimate]:
    """The effects that questions are about, with intervals that are each question's own."""
    statistics = [statistic_of(question) for question in questions]
    chance = permute(statistics, plan).chance
    bounds = (_reach(column, alpha) for column in chance.T)
    return [one.estimate(*reach) for one, reach in zip(statistics, bounds, strict=True)]


def _reach(chance: npt.NDArray[np.float64], alpha: float) -> tuple[float, float]:
    """Between which values chance leaves a statistic in all but `alpha` of the arrangements."""
    low, high = (float(np.quantile(chance, share)) for share in (alpha / 2, 1 - alpha / 2))
    return low, high


def _judged(  # noqa: PLR0913, PLR0917  # the parts of one answer
    question: Question,
    statistic: Statistic,
    tested: Tested,
    number: int,
    alpha: float,
    critical: float,
) -> Judgement:
    chance = tested.chance[:, number]
    low, high = _reach(chance, alpha)
    estimate = statistic.estimate(low, high)
    worse, better = float(tested.worse[number]), float(tested.better[number])
    error = (estimate.high - estimate.low) / (high - low) if high > low else 0.0
    limit = (float(chance.mean()) + critical * float(chance.std())) * error
    missed = normal_quantile(POWER) * float(chance.std()) * error
    margin = question.slower_by
    known = 0 < limit + missed < _LARGEST_EFFECT
    return Judgement(
        _verdict(question, estimate, worse <= alpha, better <= alpha),
        estimate,
        worse,
        better,
        max(limit, margin) + missed if known else None,
        ((limit + missed) / margin) ** 2 if known and margin > 0 else None,
    )


def _verdict(question: Question, estimate: Estimate, slower: bool, faster: bool) -> Verdict:  # noqa: FBT001
    if slower and estimate.difference > question.slower_by:
        return "worse"
    if faster and -estimate.difference > question.faster_by:
        return "better"
    return "same" if estimate.high < question.slower_by else "inconclusive"
