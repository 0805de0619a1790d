"""Sentinels: numbers that LiveKit writes for "not measured" become null, each with its note."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from turnlat.turns.sessions import Frames

LONGEST_DELAY = 600.0
"""An `end_of_utterance_delay` above this is a Unix time or a VAD that missed the speech."""


LONGEST_DURATION = 86_400.0
"""Nothing that a component measures takes more than a day."""

MOST_COUNTED = 1e12
"""Nor are so many tokens or characters counted in one request."""

_MOST = dict.fromkeys(("duration", "ttft", "ttfb", "audio_duration"), LONGEST_DURATION) | (
    dict.fromkeys(
        (
            "prompt_tokens", "prompt_cached_tokens", "completion_tokens", "characters_count",
            "input_tokens", "cached_tokens", "output_tokens",
        ),
        MOST_COUNTED,
    )
)  # fmt: skip

_FIRST = {
    "llm": ("ttft", "no_first_token"),
    "realtime": ("ttft", "no_first_token"),
    "tts": ("ttfb", "no_first_byte"),
}
"""The field that is −1 where nothing came, and the flag that says so."""


def clean(frames: Frames) -> Frames:
    """`frames` with nulls for sentinels and for what cannot be.

    `eou` gets `note` (a code, null where its delays are good) and `decided_at`; `llm` and
    `realtime` get `no_first_token`, `tts` gets `no_first_byte` and `audible`; all of these and
    `stt` get `implausible`.
    """
    lazy = {kind: frames[kind].lazy() for kind in (*_FIRST, "stt", "eou")}
    for kind, (first, flag) in _FIRST.items():
        lazy[kind] = _clean_first(lazy[kind], first, flag)
    for kind in (*_FIRST, "stt"):
        lazy[kind] = _clean_implausible(lazy[kind], frames[kind].columns)
    heard = pl.col("ttfb").is_not_null() | (pl.col("audio_duration") > 0).fill_null(value=False)
    lazy["tts"] = lazy["tts"].with_columns(audible=~pl.col("no_first_byte") & heard)
    lazy["eou"] = _clean_eou(lazy["eou"])
    return frames | {kind: frame.collect(engine="in-memory") for kind, frame in lazy.items()}


def _clean_first(frame: pl.LazyFrame, first: str, flag: str) -> pl.LazyFrame:
    missed = (pl.col(first) < 0).fill_null(value=False)
    return frame.with_columns(missed.alias(flag), pl.when(~missed).then(first).alias(first))


def _clean_implausible(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    fits = {
        name: pl.col(name).is_between(0, most).fill_null(value=True)
        for name, most in _MOST.items()
        if name in columns
    }
    return frame.with_columns(
        implausible=~pl.all_horizontal(*fits.values()),
        **{name: pl.when(sound).then(name) for name, sound in fits.items()},
    )


def _clean_eou(eou: pl.LazyFrame) -> pl.LazyFrame:
    delay, transcription = pl.col("end_of_utterance_delay"), pl.col("transcription_delay")
    callback = pl.col("on_user_turn_completed_delay")
    sound = [
        value.is_between(0, LONGEST_DELAY).fill_null(value=True)
        for value in (delay, transcription, callback)
    ]
    note = (
        pl.when((delay == 0) & (transcription == 0))
        .then(pl.lit("eou-unknown"))
        .when(~pl.all_horizontal(sound))
        .then(pl.lit("eou-implausible"))
    )
    known = pl.when(sound[2]).then("on_user_turn_completed_delay")
    return _without_delays(
        eou.with_columns(note=note, on_user_turn_completed_delay=known)
    ).with_columns(
        decided_at=pl.col("timestamp") - pl.col("on_user_turn_completed_delay").fill_null(0.0)
    )


def _without_delays(eou: pl.LazyFrame) -> pl.LazyFrame:
    """`eou` with null delays wherever it has a note."""
    delays = ("end_of_utterance_delay", "transcription_delay")
    return eou.with_columns(pl.when(pl.col("note").is_null()).then(d).alias(d) for d in delays)
