"""JSON: one object; keys are only ever added to its schema."""

from __future__ import annotations

import orjson
import polars as pl

from turnlat.report import Report
from turnlat.writers import Page, jsonl


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """The whole document, tables a row a line; durations in seconds, times UTC."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(report.document, default=_rows, option=options)


def _rows(value: object) -> orjson.Fragment:
    if not isinstance(value, pl.DataFrame):
        raise TypeError
    rows = ",\n    ".join(jsonl.objects(value))
    return orjson.Fragment(f"[\n    {rows}\n  ]" if rows else "[]")
