"""Figures of comparisons: both distributions, the shift per decile, the split of the change."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from turnlat import units
from turnlat.analysis import deciles
from turnlat.analysis.results import Comparison
from turnlat.analysis.samples import Pooled, as_units, pool, pool_pairs
from turnlat.metrics import METRICS
from turnlat.report import Exhibits, Fact, Figure, Table
from turnlat.report.figures import distribution
from turnlat.run import Run
from turnlat.summaries import latency


def exhibits(
    comparisons: Sequence[Comparison], runs: Sequence[Run], tables: Sequence[Table]
) -> Exhibits:
    """What a page shows of a baseline and its candidates, `runs` in that order."""
    wait = comparisons[0].wait
    sides = {_name(run, runs): latency.population(run.frame)[0] for run in runs}
    both = distribution(sides, wait=wait)
    figures = [*([both] if both else []), *_figures(comparisons, list(sides.values()))]
    facts = [fact for comparison in comparisons for fact in _facts(comparison)]
    return Exhibits(facts, figures, tables[1:], verdicts=tables[:1])


def _name(run: Run, runs: Sequence[Run]) -> str:
    """The run's label, which several may have."""
    alike = [other for other in runs if other.label == run.label]
    place = next(n for n, other in enumerate(alike) if other is run)
    return run.label if place == 0 else f"{run.label} ({place + 1})"


def _facts(comparison: Comparison) -> list[Fact]:
    wait = (row for row in comparison.gated if row.metric == comparison.wait)
    return [
        Fact(
            f"{row.statistic} of {comparison.candidate}",
            "milliseconds",
            row.candidate.value,
            f"{row.verdict}: {comparison.baseline} {units.milliseconds(row.baseline.value)}",
        )
        for row in wait
    ]


def _figures(comparisons: Sequence[Comparison], sides: Sequence[pl.DataFrame]) -> list[Figure]:
    """The shift and the split of each candidate."""
    figures = []
    for number, (comparison, turns) in enumerate(zip(comparisons, sides[1:], strict=True)):
        of = f" of {comparison.candidate}" if len(comparisons) > 1 else ""
        pooled = _pooled(comparison, sides[0], turns)
        figures.append(shifts(deciles.shifts(pooled, comparison.wait), number=number, of=of))
        if comparison.parts:
            figures.append(changes(_parts(comparison), number=number, of=of))
    return figures


def _pooled(comparison: Comparison, baseline: pl.DataFrame, candidate: pl.DataFrame) -> Pooled:
    early, late = as_units(baseline)[0], as_units(candidate)[0]
    if comparison.paired_by:
        return pool_pairs(early, late, (comparison.wait,), comparison.paired_by)
    return pool(early, late, (comparison.wait,))


def _parts(comparison: Comparison) -> pl.DataFrame:
    parts = [
        (part.metric, part.change, part.low, part.high)
        for part in comparison.parts
        if max(abs(part.baseline), abs(part.candidate)) >= _SHOWN
    ]
    return pl.DataFrame(parts, schema=PARTS, orient="row")


_SHOWN = 0.0005
"""Seconds; a smaller part shows as 0 in both runs."""
PARTS: dict[str, pl.DataType] = {"component": pl.String()} | dict.fromkeys(
    ("change", "low", "high"), pl.Float64()
)


def shifts(moved: pl.DataFrame, *, number: int = 0, of: str = "") -> Figure:
    """How far each decile of the wait moved from baseline to candidate.

    `moved`: decile (0.1 … 0.9), shift, low, high (the simultaneous band), all in seconds;
    positive is slower.
    """
    told = [f"p{decile * 100:.0f} {_signed(shift)} ms" for decile, shift, *_ in moved.iter_rows()]
    return Figure(
        f"shifts_{number}",
        "shifts",
        f"how far each decile moved{of}",
        f"Candidate less baseline: {', '.join(told)}.",
        "Above 0 the candidate is slower; the band holds all deciles at once.",
        {"deciles": moved.select("decile", "shift", "low", "high")},
    )


def changes(parts: pl.DataFrame, *, number: int = 0, of: str = "") -> Figure:
    """Which components the change of the mean wait comes from.

    `parts`: component, change, low, high in seconds; positive is slower.
    """
    labelled = parts.select("component", "change", "low", "high").with_columns(
        label=pl.col("component").replace({name: m.label for name, m in METRICS.items()})
    )
    told = [f"{row['label']} {_signed(row['change'])} ms" for row in labelled.iter_rows(named=True)]
    return Figure(
        f"changes_{number}",
        "changes",
        f"where the change of the mean wait comes from{of}",
        f"Candidate less baseline: {', '.join(told)}.",
        "Right of 0 the candidate is slower; the lines are 95 % intervals.",
        {"parts": labelled},
    )


def _signed(seconds: float) -> str:
    return units.change(seconds)
