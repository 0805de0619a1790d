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


def summarize(
    turns: pl.DataFrame, by: str | None = None, members: pl.Series | None = None
) -> pl.DataFrame:
    """The statistics of every metric over `turns`, in seconds, one row per metric.

    With `by`, one row per value of that column and metric, values in their order. `missing`
    counts the turns that do not have the metric. `members` tells which turns count, if not all do.
    """
    if by is None:
        return pl.DataFrame(_rows(turns, members), schema=SCHEMA, orient="row")
    needed = turns.select(dict.fromkeys([by, *METRICS]).keys())
    among = needed if members is None else needed.filter(members)
    groups = among.sort(by, nulls_last=True).group_by(by, maintain_order=True)
    rows = [(value, *row) for (value,), group in groups for row in _rows(group)]
    return pl.DataFrame(rows, schema={by: turns.schema[by]} | SCHEMA, orient="row")


def _rows(turns: pl.DataFrame, members: pl.Series | None = None) -> list[tuple[object, ...]]:
    # One column after another: of a large run all of them together would take much memory.
    columns = map(turns.get_column, METRICS)
    chosen = columns if members is None else (column.filter(members) for column in columns)
    return [_row(column.sort()) for column in chosen]


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
    """The turns that statistics are over, and what must be said about that choice."""
    members, notes = membership(turns)
    return turns.filter(members), notes


def membership(turns: pl.DataFrame) -> tuple[pl.Series, list[Note]]:
    """Of each turn whether statistics are over it, and what must be said about that choice.

    They are over the replied turns; where a log has none because it has no TTS metrics or no EOU,
    over what there is.
    """
    outcome = turns["outcome"]
    replied, realtime = outcome == "replied", outcome == "realtime"
    responses = int(realtime.sum())
    if replied.any():
        return replied, [Note.of("realtime-apart", responses)] if responses else []
    if responses:
        return realtime, [Note.of("realtime-only", responses)]
    unmeasured = outcome == "unmeasured"
    if unmeasured.any():
        return unmeasured, [Note.of("unmeasured-only", int(unmeasured.sum()))]
    has_eou = turns["turn"].is_not_null().any()
    return replied if has_eou else outcome.is_not_null(), []
