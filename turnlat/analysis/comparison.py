"""Comparison: whether a candidate's users wait longer than the baseline's, and why."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from turnlat.analysis import breakdown
from turnlat.analysis.limits import ALIASES
from turnlat.analysis.results import Comparison, Mark, Row, Value
from turnlat.analysis.samples import Pooled, as_units, pool, pool_pairs
from turnlat.analysis.statistics import student_quantile
from turnlat.analysis.verdicts import (
    ALPHA,
    DEFAULT_MARGIN,
    STATISTICS,
    Judgement,
    Margin,
    Question,
    judge,
    statistic_of,
)
from turnlat.errors import NotComparableError, UsageError
from turnlat.metrics import METRICS
from turnlat.notes import Note
from turnlat.run import Run
from turnlat.summaries import latency
from turnlat.summaries.order_statistics import interval, percentile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

DEFAULT_STATISTICS = ("p50", "p95")
_VISIBLE = 0.0005
"""Seconds: a change that tables in milliseconds can show."""

WAITS = ("e2e_latency", "total_latency")


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
class Terms:
    """How two runs are compared."""

    gates: tuple[Gate, ...] = ()
    """The family; empty for the location (`p50`) and the `p95` of the wait."""
    margin: Margin = DEFAULT_MARGIN
    """The default gates'."""
    alpha: float = ALPHA
    """The chance that any gated row is called worse where nothing changed."""
    by: str | None = None
    pair_by: str | None = None


def compare(  # noqa: PLR0913  # each is an option of its own
    baseline: Run,
    candidate: Run,
    *,
    gates: Sequence[Gate] = (),
    margin: Margin | None = None,
    alpha: float = ALPHA,
    by: str | None = None,
    pair_by: str | None = None,
) -> Comparison:
    """Compare two runs by permutations of whole sessions.

    `gates` are the (metric, statistic) pairs that get verdicts, at one error rate `alpha` for all
    of them; without any, the location (`p50`) and the `p95` of the wait with `margin`. `by` names
    a column within whose values the runs are compared too. `pair_by` names the column that tells
    which sessions replay the same script.
    Raises `NotComparableError` where the runs have nothing that can be held against each other,
    and `UsageError` where a name is not known.
    """
    if not 0 < alpha < 0.5:  # noqa: PLR2004
        raise UsageError(f"--alpha {alpha:g}: a chance between 0 and 0.5")
    by, pair_by = (name and ALIASES.get(name, name) for name in (by, pair_by))
    terms = Terms(tuple(gates), margin or DEFAULT_MARGIN, alpha, by, pair_by)
    for gate in gates:
        gate.check()
    for name in (by, pair_by):
        if name is not None:
            _check_column(name, baseline, candidate)
    whole = _compared(_Pair.of(baseline, candidate), terms)
    if by is None:
        return whole
    return replace(whole, groups=_groups(_Pair.of(baseline, candidate), terms, by))


def _groups(pair: _Pair, terms: Terms, by: str) -> tuple[Comparison, ...]:
    """The comparison within each value of a column; groups that lack a side are left out."""
    found = []
    for part in pair.groups(by):
        with contextlib.suppress(NotComparableError):
            found.append(_compared(part, terms))
    judged = sum(any(row.p is not None for row in group.rows) for group in found)
    return tuple(_adjusted(group, judged, terms.alpha) for group in found)


def _check_column(name: str, *runs: Run) -> None:
    for run in runs:
        known = [column for column in run.turns.columns if column != "notes"]
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else ", ".join(known)
            raise UsageError(f"{run.label}: there is no column {name}", hint=hint)


@dataclass(frozen=True)
class _Pair:
    """Two runs, or what one group has of them."""

    baseline: Run
    candidate: Run
    turns: tuple[pl.DataFrame, pl.DataFrame]
    """All turns and speeches."""
    group: str | None = None

    @classmethod
    def of(cls, baseline: Run, candidate: Run) -> _Pair:
        return cls(baseline, candidate, (baseline.frame, candidate.frame))

    def groups(self, column: str) -> Iterable[_Pair]:
        """What both runs have of each value of a column."""
        values = [set(turns[column].drop_nulls().unique()) for turns in self.turns]
        shared = sorted(values[0] & values[1])
        if not shared:
            raise NotComparableError(
                f"--by {column}: the runs have no value of it in common",
                hint=f"{self.baseline.label} and {self.candidate.label} differ in it everywhere",
            )
        for value in shared:
            early, late = (turns.filter(pl.col(column) == value) for turns in self.turns)
            yield replace(self, turns=(early, late), group=str(value))


