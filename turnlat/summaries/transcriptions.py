"""Transcriptions: what STT records and transcripts say, per request, or per session without one."""

from __future__ import annotations

from collections.abc import Sequence

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


SLACK = 0.1
"""A transcript may come this much earlier than the record of the request that it came from."""

_KEYS = ("session", "request_id", "model_name")


def summarize(stt: pl.DataFrame, transcripts: pl.DataFrame, sessions: pl.Series) -> pl.DataFrame:
    """One row per request id, or per session and model for records without one.

    `processing_time` is null when streamed: LiveKit reports no duration then (livekit/agents
    #1135, #4785); `transcription_delay` of the turns tells what users waited for. `word_count`
    is of the final transcripts, null without any; a session that has only those has a row too.
    """
    requests = stt.lazy().filter(~_is_connection())
    found = _requests(requests)
    if transcripts["word_count"].count():
        found = _with_words(found, requests, transcripts.lazy())
    else:
        found = found.with_columns(word_count=pl.lit(None, dtype=pl.Int64))
    return (
        found.with_columns(
            pl.col("requests").fill_null(0),
            stt_model="model_name",
            realtime_factor=pl.when(pl.col("audio_duration") > 0).then(
                pl.col("processing_time") / pl.col("audio_duration")
            ),
        )
        .sort("session", "request_id", "stt_model", nulls_last=True)
        .with_columns(session=pl.lit(sessions).gather(pl.col("session")))
        .select(pl.col(name).cast(type_) for name, type_ in SCHEMA.items())
        .collect(engine="in-memory")
    )


def joined(summaries: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One summary of those of several shards, whose sessions are others."""
    if len(summaries) == 1:
        return summaries[0]
    return pl.concat(summaries).sort("session", nulls_last=True, maintain_order=True)


def _requests(stt: pl.LazyFrame) -> pl.LazyFrame:
    streamed = pl.col("streamed").drop_nulls().first()
    processing = pl.when(pl.col("duration").is_not_null().all()).then(pl.col("duration").sum())
    known = pl.col("audio_duration").is_not_null().any()
    audio = pl.when(known).then(pl.col("audio_duration").sum().round(9))
    measured = ~pl.col("streamed").fill_null(pl.col("processing_time") == 0)
    return (
        stt.group_by(_KEYS, maintain_order=True)
        .agg(
            streamed,
            pl.len().alias("requests"),
            audio.alias("audio_duration"),
            processing.alias("processing_time"),
        )
        .with_columns(processing_time=pl.when(measured).then("processing_time"))
    )


def _with_words(found: pl.LazyFrame, stt: pl.LazyFrame, transcripts: pl.LazyFrame) -> pl.LazyFrame:
    words = _words(stt, transcripts)
    alone = words.select(_KEYS).join(stt, on=_KEYS, how="anti", nulls_equal=True)
    return pl.concat([found, alone], how="diagonal").join(
        words, on=_KEYS, how="left", nulls_equal=True, maintain_order="left"
    )


def _words(stt: pl.LazyFrame, transcripts: pl.LazyFrame) -> pl.LazyFrame:
    """The words of each request: transcripts name none, so it is the last one before each.

    Where there is none before, the first one after: the record of a stream comes every 5 s.
    """
    said = transcripts.drop_nulls("word_count").select("session", "timestamp", "word_count")
    said = said.with_columns(by=pl.col("timestamp") + SLACK).sort("by")
    told = stt.drop_nulls("timestamp").sort("timestamp").select(*_KEYS, by="timestamp")
    told = told.with_columns(found=pl.lit(value=True))
    beside = said
    for strategy in ("backward", "forward"):
        beside = beside.join_asof(
            told,
            on="by",
            by="session",
            strategy=strategy,
            suffix=" of the next",
            check_sortedness=False,
        )
    request = [
        pl.when("found").then(name).otherwise(f"{name} of the next").alias(name)
        for name in _KEYS[1:]
    ]
    return (
        beside.select("session", "word_count", *request)
        .group_by(_KEYS)
        .agg(pl.col("word_count").sum())
    )


def _is_connection() -> pl.Expr:
    """LiveKit 1.5.2 and later reports the time to connect in a record of its own."""
    return (
        pl.col("request_id").is_null()
        & (pl.col("audio_duration") == 0)
        & (pl.col("acquire_time") > 0)
    ).fill_null(value=False)
