"""Regressions: whether a candidate is worse than its baseline by more than its rules allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from turnlat.analysis.comparison import compare
from turnlat.analysis.limits import Result, Verdict, group, worst
from turnlat.analysis.results import Row
from turnlat.analysis.rows import DEFAULT_STATISTICS
from turnlat.analysis.rules import Regression, Subject
from turnlat.analysis.verdicts import ALPHA, DEFAULT_MARGIN, Gate, Margin
from turnlat.errors import NotComparableError
from turnlat.notes import Note
from turnlat.run import Run
from turnlat.summaries import latency

_VERDICTS = {
    "worse": Verdict.FAILED,
    "same": Verdict.PASSED,
    "better": Verdict.PASSED,
    "inconclusive": Verdict.INCONCLUSIVE,
}


def hold_wait(
    baseline: Run, candidate: Run, *, alpha: float = ALPHA, pair_by: str | None = None
) -> list[Result]:
    """The verdicts on the wait, as `compare` gives them: on its location and its p95."""
    try:
        told = compare(baseline, candidate, alpha=alpha, pair_by=pair_by)
    except NotComparableError as error:
        rules = [_on_wait("e2e_latency", statistic) for statistic in DEFAULT_STATISTICS]
        return [_not_judged(rule, error.message) for rule in rules]
    rows = [(_on_wait(row.metric, row.statistic), row) for row in told.gated]
    return [_result(rule, row, candidate, told.notes) for rule, row in rows]


def _on_wait(metric: str, statistic: str) -> Regression:
    margin = DEFAULT_MARGIN
    return Regression(
        f"{metric}.{statistic} +{margin.relative:.0%} {margin.absolute * 1000:.0f}ms",
        Subject(metric, statistic),
        margin.relative,
        margin.absolute,
    )


def hold(
    baseline: Run,
    candidate: Run,
    rules: Sequence[Regression],
    *,
    alpha: float = ALPHA,
    pair_by: str | None = None,
) -> list[Result]:
    """The verdict on each rule, at one chance of `alpha` to fail any of them wrongly.

    Raises `UsageError` where a rule names a group that a run does not have.
    """
    families = list(dict.fromkeys((rule.subject.column, rule.subject.value) for rule in rules))
    share = alpha / len(families)
    found: dict[Regression, Result] = {}
    for family in families:
        members = [r for r in rules if (r.subject.column, r.subject.value) == family]
        sides = [_group(run, members[0].subject) for run in (baseline, candidate)]
        found |= _family(sides[0], sides[1], members, share, pair_by)
    return [found[rule] for rule in rules]


def _group(run: Run, subject: Subject) -> Run:
    return replace(run, frame=group(run.frame, subject))


def _family(
    baseline: Run, candidate: Run, rules: list[Regression], alpha: float, pair_by: str | None
) -> dict[Regression, Result]:
    """The results of the rules about one group; what one run lacks takes no other rule along."""
    lacking = {rule: reason for rule in rules if (reason := _lacks(baseline, candidate, rule))}
    found = {rule: _not_judged(rule, reason) for rule, reason in lacking.items()}
    left = [rule for rule in rules if rule not in found]
    if not left:
        return found
    gates = {
        rule: Gate(
            rule.subject.metric, rule.subject.statistic, Margin(rule.relative, rule.absolute)
        )
        for rule in left
    }
    try:
        told = compare(
            baseline, candidate, gates=list(gates.values()), alpha=alpha, pair_by=pair_by
        )
    except NotComparableError as error:
        return found | {rule: _not_judged(rule, error.message) for rule in left}
    rows = zip(left, told.gated, strict=True)
    return found | {rule: _result(rule, row, candidate, told.notes) for rule, row in rows}


def _lacks(baseline: Run, candidate: Run, rule: Regression) -> str | None:
    metric = rule.subject.metric
    without = [run.label for run in (baseline, candidate) if not _values(run.frame, metric)]
    return f"no turn of {' and '.join(without)} has {metric}" if without else None


def _values(turns: pl.DataFrame, metric: str) -> int:
    return latency.population(turns)[0][metric].count()


def _not_judged(rule: Regression, reason: str) -> Result:
    return Result(rule, Verdict.NOT_JUDGED, None, None, 0, reason)


def _result(rule: Regression, row: Row, candidate: Run, notes: tuple[Note, ...]) -> Result:
    verdict = _VERDICTS[row.verdict]
    margin = row.margin or 0.0
    failed = verdict is Verdict.FAILED
    turns = latency.population(candidate.frame)[0]
    return Result(
        rule,
        verdict,
        row.candidate.value,
        row.baseline.value + margin,
        row.candidate.turns,
        "",
        worst(turns, rule.subject.metric) if failed else (),
        row,
        notes,
    )