def _compared(pair: _Pair, terms: Terms) -> Comparison:
    populations = [latency.population(turns) for turns in pair.turns]
    sides = [turns for turns, _ in populations]
    metrics = _shared_metrics(pair, sides)
    wait = metrics[0] if metrics[0] in WAITS else next(iter(metrics))
    gates = terms.gates or tuple(
        Gate(wait, statistic, terms.margin) for statistic in DEFAULT_STATISTICS
    )
    _check_gates(pair, gates, metrics)
    units = [as_units(side) for side in sides]
    names = tuple(dict.fromkeys(gate.metric for gate in gates))
    pooled = _pooled(pair, [unit for unit, _ in units], names, terms)
    judged = _judged(pooled, gates, terms.alpha)
    others = _others(pooled, metrics, gates, terms.alpha)
    notes = [
        *(note for _, found in populations for note in found),
        *_notes(pooled, sides, units, gates),
    ]
    models = breakdown.models(*sides)
    *parts, mean = breakdown.parts(pooled, wait, pair.baseline.total_of)
    if models:
        notes.append(Note.of("models-differ", len(models)))
    return Comparison(
        baseline=pair.baseline.label,
        candidate=pair.candidate.label,
        wait=wait,
        alpha=terms.alpha,
        paired_by=terms.pair_by,
        rows=(*judged, *others),
        parts=tuple(parts),
        mean=mean,
        shares=breakdown.shares(*pair.turns, wait),
        models=models,
        notes=tuple({note.code: note for note in notes}.values()),
        by=terms.by,
        group=pair.group,
    )


def _shared_metrics(pair: _Pair, sides: Sequence[pl.DataFrame]) -> list[str]:
    """The metrics that both runs have, the wait first."""
    labels = (pair.baseline.label, pair.candidate.label)
    within = f" with {pair.group}" if pair.group else ""
    for label, side in zip(labels, sides, strict=True):
        if not side.height:
            raise NotComparableError(
                f"{label}: no turn{within} that a comparison could be of",
                hint="turnlat analyze shows what became of its turns",
            )
    counts = [{name: side[name].count() for name in METRICS} for side in sides]
    shared = [name for name in METRICS if all(count[name] for count in counts)]
    if pair.baseline.total_of != pair.candidate.total_of and "total_latency" in shared:
        shared.remove("total_latency")
    waits = [name for name in WAITS if name in shared]
    if not waits and any(count[name] for count in counts for name in WAITS):
        has = [", ".join(name for name in WAITS if count[name]) or "neither" for count in counts]
        raise NotComparableError(
            f"{labels[0]} has {has[0]}{_sum_of(pair.baseline)}, "
            f"{labels[1]} has {has[1]}{_sum_of(pair.candidate)}: "
            "a measured wait and a formula, or two formulas, cannot be held against each other",
            hint="log both runs in the same shape, and give both the same --total",
        )
    if not shared:
        raise NotComparableError(
            f"{labels[0]} and {labels[1]} have no metric in common",
            hint="log both runs in the same shape",
        )
    return [*waits[:1], *(name for name in shared if name not in waits[:1])]


def _sum_of(run: Run) -> str:
    return f" ({'+'.join(run.total_of)})"


def _check_gates(pair: _Pair, gates: Iterable[Gate], metrics: Sequence[str]) -> None:
    for gate in gates:
        if gate.metric not in metrics:
            raise NotComparableError(
                f"{gate.metric}.{gate.statistic}: {pair.baseline.label} and "
                f"{pair.candidate.label} do not both have {gate.metric}",
                hint=f"both have {', '.join(metrics)}",
            )


def _pooled(
    pair: _Pair, units: Sequence[pl.DataFrame], names: tuple[str, ...], terms: Terms
) -> Pooled:
    if terms.pair_by is None:
        return pool(units[0], units[1], names)
    pooled = pool_pairs(units[0], units[1], names, terms.pair_by)
    if not pooled.turns.height:
        raise NotComparableError(
            f"--pair-by {terms.pair_by}: no session of {pair.baseline.label} has the same value "
            f"as one of {pair.candidate.label}",
            hint="name the column that tells which sessions replay the same script, such as room",
        )
    return pooled


