"""The turn table: the columns that files and `--format json` keep, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from turnlat.records import LATEST_TIMESTAMP, kept_column
from turnlat.turns import messages, ordering
from turnlat.turns.ledger import USER_TURNS
from turnlat.turns.numbering import Groups, after_last, lacking, least, marked, rows_of, sum_of
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

NAMES = {"session": "sessions", "speech_id": "speeches", "job_id": "origins", "room": "origins"}
"""Columns that hold numbers until the table is done, and whose names these are."""


def assemble(
    turns: pl.DataFrame, stitched: pl.DataFrame, frames: Frames, keep: tuple[str, ...]
) -> pl.DataFrame:
    """One row per turn and loose speech, and per response of a speech-to-speech model; unordered.

    Chat messages give rows in sessions that have no other records of them.
    """
    kept = [kept_column(name) for name in keep]
    count = stitched.height
    parts = [
        _parts(stitched),
        *(_summed(frames[kind], sums, count) for kind, sums in _SUMS.items()),
        _first_record(frames, count, kept),
    ]
    added = pl.concat(parts, how="horizontal")
    spoken = turns.hstack(added[turns[_TURN]]).lazy().pipe(_spoken_columns).pipe(_noted)
    rows = [_typed(spoken, kept)]
    if frames["realtime"].height:
        rows.append(_typed(_realtime(frames["realtime"].lazy()), kept))
    alone = frames["chat"].filter("alone")
    if alone.height:
        rows.append(_typed(_said(messages.rows(alone, kept).lazy()), kept))
    return pl.concat(rows).pipe(_with_stt_model, frames["stt"]).collect(engine="in-memory")


def is_response() -> pl.Expr:
    """Whether a realtime record is a response, and not a session's or connection's zeros."""
    return (pl.col("ttft") >= 0).fill_null(value=False) | (
        pl.sum_horizontal("input_tokens", "output_tokens") > 0
    )


def _typed(rows: pl.LazyFrame, kept: list[str]) -> pl.LazyFrame:
    """`rows` with exactly the table's columns, the time for sorting, and the kept fields.

    Texts keep their numbers until the rows are in order.
    """
    found = rows.collect_schema()
    columns = COLUMNS | {RECORDED_AT: TIME, "at": pl.Float64()}
    columns |= dict.fromkeys(NAMES, pl.UInt32())
    typed = [
        (pl.col(name) if name in found else pl.lit(None)).cast(type_, strict=False).alias(name)
        for name, type_ in columns.items()
    ]
    return rows.select(*typed, *kept)


def in_order(rows: pl.DataFrame, keep: tuple[str, ...]) -> pl.DataFrame:
    """Sessions in the order of their first record, rows in the order of time, turns counted.

    The fields that `keep` names have their own names then.
    """
    count = after_last(rows["session"])
    began = least(rows["session"], rows[RECORDED_AT], count).alias("began")
    sessions = ordering.by(began.to_frame().with_row_index("session"), "began", "session")
    place = rows_of(sessions["session"], count)[rows["session"]].alias("place")
    keys = rows[["at", RECORDED_AT, "speech_id"]].hstack([place])
    order = ordering.by(keys.with_row_index("row"), "place", "at", RECORDED_AT, "speech_id")
    user_turn = pl.col("outcome").is_in(USER_TURNS)
    so_far = user_turn.cast(pl.Int64).cum_sum()
    opens = pl.col("place").ne_missing(pl.col("place").shift())
    before = pl.when(opens).then(so_far.shift(fill_value=0)).forward_fill()
    return (
        rows[order["row"]]
        .with_columns(order["place"])
        .with_columns(turn=pl.when(user_turn).then(so_far - before))
        .drop("place", "at")
        .rename({kept_column(name): name for name in keep})
    )


def _time(name: str) -> pl.Expr:
    seconds = pl.col(name)
    sound = seconds.is_between(0, LATEST_TIMESTAMP)
    return pl.when(sound).then((seconds * 1e6).round()).cast(pl.Int64).cast(TIME)


def _parts(stitched: pl.DataFrame) -> pl.DataFrame:
    """What the speeches of each turn brought into it."""
    flags = ("continues", "fills", "neighbours_unknown")
    turn, count = stitched[_TURN], stitched.height
    return pl.DataFrame(
        {f"any_{flag}": marked(turn.filter(stitched[flag]), count) for flag in flags}
    )


class _Sums(NamedTuple):
    """What the records of one kind add up to in a turn: names of results, and their columns."""

    records: str
    seconds: dict[str, str]
    counts: dict[str, str]
    flags: dict[str, str]
    """Whether any record has them."""


_SUMS = {
    "llm": _Sums(
        records="all_llm_calls",
        seconds={"llm_duration": "duration"},
        counts={
            "prompt_tokens": "prompt_tokens",
            "cached_tokens": "prompt_cached_tokens",
            "completion_tokens": "completion_tokens",
        },
        flags={
            "llm_interrupted": "cancelled",
            "no_first_token": "no_first_token",
            "llm_implausible": "implausible",
        },
    ),
    "tts": _Sums(
        records="all_tts_segments",
        seconds={"tts_duration": "duration", "audio_duration": "audio_duration"},
        counts={"characters": "characters_count"},
        flags={
            "tts_interrupted": "cancelled",
            "no_first_byte": "no_first_byte",
            "tts_implausible": "implausible",
        },
    ),
}


def _summed(records: pl.DataFrame, sums: _Sums, count: int) -> pl.DataFrame:
    of_turns = records.drop_nulls(_TURN)
    turn = of_turns[_TURN]
    turns, terms = Groups(turn, count), sums.seconds | sums.counts
    found = turns.reduce(of_turns, **{name: sum_of(column) for name, column in terms.items()})
    # A sum is null where one of its terms is: a partial sum would look small.
    partial = {name: lacking(turn, of_turns[column], count) for name, column in terms.items()}
    flags = {
        name: marked(turn.filter(of_turns[column]), count) for name, column in sums.flags.items()
    }
    whole = [pl.when(~partial[name]).then(pl.col(name).round(SUM_DIGITS)) for name in terms]
    return found.select(
        *(
            total.cast(COLUMNS[name], strict=False).alias(name)
            for name, total in zip(terms, whole, strict=True)
        ),
        turns.sizes.alias(sums.records),
        **flags,
    )


def _first_record(frames: Frames, count: int, kept: list[str]) -> pl.DataFrame:
    """Where each turn's first record lies, and what its records say of the job."""
    known = ["job_id", "room", "agent_name", *kept]
    columns = [_TURN, "timestamp", "source", "line", *known]
    parts = [frames[kind][columns] for kind in OF_SPEECHES]
    records = pl.concat(parts)
    first = _first_rows(records, _earliest(parts, count))
    found = records.drop(_TURN)[first].rename({"timestamp": "recorded"})
    unknown = [name for name in known if found[name].has_nulls() and records[name].count()]
    return found.with_columns(_first_told(name, records, count) for name in unknown)


