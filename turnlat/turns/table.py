"""The turn table: the columns that files and `--format json` keep, in their order."""

from __future__ import annotations

import polars as pl

from turnlat.records import LATEST_TIMESTAMP, kept_column
from turnlat.turns import messages
from turnlat.turns.ledger import USER_TURNS
from turnlat.turns.sessions import OF_SPEECHES, Frames

TIME = pl.Datetime("us", "UTC")

COLUMNS: dict[str, pl.DataType] = {
    "session": pl.String(),
    "turn": pl.Int64(),
    "speech_id": pl.String(),
    "outcome": pl.String(),
    "interrupted": pl.Boolean(),
    "grouping": pl.String(),
    "user_stopped_at": TIME,
    "first_audio_at": TIME,
    "e2e_latency": pl.Float64(),
    "total_latency": pl.Float64(),
    "longest_silence": pl.Float64(),
    "eou_delay": pl.Float64(),
    "transcription_delay": pl.Float64(),
    "endpointing_delay": pl.Float64(),
    "callback_delay": pl.Float64(),
    "llm_offset": pl.Float64(),
    "llm_ttft": pl.Float64(),
    "tool_gap": pl.Float64(),
    "sentence_gap": pl.Float64(),
    "tts_ttfb": pl.Float64(),
    "remainder": pl.Float64(),
    "llm_duration": pl.Float64(),
    "tts_duration": pl.Float64(),
    "llm_calls": pl.Int64(),
    "tts_segments": pl.Int64(),
    "prompt_tokens": pl.Int64(),
    "cached_tokens": pl.Int64(),
    "completion_tokens": pl.Int64(),
    "characters": pl.Int64(),
    "audio_duration": pl.Float64(),
    "llm_model": pl.String(),
    "tts_model": pl.String(),
    "stt_model": pl.String(),
    "job_id": pl.String(),
    "room": pl.String(),
    "agent_name": pl.String(),
    "source": pl.String(),
    "line": pl.Int64(),
    "notes": pl.List(pl.String()),
}
"""The contract; the fields that `--keep` takes over follow."""

RECORDED_AT = "recorded_at"
"""When the first record of a row was written: an extra column that only frames of runs have."""


SUM_DIGITS = 9
"""Sums are rounded to nanoseconds, so that the order of their terms does not show."""

_TURN = "turn_speech"


def assemble(
    turns: pl.DataFrame, stitched: pl.DataFrame, frames: Frames, keep: tuple[str, ...]
) -> pl.DataFrame:
    """One row per turn and loose speech, and per response of a speech-to-speech model.

    Chat messages give rows in sessions that have no other records of them.
    """
    kept = [kept_column(name) for name in keep]
    spoken = (
        turns.lazy()
        .join(_parts(stitched), on=_TURN, how="left", maintain_order="left")
        .join(_llm_sums(frames["llm"]), on=_TURN, how="left", maintain_order="left")
        .join(_tts_sums(frames["tts"]), on=_TURN, how="left", maintain_order="left")
        .join(_first_record(frames, kept), on=_TURN, how="left", maintain_order="left")
        .pipe(_spoken_columns)
        .pipe(_noted)
    )
    parts = [_typed(spoken, kept)]
    if frames["realtime"].height:
        parts.append(_typed(_realtime(frames["realtime"].lazy()), kept))
    alone = frames["chat"].filter("alone")
    if alone.height:
        parts.append(_typed(_said(messages.rows(alone, kept).lazy()), kept))
    rows = pl.concat(parts).pipe(_with_stt_model, frames["stt"]).collect(engine="in-memory")
    return _numbered(rows).rename(dict(zip(kept, keep, strict=True)))


def is_response() -> pl.Expr:
    """Whether a realtime record is a response, and not a session's or connection's zeros."""
    return (pl.col("ttft") >= 0).fill_null(value=False) | (
        pl.sum_horizontal("input_tokens", "output_tokens") > 0
    )


