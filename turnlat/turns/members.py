"""Members: which records each row of the turn table was made of."""

from __future__ import annotations

import polars as pl

from turnlat.records import Records, kept_column
from turnlat.turns import Turns
from turnlat.turns.sessions import OF_SPEECHES

MARK = "turnlat.record"
"""The kept field that numbers the records: like every kept field it comes through all stages."""

_MARK = kept_column(MARK)


def mark(records: Records, first: int = 0) -> Records:
    """`records`, numbered from `first` on."""
    frames = {}
    for kind, frame in records.frames.items():
        numbers = pl.int_range(first, first + frame.height, eager=True).cast(pl.String)
        frames[kind] = frame.with_columns(numbers.alias(_MARK))
        first += frame.height
    return Records.of_frames(frames, records.tally, (*records.keep, MARK))


def of(turns: Turns) -> pl.DataFrame:
    """The records of every row: `row` (its index in the turn table), `kind`, `number`, and place.

    The records have to be marked. Records that belong to a session only are not among them.
    """
    rows = turns.frame.with_row_index("row").select("row", number=MARK)
    records = pl.concat(_owned(turns))
    owners = records.join(rows, on="number").select("owner", "row").unique("owner")
    return (
        records.join(owners, on="owner")
        .select("row", "kind", "number", "source", "line", "timestamp")
        .with_columns(pl.col("number").cast(pl.Int64))
        .sort("row", "number")
    )


def numbers_of(frame: pl.DataFrame) -> pl.Series:
    """The numbers of marked records."""
    return frame[_MARK].cast(pl.Int64)


def _owned(turns: Turns) -> list[pl.DataFrame]:
    """Every record with `owner`: its turn, its exchange of messages, or itself as a response."""
    owners = {kind: pl.format("turn {}", "turn_speech") for kind in OF_SPEECHES}
    owners |= {"chat": pl.format("chat {}", "exchange"), "realtime": pl.format("self {}", _MARK)}
    return [
        turns.frames[kind]
        .select("source", "line", "timestamp", kind=pl.lit(kind), number=_MARK, owner=owner)
        .drop_nulls("owner")
        for kind, owner in owners.items()
    ]
