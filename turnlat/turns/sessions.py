"""Sessions: which conversation each record belongs to, by the best key that it carries."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from turnlat.frames import CodedFrames
from turnlat.turns.numbering import rows_of

Frames = dict[str, pl.DataFrame]
"""One frame per kind of record."""

SPEAKING = ("eou", "llm", "tts")
"""The kinds whose records make a speech."""

OF_SPEECHES = (*SPEAKING, "created")
"""The kinds whose records can belong to a speech."""

_PLACE = pl.concat_str("log", pl.lit(":") + pl.col("container"), ignore_nulls=True)
"""A source, or one container of those whose lines it holds."""

NAMES = ("job_id", "room_id", "room", "hook_session")
"""Columns that name a record's session, best first."""

_PLACES = {"pid": pl.concat_str(_PLACE, pl.lit(":pid "), "pid"), "log": _PLACE}
"""What tells sessions apart where nothing names them: where their lines lie, best first."""

_JOB = "AJ_"
"""What LiveKit's ids of jobs begin with."""

_RANKS = {name: rank for rank, name in enumerate((*NAMES, *_PLACES))}

NAMED_RANK = _RANKS["room"]
"""Up to this rank a session is named by its job or room: two names are two sessions."""

PLACE_RANK = _RANKS["pid"]
"""From this rank on a key only says where a line lies: a speech may lie in several places."""

SOURCE_RANK = _RANKS["log"]
"""The rank of a session that is only its source."""


class Assigned(NamedTuple):
    """Records with `session`, and the names of the sessions."""

    frames: Frames
    sessions: pl.Series
    """In their order; a session's number is its place here."""


def assign(coded: CodedFrames) -> Assigned:
    """Add `session`, `session_rank` (0 is the best key) and `ids_repeated` to every frame."""
    names = coded.names["origins"]
    jobs = are_jobs(names)
    frames = coded.frames
    if jobs.any():
        frames = {kind: _with_job(frame, jobs) for kind, frame in frames.items()}
    keyed = {kind: _named(frame) for kind, frame in frames.items()}
    if any(frame["session"].null_count() for frame in keyed.values()):
        keyed, names = _placed(keyed, names)
    doubtful = _ids_of_several(keyed, len(coded.names["speeches"]))
    if not len(doubtful):
        return Assigned(keyed, names)
    best = _best_of_speech(keyed, doubtful)
    return Assigned({kind: _with_best(frame, best) for kind, frame in keyed.items()}, names)


def are_jobs(sessions: pl.Series) -> pl.Series:
    """Of what hooks write as their sessions whether it is a job's id."""
    return sessions.str.starts_with(_JOB)


def _with_job(frame: pl.DataFrame, jobs: pl.Series) -> pl.DataFrame:
    """`frame` with the job's id as such where a hook writes it as its session."""
    if not frame["hook_session"].count():
        return frame
    job = pl.when(pl.lit(jobs).gather(pl.col("hook_session"))).then("hook_session")
    return frame.with_columns(job_id=pl.coalesce("job_id", job))


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with the best name as `session`; none is looked at that no record has or needs."""
    if not frame.height:
        return frame.hstack(_OF_NONE)
    rank = pl.lit(None, dtype=pl.Int32)
    known = []
    for name in NAMES:
        missing = frame[name].null_count()
        if missing < frame.height:
            known.append(name)
        if not missing:
            break
    for name in reversed(known):
        told = pl.lit(_RANKS[name], dtype=pl.Int32)
        alone = not frame[name].null_count()
        rank = told if alone else pl.when(pl.col(name).is_not_null()).then(told).otherwise(rank)
    session = pl.coalesce(known) if known else pl.lit(None, dtype=pl.UInt32)
    return frame.with_columns(session=session, session_rank=rank, ids_repeated=pl.lit(value=False))


_OF_NONE = pl.DataFrame(
    schema={"session": pl.UInt32, "session_rank": pl.Int32, "ids_repeated": pl.Boolean}
)
"""What `_named` adds to no records."""


def _placed(keyed: Frames, names: pl.Series) -> tuple[Frames, pl.Series]:
    """`keyed` with places as sessions for the records without a name, and all sessions' names."""
    pid, log = _PLACES.values()
    has_pid = pl.when(pid.is_not_null())
    told = {
        kind: frame.select(
            place=pl.when(pl.col("session").is_null()).then(pl.coalesce(pid, log)),
            rank=has_pid.then(PLACE_RANK).otherwise(SOURCE_RANK).cast(pl.Int32),
        )
        for kind, frame in keyed.items()
    }
    places = [frame["place"].unique() for frame in told.values()]
    all_names = pl.concat([names, *places]).drop_nulls().unique().sort()
    codes = pl.Enum(all_names)
    moved = names.cast(codes).to_physical()
    return {
        kind: frame.with_columns(
            session=pl.coalesce(
                moved[frame["session"]], told[kind]["place"].cast(codes).to_physical()
            ),
            session_rank=pl.coalesce("session_rank", told[kind]["rank"]),
        )
        for kind, frame in keyed.items()
    }, all_names


def _ids_of_several(keyed: Frames, count: int) -> pl.Series:
    """Which of the `count` speech ids have records with different keys."""
    told = pl.concat(
        [
            frame.select("speech_id", "session", "session_rank")
            for frame in keyed.values()
            if frame["speech_id"].count()
        ]
        or [keyed["eou"].select("speech_id", "session", "session_rank")]
    ).drop_nulls("speech_id")
    same_id = rows_of(told["speech_id"], count)[told["speech_id"]]
    session, rank = told["session"], told["session_rank"]
    differs = (session != session[same_id]) | (rank != rank[same_id])
    return told["speech_id"].filter(differs).unique()


def _best_of_speech(keyed: Frames, doubtful: pl.Series) -> pl.DataFrame:
    """Per speech id, the best key of its records, and whether ids repeat across sessions."""
    columns = ["speech_id", "session", "session_rank", "timestamp"]
    return (
        pl.concat([keyed[kind].lazy().select(columns) for kind in SPEAKING])
        .filter(pl.col("speech_id").is_in(doubtful.implode()))
        .filter(pl.col("session_rank") == pl.col("session_rank").min().over("speech_id"))
        .sort("timestamp", "session", nulls_last=True)
        .group_by("speech_id")
        .agg(
            pl.col("session").first().alias("best_session"),
            pl.col("session_rank").first().alias("best_rank"),
            pl.col("session").n_unique().alias("sessions"),
        )
        .with_columns(best_repeated=(pl.col("sessions") > 1) & (pl.col("best_rank") < PLACE_RANK))
        .drop("sessions")
        .collect(engine="in-memory")
    )


def _with_best(frame: pl.DataFrame, best: pl.DataFrame) -> pl.DataFrame:
    """Records take their speech's session, but for ids that several sessions use."""
    repeated = pl.col("best_repeated").fill_null(value=False)
    own = pl.col("best_session").is_null() | (
        repeated & (pl.col("session_rank") == pl.col("best_rank"))
    )
    joined = frame.join(best, on="speech_id", how="left", maintain_order="left")
    return joined.with_columns(
        session=pl.when(own).then("session").otherwise("best_session"),
        session_rank=pl.when(own).then("session_rank").otherwise("best_rank"),
        ids_repeated=repeated,
    ).select(frame.columns)


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
