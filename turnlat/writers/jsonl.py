"""JSON lines: the rows of one table."""

from __future__ import annotations

import polars as pl

from turnlat.report import Report
from turnlat.writers import Page


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """One object a line; durations in seconds, times UTC."""
    return rows(report.rows)


def rows(frame: pl.DataFrame) -> bytes:
    """The rows of a frame, an object a line."""
    return "".join(f"{row}\n" for row in objects(frame)).encode()


def objects(frame: pl.DataFrame) -> list[str]:
    """The rows of a frame, whose times are UTC, each as a JSON object."""
    times = [name for name, type_ in frame.schema.items() if isinstance(type_, pl.Datetime)]
    told = frame.with_columns(map(_told, times)).select(pl.struct(pl.all()).struct.json_encode())
    return told.to_series().to_list()


def _told(name: str) -> pl.Expr:
    """A column of UTC times as RFC 3339 has them; microseconds only where there are any."""
    time = pl.col(name)
    whole, exact = (time.dt.to_string(f"%Y-%m-%dT%H:%M:%S{rest}Z") for rest in ("", "%.6f"))
    return pl.when(time.dt.microsecond() == 0).then(whole).otherwise(exact)
