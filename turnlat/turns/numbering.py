"""Numbering: rows that are looked up by number, and groups of rows that have one.

What is numbered lies at its number: rows are looked up where a join would have to search.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import polars as pl

from turnlat.frames import same
from turnlat.turns.ordering import neighbours


class Groups:
    """Rows in the order of their numbers, which are below `count`, and not null.

    All that it gives has `count` rows, in the order of the numbers; null where there are none.
    No value is NaN.
    """

    def __init__(self, numbers: pl.Series, count: int) -> None:
        self._of_rows, self._count = numbers, count

    @property
    def sizes(self) -> pl.Series:
        """How many rows there are; 0 where there are none."""
        sizes = (self._ends - self._starts).cast(pl.Int64)
        if len(sizes) == self._count:
            return sizes
        return same(0, pl.Int64(), self._count).scatter(self._numbers, sizes)

    def first(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The first of `rows` of each group."""
        return rows[self._spread(self._starts)]

    def last(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The last of `rows` of each group."""
        return rows[self._spread(self._ends - 1)]

    def least(self, values: pl.Series) -> pl.Series:
        """The smallest of each group's values: the first one where these lie in order."""
        return self._extreme(pl.Expr.min, values, self._starts)

    def greatest(self, values: pl.Series) -> pl.Series:
        """The greatest of each group's values: the last one where these lie in order."""
        return self._extreme(pl.Expr.max, values, self._ends - 1)

    def reduce(self, rows: pl.DataFrame, *values: pl.Expr, **named: pl.Expr) -> pl.DataFrame:
        """What some aggregations give of `rows`."""
        told = rows.hstack([self._of_rows.alias(_NUMBER).set_sorted()])
        found = told.group_by(_NUMBER, maintain_order=True).agg(*values, **named)
        found.drop_in_place(_NUMBER)
        if found.height == self._count:
            return found
        return found[rows_of(self._numbers, self._count)]

    def _extreme(
        self, reduce: Callable[[pl.Expr], pl.Expr], values: pl.Series, rows: pl.Series
    ) -> pl.Series:
        """What groups' values are reduced to, which lies at some rows where they are in order."""
        extreme = self._spread(values[rows])
        above, value = neighbours(values)
        number_above, number = neighbours(self._of_rows)
        rises = above <= value
        falls = (number == number_above) & ~(
            rises.fill_null(value=False) if rises.has_nulls() else rises
        )
        if not falls.any():
            return extreme
        unordered = marked(number.filter(falls), self._count)[self._of_rows]
        told = pl.DataFrame({_NUMBER: self._of_rows, "value": values}).filter(unordered)
        found = told.group_by(_NUMBER).agg(reduce(pl.col("value")))
        return extreme.scatter(found[_NUMBER], found["value"])

    @property
    def _starts(self) -> pl.Series:
        return self._bounds.slice(0, len(self._bounds) - 1)

    @property
    def _ends(self) -> pl.Series:
        return self._bounds.slice(1)

    @property
    def _numbers(self) -> pl.Series:
        """The numbers that there are."""
        return self._of_rows[self._starts]

    @cached_property
    def _bounds(self) -> pl.Series:
        """Where each group begins, and, at the end, how many rows there are."""
        count = len(self._of_rows)
        rows = pl.int_range(count + 1, dtype=pl.UInt32, eager=True)
        above, number = neighbours(self._of_rows)
        begun = rows.slice(0, min(1, count)).append(
            rows.slice(1, len(above)).filter(number != above)
        )
        return begun.append(rows.slice(count))

    def _spread(self, values: pl.Series) -> pl.Series:
        if len(values) == self._count:
            return values
        return same(None, values.dtype, self._count).scatter(self._numbers, values)


_NUMBER = "number of the group"


def sum_of(column: str) -> pl.Expr:
    """The sum of a group's values that are not null; polars adds up lists faster than groups."""
    return pl.col(column).fill_null(0.0).implode().list.sum()


def rows_of(numbers: pl.Series, count: int) -> pl.Series:
    """For each number below `count` the row that has it, any of several; null where none has."""
    rows = pl.int_range(len(numbers), dtype=pl.UInt32, eager=True)
    if numbers.has_nulls():
        told = numbers.is_not_null()
        numbers, rows = numbers.filter(told), rows.filter(told)
    return same(None, pl.UInt32(), count).scatter(numbers, rows)


def marked(numbers: pl.Series, count: int) -> pl.Series:
    """For each number below `count` whether it is among `numbers`."""
    told = numbers.drop_nulls() if numbers.has_nulls() else numbers
    return same(value=False, type_=pl.Boolean(), count=count).scatter(told, values=True)


def lacking(numbers: pl.Series, values: pl.Series, count: int) -> pl.Series:
    """For each number below `count` whether any of its values is null."""
    return marked(numbers.filter(values.is_null()) if values.has_nulls() else _NONE, count)


_NONE = pl.Series([], dtype=pl.UInt32)


def least(numbers: pl.Series, values: pl.Series, count: int) -> pl.Series:
    """For each number below `count` the smallest of its values, in any order; null without one."""
    smallest = same(None, values.dtype, count)
    told = pl.DataFrame({"number": numbers, "value": values}).drop_nulls()
    if not told.height:
        return smallest
    found = told.group_by("number").agg(pl.col("value").implode().list.min())  # as in `sum_of`
    return smallest.scatter(found["number"], found["value"])


def so_far(reduce: Callable[..., pl.Expr], values: pl.Series, numbers: pl.Series) -> pl.Series:
    """What all values up to each row's are reduced to, among the rows of its number.

    These lie together. `reduce` is one of polars' horizontal functions; nulls count as it has them.
    """
    looked_back = 1
    while (together := numbers == numbers.shift(looked_back)).any():
        # What a row this far above has seen already, so that each step looks twice as far back.
        seen = pl.when(together).then(values.shift(looked_back))
        values = pl.select(reduce(values, seen)).to_series()
        looked_back *= 2
    return values


def after_last(*numbers: pl.Series) -> int:
    """The number after the largest one of all; 0 where there are none."""
    found = [int(last) for each in numbers if isinstance(last := each.max(), int)]
    return max(found, default=-1) + 1
