"""JSON lines: the rows of one table."""

from __future__ import annotations

import orjson
import polars as pl

from turnlat.report import Report
from turnlat.writers import Page


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """One object a line; durations in seconds, times UTC."""
    return rows(report.rows)


def rows(frame: pl.DataFrame) -> bytes:
    """The rows of a frame, an object a line."""
    options = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    return b"".join(orjson.dumps(row, option=options) for row in frame.iter_rows(named=True))
