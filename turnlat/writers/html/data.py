"""Frames as a page's script and its charts read them: milliseconds, visible texts, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import polars as pl

from turnlat.report import Column, Table
from turnlat.writers.cells import text_of, visible

TEXT = 500
"""Characters that a page shows of one text; a log may hold any number."""

DIGITS = 3
"""Of milliseconds: one digit would round twice."""

_SECONDS = {"wait", "start", "end", "length", "p50", "p90", "p95", "low", "high", "shift", "change"}
_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPES = str.maketrans(_MARKUP)


def shown(text: str, most: int = TEXT) -> str:
    """`text` with nothing in it that acts, cut where it is too long to look at."""
    if len(text) <= most:
        return visible(text)
    return f"{visible(text[:most])}… ({len(text):,} characters)"


def script_json(value: object) -> str:
    """JSON that can stand inside a `<script>` element: nothing in it ends or opens a tag."""
    return orjson.dumps(value).decode().translate(_ESCAPES)


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """A figure's frame as a chart's rows, for pictures."""
    return [
        {name: shown(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in _tidy(frame).iter_rows(named=True)
    ]


def columns(frame: pl.DataFrame) -> dict[str, Any]:
    """A figure's frame column by column, each text written once."""
    tidy = _tidy(frame)
    return {
        "length": tidy.height,
        "columns": {name: _column(tidy[name].to_list()) for name in tidy.columns},
    }


def _tidy(frame: pl.DataFrame) -> pl.DataFrame:
    if "source" in frame.columns:
        place = pl.format("{}:{}", "source", pl.col("line").cast(pl.String).fill_null("?"))
        frame = frame.with_columns(place=place).drop("source", "line")
    return frame.select(_tidy_column(name, type_) for name, type_ in frame.schema.items())


def _tidy_column(name: str, type_: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if name in _SECONDS:
        return (column.cast(pl.Float64) * 1000).round(DIGITS)
    if isinstance(type_, pl.Datetime):
        return column.dt.epoch("ms")
    return column.round(6) if type_ == pl.Float64 else column


def _column(values: list[Any]) -> Any:
    """Plain values; texts as the distinct ones, and for each row which one it is."""
    if not any(isinstance(value, str) for value in values):
        return values
    places: dict[str | None, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return {"texts": [None if text is None else shown(text) for text in places], "codes": codes}


def table(whole: Table) -> dict[str, Any]:
    """A table's columns for the script that sorts and filters it; empty ones are left out."""
    found = [
        _table_column(column, values)
        for column, values in zip(whole.columns, zip(*whole.rows, strict=True), strict=False)
        if any(value not in (None, [], (None, None)) for value in values)
    ]
    return {"length": len(whole.rows), "columns": found}


def _table_column(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    kind = _KINDS.get(column.kind, "text")
    return {
        "label": column.label,
        "kind": kind,
        "spare": column.priority > 0,
        "values": _column([_value(kind, value) for value in values]),
    }


_KINDS = {"milliseconds": "number", "count": "number", "place": "place", "codes": "codes"}


def _value(kind: str, value: Any) -> Any:
    """What is sorted by: numbers as they are, in milliseconds, all else as its text."""
    if value is None:
        return None
    if kind == "number":
        return round(value * 1000, DIGITS) if isinstance(value, float) else value
    if kind in ("place", "codes"):
        return text_of(kind, value)  # type: ignore[arg-type]
    return value if isinstance(value, str) else text_of("moment", value)
