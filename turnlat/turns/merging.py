"""Merging: a metric that was logged both whole and by `log_metrics` counts once, as the whole one.

The rounded line names no id, so that it is found by its values and its time.
"""

from __future__ import annotations

import polars as pl

from turnlat.turns.sessions import Frames

LATE = 0.1
"""A log line may be this many seconds away from the record that it repeats."""

_ROUNDED = {
    "eou": ("end_of_utterance_delay", "transcription_delay"),
    "llm": ("ttft", "prompt_tokens", "completion_tokens"),
    "tts": ("ttfb",),
    "stt": ("audio_duration",),
    "realtime": ("ttft", "input_tokens", "output_tokens"),
}
"""What a line has of each kind of record."""

_TOLERANCE = 0.0051
"""`log_metrics` rounds to two digits."""


def merge(frames: Frames) -> tuple[Frames, int]:
    """`frames` without the lines of records that are there whole, and how many lines they were."""
    merged = {kind: _merged(kind, frame) for kind, frame in frames.items()}
    dropped = sum(frame.height - merged[kind].height for kind, frame in frames.items())
    return merged, dropped


def _merged(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    whole = frame.filter(~pl.col("plain"))
    if kind not in _ROUNDED or not whole.height or whole.height == frame.height:
        return frame
    values = _ROUNDED[kind]
    numbered = frame.with_row_index("row")
    lines = numbered.filter("plain").drop_nulls("timestamp").select("row", "timestamp", *values)
    pairs = (
        lines.sort("timestamp")
        .with_columns(bucket=_bucket())
        .join(_spread(whole, values), on="bucket", suffix="_whole")
        .filter(
            (pl.col("timestamp") - pl.col("timestamp_whole")).abs() <= LATE,
            *((pl.col(v) - pl.col(f"{v}_whole")).abs() <= _TOLERANCE for v in values),
        )
    )
    return numbered.join(pairs.select("row").unique(), on="row", how="anti").drop("row")


def _bucket() -> pl.Expr:
    return (pl.col("timestamp") / LATE).floor().cast(pl.Int64)


def _spread(whole: pl.DataFrame, values: tuple[str, ...]) -> pl.DataFrame:
    """`whole` in the bucket of its time and in both beside it: equality finds neighbours."""
    columns = whole.drop_nulls("timestamp").select("timestamp", *values)
    return pl.concat(columns.with_columns(bucket=_bucket() + step) for step in (-1, 0, 1))
