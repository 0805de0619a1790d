"""States: what the agent's own changes of state tell, where the log has them.

They tell which speech was heard, and check when the answer began.
"""

from __future__ import annotations

import polars as pl

from turnlat.turns.sessions import SPEAKING, Frames

AGREEMENT = 0.05
"""A first audio and the agent's change to speaking are one moment, or a note says so."""

AT_ONCE = 0.1
"""A change to speaking this close to the first audio of a turn is that turn's."""

PLAYOUT_START = 1.0
"""An agent that was silent begins to speak at most this long after the first audio was there."""

LONGEST_MAKING = 10.0
"""Nor does it take longer to make a speech that leaves no metrics."""


def lone(frames: Frames) -> Frames:
    """Leave `speech` to those `speech_created` records that nothing else tells of; add `inferred`.

    In sessions whose metrics carry no speech ids, and in those of speech-to-speech models, what
    was created cannot be told from what was recorded: there it is null.
    """
    created = frames["created"].with_columns(inferred=pl.lit(value=False))
    if not created.height:
        return frames | {"created": created}
    spoken = pl.concat(
        [frames[kind].select("session", "speech", "inferred") for kind in SPEAKING]
    ).drop_nulls("speech")
    inferred = spoken.filter("inferred")["session"]
    named = spoken.filter(~pl.col("inferred"))["session"].unique().implode()
    untold = pl.concat([frames["realtime"]["session"], inferred]).unique().implode()
    session, speech = pl.col("session"), pl.col("speech")
    told = speech.is_in(spoken["speech"].unique().implode())
    kept = session.is_in(named) & ~session.is_in(untold) & ~told
    return frames | {"created": created.with_columns(speech=pl.when(kept).then(speech))}


def hear(speeches: pl.DataFrame, frames: Frames) -> pl.DataFrame:
    """Add `lone` and `states_known`; where they are, `speaks` only if that speech was heard.

    That goes for speeches without an EOU: whatever was synthesised for one, it was heard if the
    agent was speaking then, or began to within `PLAYOUT_START` and for no turn. A speech without
    any metrics, such as `say()` with audio of its own, was heard if it was the last one created
    before such a change, and from then on.
    """
    states = frames["state"].filter(pl.col("who") == "agent")
    known = speeches.with_columns(
        states_known=pl.col("session").is_in(states["session"].unique().implode()),
        lone=~pl.col("has_eou") & (pl.col("llm_calls") + pl.col("tts_segments") == 0),
    )
    if not states.height:
        return known
    spans = _speaking(states)
    loose = known.filter(~pl.col("has_eou") & pl.col("states_known"))
    synthesised = loose.filter("speaks").drop_nulls("first_audio")
    answers = known.filter(pl.col("has_eou") & pl.col("speaks"))
    heard = pl.concat(
        [
            _covered(synthesised, spans),
            _begun(synthesised, _free(spans, answers)),
            _created(frames["created"], _free(spans, known.filter("speaks"))),
        ]
    )
    first = heard.group_by("speech").agg(heard_from=pl.col("began").min())
    judged = ~pl.col("has_eou") & pl.col("states_known")
    return (
        known.join(first, on="speech", how="left", maintain_order="left")
        .with_columns(
            speaks=pl.when(judged).then(pl.col("heard_from").is_not_null()).otherwise("speaks"),
            first_audio=pl.when("lone").then("heard_from").otherwise("first_audio"),
        )
        .drop("heard_from")
    )


def differs(turns: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """Add `speaking_differs`: the agent began to speak at another time than the first audio.

    That is its first change to speaking after the user stopped and before the next one did; an
    agent that was speaking all the while has none.
    """
    if not states.height:
        return turns.with_columns(speaking_differs=pl.lit(value=False))
    began = _speaking(states).select("session", "began").sort("began")
    answered = (
        turns.filter(pl.col("outcome") == "replied")
        .select("turn_speech", "session", "user_stopped", "first_audio", "next_stopped")
        .drop_nulls(["user_stopped", "first_audio"])
        .sort("user_stopped")
        .join_asof(
            began,
            left_on="user_stopped",
            right_on="began",
            by="session",
            strategy="forward",
            check_sortedness=False,
        )
        .filter((pl.col("began") < pl.col("next_stopped")).fill_null(value=True))
    )
    apart = (pl.col("began") - pl.col("first_audio")).abs() > AGREEMENT
    odd = answered.filter(apart)["turn_speech"].implode()
    return turns.with_columns(speaking_differs=pl.col("turn_speech").is_in(odd))


def _speaking(states: pl.DataFrame) -> pl.DataFrame:
    """When the agent was speaking: `began` and `until`, which is null where the log ends first."""
    return (
        states.filter(pl.col("who") == "agent")
        .drop_nulls("timestamp")
        .sort("session", "timestamp")
        .with_columns(until=pl.col("timestamp").shift(-1).over("session"))
        .filter(pl.col("state") == "speaking")
        .select("session", "until", began="timestamp")
    )


def _covered(loose: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Speeches whose first audio came while the agent was speaking."""
    return (
        loose.select("speech", "session", "first_audio")
        .sort("first_audio")
        .join_asof(
            spans.sort("began"),
            left_on="first_audio",
            right_on="began",
            by="session",
            check_sortedness=False,
        )
        .filter((pl.col("began") <= pl.col("first_audio")) & _after(pl.col("until")))
        .select("speech", began="first_audio")
    )


def _after(until: pl.Expr) -> pl.Expr:
    return (until > pl.col("first_audio")).fill_null(value=True)


def _begun(loose: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Speeches soon after whose first audio the agent began to speak."""
    return (
        loose.select("speech", "session", "first_audio")
        .sort("first_audio")
        .join_asof(
            changes,
            left_on="first_audio",
            right_on="began",
            by="session",
            strategy="forward",
            tolerance=PLAYOUT_START,
            check_sortedness=False,
        )
        .drop_nulls("began")
        .select("speech", "began")
    )


def _created(created: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Speeches without metrics that were the last ones created before the agent began to speak."""
    return (
        changes.join_asof(
            created.drop_nulls("timestamp")
            .sort("timestamp", "source", "line")
            .select("session", "speech", at="timestamp"),
            left_on="began",
            right_on="at",
            by="session",
            tolerance=LONGEST_MAKING,
            check_sortedness=False,
        )
        .drop_nulls("speech")
        .select("speech", "began")
    )


def _free(spans: pl.DataFrame, speeches: pl.DataFrame) -> pl.DataFrame:
    """The changes to speaking that are not the beginning of the audio of any of `speeches`."""
    starts = (
        speeches.select("session", at=pl.max_horizontal("first_audio", "eou_at"))
        .drop_nulls()
        .sort("at")
    )
    return (
        spans.sort("began")
        .join_asof(
            starts,
            left_on="began",
            right_on="at",
            by="session",
            strategy="nearest",
            tolerance=AT_ONCE,
            check_sortedness=False,
        )
        .filter(pl.col("at").is_null())
        .select("session", "began")
        .sort("began")
    )
