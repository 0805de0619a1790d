"""Transcriptions: what the STT records say, per request, or per session where they name none."""

from __future__ import annotations

import polars as pl

SCHEMA: dict[str, pl.DataType] = {
    "session": pl.String(),
    "request_id": pl.String(),
    "stt_model": pl.String(),
    "streamed": pl.Boolean(),
    "requests": pl.Int64(),
    "audio_duration": pl.Float64(),
    "processing_time": pl.Float64(),
    "realtime_factor": pl.Float64(),
    "word_count": pl.Int64(),
}


def summarize(stt: pl.DataFrame) -> pl.DataFrame:
    """One row per request id, or per session and model for records without one.

    `processing_time` is null when streamed: LiveKit reports no duration then (livekit/agents
    #1135, #4785); `transcription_delay` of the turns tells what users waited for.
    """
    streamed = pl.col("streamed").drop_nulls().first()
    processing = pl.when(pl.col("duration").is_not_null().all()).then(pl.col("duration").sum())
    known = pl.col("audio_duration").is_not_null().any()
    audio = pl.when(known).then(pl.col("audio_duration").sum().round(9))
    keys = ["session", "request_id", "model_name"]
    return (
        stt.filter(~_is_connection())
        .group_by(keys, maintain_order=True)
        .agg(
            streamed,
            pl.len().alias("requests"),
            audio.alias("audio_duration"),
            processing.alias("processing_time"),
        )
        .with_columns(
            processing_time=pl.when(
                ~pl.col("streamed").fill_null(pl.col("processing_time") == 0)
            ).then("processing_time"),
            stt_model="model_name",
            word_count=pl.lit(None),
        )
        .with_columns(
            realtime_factor=pl.when(pl.col("audio_duration") > 0).then(
                pl.col("processing_time") / pl.col("audio_duration")
            )
        )
        .sort("session", "request_id", "stt_model", nulls_last=True)
        .select(pl.col(name).cast(type_) for name, type_ in SCHEMA.items())
    )


def _is_connection() -> pl.Expr:
    """LiveKit 1.5.2 and later reports the time to connect in a record of its own."""
    return (
        pl.col("request_id").is_null()
        & (pl.col("audio_duration") == 0)
        & (pl.col("acquire_time") > 0)
    ).fill_null(value=False)
