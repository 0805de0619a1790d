"""Stitching: which speeches make up one turn, and what became of those that make up none."""

from __future__ import annotations

import polars as pl

from turnlat.frames import same
from turnlat.turns import ordering
from turnlat.turns.grouping import PLAYOUT_SLACK, PREEMPTIVE_LEAD
from turnlat.turns.numbering import least, marked, rows_of
from turnlat.turns.sessions import SOURCE_RANK

CONTINUATION_WINDOW = 10.0
"""A continuation starts at most this many seconds after the last record of its turn."""

DECIDED_AT_ONCE = 0.01
"""A turn detector that decides this soon after the final transcript was waiting for it."""


def stitch(speeches: pl.DataFrame) -> pl.DataFrame:
    """Add to each speech the turn that it belongs to and its part in it; they keep their places.

    `turn_speech`: the `speech` of the turn's EOU, or its own; `continues` and `fills`: it was
    taken in, as more of the answer or as filler; `eou_note` may become `eou-stale`;
    `neighbours_unknown`: a rule would have applied, but its session mixes conversations;
    `near_next_stop`: it was generated as discarded attempts are.
    """
    fresh = _mark_stale(_with_previous(_mark_mixed(speeches)))
    continued = _continuations(_near_next_stop(_with_next(fresh)))
    return _fillers(continued).with_columns(
        turn_speech=pl.coalesce("taken_by", "speech"),
    )


def _mark_mixed(speeches: pl.DataFrame) -> pl.DataFrame:
    """`mixed`: the session is only its source, and two of its answers overlap in time.

    One conversation cannot start to synthesise the answer to a turn after the next turn's EOU:
    that EOU interrupts it.
    """
    if not (speeches["session_rank"] == SOURCE_RANK).any():
        return speeches.with_columns(mixed=pl.lit(value=False))
    answers = (
        speeches.filter(pl.col("has_eou") & pl.col("speaks") & ~pl.col("inferred"))
        .sort("session", "eou_at")
        .with_columns(busy_until=pl.col("last_tts_start").cum_max().shift(1).over("session"))
    )
    mixed = answers.filter(
        (pl.col("session_rank") == SOURCE_RANK) & (pl.col("busy_until") > pl.col("eou_at"))
    )["session"]
    return speeches.with_columns(mixed=pl.col("session").is_in(mixed.unique().implode()))


def _with_previous(speeches: pl.DataFrame) -> pl.DataFrame:
    """For turns: when the previous one was decided, which is next, when the agent spoke unasked.

    `agent_spoke_at` began, and ended, before this turn was decided.
    """
    turns = _of_turns(speeches, "speech", "session", "decided_at")
    turns = ordering.by(turns, "session", "decided_at")
    beside = turns.select(
        previous_decided=_beside("decided_at", 1), next_turn=_beside("speech", -1)
    )
    row = rows_of(turns["speech"], speeches.height)
    return speeches.hstack(beside[row]).with_columns(agent_spoke_at=_agent_spoke(speeches, turns))


def _agent_spoke(speeches: pl.DataFrame, turns: pl.DataFrame) -> pl.Series:
    """Of each turn, when the agent last began to speak unasked and was done before."""
    unasked = (
        speeches[["session", "audio_end", "first_audio"]]
        .filter(~speeches["has_eou"] & speeches["speaks"])
        .drop_nulls()
        .sort("audio_end")
    )
    if not unasked.height:
        return same(None, pl.Float64(), speeches.height)
    spoke = (
        turns.drop_nulls("decided_at")
        .sort("decided_at")
        .join_asof(
            unasked,
            left_on="decided_at",
            right_on="audio_end",
            by="session",
            check_sortedness=False,
        )
    )
    return spoke["first_audio"][rows_of(spoke["speech"], speeches.height)]


def _mark_stale(speeches: pl.DataFrame) -> pl.DataFrame:
    """Null the delays of an EOU whose speech would have ended before the previous turn's EOU.

    Or before the agent spoke unasked and was done, where the final transcript made the decision:
    the VAD missed the speech that was transcribed, and the delays count from something before it.
    """
    by_transcript = pl.col("eou_delay") - pl.col("transcription_delay") < DECIDED_AT_ONCE
    before_agent = (pl.col("stopped") < pl.col("agent_spoke_at")) & by_transcript
    before_turn = pl.col("stopped") < pl.col("previous_decided")
    stale = before_turn.fill_null(value=False) | before_agent.fill_null(value=False)
    applies = stale & ~pl.col("mixed")
    return speeches.with_columns(
        eou_note=pl.when(applies).then(pl.lit("eou-stale")).otherwise("eou_note"),
        neighbours_unknown=stale & pl.col("mixed"),
        **{
            name: pl.when(~applies).then(name)
            for name in ("stopped", "eou_delay", "transcription_delay")
        },
    ).with_columns(user_from=pl.coalesce("stopped", "decided_at"))


