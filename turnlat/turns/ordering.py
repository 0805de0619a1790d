"""Ordering: rows by several columns, sorted by one after another, which polars does faster."""

from __future__ import annotations

import polars as pl


def by(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """`rows` in the order of `columns`, nulls last; what is equal keeps its order."""
    for column in reversed(columns):
        rows = rows.sort(column, nulls_last=True, maintain_order=True)
    return rows
