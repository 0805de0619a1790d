"""Usage: tokens, characters and seconds of audio, as LiveKit's `UsageCollector` sums them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from turnlat.turns.sessions import Frames

_COUNTS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "characters")
_SECONDS = ("tts_audio_duration", "stt_audio_duration")

SCHEMA: dict[str, pl.DataType] = (
    {"component": pl.String(), "model": pl.String()}
    | dict.fromkeys(_COUNTS, pl.Int64())
    | dict.fromkeys(_SECONDS, pl.Float64())
)

_DIGITS = 9
"""Sums of seconds are rounded to nanoseconds."""

_FIELDS = {
    "llm": {
        "prompt_tokens": "prompt_tokens",
        "cached_tokens": "prompt_cached_tokens",
        "completion_tokens": "completion_tokens",
    },
    "realtime": {
        "prompt_tokens": "input_tokens",
        "cached_tokens": "cached_tokens",
        "completion_tokens": "output_tokens",
    },
    "tts": {"characters": "characters_count", "tts_audio_duration": "audio_duration"},
    "stt": {"stt_audio_duration": "audio_duration"},
}
"""Which fields of which records add up to what; realtime models count as LLMs in the total."""


def count(frames: Frames) -> pl.DataFrame:
    """The sums of one shard, one row per component and model."""
    return pl.concat([_of(kind, frames[kind]) for kind in _FIELDS])


def summarize(counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One row per component and model of all shards, and a last one, `total`.

    A sum is null where no record has the field.
    """
    kinds = pl.Enum(list(_FIELDS))
    sums = [_sum(name).alias(name) for name in (*_COUNTS, *_SECONDS)]
    rows = (
        pl.concat(counts)
        .with_columns(pl.col("component").cast(kinds))
        .group_by("component", "model")
        .agg(sums)
        .sort("component", "model", nulls_last=True)
        .with_columns(pl.col("component").cast(pl.String))
    )
    rows = rows.with_columns(pl.col(_SECONDS).round(_DIGITS))
    if rows.height:
        total = rows.select(
            pl.lit("total").alias("component"), pl.lit(None, dtype=pl.String).alias("model"), *sums
        )
        rows = pl.concat([rows, total])
    return rows.select(
        (pl.col(name).round(_DIGITS) if name in _SECONDS else pl.col(name)).cast(
            type_, strict=False
        )
        for name, type_ in SCHEMA.items()
    )


def _of(kind: str, records: pl.DataFrame) -> pl.DataFrame:
    sums = [_sum(field).alias(name) for name, field in _FIELDS[kind].items()]
    grouped = (
        records.group_by(pl.col("model_name").alias("model"))
        .agg(pl.len().alias("requests"), *sums)
        .with_columns(component=pl.lit(kind))
    )
    return grouped.select(
        (pl.col(name) if name in grouped.columns else pl.lit(None))
        .cast(pl.Float64 if name in (*_COUNTS, *_SECONDS) else pl.String)
        .alias(name)
        for name in SCHEMA
    )


def _sum(name: str) -> pl.Expr:
    total = pl.col(name).cast(pl.Float64).sum()
    return pl.when(pl.col(name).is_not_null().any()).then(total)
