"""Comparison: whether a candidate's users wait longer than the baseline's, and why."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from turnlat.analysis import breakdown, rows
from turnlat.analysis.limits import ALIASES
from turnlat.analysis.results import Comparison, Row
from turnlat.analysis.samples import Pooled, as_units, pool, pool_pairs
from turnlat.analysis.verdicts import ALPHA, DEFAULT_MARGIN, Gate, Margin, check_alpha
from turnlat.errors import NotComparableError, UsageError
from turnlat.metrics import METRICS
from turnlat.notes import Note
from turnlat.run import Run
from turnlat.summaries import latency

WAITS = ("e2e_latency", "total_latency", "llm_ttft")
"""What stands for the wait, best first; for a speech-to-speech response it is `llm_ttft`."""


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
    check_alpha(alpha)
    by, pair_by = (name and ALIASES.get(name, name) for name in (by, pair_by))
    terms = Terms(tuple(gates), margin or DEFAULT_MARGIN, alpha, by, pair_by)
    for gate in gates:
        gate.check()
    for flag, name in (("--by", by), ("--pair-by", pair_by)):
        if name is not None:
            _check_column(flag, name, baseline, candidate)
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


def _check_column(flag: str, name: str, *runs: Run) -> None:
    for run in runs:
        known = [column for column in run.turns.columns if column != "notes"]
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else ", ".join(known)
            raise UsageError(f"{flag} {name}: {run.label} has no such column", hint=hint)


@dataclass(frozen=True)
class _Pair:
    """Two runs, or what one group has of them."""

    baseline: Run
    candidate: Run
    turns: tuple[pl.DataFrame, pl.DataFrame]
    """All turns and speeches."""
    group: str | None = None

    @property
    def runs(self) -> tuple[Run, Run]:
        return self.baseline, self.candidate

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
    wait = _wait(pair, sides, metrics, terms.gates)
    gates = terms.gates or tuple(
        Gate(wait, statistic, terms.margin) for statistic in rows.DEFAULT_STATISTICS
    )
    _check_gates(pair, gates, metrics)
    units = [as_units(side) for side in sides]
    names = tuple(dict.fromkeys(gate.metric for gate in gates))
    pooled = _pooled(pair, [unit for unit, _ in units], names, terms)
    judged = rows.judged(pooled, gates, terms.alpha)
    others = rows.others(pooled, metrics, gates, terms.alpha)
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
    """The metrics that both runs have; a formula is shared only where it adds up the same."""
    within = f" with {pair.group}" if pair.group else ""
    for run, side in zip(pair.runs, sides, strict=True):
        if not side.height:
            raise NotComparableError(
                f"{run.label}: no turn{within} that a comparison could be of",
                hint="turnlat analyze shows what became of its turns",
            )
    shared = [name for name in METRICS if all(side[name].count() for side in sides)]
    if pair.baseline.total_of != pair.candidate.total_of and "total_latency" in shared:
        shared.remove("total_latency")
    if not shared:
        raise NotComparableError(
            f"{pair.baseline.label} and {pair.candidate.label} have no metric in common",
            hint="log both runs in the same shape",
        )
    return shared


def _wait(
    pair: _Pair, sides: Sequence[pl.DataFrame], shared: Sequence[str], gates: Sequence[Gate]
) -> str:
    """What stands for the wait in both runs: measured, or by the same formula.

    Where neither run has a wait, as with speech-to-speech models, the first of what both have.
    """
    wait = next((name for name in WAITS if name in shared), None)
    waits = [{name for name in WAITS[:2] if side[name].count()} for side in sides]
    measured = ["e2e_latency" in names for names in waits]
    if not gates and any(waits) and (wait not in WAITS[:2] or any(measured) != all(measured)):
        has = " and ".join(
            f"{run.label} has {_waits(run, side)}"
            for run, side in zip(pair.runs, sides, strict=True)
        )
        raise NotComparableError(
            f"{has}: these cannot be held against each other",
            hint="log both runs in the same shape, and read both with the same --total; "
            "turnlat check --regression 'total_latency.p95 +10%' compares the sums of both",
        )
    return wait or shared[0]


def _waits(run: Run, side: pl.DataFrame) -> str:
    """What stands for a run's wait, the formula spelled out."""
    if side["e2e_latency"].count():
        return "a measured wait"
    return f"only the sum {'+'.join(run.total_of)}" if side["total_latency"].count() else "no wait"


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
    if lacking := [name for name in names if not pooled.present(name).any()]:
        raise NotComparableError(
            f"--pair-by {terms.pair_by}: no turn and its partner both have {lacking[0]}",
            hint="turnlat analyze --table turns shows which turns have it",
        )
    return pooled


def _notes(
    pooled: Pooled,
    sides: Sequence[pl.DataFrame],
    units: Sequence[tuple[pl.DataFrame, bool]],
    gates: Sequence[Gate],
) -> Iterable[Note]:
    """What must be known before trusting the verdicts."""
    if alone := sum(side.height for side, turns in units if turns):
        yield Note.of("turns-as-units", alone)
    few = [gate.metric for gate in gates if not pooled.enough(gate.metric)]
    if few:
        left = min(pooled.units(name, candidate=side) for name in few for side in (False, True))
        yield Note.of("few-pairs" if pooled.paired else "few-sessions", left)
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
