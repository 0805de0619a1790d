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
    counts = pl.concat([_of(kind, frames[kind].lazy()) for kind in _FIELDS])
    return counts.collect(engine="in-memory")


def summarize(counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One row per component and model of all shards, and a last one, `total`.

    A sum is null where no record has the field.
    """
    kinds = pl.Enum(list(_FIELDS))
    sums = {name: _sum(name) for name in (*_COUNTS, *_SECONDS)}
    rows = (
        pl.concat(counts)
        .lazy()
        .group_by(pl.col("component").cast(kinds), "model")
        .agg(**sums)
        .sort("component", "model", nulls_last=True)
        .with_columns(pl.col("component").cast(pl.String), pl.col(_SECONDS).round(_DIGITS))
        .collect(engine="in-memory")
    )
    total = rows.select(component=pl.lit("total"), model=pl.lit(None, dtype=pl.String), **sums)
    rows = pl.concat([rows, total.head(rows.height)]).with_columns(pl.col(_SECONDS).round(_DIGITS))
    return rows.select(pl.col(name).cast(type_, strict=False) for name, type_ in SCHEMA.items())


def _of(kind: str, records: pl.LazyFrame) -> pl.LazyFrame:
    sums = {name: _sum(field) for name, field in _FIELDS[kind].items()}
    told = {"requests": pl.len().cast(pl.Float64), **sums}
    grouped = records.group_by(model=pl.col("model_name").cast(pl.String)).agg(**told)
    return grouped.select(
        component=pl.lit(kind),
        model="model",
        **{
            name: pl.col(name) if name in told else pl.lit(None, dtype=pl.Float64)
            for name in (*_COUNTS, *_SECONDS)
        },
    )


def _sum(name: str) -> pl.Expr:
    total = pl.col(name).cast(pl.Float64).sum()
    return pl.when(pl.col(name).is_not_null().any()).then(total)
