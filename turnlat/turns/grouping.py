"""Grouping: speeches for the records of sessions whose LLM and TTS records carry no speech id.

Every plain `log_metrics` line of LiveKit 1.0 and later is such a record. An EOU opens a turn, and
the records up to the next EOU are its answer, except for preemptive generation, whose LLM record
can precede its EOU, and for speeches that the agent began by itself after the answer.
"""

from __future__ import annotations

import polars as pl

from turnlat.turns.numbering import Groups, after_last, rows_of, so_far
from turnlat.turns.sessions import OF_SPEECHES, Frames

PREEMPTIVE_LEAD = 2.0
"""Preemptive generation starts at most this many seconds before its user stopped."""

FRESH_START = 0.1
"""An LLM call that starts this soon after an EOU answers it, whatever was generated before."""

PLAYOUT_SLACK = 0.5
"""Audio may end this much later than its durations say: a tool reply waits for the preamble."""

_ORDER = {"eou": 0, "llm": 1, "tts": 2}

_GENERATED = pl.when((pl.col("tokens_per_second") > 0) & (pl.col("completion_tokens") > 0)).then(
    pl.col("completion_tokens") / pl.col("tokens_per_second")
)
"""The duration of an LLM call whose record has none, as plain lines do."""

_START = {
    "eou": pl.col("timestamp"),
    "llm": pl.col("timestamp") - pl.coalesce("duration", _GENERATED, "ttft", pl.lit(0.0)),
    "tts": pl.col("timestamp") - pl.coalesce("duration", "ttfb", pl.lit(0.0)),
}

_IS_EOU = pl.col("kind") == _ORDER["eou"]
_IS_LLM = pl.col("kind") == _ORDER["llm"]
_IS_TTS = pl.col("kind") == _ORDER["tts"]
_AUDIBLE = _IS_TTS & pl.col("audible")


def infer(frames: Frames) -> Frames:
    """Fill `speech` in the sessions that have none, and add `inferred`, which marks those.

    LLM and TTS records without a speech id in other sessions keep null: they are unattributed.
    """
    free = after_last(*(frames[kind]["speech"] for kind in OF_SPEECHES))
    own = {kind: _own(kind, frames[kind], free) for kind in _ORDER}
    if not any(frames[kind]["speech"].null_count() for kind in ("llm", "tts")):
        return frames | own
    events = _early_answers(_answers(_preemptive(_segments(_events(frames)))))
    speeches = _speeches(events, free + frames["eou"].height, frames["llm"].height)
    return frames | {kind: _fill(kind, own[kind], speeches) for kind in _ORDER}


def _fill(kind: str, frame: pl.DataFrame, speeches: pl.DataFrame) -> pl.DataFrame:
    """`frame` with the inferred speeches."""
    found = speeches.filter(pl.col("kind") == _ORDER[kind])
    speech = found["inferred_speech"][rows_of(found["row"], frame.height)]
    return frame.with_columns(speech=pl.coalesce(speech, "speech"), inferred=speech.is_not_null())


def _own(kind: str, frame: pl.DataFrame, free: int) -> pl.DataFrame:
    """`frame` with nothing inferred; an EOU without an id is its own speech."""
    if kind == "eou" and frame["speech"].null_count():
        lone = pl.int_range(free, free + pl.len(), dtype=pl.UInt32)
        frame = frame.with_columns(speech=pl.coalesce("speech", lone))
    return frame.with_columns(inferred=pl.lit(value=False))


def _events(frames: Frames) -> pl.DataFrame:
    """EOU, LLM and TTS records of the sessions to infer, each with its start, in order of time."""
    spoken = pl.concat([frames[kind].select("session", "speech") for kind in ("llm", "tts")])
    without_ids = (
        spoken.group_by("session")
        .agg(pl.col("speech").is_null().all().alias("all_null"))
        .filter("all_null")
        .select("session")
    )
    rows = pl.concat(
        [_event_rows(kind, frames[kind].with_row_index("row")) for kind in _ORDER],
        how="diagonal",
    )
    return (
        rows.drop_nulls("timestamp")
        .join(without_ids, on="session", how="semi")
        .sort("session", "timestamp", "kind", "start")
    )