def _earliest(parts: Sequence[pl.DataFrame], count: int) -> pl.Series:
    """When the first record of each turn was written; in each part those of a turn lie together."""
    told = [part.drop_nulls(_TURN) for part in parts]
    times = [Groups(part[_TURN], count).least(part["timestamp"]) for part in told]
    return pl.select(pl.min_horizontal(times)).to_series()


def _first_rows(records: pl.DataFrame, earliest: pl.Series) -> pl.Series:
    """The row of each turn's first record; of several at one time, of the one that lies first."""
    turn, count = records[_TURN], len(earliest)
    are_first = turn.is_not_null() & records["timestamp"].eq_missing(earliest[turn])
    rows = pl.int_range(records.height, dtype=pl.UInt32, eager=True).filter(are_first)
    first = rows_of(turn[rows], count)
    if first.count() == len(rows):
        return rows[first]
    tied = records[[_TURN, "source", "line"]][rows].with_columns(rows.alias("row"))
    ordered = ordering.by(tied, _TURN, "source", "line")
    return Groups(ordered[_TURN], count).first(ordered[["row"]])["row"]


def _first_told(name: str, records: pl.DataFrame, count: int) -> pl.Series:
    """The first value of a column that the records of each turn have."""
    told = records.drop_nulls((_TURN, name))
    ordered = ordering.by(told, _TURN, "timestamp", "source", "line")
    return Groups(ordered[_TURN], count).first(ordered[[name]])[name]


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
        llm_calls="all_llm_calls",
        tts_segments="all_tts_segments",
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
        "no-llm": replied & (pl.col("all_llm_calls") == 0),
        "no-first-token": pl.col("no_first_token"),
        "no-first-byte": pl.col("no_first_byte"),
        "no-duration": replied & pl.col("tts_started_at").is_null() & ~pl.col("e2e_reported"),
        "e2e-reported": pl.col("e2e_reported"),
        "e2e-differs": pl.col("e2e_differs"),
        "speaking-differs": pl.col("speaking_differs"),
        "implausible": pl.any_horizontal("llm_implausible", "tts_implausible"),
        "maybe-heard": (pl.col("outcome") == "silent")
        & pl.col("llm_interrupted")
        & (pl.col("all_tts_segments") == 0),
        "overtaken": replied & (pl.col("next_stopped") < pl.col("first_audio")),
        "continued": pl.col("any_continues"),
        "filler": pl.col("any_fills"),
        "neighbours-unknown": pl.col("any_neighbours_unknown"),
        "ids-repeated": pl.col("ids_repeated"),
    }


def _realtime(realtime: pl.LazyFrame) -> pl.LazyFrame:
    """Responses of a speech-to-speech model; their time to first audio is `llm_ttft`."""
    return realtime.filter(is_response()).with_columns(
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
