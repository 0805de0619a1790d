"""Sentinels: numbers that LiveKit writes for "not measured" become null, each with its note."""

from __future__ import annotations

import polars as pl

from turnlat.turns.sessions import Frames

LONGEST_DELAY = 600.0
"""An `end_of_utterance_delay` above this is a Unix time or a VAD that missed the speech."""


def clean(frames: Frames) -> Frames:
    """`frames` with nulls for sentinels.

    `eou` gets `note` (a code, null where its delays are good), `decided_at` and
    `user_stopped_at`; `llm` gets `no_first_token`; `tts` gets `no_first_byte` and `audible`.
    """
    return frames | {
        "eou": _clean_eou(frames["eou"]),
        "llm": _clean_first("llm", "ttft", "no_first_token", frames),
        "tts": _clean_first("tts", "ttfb", "no_first_byte", frames).with_columns(
            audible=~pl.col("no_first_byte")
            & (pl.col("ttfb").is_not_null() | (pl.col("audio_duration") > 0).fill_null(value=False))
        ),
        "realtime": _clean_first("realtime", "ttft", "no_first_token", frames),
    }


def _clean_first(kind: str, first: str, flag: str, frames: Frames) -> pl.DataFrame:
    missed = (pl.col(first) < 0).fill_null(value=False)
    return frames[kind].with_columns(missed.alias(flag), pl.when(~missed).then(first).alias(first))


def _clean_eou(eou: pl.DataFrame) -> pl.DataFrame:
    delay, transcription = pl.col("end_of_utterance_delay"), pl.col("transcription_delay")
    note = (
        pl.when((delay == 0) & (transcription == 0))
        .then(pl.lit("eou-unknown"))
        .when((delay > LONGEST_DELAY) | (delay < 0) | (transcription < 0))
        .then(pl.lit("eou-implausible"))
    )
    callback = pl.when(pl.col("on_user_turn_completed_delay") >= 0).then(
        "on_user_turn_completed_delay"
    )
    return without_delays(
        eou.with_columns(note=note, on_user_turn_completed_delay=callback)
    ).with_columns(
        decided_at=pl.col("timestamp") - pl.col("on_user_turn_completed_delay").fill_null(0.0)
    )


def without_delays(eou: pl.DataFrame) -> pl.DataFrame:
    """`eou` with null delays wherever it has a note."""
    delays = ("end_of_utterance_delay", "transcription_delay")
    return eou.with_columns(pl.when(pl.col("note").is_null()).then(d).alias(d) for d in delays)
