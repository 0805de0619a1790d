"""Sessions: which conversation each record belongs to, by the best key that it carries."""

from __future__ import annotations

import polars as pl

Frames = dict[str, pl.DataFrame]
"""One frame per kind of record."""

SPEAKING = ("eou", "llm", "tts")
"""The kinds whose records make a speech."""

OF_SPEECHES = (*SPEAKING, "created")
"""The kinds whose records can belong to a speech."""

_PLACE = pl.concat_str("log", pl.lit(":") + pl.col("container"), ignore_nulls=True)
"""A source, or one container of those whose lines it holds."""

_KEYS = {
    "job_id": pl.col("job_id"),
    "room_id": pl.col("room_id"),
    "room": pl.col("room"),
    "hook_session": pl.col("hook_session"),
    "pid": pl.concat_str(_PLACE, pl.lit(":pid "), "pid"),
    "log": _PLACE,
}
"""What tells sessions apart, best first: a key is there where its column is."""

_JOB = "AJ_"
"""What LiveKit's ids of jobs begin with."""

_RANKS = {name: rank for rank, name in enumerate(_KEYS)}

NAMED_RANK = _RANKS["room"]
"""Up to this rank a session is named by its job or room: two names are two sessions."""

PLACE_RANK = _RANKS["pid"]
"""From this rank on a key only says where a line lies: a speech may lie in several places."""

SOURCE_RANK = _RANKS["log"]
"""The rank of a session that is only its source."""


def assign(frames: Frames) -> Frames:
    """Add `session`, `session_rank` (0 is the best key) and `ids_repeated` to every frame."""
    keyed = {kind: _own_key(_with_job(frame)) for kind, frame in frames.items()}
    doubtful = _ids_of_several(keyed)
    if not doubtful.height:
        return {
            kind: frame.with_columns(ids_repeated=pl.lit(value=False))
            for kind, frame in keyed.items()
        }
    best = _best_of_speech(keyed, doubtful)
    return {
        kind: _with_best(frame.join(best, on="speech_id", how="left", maintain_order="left"))
        for kind, frame in keyed.items()
    }


def _with_job(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with the job's id as such where a hook writes it as its session."""
    session = pl.col("hook_session")
    if not frame["hook_session"].count():
        return frame
    job = pl.when(session.str.starts_with(_JOB)).then(session)
    return frame.with_columns(job_id=pl.coalesce("job_id", job))


def _own_key(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with its records' own keys; none is looked at that no record has or needs."""
    keys, ranks = [], pl.lit(SOURCE_RANK, dtype=pl.Int32)
    for rank, (column, key) in enumerate(_KEYS.items()):
        missing = frame[column].null_count()
        if missing < frame.height:
            keys.append((rank, key))
        if not missing:
            break
    for rank, key in reversed(keys):
        number = pl.lit(rank, dtype=pl.Int32)
        ranks = pl.when(key.is_not_null()).then(number).otherwise(ranks) if keys[1:] else number
    session = pl.coalesce(*(key for _, key in keys)) if keys else pl.lit(None, dtype=pl.String)
    return frame.with_columns(session=session, session_rank=ranks)


def _ids_of_several(keyed: Frames) -> pl.DataFrame:
    """The speech ids whose records have different keys."""
    columns = ["speech_id", "session", "session_rank"]
    named = [frame.lazy() for frame in keyed.values() if frame["speech_id"].count()]
    if not named:
        return pl.DataFrame(schema={"speech_id": pl.String})
    return (
        pl.concat([frame.select(columns) for frame in named])
        .drop_nulls("speech_id")
        .unique()
        .filter(pl.col("speech_id").is_duplicated())
        .select(pl.col("speech_id").unique())
        .collect(engine="in-memory")
    )


def _best_of_speech(keyed: Frames, doubtful: pl.DataFrame) -> pl.DataFrame:
    """Per speech id, the best key of its records, and whether ids repeat across sessions."""
    columns = ["speech_id", "session", "session_rank", "timestamp"]
    return (
        pl.concat([keyed[kind].lazy().select(columns) for kind in SPEAKING])
        .join(doubtful.lazy(), on="speech_id", how="semi")
        .filter(pl.col("session_rank") == pl.col("session_rank").min().over("speech_id"))
        .sort("timestamp", "session", nulls_last=True)
        .group_by("speech_id")
        .agg(
            pl.col("session").first().alias("best_session"),
            pl.col("session_rank").first().alias("best_rank"),
            pl.col("session").n_unique().alias("sessions"),
        )
        .with_columns(ids_repeated=(pl.col("sessions") > 1) & (pl.col("best_rank") < PLACE_RANK))
        .drop("sessions")
        .collect(engine="in-memory")
    )


def _with_best(frame: pl.DataFrame) -> pl.DataFrame:
    """Records take their speech's session, but for ids that several sessions use."""
    own = pl.col("best_session").is_null() | (
        pl.col("ids_repeated") & (pl.col("session_rank") == pl.col("best_rank"))
    )
    return frame.with_columns(
        session=pl.when(own).then("session").otherwise("best_session"),
        session_rank=pl.when(own).then("session_rank").otherwise("best_rank"),
        ids_repeated=pl.col("ids_repeated").fill_null(value=False),
    ).drop("best_session", "best_rank")


def seat_messages(frames: Frames) -> Frames:
    """Give chat messages the session of the EOU records that report the very same delays.

    A session report knows its job, a hook's log beside it may not: they would be two sessions,
    and each turn would count twice. Two delays equal to the last digit are no coincidence.
    """
    if not frames["chat"].height:
        return frames
    delays = ["end_of_utterance_delay", "transcription_delay"]
    eou = frames["eou"].filter(~pl.col("plain")).select("session", *delays)
    chat = frames["chat"]
    homes = (
        chat.select(
            "transcription_delay", own="session", end_of_utterance_delay="end_of_turn_delay"
        )
        .filter(pl.col("end_of_utterance_delay") > 0)
        .join(eou, on=delays)
        .group_by("own")
        .agg(home=pl.col("session").mode().min())
        .filter(~pl.col("own").is_in(frames["eou"]["session"].unique().to_list()))
    )
    seated = chat.join(
        homes, left_on="session", right_on="own", how="left", maintain_order="left"
    ).with_columns(session=pl.coalesce("home", "session"))
    return frames | {"chat": seated.drop("home")}


def speech_key(session: str, speech: pl.Expr, *, given: bool = True) -> pl.Expr:
    """A key of a speech that no other can have, whatever the ids hold; null where `speech` is.

    `given` tells LiveKit's own ids from those that are made up for speeches without one.
    """
    length = pl.col(session).str.len_bytes().cast(pl.String)
    mark = pl.lit("=" if given else "~")
    return pl.concat_str(length, mark, pl.col(session), speech)
