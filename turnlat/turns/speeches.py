"""Speeches: one row per speech, reduced from its EOU, LLM and TTS records.

A speech has a number, at which it lies in the frame of all speeches.
"""

from __future__ import annotations

import itertools

import polars as pl

from turnlat.frames import same
from turnlat.turns import ordering
from turnlat.turns.numbering import Groups, after_last, marked, rows_of, sum_of
from turnlat.turns.sessions import OF_SPEECHES, Frames

_USED = ("room_id", "hook_session", "container", "pid", "log", "request_id")
"""What told sessions and repeated records apart."""

_OF_RECORDS = ["session", "speech_id", "session_rank", "inferred", "ids_repeated"]
"""What the records of a speech have in common."""


def identified(frames: Frames) -> Frames:
    """Add `speech`: a number for each pair of a session and a speech id; null without an id.

    In a session they are in the order of the ids.
    """
    told = pl.concat([frames[kind][["speech_id", "session"]] for kind in OF_SPEECHES])
    ids, session = told["speech_id"], told["session"]
    same_id = rows_of(ids, after_last(ids))[ids]
    if (session != session[same_id]).any():
        pairs = ids.cast(pl.UInt64) * after_last(session) + session
        ids = (pairs.rank("dense") - 1).cast(pl.UInt32)
    heights = [frames[kind].height for kind in OF_SPEECHES]
    ends = itertools.accumulate(heights)
    return frames | {
        kind: frames[kind].with_columns(speech=ids.slice(end - height, height))
        for kind, height, end in zip(OF_SPEECHES, heights, ends, strict=True)
    }


def numbered(frames: Frames) -> Frames:
    """`frames` with the numbers of `speech` that occur made the lowest ones, in their order."""
    speech = pl.concat([frames[kind]["speech"] for kind in OF_SPEECHES])
    used = marked(speech, after_last(speech))
    number = (used.cast(pl.UInt32).cum_sum() - 1).cast(pl.UInt32)
    return frames | {
        kind: frames[kind].with_columns(speech=number[frames[kind]["speech"]])
        for kind in OF_SPEECHES
    }


def of(frames: Frames) -> pl.DataFrame:
    """All speeches in the order of their numbers, with what the rules about neighbours look at.

    `start` and `end` bound its generation; `first_audio`, `last_tts_start` and `speaks` are about
    audio that somebody heard; `eou_at`, `decided_at` and `stopped` are null without an EOU.
    `steps_apart`: the session is of LiveKit 1.0 or 1.1.
    """
    records = pl.concat([frames[kind][["speech", *_OF_RECORDS]] for kind in OF_SPEECHES])
    records = records.drop_nulls("speech")
    count = after_last(records["speech"])
    speeches = [
        _of_records(records, count),
        _of_eou(frames["eou"], count),
        _of_llm(frames["llm"], count),
        _of_tts(frames["tts"], count),
    ]
    session = speeches[0]["session"]
    return pl.concat(speeches, how="horizontal").with_columns(
        start=pl.min_horizontal("llm_start", "tts_start"),
        end=pl.max_horizontal("llm_end", "tts_end"),
        has_eou=pl.col("eous") > 0,
        steps_apart=_steps_apart(frames, session),
    )


def with_starts(frames: Frames) -> Frames:
    """Add when each LLM and TTS record's work began, and what it gave first; sort by speech.

    The records of a speech lie in the order of time, or in which their work began.

    `started_at` and what follows from it are null without a duration; `first_start` falls back on
    the time of the record, for ordering only.
    """
    start = pl.col("timestamp") - pl.col("duration")
    timed = {
        kind: frames[kind]
        .with_columns(started_at=start, first_at=start + pl.col(first))
        .with_columns(
            first_start=pl.coalesce("started_at", pl.col("timestamp") - pl.col(first), "timestamp")
        )
        for kind, first in (("llm", "ttft"), ("tts", "ttfb"))
    }
    orders = {
        "eou": ("timestamp", "end_of_utterance_delay"),
        "llm": ("first_start",),
        "tts": ("first_start",),
        "created": ("timestamp",),
    }
    return frames | {
        kind: ordering.by(timed.get(kind, frames[kind]).drop(_USED), "speech", *order)
        for kind, order in orders.items()
    }


