"""Rows: each statistic of each metric in both runs, with its effect and what it means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from turnlat.analysis.permutation import Estimate
from turnlat.analysis.results import Mark, Row, Value
from turnlat.analysis.samples import Pooled
from turnlat.analysis.verdicts import (
    DEFAULT_MARGIN,
    Gate,
    Judgement,
    Margin,
    Question,
    estimate,
    judge,
)
from turnlat.summaries import latency
from turnlat.summaries.order_statistics import interval, percentile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

DEFAULT_STATISTICS = ("p50", "p95")
_OTHER_DRAWS = 999
"""Arrangements for the intervals of what has no verdict."""

_VISIBLE = 0.0005
"""Seconds: a change that tables in milliseconds can show."""


def _question(pooled: Pooled, metric: str, statistic: str, margin: Margin) -> Question:
    sides = [pooled.values(metric, candidate=side) for side in (False, True)]
    # The mean of logarithms is no mean: a tenth of the turns may double it unseen.
    positive = statistic != "mean" and all(side[0] > 0 for side in sides)
    baseline, candidate = (_shown(side, statistic) for side in sides)
    sample = pooled.sample(metric, logarithmic=positive)
    return Question(sample, statistic, baseline, candidate, positive, margin)


def _shown(ordered: Floats, statistic: str) -> float:
    if statistic == "mean":
        return float(ordered.mean())
    return percentile(ordered, latency.PERCENTILES[statistic])


def judged(pooled: Pooled, gates: Sequence[Gate], alpha: float) -> list[Row]:
    """The rows of the family; those of too few sessions get no p-value."""
    questions = [_question(pooled, g.metric, g.statistic, g.margin) for g in gates]
    enough = [n for n, gate in enumerate(gates) if pooled.enough(gate.metric)]
    answers = judge([questions[n] for n in enough], pooled.plan(), alpha) if enough else []
    found = dict(zip(enough, answers, strict=True))
    return [
        _gated_row(pooled, gate, questions[number], found.get(number))
        for number, gate in enumerate(gates)
    ]


def _gated_row(pooled: Pooled, gate: Gate, question: Question, judgement: Judgement | None) -> Row:
    row = _row(pooled, gate.metric, question)
    margin = gate.margin.above(question.baseline)
    if judgement is None:
        return replace(row, gated=True, verdict="inconclusive", margin=margin)
    sessions, factor = min(row.baseline.sessions, row.candidate.sessions), judgement.needed
    detectable = judgement.detectable
    return replace(
        _with_effect(row, question, judgement.estimate),
        gated=True,
        p=min(judgement.worse, judgement.better),
        verdict=judgement.verdict,
        margin=margin,
        detectable=None if detectable is None else _seconds(question, detectable),
        sessions_needed=None
        if factor is None
        else max(pooled.fewest, math.ceil(sessions * factor)),
    )


def others(
    pooled: Pooled, metrics: Sequence[str], gates: Sequence[Gate], alpha: float
) -> list[Row]:
    """All that has no verdict, with intervals that are its own."""
    gated = {(gate.metric, gate.statistic) for gate in gates}
    asked = [
        (metric, _question(pooled, metric, statistic, DEFAULT_MARGIN))
        for metric in metrics
        for statistic in DEFAULT_STATISTICS
        if (metric, statistic) not in gated and pooled.present(metric).any()
    ]
    enough = [question for metric, question in asked if pooled.enough(metric)]
    plan = replace(pooled.plan(), draws=_OTHER_DRAWS, most_exact=_OTHER_DRAWS)
    found = iter(estimate(enough, plan, alpha) if enough else [])
    return [
        _other_row(pooled, metric, question, next(found) if pooled.enough(metric) else None)
        for metric, question in asked
    ]


def _other_row(pooled: Pooled, metric: str, question: Question, effect: Estimate | None) -> Row:
    row = _row(pooled, metric, question)
    if effect is None:
        return row
    row = _with_effect(row, question, effect)
    return replace(row, verdict=_mark(row.shift_low, row.shift_high))


def _mark(low: float | None, high: float | None) -> Mark:
    if low is not None and low >= _VISIBLE:
        return "slower"
    return "faster" if high is not None and high <= -_VISIBLE else "unclear"


def _row(pooled: Pooled, metric: str, question: Question) -> Row:
    """The values of both sides, without any effect."""
    baseline, candidate = (
        _value(pooled, metric, question.statistic, candidate=side) for side in (False, True)
    )
    return Row(
        metric, question.statistic, gated=False, baseline=baseline, candidate=candidate,
        ratio=None, ratio_low=None, ratio_high=None, shift=None, shift_low=None, shift_high=None,
        p=None, verdict="unclear", margin=None, detectable=None, sessions_needed=None,
    )  # fmt: skip


def _value(pooled: Pooled, metric: str, statistic: str, *, candidate: bool) -> Value:
    ordered = pooled.values(metric, candidate=candidate)
    share = latency.PERCENTILES.get(statistic)
    low, high = interval(ordered, share) if share else (None, None)
    sessions = pooled.units(metric, candidate=candidate)
    return Value(_shown(ordered, statistic), low, high, len(ordered), sessions)


def _with_effect(row: Row, question: Question, effect: Estimate) -> Row:
    """The row with an effect and its interval, which come on the scale of the test."""
    effects = (effect.difference, effect.low, effect.high)
    shift, low, high = (_seconds(question, each) for each in effects)
    row = replace(row, shift=shift, shift_low=low, shift_high=high)
    if not question.logarithmic:
        return row
    ratio, low, high = (_rounded(math.exp(each)) for each in effects)
    return replace(row, ratio=ratio, ratio_low=low, ratio_high=high)


def _seconds(question: Question, effect: float) -> float:
    """An effect as seconds above the baseline's value."""
    return _rounded(question.baseline * math.expm1(effect) if question.logarithmic else effect)


def _rounded(value: float) -> float:
    """Without the digits in which the order of a sum's terms shows."""
    return round(value, 6) + 0.0
