"""Usage: tokens, characters and seconds of audio, as LiveKit's `UsageCollector` sums them."""

from __future__ import annotations

import polars as pl

from turnlat.turns.sessions import Frames

_COUNTS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "characters")
_SECONDS = ("tts_audio_duration", "stt_audio_duration")

SCHEMA: dict[str, pl.DataType] = (
    {"component": pl.String(), "model": pl.String()}
    | dict.fromkeys(_COUNTS, pl.Int64())
    | dict.fromkeys(_SECONDS, pl.Float64())
)

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


def summarize(frames: Frames) -> pl.DataFrame:
    """One row per component and model, and a last one, `total`.

    A sum is null where no record has the field.
    """
    rows = pl.concat([_of(kind, frames[kind]) for kind in _FIELDS])
    if not rows.height:
        return rows
    total = rows.select(
        pl.lit("total").alias("component"),
        pl.lit(None, dtype=pl.String).alias("model"),
        *(_sum(name).alias(name) for name in (*_COUNTS, *_SECONDS)),
    )
    return pl.concat([rows, total.cast(pl.Schema(SCHEMA))])


def _of(kind: str, records: pl.DataFrame) -> pl.DataFrame:
    sums = [_sum(field).alias(name) for name, field in _FIELDS[kind].items()]
    grouped = (
        records.group_by(pl.col("model_name").alias("model"))
        .agg(pl.len().alias("requests"), *sums)
        .sort("model", nulls_last=True)
        .with_columns(component=pl.lit(kind))
    )
    return grouped.select(
        (pl.col(name) if name in grouped.columns else pl.lit(None))
        .cast(type_, strict=False)
        .alias(name)
        for name, type_ in SCHEMA.items()
    )


def _sum(name: str) -> pl.Expr:
    total = pl.col(name).cast(pl.Float64).sum().round(9)
    return pl.when(pl.col(name).is_not_null().any()).then(total)