def _typed(rows: pl.LazyFrame, kept: list[str]) -> pl.LazyFrame:
    """`rows` with exactly the table's columns, the time for sorting, and the kept fields."""
    columns = COLUMNS | {RECORDED_AT: TIME, "at": pl.Float64()}
    found = rows.collect_schema()
    typed = [
        (pl.col(name) if name in found else pl.lit(None)).cast(type_, strict=False).alias(name)
        for name, type_ in columns.items()
    ]
    return rows.select(*typed, *kept)


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Sessions in the order of their first record, rows in the order of time, turns counted."""
    place = (
        rows.group_by("session")
        .agg(began=pl.col(RECORDED_AT).min())
        .sort("began", "session", nulls_last=True)
        .with_row_index("place")
        .drop("began")
    )
    user_turn = pl.col("outcome").is_in(USER_TURNS)
    so_far = user_turn.cast(pl.Int64).cum_sum()
    opens = pl.col("place").ne_missing(pl.col("place").shift())
    before = pl.when(opens).then(so_far.shift(fill_value=0)).forward_fill()
    return (
        rows.join(place, on="session", how="left", nulls_equal=True, maintain_order="left")
        .sort("place", "at", RECORDED_AT, "speech_id", nulls_last=True, maintain_order=True)
        .with_columns(turn=pl.when(user_turn).then(so_far - before))
        .drop("place", "at")
    )


def _time(name: str) -> pl.Expr:
    seconds = pl.col(name)
    sound = seconds.is_between(0, LATEST_TIMESTAMP)
    return pl.when(sound).then((seconds * 1e6).round()).cast(pl.Int64).cast(TIME)


def _whole(name: str) -> pl.Expr:
    """A sum that is null where one of its terms is: a partial sum would look small."""
    return pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).sum().round(SUM_DIGITS))


def _tokens(name: str) -> pl.Expr:
    return _whole(name).cast(pl.Int64, strict=False)


def _parts(stitched: pl.DataFrame) -> pl.LazyFrame:
    """What the speeches of each turn brought into it."""
    return (
        stitched.lazy()
        .group_by(_TURN)
        .agg(
            pl.col("continues").any().alias("continued"),
            pl.col("fills").any().alias("filled"),
            pl.col("neighbours_unknown").any().alias("unknown_neighbours"),
        )
    )


def _llm_sums(llm: pl.DataFrame) -> pl.LazyFrame:
    return (
        llm.lazy()
        .drop_nulls(_TURN)
        .group_by(_TURN)
        .agg(
            _whole("duration").alias("llm_duration"),
            pl.len().alias("all_llm_calls"),
            _tokens("prompt_tokens").alias("prompt_tokens"),
            _tokens("prompt_cached_tokens").alias("cached_tokens"),
            _tokens("completion_tokens").alias("completion_tokens"),
            pl.col("cancelled").any().alias("llm_interrupted"),
            pl.col("no_first_token").any(),
            pl.col("implausible").any().alias("llm_implausible"),
        )
    )


def _tts_sums(tts: pl.DataFrame) -> pl.LazyFrame:
    return (
        tts.lazy()
        .drop_nulls(_TURN)
        .group_by(_TURN)
        .agg(
            _whole("duration").alias("tts_duration"),
            pl.len().alias("all_tts_segments"),
            _tokens("characters_count").alias("characters"),
            _whole("audio_duration").alias("audio_duration"),
            pl.col("cancelled").any().alias("tts_interrupted"),
            pl.col("no_first_byte").any(),
            pl.col("implausible").any().alias("tts_implausible"),
        )
    )


def _first_record(frames: Frames, kept: list[str]) -> pl.LazyFrame:
    """Where each turn's first record lies, and what its records say of the job."""
    known = ["job_id", "room", "agent_name", *kept]
    columns = [_TURN, "timestamp", "source", "line", *known]
    told = [n for n in known if any(frames[kind][n].count() for kind in OF_SPEECHES)]
    unknown = [pl.lit(None, dtype=pl.String).alias(name) for name in known if name not in told]
    return (
        pl.concat([frames[kind].lazy().select(columns) for kind in OF_SPEECHES])
        .drop_nulls(_TURN)
        .sort("timestamp", "source", "line", nulls_last=True)
        .group_by(_TURN)
        .agg(
            pl.col("timestamp").first().alias("recorded"),
            pl.col("source", "line").first(),
            pl.col(told).first(ignore_nulls=True),
        )
        .with_columns(unknown)
    )


def _spoken_columns(turns: pl.LazyFrame) -> pl.LazyFrame:
    cancelled = pl.any_horizontal(
        pl.col("llm_interrupted", "tts_interrupted").fill_null(value=False)
    )
    return turns.with_columns(
        at=pl.coalesce("decided_at", "start", "recorded"),
        interrupted=pl.when(cancelled).then(statement=True).otherwise("reported_interrupted"),
        grouping=pl.when("inferred").then(pl.lit("inferred")).otherwise(pl.lit("speech_id")),
        user_stopped_at=_time("user_stopped"),
        first_audio_at=_time("first_audio"),
        recorded_at=_time("recorded"),
        llm_calls=pl.col("all_llm_calls").fill_null(0),
        tts_segments=pl.col("all_tts_segments").fill_null(0),
    )


