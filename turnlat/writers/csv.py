"""CSV: the rows of one table."""

from __future__ import annotations

import polars as pl

from turnlat.report import Report
from turnlat.writers import Page

_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """A header and the rows; durations in seconds, times UTC, lists joined by spaces."""
    frame = report.rows
    lists = [name for name, type_ in frame.schema.items() if isinstance(type_, pl.List)]
    flat = frame.with_columns(pl.col(name).list.join(" ").replace("", None) for name in lists)
    return flat.write_csv(datetime_format=_TIME).encode()
