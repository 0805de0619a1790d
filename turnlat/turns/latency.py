"""Latency: how long each turn's user waited, and what each component added. The parts sum up."""

from __future__ import annotations

import polars as pl

from turnlat.metrics import COMPONENTS, DEFAULT_TOTAL
from turnlat.turns.sessions import Frames

CLOCK_RESOLUTION = 1e-6
"""What a float of Unix seconds can tell apart; a smaller remainder is rounding."""

_ADDED = [metric.name for metric in COMPONENTS if metric.name != "remainder"]
_CLOCKED = ("llm_offset", "tool_gap", "sentence_gap", "remainder", "longest_silence")
"""Components that span clock times rather than a component's own stopwatch."""


def of_speaking(turns: pl.DataFrame, frames: Frames) -> pl.DataFrame:
    """Add the wait and its components to `turns`, one row per `turn_speech`.

    `frames` hold the records of speeches with `turn_speech` and `fills`. A turn whose records
    carry no durations keeps nulls: a partial sum would look fast.
    """
    llm = _ordered(frames["llm"].filter(~pl.col("fills")))
    tts = _heard(_ordered(frames["tts"].filter("audible")), turns)
    answer = tts.filter(~pl.col("fills"))
    own = _first(answer, "tts", "ttfb")
    heard = answer.group_by("turn_speech", maintain_order=True).agg(
        pl.col("heard_at").first(), held_back=pl.col("held").first()
    )
    fillers = [records.filter("fills") for records in (tts, frames["created"])]
    filler = (
        pl.concat([records.select("turn_speech", "heard_at") for records in fillers])
        .group_by("turn_speech")
        .agg(filler_at=pl.col("heard_at").min())
    )
    return (
        turns.join(_first(llm, "llm", "ttft"), on="turn_speech", how="left")
        .join(own, on="turn_speech", how="left")
        .join(heard, on="turn_speech", how="left")
        .join(filler, on="turn_speech", how="left")
        .join(_spoken_call(llm, own), on="turn_speech", how="left")
        .join(_longest_silence(tts), on="turn_speech", how="left")
        .with_columns(_wait())
        .with_columns(_components())
        .with_columns(remainder=remainder())
        .pipe(_undo_clock_steps)
        .with_columns(total_latency=total(DEFAULT_TOTAL))
    )


def total(names: tuple[str, ...]) -> pl.Expr:
    """The sum of `names`, null where one of them is, and where nobody heard an answer."""
    parts = pl.sum_horizontal(names, ignore_nulls=False)
    return pl.when(pl.col("outcome") == "replied").then(parts)


def _ordered(records: pl.DataFrame) -> pl.DataFrame:
    return records.drop_nulls("turn_speech").sort(
        "turn_speech", "first_start", "timestamp", nulls_last=True
    )


def _heard(tts: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """When each synthesis could be heard: preemptive audio is held back until the EOU."""
    bounds = turns.select("turn_speech", "stopped", "eou_at")
    held = ~pl.col("fills") & pl.col("first_at").is_between("stopped", "eou_at")
    return tts.join(bounds, on="turn_speech", maintain_order="left").with_columns(
        heard_at=pl.when(held).then("eou_at").otherwise("first_at"),
        held=held.fill_null(value=False),
    )


def _first(records: pl.DataFrame, kind: str, first: str) -> pl.DataFrame:
    """Of each turn, the record of `kind` that started first."""
    return records.group_by("turn_speech", maintain_order=True).agg(
        pl.col("started_at").first().alias(f"{kind}_started_at"),
        pl.col("first_at").first().alias(f"{kind}_first_at"),
        pl.col(first).first().alias(f"{kind}_{first}"),
        pl.col("model_name").first().alias(f"{kind}_model"),
    )


def _spoken_call(llm: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """When the first token came of the LLM call that is heard first.

    That is the last call whose first token precedes the start of the first TTS.
    """
    starts = own.select("turn_speech", "tts_started_at")
    return (
        llm.join(starts, on="turn_speech")
        .filter(pl.col("first_at") <= pl.col("tts_started_at"))
        .group_by("turn_speech", maintain_order=True)
        .agg(pl.col("first_at").last().alias("spoken_first_at"))
    )


def _longest_silence(tts: pl.DataFrame) -> pl.DataFrame:
    """The longest time without agent audio from the end of the user's speech on.

    Audio plays in the order in which its synthesis started: each piece at its first byte, or when
    all audio before it has ended.
    """
    turn = "turn_speech"
    length = pl.col("audio_duration")
    played = length.cum_sum()
    ended = ((pl.col("heard_at") - played + length).cum_max() + played).shift(1)
    silence = pl.col("heard_at") - pl.coalesce(ended.over(turn), "stopped")
    unknown = pl.any_horizontal(pl.col("silence", "audio_duration").is_null().any())
    return (
        tts.with_columns(silence=silence)
        .group_by(turn)
        .agg(longest_silence=pl.when(~unknown).then(pl.col("silence").max()))
    )


def _wait() -> list[pl.Expr]:
    heard = pl.when(pl.col("heard_at").is_not_null()).then(
        pl.min_horizontal("heard_at", "filler_at")
    )
    exact = pl.col("exact").fill_null(value=True)
    return [
        pl.coalesce(heard, pl.when("lone").then("first_audio")).alias("first_audio"),
        pl.when("exact").then("stopped").alias("user_stopped"),
        pl.when(exact).then(heard - pl.col("stopped")).alias("e2e_latency"),
        pl.when(exact).then("longest_silence").alias("longest_silence"),
    ]


def _components() -> list[pl.Expr]:
    spoken = pl.coalesce("spoken_first_at", "llm_first_at")
    start = pl.col("llm_started_at")
    return [
        (pl.col("eou_delay") - pl.col("transcription_delay")).alias("endpointing_delay"),
        pl.when("exact").then(start - pl.col("eou_at")).alias("llm_offset"),
        (spoken - pl.col("llm_first_at")).alias("tool_gap"),
        (pl.col("tts_started_at") - spoken).alias("sentence_gap"),
    ]


def remainder() -> pl.Expr:
    """The wait less all its other components, known or not."""
    rest = pl.col("e2e_latency") - pl.sum_horizontal(_ADDED)
    return pl.when(rest.abs() < CLOCK_RESOLUTION).then(0.0).otherwise(rest)


def _undo_clock_steps(turns: pl.DataFrame) -> pl.DataFrame:
    stepped = (pl.col("e2e_latency") <= 0).fill_null(value=False)
    return turns.with_columns(clock_step=stepped).with_columns(
        pl.when(~pl.col("clock_step")).then(name).alias(name) for name in ("e2e_latency", *_CLOCKED)
    )
