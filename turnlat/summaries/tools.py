"""Tools: how often each function tool was called, and how long it took."""

from __future__ import annotations

import polars as pl

SCHEMA: dict[str, pl.DataType] = (
    {"tool": pl.String(), "calls": pl.Int64(), "errors": pl.Int64(), "timed": pl.Int64()}
    | dict.fromkeys(("mean", "p50", "p95", "max"), pl.Float64())
)  # fmt: skip


COLUMNS = ("name", "duration", "is_error")
"""What is needed of the records of tools."""


def summarize(tools: pl.DataFrame) -> pl.DataFrame:
    """One row per tool, in seconds; `timed` counts the calls whose duration is known.

    `errors` is null where no record tells whether a call failed.
    """
    failed = pl.col("is_error")
    took = pl.col("duration").filter(pl.col("duration") >= 0)
    return (
        tools.group_by(tool="name")
        .agg(
            pl.len().alias("calls"),
            pl.when(failed.count() > 0).then(failed.sum()).alias("errors"),
            took.count().alias("timed"),
            took.mean().alias("mean"),
            took.quantile(0.5, "linear").alias("p50"),
            took.quantile(0.95, "linear").alias("p95"),
            took.max().alias("max"),
        )
        .sort("tool", nulls_last=True)
        .select(pl.col(name).cast(type_) for name, type_ in SCHEMA.items())
    )
