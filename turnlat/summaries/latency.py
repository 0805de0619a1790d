"""Latency statistics: count, mean, percentiles and their intervals of every metric."""

from __future__ import annotations

import polars as pl

from turnlat.metrics import METRICS
from turnlat.notes import Note
from turnlat.summaries.order_statistics import interval, percentile

PERCENTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}

SCHEMA: dict[str, pl.DataType] = (
    {"metric": pl.String(), "count": pl.Int64(), "missing": pl.Int64()}
    | {name: pl.Float64() for name in ("min", "mean", *PERCENTILES, "max")}
    | {f"{name}_{side}": pl.Float64() for name in PERCENTILES for side in ("low", "high")}
)
"""The columns of `summarize`, after those that split it."""


def summarize(turns: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    """The statistics of every metric over `turns`, in seconds, one row per metric.

    With `by`, one row per value of that column and metric, values in their order. `missing`
    counts the turns that do not have the metric.
    """
    if by is None:
        return pl.DataFrame(_rows(turns), schema=SCHEMA, orient="row")
    groups = turns.sort(by, nulls_last=True).group_by(by, maintain_order=True)
    rows = [(value, *row) for (value,), group in groups for row in _rows(group)]
    return pl.DataFrame(rows, schema={by: turns.schema[by]} | SCHEMA, orient="row")


def _rows(turns: pl.DataFrame) -> list[tuple[object, ...]]:
    # One column after another: of a large run all of them together would take much memory.
    return [_row(turns[name].sort()) for name in METRICS]


def _row(ordered: pl.Series) -> tuple[object, ...]:
    """The statistics of a sorted column, whose nulls come first."""
    missing = ordered.null_count()
    values = ordered.slice(missing)
    counts = (ordered.name, len(values), missing)
    # Of the sorted values, so that the order of the turns does not show in the last digit.
    mean = values.mean()
    if mean is None:
        return (*counts, *([None] * (len(SCHEMA) - len(counts))))
    bounds = (bound for share in PERCENTILES.values() for bound in interval(values, share))
    return (
        *counts,
        values[0],
        mean,
        *(percentile(values, share) for share in PERCENTILES.values()),
        values[len(values) - 1],
        *bounds,
    )


def population(turns: pl.DataFrame) -> tuple[pl.DataFrame, list[Note]]:
    """The turns that statistics are over, and what must be said about that choice.

    These are the replied turns; where a log has none because it has no TTS metrics or no EOU, what
    there is.
    """
    replied = turns.filter(outcome="replied")
    responses = turns.filter(outcome="realtime")
    if replied.height:
        apart = [Note.of("realtime-apart", responses.height)] if responses.height else []
        return replied, apart
    if responses.height:
        return responses, [Note.of("realtime-only", responses.height)]
    unmeasured = turns.filter(outcome="unmeasured")
    if unmeasured.height:
        return unmeasured, [Note.of("unmeasured-only", unmeasured.height)]
    has_eou = turns["turn"].is_not_null().any()
    return (replied if has_eou else turns), []