def _with_next(speeches: pl.DataFrame) -> pl.DataFrame:
    """For turns: when the next one's user stopped."""
    stopped = pl.col("user_from").gather("next_turn")
    return speeches.with_columns(next_stopped=stopped).drop("next_turn")


def _beside(name: str, rows: int) -> pl.Expr:
    """The value of the row so many before in sorted rows, null where that is another session's."""
    session = pl.col("session")
    return pl.when(session == session.shift(rows)).then(pl.col(name).shift(rows))


def _of_turns(speeches: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Some columns of the speeches that have an EOU; all columns are many."""
    return speeches[list(columns)].filter(speeches["has_eou"])


def _candidates(speeches: pl.DataFrame, at: str, since: str) -> pl.DataFrame:
    """Speeches without EOU, each with the last turn of its session that began before it.

    That is the last one whose `since` is not after the speech's `at`; its columns are `turn_…`.
    """
    loose = speeches[["session", "speech", at]].filter(~speeches["has_eou"] & ~speeches["inferred"])
    found = (
        loose.drop_nulls(at)
        .sort(at)
        .join_asof(
            _of_turns(speeches, "session", "speech", since).drop_nulls(since).sort(since),
            left_on=at,
            right_on=since,
            by="session",
            suffix="_of_turn",
            check_sortedness=False,
        )
        .drop_nulls("speech_of_turn")
    )
    number = found["speech_of_turn"].alias("turn_speech")
    known = [name for name in _OF_TURN if name in speeches.columns]
    turn = speeches.select(pl.col(known).name.prefix("turn_"))[number]
    return pl.concat([speeches[found["speech"]], number.to_frame(), turn], how="horizontal")


_OF_TURN = (
    "eou_at", "end", "audio_end", "llm_calls", "llm_cancelled", "speaks", "next_stopped",
    "answer_audio",
)  # fmt: skip
"""What the rules look at of the turn that a candidate may belong to."""


def _continuations(speeches: pl.DataFrame) -> pl.DataFrame:
    """Give a turn that called the LLM and did not speak the speeches that its answer came under.

    In LiveKit 1.0 and 1.1 also one that spoke: a tool reply comes under a speech id of its own
    as soon as the words before the tool call have been played. Each condition looks at the turn
    and at all candidates before, as if those had been taken in; the chain ends with the first
    that fails.
    """
    chain = _candidates(speeches, "start", "eou_at").sort("turn_speech", "start", "speech")
    if not chain.height:
        return _take(speeches, chain, "continues")
    last_end = pl.max_horizontal("turn_eou_at", "turn_end", _so_far("end"))
    fits = (
        (pl.col("turn_llm_calls") > 0)
        & (_unanswered() | _next_step())
        & ~_cancelled_so_far()
        & (pl.col("start") < pl.col("turn_next_stopped")).fill_null(value=True)
        & (pl.col("start") - last_end <= CONTINUATION_WINDOW)
        & (pl.col("speaks") | ~pl.col("near_next_stop"))
    ).fill_null(value=False)
    whole = chain.with_columns(fits=fits.cast(pl.Int8)).with_columns(
        fits=pl.col("fits").cum_min().over("turn_speech") == 1
    )
    return _take(speeches, whole.filter("fits"), "continues")


_CALLS = pl.col("llm_calls") > 0


def _so_far(name: str) -> pl.Expr:
    """The maximum of the candidates of the same turn before this one."""
    return pl.col(name).cum_max().shift(1).over("turn_speech")


def _any_so_far(flag: pl.Expr) -> pl.Expr:
    return flag.cast(pl.Int8).cum_max().shift(1, fill_value=0).over("turn_speech") == 1


def _unanswered() -> pl.Expr:
    """Neither the turn nor a candidate spoke an LLM's words; after a `say()` only such follow."""
    answered = pl.col("turn_speaks") | _any_so_far(pl.col("speaks") & _CALLS)
    return ~answered & (_CALLS | ~_any_so_far(pl.col("speaks")))


def _next_step() -> pl.Expr:
    played = pl.max_horizontal("turn_audio_end", _so_far("audio_end"))
    prompt = pl.col("start") <= played + PLAYOUT_SLACK
    return (pl.col("steps_apart") & _CALLS & prompt).fill_null(value=False)


def _cancelled_so_far() -> pl.Expr:
    """Whether the last LLM call, of the turn or the candidates before, was cancelled."""
    before = pl.when(_CALLS).then("llm_cancelled").forward_fill().shift(1)
    return pl.coalesce(before.over("turn_speech"), "turn_llm_cancelled")


def _fillers(speeches: pl.DataFrame) -> pl.DataFrame:
    """Give a turn the speeches that were heard between its user's stop and its own answer.

    These are `say()`, also where a continuation took it in on the way to the answer, and what a
    tool generated: it starts after the EOU, as no preemptive attempt does.
    """
    answers = speeches[["taken_by", "first_audio"]].filter(
        speeches["continues"] & speeches["speaks"] & (speeches["llm_calls"] > 0)
    )
    continued = least(answers["taken_by"], answers["first_audio"], speeches.height)
    turns = speeches.with_columns(
        answer_audio=pl.coalesce(pl.when("speaks").then("first_audio"), continued)
    )
    says = pl.col("llm_calls") == 0
    found = _candidates(turns, "first_audio", "user_from").filter(
        pl.col("speaks")
        & (says | (pl.col("start") >= pl.col("turn_eou_at")))
        & (pl.col("first_audio") < pl.col("turn_answer_audio"))
    )
    on_the_way = pl.col("continues") & says & pl.col("speech").is_in(found["speech"].implode())
    loose = found.filter(~pl.col("continues"))
    return (
        _take(speeches, loose, "fills")
        .with_columns(fills=pl.col("fills") | on_the_way)
        .with_columns(continues=pl.col("continues") & ~pl.col("fills"))
    )


def _take(speeches: pl.DataFrame, taken: pl.DataFrame, part: str) -> pl.DataFrame:
    """Mark the speeches in `taken` as parts of their turns, but not where sessions are mixed."""
    turn = taken["turn_speech"][rows_of(taken["speech"], speeches.height)]
    applies = turn.is_not_null() & ~pl.col("mixed")
    before = pl.col("taken_by") if "taken_by" in speeches.columns else pl.lit(None, pl.UInt32)
    return speeches.with_columns(
        applies.alias(part),
        taken_by=pl.coalesce(before, pl.when(applies).then(turn)),
        neighbours_unknown=pl.col("neighbours_unknown") | (turn.is_not_null() & ~applies),
    )


def _near_next_stop(speeches: pl.DataFrame) -> pl.DataFrame:
    """Mark speeches whose LLM started near the end of a later user turn, as discarded attempts do.

    Near is from `PREEMPTIVE_LEAD` before that user stopped until that EOU.
    """
    turns = (
        _of_turns(speeches, "session", "eou_at", "user_from")
        .select("session", "eou_at", opens=pl.col("user_from") - PREEMPTIVE_LEAD)
        .drop_nulls("eou_at")
        .sort("eou_at")
    )
    generated = speeches[["session", "speech", "llm_start"]].filter(~speeches["has_eou"])
    generated = generated.drop_nulls("llm_start").sort("llm_start")
    if not generated.height:
        return speeches.with_columns(near_next_stop=pl.lit(value=False))
    next_turn = generated.join_asof(
        turns,
        left_on="llm_start",
        right_on="eou_at",
        by="session",
        strategy="forward",
        check_sortedness=False,
    )
    near = next_turn.filter(pl.col("opens") <= pl.col("llm_start"))["speech"]
    return speeches.with_columns(near_next_stop=marked(near, speeches.height))


def outcomes(speeches: pl.DataFrame) -> pl.DataFrame:
    """Add `outcome` to the speeches that no turn took in, as it stands without realtime models."""
    speaking = speeches["turn_speech"].filter(speeches["speaks"])
    synthesised = speeches["session"].filter(speeches["tts_segments"] > 0)
    measured = pl.col("session").is_in(synthesised.unique().implode())
    guessed = ~pl.col("acquires") & ~pl.col("states_known")
    attempt = pl.col("near_next_stop") & guessed & pl.col("speaks")
    user_turn = (
        pl.when(pl.col("turn_speaks"))
        .then(pl.lit("replied"))
        .when(measured)
        .then(pl.lit("silent"))
        .otherwise(pl.lit("unmeasured"))
    )
    own = (
        pl.when(~pl.col("speaks") | (attempt & ~pl.col("mixed")))
        .then(pl.lit("discarded"))
        .otherwise(pl.lit("initiated"))
    )
    loose = ~pl.col("has_eou") & pl.col("taken_by").is_null()
    return speeches.with_columns(
        turn_speaks=marked(speaking, speeches.height)[speeches["turn_speech"]],
        neighbours_unknown=pl.col("neighbours_unknown") | (attempt & loose & pl.col("mixed")),
    ).with_columns(outcome=pl.when("has_eou").then(user_turn).otherwise(own))
