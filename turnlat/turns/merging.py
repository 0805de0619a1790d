"""Merging: a metric that was logged both whole and by `log_metrics` counts once, as the whole one.

The rounded line names no id, so that it is found by its values and its time.
"""

from __future__ import annotations

import polars as pl

from turnlat.turns.sessions import NAMED_RANK, SPEAKING, Frames

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
    """`frames` without the lines of records that are there whole, and how many lines they were.

    Metrics of different calls look alike, so lines are taken for repetitions only where most of
    their session's EOU, LLM and TTS lines repeat records of one and the same other session.
    """
    if not any(0 < frame["plain"].sum() < frame.height for frame in frames.values()):
        return frames, 0
    pairs = {kind: _pairs(kind, frames[kind]) for kind in _ROUNDED}
    same = _same_sessions(frames, pairs)
    merged = {
        kind: _without(frames[kind], found.join(same, on=["session", "whole_session"], how="semi"))
        for kind, found in pairs.items()
    }
    dropped = sum(frames[kind].height - frame.height for kind, frame in merged.items())
    return frames | merged, dropped


def _pairs(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Lines and the records that they may repeat: the line's `row`, and the session of both."""
    values = _ROUNDED[kind]
    columns = ["session", "session_rank", "timestamp", *values]
    numbered = frame.with_row_index("row").drop_nulls("timestamp").with_columns(bucket=_bucket())
    lines = numbered.filter("plain").select("row", "bucket", *columns)
    whole = numbered.filter(~pl.col("plain")).select("bucket", *columns)
    beside = pl.concat(whole.with_columns(pl.col("bucket") + step) for step in (-1, 0, 1))
    named = pl.max_horizontal("session_rank", "session_rank_whole") <= NAMED_RANK
    return (
        lines.join(beside, on="bucket", suffix="_whole")
        .filter(
            (pl.col("timestamp") - pl.col("timestamp_whole")).abs() <= LATE,
            ~named | (pl.col("session") == pl.col("session_whole")),
            *((pl.col(v) - pl.col(f"{v}_whole")).abs() <= _TOLERANCE for v in values),
        )
        .select("row", "session", whole_session="session_whole")
        .unique()
    )


def _same_sessions(frames: Frames, pairs: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Of each session of lines, the session that most of its lines repeat."""
    lines = pl.concat([frames[kind].filter("plain").select("session") for kind in SPEAKING])
    return (
        pl.concat([pairs[kind] for kind in SPEAKING])
        .group_by("session", "whole_session")
        .agg(repeated=pl.len())
        .join(lines.group_by("session").agg(lines=pl.len()), on="session")
        .filter(pl.col("repeated") * 2 > pl.col("lines"))
        .sort("repeated", "whole_session", descending=[True, False])
        .unique("session", keep="first", maintain_order=True)
    )


def _without(frame: pl.DataFrame, repeated: pl.DataFrame) -> pl.DataFrame:
    rows = repeated.select("row").unique()
    return frame.with_row_index("row").join(rows, on="row", how="anti").drop("row")


def _bucket() -> pl.Expr:
    return (pl.col("timestamp") / LATE).floor().cast(pl.Int64)