def _noted(turns: pl.LazyFrame) -> pl.LazyFrame:
    """Add `notes`: the codes of all that is to be known about a turn; an empty list for nothing.

    Many turns have the same few: each set of them becomes a list once.
    """
    flags = _flags()
    bits = {code: 1 << place for place, code in enumerate(flags)}
    found = pl.sum_horizontal(
        pl.when(flag).then(pl.lit(bits[code], dtype=pl.UInt32)) for code, flag in flags.items()
    )
    marked = turns.with_columns(found=found)
    codes = [
        pl.when(pl.col("found") & pl.lit(bit, dtype=pl.UInt32) > 0).then(pl.lit(code))
        for code, bit in bits.items()
    ]
    sets = (
        marked.select("eou_note", "found")
        .unique()
        .with_columns(notes=pl.concat_list("eou_note", *codes).list.drop_nulls())
    )
    return marked.join(
        sets, on=["eou_note", "found"], how="left", nulls_equal=True, maintain_order="left"
    )


def _flags() -> dict[str, pl.Expr]:
    """The notes that records give a turn, by code."""
    replied = pl.col("outcome") == "replied"
    return {
        "eou-repeated": pl.col("eous") > 1,
        "clock-step": pl.col("clock_step"),
        "held-back": pl.col("held_back"),
        "no-llm": replied & pl.col("all_llm_calls").is_null(),
        "no-first-token": pl.col("no_first_token"),
        "no-first-byte": pl.col("no_first_byte"),
        "no-duration": replied & pl.col("tts_started_at").is_null() & ~pl.col("e2e_reported"),
        "e2e-reported": pl.col("e2e_reported"),
        "e2e-differs": pl.col("e2e_differs"),
        "speaking-differs": pl.col("speaking_differs"),
        "implausible": pl.any_horizontal("llm_implausible", "tts_implausible"),
        "maybe-heard": (pl.col("outcome") == "silent")
        & pl.col("llm_interrupted")
        & pl.col("all_tts_segments").is_null(),
        "overtaken": replied & (pl.col("next_stopped") < pl.col("first_audio")),
        "continued": pl.col("continued"),
        "filler": pl.col("filled"),
        "neighbours-unknown": pl.col("unknown_neighbours"),
        "ids-repeated": pl.col("ids_repeated"),
    }


def _realtime(realtime: pl.LazyFrame) -> pl.LazyFrame:
    """Responses of a speech-to-speech model; their time to first audio is `llm_ttft`."""
    return realtime.filter(is_response()).with_columns(
        speech_id=pl.lit(None, dtype=pl.String),
        outcome=pl.lit("realtime"),
        interrupted=pl.when(pl.col("cancelled")).then(statement=True),
        llm_ttft="ttft",
        llm_duration="duration",
        llm_calls=1,
        tts_segments=0,
        prompt_tokens="input_tokens",
        completion_tokens="output_tokens",
        llm_model="model_name",
        notes=pl.concat_list(
            pl.when("no_first_token").then(pl.lit("no-first-token"))
        ).list.drop_nulls(),
        recorded_at=_time("timestamp"),
        at="timestamp",
    )


def _said(turns: pl.LazyFrame) -> pl.LazyFrame:
    return turns.with_columns(
        user_stopped_at=_time("user_stopped"),
        first_audio_at=_time("first_audio"),
        recorded_at=_time("recorded"),
    )


def _with_stt_model(rows: pl.LazyFrame, stt: pl.DataFrame) -> pl.LazyFrame:
    """STT records carry no speech id: a session's model is known where it has only one."""
    if not stt["model_name"].count():
        return rows
    models = (
        stt.lazy()
        .drop_nulls("model_name")
        .group_by("session")
        .agg(pl.col("model_name").min(), last=pl.col("model_name").max())
        .filter(pl.col("model_name") == pl.col("last"))
        .select("session", only_model="model_name")
    )
    return (
        rows.join(models, on="session", how="left", maintain_order="left")
        .with_columns(stt_model=pl.coalesce("stt_model", "only_model"))
        .drop("only_model")
    )