def _event_rows(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    common = frame.select(
        "row",
        "session",
        "timestamp",
        "speech",
        start=_START[kind],
        kind=pl.lit(_ORDER[kind], dtype=pl.Int8),
    )
    if kind == "eou":
        stopped = pl.col("decided_at") - pl.col("end_of_utterance_delay").fill_null(0.0)
        return common.with_columns(frame.select(stopped=stopped))
    if kind == "tts":
        heard = pl.col("timestamp") - (pl.col("duration") - pl.col("ttfb")).fill_null(0.0)
        return common.with_columns(
            frame.select("audible", heard=heard, audio=pl.col("audio_duration").fill_null(0.0))
        )
    timed = pl.coalesce("duration", _GENERATED).is_not_null()
    return common.with_columns(frame.select(timed=timed))


def _segments(events: pl.DataFrame) -> pl.DataFrame:
    """Cut the sessions at their EOUs; what comes before the first EOU of one is `unasked`.

    Segments of all sessions have different numbers, those of one session lie together: there is one
    before its first EOU, be it empty, and the one that an EOU opens comes after the one it ends.
    """
    begins = pl.col("session").ne_missing(pl.col("session").shift())
    number = (begins.cast(pl.Int64) + _IS_EOU.cast(pl.Int64)).cum_sum()
    first = pl.when(begins).then(number - _IS_EOU.cast(pl.Int64)).forward_fill()
    cut = events.with_columns(segment=number, unasked=number == first)
    eous = cut.filter(_IS_EOU)
    following = eous.select(next_eou="timestamp", next_stopped="stopped")
    return cut.hstack(_of_segments(following, eous["segment"] - 1, cut["segment"]))


def _of_segments(rows: pl.DataFrame, numbers: pl.Series, segments: pl.Series) -> pl.DataFrame:
    """Of each of `segments` the row with its number; nulls where there is none."""
    return rows[rows_of(numbers, after_last(numbers, segments))[segments]]


def _preemptive(events: pl.DataFrame) -> pl.DataFrame:
    """Move LLM records that finished before their EOU into its segment; mark the others.

    Adds `attempt`: an LLM record that was generated for the next EOU, and thrown away.
    """
    candidates = events.hstack(_of_own_and_next(events)).with_columns(
        early=(
            _IS_LLM
            & ~(pl.col("last_tts") > pl.col("timestamp")).fill_null(value=False)
            & pl.col("next_eou").is_not_null()
            & _outside_answer()
        ).fill_null(value=False)
    )
    early = candidates.filter("early").group_by("segment").agg(last_early=pl.col("timestamp").max())
    last = _of_segments(early.select("last_early"), early["segment"], candidates["segment"])
    is_last = (pl.col("timestamp") == pl.col("last_early")).fill_null(value=False)
    chosen = pl.col("early") & is_last & ~pl.col("next_has_own").fill_null(value=True)
    return candidates.hstack(last).with_columns(
        segment=pl.col("segment") + chosen.cast(pl.Int64),
        unasked=pl.col("unasked") & ~chosen,
        attempt=pl.col("early") & ~chosen,
    )


def _of_own_and_next(events: pl.DataFrame) -> list[pl.Series]:
    """What the segment of each event holds, and what the one after it generated for itself.

    `heard_from`, `last_tts`, `first_llm`: the times of its first audio, last TTS and first LLM
    record. `next_has_own`: an LLM call that was under way at its EOU, or began right there;
    `next_speaks_only`: audio without any LLM call before it; `next_silent`: no audio at all.
    """
    opened = pl.col("timestamp").filter(_IS_EOU).min()
    first_llm_start = pl.col("start").filter(_IS_LLM).min()
    first_audio = pl.col("timestamp").filter(_AUDIBLE).min()
    first_llm = pl.col("timestamp").filter(_IS_LLM).min()
    segments = events["segment"]
    found = Groups(segments, after_last(segments)).reduce(
        events,
        heard_from=pl.col("heard").filter(_AUDIBLE).min(),
        last_tts=pl.col("timestamp").filter(_IS_TTS).max(),
        first_llm=first_llm,
        is_asked=opened.is_not_null(),
        next_has_own=(first_llm_start <= opened + FRESH_START).fill_null(value=False),
        next_speaks_only=first_audio.is_not_null()
        & ~(first_llm < first_audio).fill_null(value=False),
        next_silent=first_audio.is_null(),
    )
    own = found.select("heard_from", "last_tts", "first_llm")
    asked = found.select("next_has_own", "next_speaks_only", "next_silent").with_row_index("number")
    asked = asked.filter(found["is_asked"].fill_null(value=False))
    following = _of_segments(asked.drop("number"), asked["number"].cast(pl.Int64) - 1, segments)
    return [*own[segments], *following]


def _outside_answer() -> pl.Expr:
    """Whether an LLM call that no audio follows belongs to the next EOU rather than to this one.

    After an answer was heard, it does, unless it may be that answer's own call: the first one, cut
    short, whose record does not tell when it started. In a segment without audio it may be this
    EOU's own silent call, so it has to start near the end of the next user's speech, and be
    missing there.
    """
    silent = pl.col("heard_from").is_null()
    own = ~pl.col("timed") & (pl.col("timestamp") == pl.col("first_llm")) & ~pl.col("unasked")
    near_next = pl.col("start") >= pl.col("next_stopped") - PREEMPTIVE_LEAD
    return (
        pl.when(~silent)
        .then((pl.col("start") > pl.col("heard_from")) & ~own)
        .when("unasked")
        .then(statement=True)
        .otherwise(near_next & pl.col("next_speaks_only"))
    )


def _answers(events: pl.DataFrame) -> pl.DataFrame:
    """Number the answers of each segment: a record that starts after all audio opens a new one.

    0 is the answer to the segment's EOU; where it is unasked it has none, and counts from 1.
    """
    ordered = events.filter(~_IS_EOU & ~pl.col("attempt")).sort("segment", "start", "kind")
    speaking = ordered.with_columns(begins=pl.col("segment").ne_missing(pl.col("segment").shift()))
    start, ended = pl.col("start"), pl.col("ended") + PLAYOUT_SLACK
    follows_llm = pl.col("after_llm") | (start <= pl.col("generating")).fill_null(value=False)
    opens = (start > ended).fill_null(value=False) & (_IS_LLM | ~follows_llm)
    first = pl.col("unasked").cast(pl.Int64)
    so_far = pl.col("opens").cum_sum().cast(pl.Int64)
    before = pl.when("begins").then(so_far - pl.col("opens")).forward_fill()
    numbered = speaking.hstack(_before(speaking)).with_columns(opens=opens)
    return pl.concat(
        [
            events.filter(_IS_EOU | pl.col("attempt")).with_columns(
                answer=pl.lit(0, dtype=pl.Int64)
            ),
            numbered.select(*events.columns, answer=so_far - before + first),
        ]
    )


def _before(speaking: pl.DataFrame) -> pl.DataFrame:
    """What lies before each record in its segment, where one `begins`.

    `ended`: when all audio before it had; `generating`: when the last LLM call up to it ended, its
    own among them; `after_llm`: whether it comes right after such a call.
    """
    told = speaking.select(
        "segment",
        "begins",
        audio=pl.when(_AUDIBLE).then("audio").otherwise(0.0),
        heard=pl.when(_AUDIBLE).then("heard"),
        generated=pl.when(_IS_LLM).then("timestamp"),
        after_llm=~pl.col("begins") & _IS_LLM.shift(fill_value=False),
    )
    # Audio ends later than it began by what plays from then on, whatever else waits for it.
    played = so_far(pl.sum_horizontal, told["audio"], told["segment"])
    lead = told["heard"] - (played - told["audio"])
    ended = played + so_far(pl.max_horizontal, lead, told["segment"])
    generating = so_far(pl.max_horizontal, told["generated"], told["segment"])
    return told.select(
        pl.when(~pl.col("begins")).then(ended.shift()).alias("ended"),
        generating.alias("generating"),
        "after_llm",
    )


def _early_answers(events: pl.DataFrame) -> pl.DataFrame:
    """Move a whole answer that was generated before its EOU, speech and all, into its segment.

    Before 1.5.4 preemptive generation spoke too. It is the last answer before an EOU that has
    none of its own, and its LLM call started near the end of that user's speech.
    """
    early = (
        (pl.col("answer") > 0)
        & (pl.col("answer") == pl.col("answer").max().over("segment"))
        & pl.col("next_silent")
        & ~pl.col("next_has_own")
        & (
            pl.col("start").filter(_IS_LLM).min().over(_number_of_answer())
            >= pl.col("next_stopped") - PREEMPTIVE_LEAD
        )
    ).fill_null(value=False)
    return events.with_columns(early_answer=early).with_columns(
        segment=pl.col("segment") + pl.col("early_answer").cast(pl.Int64),
        answer=pl.when("early_answer").then(0).otherwise("answer"),
    )


def _number_of_answer() -> pl.Expr:
    """A number for each answer, in the order of segments and answers."""
    return pl.col("segment") * (pl.col("answer").max() + 1) + pl.col("answer")


def _speeches(events: pl.DataFrame, free: int, llm_records: int) -> pl.DataFrame:
    """The speech of every event: its EOU's own where that has an id, else one made up."""
    eous = events.filter(_IS_EOU)
    asked = _of_segments(eous.select(eou_speech="speech"), eous["segment"], events["segment"])
    return events.hstack(asked).select(
        "kind",
        "row",
        inferred_speech=pl.when("attempt")
        .then(free + pl.col("row"))
        .when((pl.col("answer") == 0) & pl.col("eou_speech").is_not_null())
        .then("eou_speech")
        .otherwise(free + llm_records + _number_of_answer().rank("dense"))
        .cast(pl.UInt32),
    )