def _of_records(records: pl.DataFrame, count: int) -> pl.DataFrame:
    speech = records["speech"]
    named = records.filter(pl.col("speech_id").is_not_null())
    speech_id = named["speech_id"][rows_of(named["speech"], count)]
    return pl.DataFrame(
        {
            "speech": pl.int_range(count, dtype=pl.UInt32, eager=True),
            "session": records["session"][rows_of(speech, count)],
            "speech_id": speech_id,
            "session_rank": _least_rank(records, count),
            **{
                flag: marked(speech.filter(records[flag]), count)
                for flag in ("inferred", "ids_repeated")
            },
        }
    )


def _least_rank(records: pl.DataFrame, count: int) -> pl.Series:
    best, worst = records["session_rank"].min(), records["session_rank"].max()
    ranks = same(worst, pl.Int32(), count)
    if best == worst:
        return ranks
    for rank in records["session_rank"].unique().sort(descending=True):
        ranks = ranks.scatter(records.filter(session_rank=rank)["speech"], rank)
    return ranks


def _steps_apart(frames: Frames, session: pl.Series) -> pl.Series:
    """Of each speech's `session` whether LiveKit 1.0 or 1.1 ran it: tool steps have own ids there.

    Later versions write `last_speaking_time` (1.2.0 to 1.3.0), a model name (from 1.2.12) or
    `acquire_time` (from 1.5.2).
    """
    named = pl.col("model_name").is_not_null()
    acquires = pl.col("acquire_time").is_not_null()
    eou_later = pl.col("last_speaking_time").is_not_null() | pl.col("plain")
    marks = {"eou": eou_later, "llm": named, "tts": named | acquires, "stt": named | acquires}
    later = pl.concat([frames[kind].filter(mark)["session"] for kind, mark in marks.items()])
    return ~marked(later, after_last(later, session))[session]


def _of_eou(eou: pl.DataFrame, count: int) -> pl.DataFrame:
    told = eou.select(
        "decided_at",
        eou_at="timestamp",
        stopped=pl.col("decided_at") - pl.col("end_of_utterance_delay"),
        exact=~pl.col("plain") | pl.col("on_user_turn_completed_delay").is_not_null(),
        eou_note="note",
        eou_delay="end_of_utterance_delay",
        transcription_delay="transcription_delay",
        callback_delay="on_user_turn_completed_delay",
    )
    groups = Groups(eou["speech"], count)
    return groups.first(told).with_columns(groups.sizes.alias("eous"))


def _of_llm(llm: pl.DataFrame, count: int) -> pl.DataFrame:
    calls = llm.drop_nulls("speech")
    groups = Groups(calls["speech"], count)
    last = groups.last(calls.select(llm_cancelled=pl.col("cancelled").fill_null(value=False)))
    return groups.first(calls.select(llm_start="first_start")).with_columns(
        last.to_series().fill_null(value=False),
        groups.greatest(calls["timestamp"]).alias("llm_end"),
        llm_calls=groups.sizes,
    )


_OF_AUDIO = (
    "speech", "timestamp", "first_start", "first_at", "acquire_time", "audio_duration",
)  # fmt: skip
"""What is looked at of the syntheses that were heard."""


def _of_tts(tts: pl.DataFrame, count: int) -> pl.DataFrame:
    pieces = tts.drop_nulls("speech")
    groups = Groups(pieces["speech"], count)
    audible = pieces[list(_OF_AUDIO)].filter(pieces["audible"])
    heard = Groups(audible["speech"], count)
    first = heard.first(audible.select(first_audio=pl.coalesce("first_at", "timestamp")))
    acquired = audible["speech"].filter(audible["acquire_time"].is_not_null())
    played = heard.reduce(audible, audio_end=sum_of("audio_duration"))
    return pl.concat(
        [groups.first(pieces.select(tts_start="first_start")), first, played], how="horizontal"
    ).with_columns(
        groups.greatest(pieces["timestamp"]).alias("tts_end"),
        heard.greatest(audible["first_start"]).alias("last_tts_start"),
        tts_segments=groups.sizes,
        acquires=marked(acquired, count),
        speaks=heard.sizes > 0,
        audio_end=pl.col("first_audio") + pl.col("audio_end"),
    )
