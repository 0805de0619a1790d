"""Frames: however a part holds a column, its rows are the same."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlat import columns, frames
from turnlat.columns import Joined, Rows

_VALUES: dict[type, st.SearchStrategy[Any]] = {
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    int: st.integers(0, 2**40),
    str: st.sampled_from(["a", "speech_1", "x\ny", "", "é"]),
}
_DTYPES = {float: pl.Float64, bool: pl.Boolean, int: pl.Int64, str: pl.String}

Parts = list[tuple[list[Any], str]]


def _parts(type_: type) -> st.SearchStrategy[Parts]:
    """The values of some parts, and how each of them is held."""
    value = st.none() | _VALUES[type_]
    held = st.sampled_from(["list", "compact", "one", *(["joined"] if type_ is str else [])])
    return st.lists(st.tuples(st.lists(value, min_size=1, max_size=4), held), min_size=1)


def _held(type_: type, values: list[Any], how: str) -> Any:
    if how == "one" and values.count(values[0]) == len(values):
        return values[0]
    lines = "\n".join(value or "" for value in values) if how == "joined" else ""
    if how == "joined" and lines.count("\n") == len(values) - 1 and "" not in values:
        return Joined(lines.encode())
    return list(values) if how == "list" else columns.compact(values, type_)


@pytest.mark.parametrize("type_", _VALUES)
@given(data=st.data())
def test_a_column_is_the_same_however_its_parts_hold_it(type_: type, data: st.DataObject) -> None:
    parts = data.draw(_parts(type_))
    rows = [
        Rows(len(values), {"x": _held(type_, values, how), "line": list(range(len(values)))})
        for values, how in parts
    ]
    wanted = [value for values, _ in parts for value in values]
    found = frames.build({"line": int, "x": type_}, rows)["x"]
    assert found.dtype == _DTYPES[type_]
    assert found.to_list() == wanted
