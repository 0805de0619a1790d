"""Speeches: one row per speech, reduced from its EOU, LLM and TTS records."""

from __future__ import annotations

import polars as pl

from turnlat.turns.sessions import OF_SPEECHES, Frames

LazyFrames = dict[str, pl.LazyFrame]


def numbered(frames: Frames) -> Frames:
    """`frames` with numbers for `speech`, in the order of the keys: they join and sort faster."""
    keys = pl.concat([frames[kind]["speech"] for kind in OF_SPEECHES]).drop_nulls().unique().sort()
    numbers = pl.DataFrame({"speech": keys}).with_row_index("number")
    return frames | {
        kind: frames[kind].with_columns(
            frames[kind]
            .select("speech")
            .join(numbers, on="speech", how="left", maintain_order="left")["number"]
            .alias("speech")
        )
        for kind in OF_SPEECHES
    }


def of(frames: Frames) -> pl.DataFrame:
    """All speeches of records in the order of time, with what the rules about neighbours look at.

    `start` and `end` bound its generation; `first_audio`, `last_tts_start` and `speaks` are about
    audio that somebody heard; `eou_at`, `decided_at` and `stopped` are null without an EOU.
    `steps_apart`: the session is of LiveKit 1.0 or 1.1.
    """
    records = {kind: frames[kind].lazy() for kind in (*OF_SPEECHES, "stt")}
    return (
        pl.concat([_record_rows(records[kind]) for kind in OF_SPEECHES])
        .sort("timestamp", nulls_last=True)
        .group_by("speech", maintain_order=True)
        .agg(
            pl.col("session").first(),
            pl.col("speech_id").first(ignore_nulls=True),
            pl.col("session_rank").min(),
            pl.col("inferred").any(),
            pl.col("ids_repeated").any(),
        )
        .join(_of_eou(records["eou"]), on="speech", how="left", maintain_order="left")
        .join(_of_llm(records["llm"]), on="speech", how="left", maintain_order="left")
        .join(_of_tts(records["tts"]), on="speech", how="left", maintain_order="left")
        .with_columns(
            pl.col("llm_calls", "tts_segments", "eous").fill_null(0),
            pl.col("speaks", "llm_cancelled", "acquires").fill_null(value=False),
            start=pl.min_horizontal("llm_start", "tts_start"),
            end=pl.max_horizontal("llm_end", "tts_end"),
        )
        .join(_steps_apart(records), on="session", how="left", maintain_order="left")
        .with_columns(has_eou=pl.col("eous") > 0)
        .collect(engine="in-memory")
    )


def with_starts(frames: Frames) -> Frames:
    """Add when each LLM and TTS record's work began, and what it gave first.

    `started_at` and what follows from it are null without a duration; `first_start` falls back on
    the time of the record, for ordering only.
    """
    start = pl.col("timestamp") - pl.col("duration")
    return frames | {
        kind: frames[kind]
        .with_columns(started_at=start, first_at=start + pl.col(first))
        .with_columns(
            first_start=pl.coalesce("started_at", pl.col("timestamp") - pl.col(first), "timestamp")
        )
        for kind, first in (("llm", "ttft"), ("tts", "ttfb"))
    }


def _record_rows(records: pl.LazyFrame) -> pl.LazyFrame:
    columns = ["session", "speech_id", "session_rank", "inferred", "ids_repeated", "timestamp"]
    return records.select("speech", *columns).drop_nulls("speech")


def _steps_apart(records: LazyFrames) -> pl.LazyFrame:
    """Sessions of LiveKit 1.0 and 1.1, where every step of a tool call has its own speech id.

    Later versions write `last_speaking_time` (1.2.0 to 1.3.0), a model name (from 1.2.12) or
    `acquire_time` (from 1.5.2).
    """
    named = pl.col("model_name").is_not_null()
    acquires = pl.col("acquire_time").is_not_null()
    marks = [
        records["llm"].select("session", later=named),
        *(records[kind].select("session", later=named | acquires) for kind in ("tts", "stt")),
    ]
    eou_later = pl.col("last_speaking_time").is_not_null() | pl.col("plain")
    return (
        pl.concat([*marks, records["eou"].select("session", later=eou_later)])
        .group_by("session")
        .agg(steps_apart=~pl.col("later").any())
    )


def _of_eou(eou: pl.LazyFrame) -> pl.LazyFrame:
    stopped = pl.col("decided_at") - pl.col("end_of_utterance_delay")
    return (
        eou.sort("timestamp", "end_of_utterance_delay", nulls_last=True)
        .with_columns(
            stopped=stopped,
            exact=~pl.col("plain") | pl.col("on_user_turn_completed_delay").is_not_null(),
        )
        .group_by("speech")
        .agg(
            pl.col("timestamp").first().alias("eou_at"),
            pl.col("decided_at", "stopped", "exact").first(),
            pl.col("note").first().alias("eou_note"),
            pl.col("end_of_utterance_delay").first().alias("eou_delay"),
            pl.col("transcription_delay").first(),
            pl.col("on_user_turn_completed_delay").first().alias("callback_delay"),
            pl.len().alias("eous"),
        )
    )


def _of_llm(llm: pl.LazyFrame) -> pl.LazyFrame:
    return (
        llm.drop_nulls("speech")
        .sort("first_start", nulls_last=True, maintain_order=True)
        .group_by("speech")
        .agg(
            pl.len().alias("llm_calls"),
            pl.col("first_start").first().alias("llm_start"),
            pl.col("timestamp").max().alias("llm_end"),
            pl.col("cancelled").last().fill_null(value=False).alias("llm_cancelled"),
        )
    )


def _of_tts(tts: pl.LazyFrame) -> pl.LazyFrame:
    audible = pl.col("audible")
    heard = pl.coalesce("first_at", pl.when("audible").then("timestamp"))
    first_audio = heard.filter(audible).first()
    return (
        tts.drop_nulls("speech")
        .sort("first_start", nulls_last=True, maintain_order=True)
        .group_by("speech")
        .agg(
            pl.len().alias("tts_segments"),
            pl.col("first_start").min().alias("tts_start"),
            pl.col("timestamp").max().alias("tts_end"),
            audible.any().alias("speaks"),
            first_audio.alias("first_audio"),
            (first_audio + pl.col("audio_duration").filter(audible).sum()).alias("audio_end"),
            pl.col("first_start").filter(audible).max().alias("last_tts_start"),
            (pl.col("acquire_time").is_not_null() & audible).any().alias("acquires"),
        )
    )
