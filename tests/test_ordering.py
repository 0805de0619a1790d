"""Sorting by one column after another, against polars' sort by several."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from turnlat.turns import ordering

SMALL = st.none() | st.integers(0, 2)


@given(st.lists(st.tuples(SMALL, SMALL), max_size=30))
def test_one_column_after_another_is_the_order_of_all(values: list[tuple[int, int]]) -> None:
    schema = {"turn": pl.Int64, "start": pl.Int64}
    rows = pl.DataFrame(values, schema=schema, orient="row").with_row_index("row")
    expected = rows.sort("turn", "start", nulls_last=True, maintain_order=True)
    assert ordering.by(rows, "turn", "start").equals(expected)
