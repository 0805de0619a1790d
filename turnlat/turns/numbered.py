"""Numbered: the turn table as shards hold it until all of them are joined, in little memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from turnlat.turns import ordering
from turnlat.turns.table import COLUMNS, NAMES, RECORDED_AT

_TEXT = pl.String()
_COUNTS = {name: type_ for name, type_ in COLUMNS.items() if type_ == pl.Int64()}


class Numbered(NamedTuple):
    """The turn table with numbers for texts that many of its rows have in common."""

    rows: pl.DataFrame
    names: Mapping[str, pl.Series]
    """What the numbers stand for."""

    def named(self) -> pl.DataFrame:
        """The table itself."""
        texts = [self.names[space][self.rows[name]].alias(name) for name, space in NAMES.items()]
        types = self.rows.schema
        narrow = [pl.col(name).cast(wide) for name, wide in _COUNTS.items() if types[name] != wide]
        return self.rows.with_columns(*texts, *narrow)

    def narrowed(self) -> Numbered:
        """The same in less memory: small counts as such, and once what is the same in all rows."""
        rows = self.rows
        counts = [rows[name].shrink_dtype() for name in _COUNTS]
        texts = [_once(rows[name]) for name, type_ in rows.schema.items() if type_ == _TEXT]
        return self._replace(rows=rows.with_columns(*counts, *texts))


def _once(texts: pl.Series) -> pl.Series | pl.Expr:
    """The text that all rows have, as a literal, which takes no memory; else the column."""
    if texts.null_count() < len(texts):
        only = texts.first()
        if only is None or not texts.eq(only).all(ignore_nulls=False):
            return texts
    return pl.lit(texts.first(), dtype=_TEXT).alias(texts.name)


def joined(parts: Sequence[Numbered]) -> pl.DataFrame:
    """One table of those of several shards, whose sessions are others: they keep their order."""
    tables = [part.named() for part in parts]
    if len(tables) == 1:
        return tables[0]
    began = pl.concat(map(_began, tables))
    whole = pl.concat(tables)
    place = began.sort("began", "session", nulls_last=True)
    if place["session"].equals(began["session"]):
        return whole
    places = place.select("session").with_row_index("place")
    order = whole.select("session").join(places, on="session", how="left", maintain_order="left")
    return whole[ordering.by(order.with_row_index("row"), "place")["row"]]


def _began(rows: pl.DataFrame) -> pl.DataFrame:
    """When the first record of each session was written."""
    sessions = rows.select("session", RECORDED_AT).group_by("session", maintain_order=True)
    return sessions.agg(began=pl.col(RECORDED_AT).min())
