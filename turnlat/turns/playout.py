"""Playout: when each piece of audio plays, which waits for what was to be heard before it."""

from __future__ import annotations

import math

import polars as pl

from turnlat.turns.numbering import marked, rows_of
from turnlat.turns.ordering import neighbours

WIDE = 50
"""A piece of so many turns at once is worth a step of polars, which takes as long for one turn."""


def play(audible: pl.DataFrame, turn: str) -> pl.DataFrame:
    """Add `plays_from` and `plays_until` to audible records, those of a turn together.

    They are in the order in which their synthesis started, which audio plays in: each piece when it
    could be heard, or when all audio before it has ended.
    """
    above, number = neighbours(audible[turn])
    follows = pl.Series([False]).append(above == number).head(audible.height)
    until = _ends(audible[turn], follows, audible["heard_at"], audible["audio_duration"])
    before = pl.col("plays_until").shift()
    waits = pl.lit(follows) & (before > pl.col("heard_at"))
    return audible.with_columns(until.alias("plays_until")).with_columns(
        plays_from=pl.when(waits).then(before).otherwise("heard_at")
    )


def _ends(turn: pl.Series, follows: pl.Series, heard: pl.Series, length: pl.Series) -> pl.Series:
    """When each piece ends; `follows` tells which come after another one of their turn.

    The first pieces of all turns are looked at together, then the second ones, and so on; the last
    ones of the few turns that have many, one by one.
    """
    every = pl.int_range(len(turn), dtype=pl.UInt32, eager=True)
    goes_on = follows.slice(1).append(pl.Series([False]))
    rows = every.filter(~follows)
    begin = heard[rows]
    taken, ends = [rows.clear()], [begin.clear()]
    while len(rows) >= WIDE:
        end = begin + length[rows]
        taken.append(rows)
        ends.append(end)
        more = goes_on[rows]
        rows, before = rows.filter(more) + 1, end.filter(more)
        begin = before.zip_with(before > heard[rows], heard[rows])
    rest = every.filter(~marked(pl.concat(taken), len(turn)))
    told = heard.clone().scatter(rows, begin)
    places = rows_of(pl.concat([*taken, rest]), len(turn))
    return pl.concat([*ends, _one_by_one(turn[rest], told[rest], length[rest])])[places]


def _one_by_one(turn: pl.Series, heard: pl.Series, length: pl.Series) -> pl.Series:
    """When each piece ends, which is known of one only when it is of the piece before."""
    # What is not known is NaN here, which no comparison holds for.
    columns = turn, heard.fill_null(math.nan), length.fill_null(math.nan)
    ends, last, end = list[float](), None, math.nan
    for number, since, seconds in zip(*(column.to_list() for column in columns), strict=True):
        end = (end if number == last and end > since else since) + seconds
        last = number
        ends.append(end)
    return pl.Series(ends, dtype=pl.Float64).fill_nan(None)
