"""JSON: one object; keys are only ever added to its schema."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from turnlat.report import Report
from turnlat.writers import Page


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """The whole document; durations in seconds, times UTC."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(report.document, default=_rows, option=options)


def _rows(value: object) -> list[dict[str, Any]]:
    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    raise TypeError
