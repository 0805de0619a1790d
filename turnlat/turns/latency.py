"""Latency: how long each turn's user waited, and what each component added. The parts sum up."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable

import polars as pl

from turnlat.metrics import COMPONENTS, DEFAULT_TOTAL
from turnlat.turns.numbering import Groups, lacking, least
from turnlat.turns.playout import play
from turnlat.turns.sessions import Frames

CLOCK_RESOLUTION = 1e-6
"""What a float of Unix seconds can tell apart; a smaller remainder is rounding."""

_TURN = "turn_speech"
_ADDED = [metric.name for metric in COMPONENTS if metric.name != "remainder"]
_CLOCKED = ("llm_offset", "tool_gap", "sentence_gap", "remainder", "longest_silence")
"""Components that span clock times rather than a component's own stopwatch."""


_OF_CALLS = (_TURN, "started_at", "first_at", "ttft", "model_name")
_OF_AUDIO = (
    _TURN, "fills", "started_at", "first_at", "ttfb", "audio_duration", "model_name", "stopped",
    "heard_at", "held",
)  # fmt: skip
"""What the wait and its components come from, of LLM calls and of audible syntheses."""


def of_speaking(stitched: pl.DataFrame, frames: Frames) -> pl.DataFrame:
    """The turns of `stitched`, one row each, with the wait and its components.

    `frames` hold the records of speeches with `turn_speech` and `fills`, those of a turn together
    in the order in which their work began, and TTS records also with what `hear` adds. A turn
    whose records carry no durations keeps nulls: a partial sum would look fast.
    """
    count = stitched.height
    llm, tts = frames["llm"], frames["tts"]
    calls = llm[list(_OF_CALLS)].filter(~llm["fills"] & llm[_TURN].is_not_null())
    audible = tts[list(_OF_AUDIO)].filter(tts["audible"] & tts[_TURN].is_not_null())
    first = _first_audio(audible.filter(~pl.col("fills")), count)
    return (
        pl.concat([stitched, _first_call(calls, count), first], how="horizontal")
        .with_columns(
            filler_at=_filler_at(audible, frames["created"], count),
            spoken_first_at=_spoken_first_at(calls, first["tts_started_at"]),
            longest_silence=_longest_silence(audible, count),
        )
        .filter(pl.col("taken_by").is_null())
        .lazy()
        .with_columns(_wait())
        .with_columns(_components())
        .with_columns(remainder=remainder())
        .pipe(_undo_clock_steps)
        .with_columns(total_latency=total(DEFAULT_TOTAL))
        .collect(engine="in-memory")
    )


def hear(tts: pl.DataFrame, stitched: pl.DataFrame) -> pl.DataFrame:
    """Add `heard_at`: when each synthesis could be heard. Unix seconds, as all times here.

    Preemptive audio is `held` back until the EOU. `stopped` is when the user of its turn did.
    """
    held = ~pl.col("fills") & pl.col("first_at").is_between("stopped", "eou_at")
    bounds = stitched[["stopped", "eou_at"]][tts[_TURN]]
    return (
        tts.hstack(bounds)
        .with_columns(
            heard_at=pl.when(held).then("eou_at").otherwise("first_at"),
            held=held.fill_null(value=False),
        )
        .drop("eou_at")
    )


def total(names: tuple[str, ...]) -> pl.Expr:
    """The sum of `names`, null where one of them is, and where nobody heard an answer."""
    parts = _sum(pl.col(name) for name in names)
    return pl.when(pl.col("outcome") == "replied").then(parts)


def _sum(parts: Iterable[pl.Expr]) -> pl.Expr:
    """The sum in the order of its terms; polars' own order depends on the number of threads."""
    return functools.reduce(operator.add, parts)


def _first_call(calls: pl.DataFrame, count: int) -> pl.DataFrame:
    """Of each turn, the LLM call that started first."""
    told = calls.select(
        llm_started_at="started_at",
        llm_first_at="first_at",
        llm_ttft="ttft",
        llm_model="model_name",
    )
    return Groups(calls[_TURN], count).first(told)


def _first_audio(tts: pl.DataFrame, count: int) -> pl.DataFrame:
    """Of each turn, the synthesis that started first."""
    told = tts.select(
        "heard_at",
        tts_started_at="started_at",
        tts_first_at="first_at",
        tts_ttfb="ttfb",
        tts_model="model_name",
        held_back="held",
    )
    return Groups(tts[_TURN], count).first(told)


def _filler_at(audible: pl.DataFrame, created: pl.DataFrame, count: int) -> pl.Series:
    """When the first filler of each turn could be heard."""
    fillers = pl.concat(
        records.filter(pl.col("fills") & pl.col(_TURN).is_not_null()).select(_TURN, "heard_at")
        for records in (audible, created)
    )
    return least(fillers[_TURN], fillers["heard_at"], count)


def _spoken_first_at(calls: pl.DataFrame, tts_started_at: pl.Series) -> pl.Series:
    """When the first token came of the LLM call that is heard first.

    That is the last call whose first token precedes the start of the first TTS.
    """
    before = calls.filter(calls["first_at"] <= tts_started_at[calls[_TURN]])
    return Groups(before[_TURN], len(tts_started_at)).last(before.select("first_at")).to_series()


def _longest_silence(audible: pl.DataFrame, count: int) -> pl.Series:
    """The longest time without agent audio from the end of the user's speech on."""
    turn, silence = pl.col(_TURN), pl.col("heard_at") - pl.col("stopped")
    opens, closes = turn.ne_missing(turn.shift()), turn.ne_missing(turn.shift(-1))
    pieces = audible.with_columns(opens=opens, silence=silence)
    later = (
        play(pieces.filter(~(opens & closes)), _TURN)
        .with_columns(silence=pl.col("heard_at") - pl.col("plays_until").shift())
        .filter(~pl.col("opens"))
    )
    turns, repeated = Groups(pieces[_TURN], count), Groups(later[_TURN], count)
    told = turns.first(pieces.select("silence")).hstack(
        repeated.reduce(
            later, later=pl.col("silence").max(), unknown=pl.col("silence").is_null().any()
        )
    )
    endless = lacking(pieces[_TURN], pieces["audio_duration"], count)
    known = pl.col("silence").is_not_null() & ~endless & ~pl.col("unknown").fill_null(value=False)
    return told.select(pl.when(known).then(pl.max_horizontal("silence", "later"))).to_series()


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
    rest = pl.col("e2e_latency") - _sum(pl.col(name).fill_null(0.0) for name in _ADDED)
    return pl.when(rest.abs() < CLOCK_RESOLUTION).then(0.0).otherwise(rest)


def _undo_clock_steps(turns: pl.LazyFrame) -> pl.LazyFrame:
    stepped = (pl.col("e2e_latency") <= 0).fill_null(value=False)
    return turns.with_columns(clock_step=stepped).with_columns(
        pl.when(~pl.col("clock_step")).then(name).alias(name) for name in ("e2e_latency", *_CLOCKED)
    )