def _question(pooled: Pooled, metric: str, statistic: str, margin: Margin) -> Question:
    sides = [pooled.values(metric, candidate=side) for side in (False, True)]
    positive = all(side[0] > 0 for side in sides)
    baseline, candidate = (_shown(side, statistic) for side in sides)
    sample = pooled.sample(metric, logarithmic=positive)
    return Question(sample, statistic, baseline, candidate, positive, margin)


def _shown(ordered: Floats, statistic: str) -> float:
    if statistic == "mean":
        return float(ordered.mean())
    return percentile(ordered, latency.PERCENTILES[statistic])


def _judged(pooled: Pooled, gates: Sequence[Gate], alpha: float) -> list[Row]:
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
    estimate = judgement.estimate
    sessions = min(row.baseline.sessions, row.candidate.sessions)
    needed = sessions * judgement.needed
    return replace(
        _with_effect(row, question, estimate.difference, estimate.low, estimate.high),
        gated=True,
        p=min(judgement.worse, judgement.better),
        verdict=judgement.verdict,
        margin=margin,
        detectable=_seconds(question, judgement.detectable),
        sessions_needed=math.ceil(needed) if math.isfinite(needed) else None,
    )


def _others(
    pooled: Pooled, metrics: Sequence[str], gates: Sequence[Gate], alpha: float
) -> list[Row]:
    """All that has no verdict, with intervals that are its own."""
    gated = {(gate.metric, gate.statistic) for gate in gates}
    return [
        _other_row(pooled, metric, statistic, alpha)
        for metric in metrics
        for statistic in DEFAULT_STATISTICS
        if (metric, statistic) not in gated and pooled.present(metric).any()
    ]


def _other_row(pooled: Pooled, metric: str, statistic: str, alpha: float) -> Row:
    question = _question(pooled, metric, statistic, DEFAULT_MARGIN)
    row = _row(pooled, metric, question)
    if not pooled.enough(metric):
        return row
    units = pooled.units(metric, candidate=False)
    freedom = units - 1 if pooled.paired else units + pooled.units(metric, candidate=True) - 2
    reach = student_quantile(1 - alpha / 2, freedom)
    estimate = statistic_of(question).estimate(-reach, reach)
    row = _with_effect(row, question, estimate.difference, estimate.low, estimate.high)
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


def _with_effect(row: Row, question: Question, *effect: float) -> Row:
    """The row with an effect and its interval, given on the scale of the test."""
    shift, low, high = (_seconds(question, each) for each in effect)
    row = replace(row, shift=shift, shift_low=low, shift_high=high)
    if not question.logarithmic:
        return row
    ratio, low, high = (_rounded(math.exp(each)) for each in effect)
    return replace(row, ratio=ratio, ratio_low=low, ratio_high=high)


def _seconds(question: Question, effect: float) -> float:
    """An effect as seconds above the baseline's value."""
    return _rounded(question.baseline * math.expm1(effect) if question.logarithmic else effect)


def _rounded(value: float) -> float:
    """Without the digits in which the order of a sum's terms shows."""
    return round(value, 6) + 0.0


def _notes(
    pooled: Pooled,
    sides: Sequence[pl.DataFrame],
    units: Sequence[tuple[pl.DataFrame, bool]],
    gates: Sequence[Gate],
) -> Iterable[Note]:
    """What must be known before trusting the verdicts."""
    if alone := sum(side.height for side, turns in units if turns):
        yield Note.of("turns-as-units", alone)
    if few := sum(not pooled.enough(gate.metric) for gate in gates):
        yield Note.of("few-pairs" if pooled.paired else "few-sessions", few)
    if unmatched := pooled.paired and sum(s.height for s in sides) - pooled.turns.height:
        yield Note.of("unmatched", unmatched)
    if gates[0].metric == "total_latency" and any(side["e2e_latency"].count() for side in sides):
        yield Note.of("one-measured", 1)
    if len({side["grouping"].drop_nulls().mode().min() for side in sides}) > 1:
        yield Note.of("grouping-differs", 1)


def _adjusted(group: Comparison, groups: int, alpha: float) -> Comparison:
    """A group's verdicts where so many groups had a chance to be called worse."""

    def adjusted(row: Row) -> Row:
        if row.p is None:
            return row
        p = min(1.0, row.p * groups)
        called = row.verdict in ("worse", "better") and p > alpha
        return replace(row, p=p, verdict="inconclusive" if called else row.verdict)

    return replace(group, rows=tuple(map(adjusted, group.rows)))
