"""Latency: how long each turn's user waited, and what each component added. The parts sum up."""

from __future__ import annotations

import polars as pl

from turnlat.metrics import COMPONENTS, DEFAULT_TOTAL
from turnlat.turns import ordering
from turnlat.turns.sessions import Frames

CLOCK_RESOLUTION = 1e-6
"""What a float of Unix seconds can tell apart; a smaller remainder is rounding."""

_TURN = "turn_speech"
_ADDED = [metric.name for metric in COMPONENTS if metric.name != "remainder"]
_CLOCKED = ("llm_offset", "tool_gap", "sentence_gap", "remainder", "longest_silence")
"""Components that span clock times rather than a component's own stopwatch."""


def of_speaking(turns: pl.DataFrame, frames: Frames) -> pl.DataFrame:
    """Add the wait and its components to `turns`, one row per `turn_speech`.

    `frames` hold the records of speeches, in the order of time, with `turn_speech` and `fills`,
    TTS records also with what `hear` adds. A turn whose records carry no durations keeps nulls: a
    partial sum would look fast.
    """
    llm, tts = frames["llm"].lazy(), frames["tts"].lazy()
    calls = _ordered(llm.filter(~pl.col("fills")), "ttft").lazy()
    measured = ("ttfb", "audio_duration", "stopped", "heard_at", "held")
    tts = _ordered(tts.filter("audible"), *measured).lazy()
    own = _first_audio(tts.filter(~pl.col("fills")))
    fillers = [
        records.filter("fills").select(_TURN, "heard_at")
        for records in (tts, frames["created"].lazy())
    ]
    filler = pl.concat(fillers).group_by(_TURN).agg(filler_at=pl.col("heard_at").min())
    return (
        turns.lazy()
        .join(_first_call(calls), on=_TURN, how="left", maintain_order="left")
        .join(own, on=_TURN, how="left", maintain_order="left")
        .join(filler, on=_TURN, how="left", maintain_order="left")
        .join(_spoken_call(calls, own), on=_TURN, how="left", maintain_order="left")
        .join(_longest_silence(tts), on=_TURN, how="left", maintain_order="left")
        .with_columns(_wait())
        .with_columns(_components())
        .with_columns(remainder=remainder())
        .pipe(_undo_clock_steps)
        .with_columns(total_latency=total(DEFAULT_TOTAL))
        .collect(engine="in-memory")
    )


def hear(tts: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Add `heard_at`: when each synthesis could be heard. Unix seconds, as all times here.

    Preemptive audio is `held` back until the EOU. `stopped` is when the user of its turn did.
    """
    bounds = turns.select(_TURN, "stopped", "eou_at")
    held = ~pl.col("fills") & pl.col("first_at").is_between("stopped", "eou_at")
    return (
        tts.join(bounds, on=_TURN, how="left", maintain_order="left")
        .with_columns(
            heard_at=pl.when(held).then("eou_at").otherwise("first_at"),
            held=held.fill_null(value=False),
        )
        .drop("eou_at")
    )


def play(tts: pl.LazyFrame) -> pl.LazyFrame:
    """Add `plays_from` and `plays_until` to the audible records of turns.

    They are in the order in which their synthesis started, which audio plays in: each piece when it
    could be heard, or when all audio before it has ended.
    """
    length, played = pl.col("audio_duration"), pl.col("played")
    return (
        tts.with_columns(played=length.cum_sum().over(_TURN))
        .with_columns(late=(pl.col("heard_at") - played + length).cum_max().over(_TURN))
        .with_columns(plays_from=pl.col("late") + played - length)
        .with_columns(plays_until=pl.col("late") + played)
        .drop("played", "late")
    )


def total(names: tuple[str, ...]) -> pl.Expr:
    """The sum of `names`, null where one of them is, and where nobody heard an answer."""
    parts = pl.sum_horizontal(names, ignore_nulls=False)
    return pl.when(pl.col("outcome") == "replied").then(parts)


def _ordered(records: pl.LazyFrame, *measured: str) -> pl.DataFrame:
    """The records of turns, each turn's in the order in which their work started, then of time."""
    known = ["fills", "first_start", "started_at", "first_at", "model_name"]
    of_turns = records.select(_TURN, *known, *measured).drop_nulls(_TURN)
    return ordering.by(of_turns.collect(engine="in-memory"), _TURN, "first_start")


def _first_call(llm: pl.LazyFrame) -> pl.LazyFrame:
    """Of each turn, the LLM call that started first."""
    return llm.group_by(_TURN).agg(
        pl.col("started_at").first().alias("llm_started_at"),
        pl.col("first_at").first().alias("llm_first_at"),
        pl.col("ttft").first().alias("llm_ttft"),
        pl.col("model_name").first().alias("llm_model"),
    )


def _first_audio(tts: pl.LazyFrame) -> pl.LazyFrame:
    """Of each turn, the synthesis that started first."""
    return tts.group_by(_TURN).agg(
        pl.col("started_at").first().alias("tts_started_at"),
        pl.col("first_at").first().alias("tts_first_at"),
        pl.col("ttfb").first().alias("tts_ttfb"),
        pl.col("model_name").first().alias("tts_model"),
        pl.col("heard_at").first(),
        pl.col("held").first().alias("held_back"),
    )


def _spoken_call(llm: pl.LazyFrame, own: pl.LazyFrame) -> pl.LazyFrame:
    """When the first token came of the LLM call that is heard first.

    That is the last call whose first token precedes the start of the first TTS.
    """
    return (
        llm.join(own.select(_TURN, "tts_started_at"), on=_TURN, maintain_order="left")
        .filter(pl.col("first_at") <= pl.col("tts_started_at"))
        .group_by(_TURN)
        .agg(pl.col("first_at").last().alias("spoken_first_at"))
    )


def _longest_silence(tts: pl.LazyFrame) -> pl.LazyFrame:
    """The longest time without agent audio from the end of the user's speech on."""
    turn, heard, length = pl.col(_TURN), pl.col("heard_at"), pl.col("audio_duration")
    first, last = turn.ne_missing(turn.shift(1)), turn.ne_missing(turn.shift(-1))
    later = (
        play(tts.filter(~(first & last)))
        .with_columns(ended=pl.col("plays_until").shift(1))
        .filter(~first)
        .select(_TURN, length, silence=heard - pl.col("ended"))
    )
    opening = tts.filter(first).select(_TURN, length, silence=heard - pl.col("stopped"))
    unknown = pl.any_horizontal(pl.col("silence", "audio_duration").is_null().any())
    return (
        pl.concat([opening, later])
        .group_by(_TURN)
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


def _undo_clock_steps(turns: pl.LazyFrame) -> pl.LazyFrame:
    stepped = (pl.col("e2e_latency") <= 0).fill_null(value=False)
    return turns.with_columns(clock_step=stepped).with_columns(
        pl.when(~pl.col("clock_step")).then(name).alias(name) for name in ("e2e_latency", *_CLOCKED)
    )
