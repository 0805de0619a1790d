"""Duplicates: one metric that was logged twice counts once (livekit/agents#2097, #3166)."""

from __future__ import annotations

import polars as pl

from turnlat.records import KINDS
from turnlat.turns import ordering
from turnlat.turns.sessions import Frames

_IDENTITY = {
    "eou": ("end_of_utterance_delay", "transcription_delay"),
    "llm": ("request_id", "timestamp"),
    "tts": ("request_id", "timestamp"),
}
"""What two sources tell of one record to the last digit."""

_SAME_MOMENT = 1.0
"""Their EOU records lie some milliseconds apart."""

_SAME = ("session", "speech_id", "request_id", "timestamp")
"""What a record has in common with one that is there twice."""

PLAIN_WINDOW = 0.002
"""Equal `log_metrics` lines of one session within this many seconds are one record."""


def drop(frames: Frames) -> tuple[Frames, int]:
    """The frames without duplicates, each in the order of time, and how many were dropped."""
    unique = {kind: _drop_retold(kind, _drop(kind, frame)) for kind, frame in frames.items()}
    dropped = sum(frame.height - unique[kind].height for kind, frame in frames.items())
    return unique, dropped


def _drop(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    if _each_is_later(frame) and not frame["plain"].any():
        return frame
    ordered = frame if _each_is_below(frame) else _in_order(frame)
    row = pl.int_range(frame.height, dtype=pl.UInt32, eager=True).alias("row")
    doubtful, has_id = ordered.select(doubtful=_is_doubtful(), has_id=_has_id())
    identified, rest = row.filter(doubtful & has_id), row.filter(doubtful & ~has_id)
    close = ordered[["timestamp"]][rest].select(_is_close()).to_series()
    kept = [
        _rows(ordered[list(_SAME)], identified).unique(_SAME, keep="first")["row"],
        rest.filter(~close),
        _rows(ordered, rest.filter(close)).filter(~_repeats_line(kind))["row"],
    ]
    if sum(map(len, kept)) == len(identified) + len(rest):
        return ordered
    return ordered[pl.concat([*kept, row.filter(~doubtful)]).sort()]


def _rows(frame: pl.DataFrame, row: pl.Series) -> pl.DataFrame:
    """Some rows, and where they are."""
    return frame[row].hstack([row])


def _each_is_later(frame: pl.DataFrame) -> bool:
    """Whether each record is later than the one before: then none can be there twice."""
    time = frame["timestamp"]
    before, after = ordering.neighbours(time)
    return not time.has_nulls() and bool((after > before).all())


def _each_is_below(frame: pl.DataFrame) -> bool:
    """Whether each record is later than the one before, or of one time and further down."""
    if frame["timestamp"].has_nulls():
        return False
    before, after = ordering.neighbours(frame[["timestamp", "source", "line"]])
    rest = after["timestamp"] <= before["timestamp"]
    before, after = before.filter(rest), after.filter(rest)
    beside = (after["timestamp"] == before["timestamp"]) & (after["source"] == before["source"])
    return bool((beside & (after["line"] > before["line"])).all())


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` in the order of time; what lies at one time, in the order of its place."""
    if frame["timestamp"].n_unique() == frame.height:
        return frame.sort("timestamp", nulls_last=True)
    return frame.sort("timestamp", "source", "line", nulls_last=True)


def _drop_retold(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Without records that another source tells with more: spans beside a hook's records.

    The record with a speech id is the richer one; of one speech's EOUs it is the later, the hook's.
    """
    if kind not in _IDENTITY or not _may_be_retold(kind, frame):
        return frame
    identity = list(_IDENTITY[kind])
    time, named = pl.col("timestamp"), pl.col("speech_id").is_not_null()
    whole = pl.all_horizontal(~pl.col("plain"), pl.col(identity).is_not_null())
    richer = time.filter(named).max().over(identity)
    unnamed = ~named & ((time - richer).abs() < _SAME_MOMENT)
    later = time.max().over(*identity, "speech_id")
    retold = named & (time < later) & (time > later - _SAME_MOMENT)
    if kind == "eou":
        whole &= pl.col("end_of_utterance_delay") > 0
        unnamed |= retold
    return frame.filter(~(whole & unnamed).fill_null(value=False))


def _may_be_retold(kind: str, frame: pl.DataFrame) -> bool:
    """Whether any record lacks a speech id that another has, or two EOUs share one."""
    named = frame["speech_id"].count()
    if named < frame.height:
        return named > 0
    return kind == "eou" and frame["speech_id"].n_unique() < frame.height


def _is_doubtful() -> pl.Expr:
    """Whether a record may be there twice: in the order of time one beside it is of its time."""
    time = pl.col("timestamp")
    return pl.col("plain") | time.eq_missing(time.shift()) | time.eq_missing(time.shift(-1))


def _has_id() -> pl.Expr:
    """Whether ids tell a record apart from others; `log_metrics` lines have none of their own."""
    named = pl.col("request_id").is_not_null() | pl.col("speech_id").is_not_null()
    return ~pl.col("plain") & pl.col("timestamp").is_not_null() & named


def _is_close() -> pl.Expr:
    """Whether one beside it, in the order of time, lies so near that it may be repeated there."""
    near = (pl.col("timestamp").diff() <= PLAIN_WINDOW).fill_null(value=False)
    return near | near.shift(-1, fill_value=False)


def _repeats_line(kind: str) -> pl.Expr:
    """Whether the same values stood in the same session just before: lines of a log come late."""
    values = [name for name in KINDS[kind].__struct_fields__ if name != "timestamp"]
    since = pl.col("timestamp").diff().over("session", "plain", *values)
    window = pl.when("plain").then(PLAIN_WINDOW).otherwise(0.0)
    return (since <= window).fill_null(value=False)
