"""Messages: turns out of chat messages, in sessions that have no other record of them.

Messages carry no speech id, so they are joined by order: what the user said opens a turn, and what
the agent said up to the next user message is its answer.
"""

from __future__ import annotations

import polars as pl

from turnlat.metrics import DEFAULT_TOTAL
from turnlat.turns.grouping import PLAYOUT_SLACK
from turnlat.turns.latency import remainder, total
from turnlat.turns.sentinels import LONGEST_DELAY, LONGEST_DURATION
from turnlat.turns.sessions import Frames
from turnlat.turns.stitching import CONTINUATION_WINDOW

_MEASURED = ("eou", "llm", "tts", "realtime")
"""Kinds of record that make turns by themselves; messages do where a session has none of them."""

_PLACE = ("source", "line", "order")
_SEGMENT = ("session", "segment")
_ROW = "exchange"

_DURATIONS = ("llm_node_ttft", "llm_node_ttfs", "tts_node_ttfb")

_USER = pl.col("role") == "user"
_AGENT = pl.col("role") == "assistant"
_STOPPED = pl.col("stopped_speaking_at")
_STARTED = pl.col("started_speaking_at")
_REPORTED = pl.col("e2e_latency").is_not_null()
_HEARD = _AGENT & pl.any_horizontal(
    pl.col("started_speaking_at", "tts_node_ttfb", "e2e_latency").is_not_null()
)
_SPOKEN = _USER & pl.any_horizontal(
    pl.col(
        "stopped_speaking_at",
        "transcription_delay",
        "end_of_turn_delay",
        "on_user_turn_completed_delay",
        "stt_model",
    ).is_not_null()
)
"""A user message without any of these was typed."""


def attribute(frames: Frames) -> pl.DataFrame:
    """The chat messages in their order, with `exchange`: the turn that each opens or joins.

    It is a message's own where the agent spoke unasked, and null where nobody spoke. `alone`: the
    session has no better records, so that its exchanges are rows of the turn table.
    """
    chat = frames["chat"]
    if not chat.height:
        return chat.with_columns(
            pl.lit(None, dtype=pl.UInt32).alias(_ROW), alone=pl.lit(value=True)
        )
    ordered = _ordered(chat).with_row_index("message")
    measured = pl.concat([frames[kind].select("session") for kind in _MEASURED])
    exchange = (
        pl.when(pl.col("opens") & (_USER | pl.col("joins")))
        .then(pl.col("message").first().over(_SEGMENT))
        .when(_HEARD)
        .then("message")
    )
    return _joining(ordered).with_columns(
        exchange.alias(_ROW),
        alone=~pl.col("session").is_in(measured["session"].unique().to_list()),
    )


def _ordered(chat: pl.DataFrame) -> pl.DataFrame:
    """Each session in the order of the conversation, cut at the user's messages.

    A message of the agent lies where it was first heard: it is added when it ends, and one that
    the user could not interrupt ends after the message that it delays.
    """
    moment = (
        pl.when(_AGENT)
        .then(pl.coalesce(_STARTED, "timestamp"))
        .otherwise(pl.coalesce("timestamp", _STOPPED))
    )
    return (
        chat.sort("session", *_PLACE)
        .with_columns(moment=moment.forward_fill().backward_fill().over("session"))
        .sort("session", "moment", *_PLACE)
        .with_columns(segment=_USER.cum_sum().over("session"))
    )


def _joining(messages: pl.DataFrame) -> pl.DataFrame:
    """Add whether a segment is a turn (`opens`), and which of its answers belong to it (`joins`).

    Those are all up to the last one for which LiveKit reports the wait, and what follows them
    without a break: a tool's reply, or words that were generated before the audio had ended. The
    first answer has to come soon, where LiveKit reports no wait: it may be a reminder.
    """
    opens = (pl.col("segment") > 0) & (_SPOKEN.any() | _REPORTED.any()).over(_SEGMENT)
    decided = pl.coalesce(_decided(), "timestamp").first().over(_SEGMENT)
    ended = pl.when(_AGENT).then(pl.coalesce(_STOPPED, _STARTED)).cum_max().shift(1)
    allowed = pl.coalesce(ended.over(_SEGMENT) + PLAYOUT_SLACK, decided + CONTINUATION_WINDOW)
    begun = pl.min_horizontal("timestamp", _STARTED)
    prompt = (begun <= allowed).fill_null(value=True) | pl.col("follows_tool").fill_null(
        value=False
    )
    reported_later = _REPORTED.reverse().cum_max().reverse()
    return messages.with_columns(opens=opens, prompt=prompt | _USER).with_columns(
        joins=(reported_later | pl.col("prompt").cum_min()).over(_SEGMENT)
    )


def _decided() -> pl.Expr:
    callback = pl.col("on_user_turn_completed_delay").fill_null(0.0)
    return _STOPPED + pl.col("end_of_turn_delay") + callback


def rows(chat: pl.DataFrame, kept: list[str]) -> pl.DataFrame:
    """One row per exchange of the messages, which are `attribute`'s.

    Times are Unix seconds: `user_stopped`, `first_audio`, `recorded` and, for sorting, `at`.
    """
    reduced = _reduce(chat.drop_nulls(_ROW), kept)
    return (
        _without_sentinels(_with_outcome(reduced))
        .with_columns(_wait())
        .with_columns(clock_step=(pl.col("e2e_latency") <= 0).fill_null(value=False))
        .with_columns(e2e_latency=pl.when(~pl.col("clock_step")).then("e2e_latency"))
        .with_columns(_components())
        .with_columns(remainder=remainder())
        .with_columns(total_latency=total(DEFAULT_TOTAL), notes=_notes())
    )


def _reduce(messages: pl.DataFrame, kept: list[str]) -> pl.DataFrame:
    """One row per turn: the user's own values, those of the answer, and when it was heard.

    The answer is the message for which LiveKit reports the wait, else the first one heard: a
    `say()` on the way to it is filler.
    """
    answers = pl.when(_REPORTED.any()).then(_REPORTED).otherwise(_HEARD).over(_ROW)
    return (
        messages.with_columns(answers=_AGENT & answers)
        .group_by(_ROW, maintain_order=True)
        .agg(
            *_of_user("timestamp", "transcription_delay", "end_of_turn_delay"),
            *_of_user("on_user_turn_completed_delay", "stopped_speaking_at", "stt_model"),
            _decided().filter(_USER).first().alias("decided"),
            *_of_answer("started_speaking_at", "llm_node_ttft", "llm_node_ttfs", "tts_node_ttfb"),
            *_of_answer("e2e_latency", "llm_model", "tts_model"),
            _STARTED.filter(_HEARD).min().alias("first_audio"),
            pl.col("interrupted").filter(_AGENT).any().alias("any_interrupted"),
            _USER.any().alias("is_turn"),
            _HEARD.any().alias("heard"),
            pl.min_horizontal("timestamp", _STARTED, _STOPPED).min().alias("recorded"),
            pl.col("session", "source", "line").first(),
            pl.col("moment").first().alias("at"),
            pl.col("job_id", "room", "agent_name", *kept).drop_nulls().first(),
        )
    )


def _of_user(*names: str) -> list[pl.Expr]:
    return [pl.col(name).filter(_USER).first().alias(_user(name)) for name in names]


def _of_answer(*names: str) -> list[pl.Expr]:
    return [pl.col(name).filter(pl.col("answers")).first().alias(name) for name in names]


def _user(name: str) -> str:
    return {"timestamp": "said_at", "stopped_speaking_at": "stopped"}.get(name, name)


def _with_outcome(turns: pl.DataFrame) -> pl.DataFrame:
    silent = pl.when(pl.col("heard").any().over("session")).then(pl.lit("silent"))
    asked = (
        pl.when("heard").then(pl.lit("replied")).otherwise(silent.otherwise(pl.lit("unmeasured")))
    )
    return turns.with_columns(
        outcome=pl.when("is_turn").then(asked).otherwise(pl.lit("initiated")),
        interrupted=pl.when("heard").then("any_interrupted"),
        grouping=pl.lit("inferred"),
    )


def _without_sentinels(turns: pl.DataFrame) -> pl.DataFrame:
    """Null what LiveKit writes for "not measured", and say so in `eou_note`.

    A stale delay counts from speech before the previous turn was decided.
    """
    delays = ("end_of_turn_delay", "transcription_delay", "on_user_turn_completed_delay")
    sound = [pl.col(d).is_between(0, LONGEST_DELAY).fill_null(value=True) for d in delays]
    end, transcription = (pl.col(delay).fill_null(0.0) for delay in delays[:2])
    decided = pl.coalesce(pl.col("stopped") + pl.col("end_of_turn_delay"), "said_at")
    before = pl.when("is_turn").then(decided).cum_max().shift(1).over("session")
    unknown = pl.col("is_turn") & (end == 0) & (transcription == 0)
    note = (
        pl.when(~pl.all_horizontal(sound))
        .then(pl.lit("eou-implausible"))
        .when((pl.col("stopped") < before).fill_null(value=False))
        .then(pl.lit("eou-stale"))
        .when(unknown & pl.coalesce("stopped", "e2e_latency").is_null())
        .then(pl.lit("eou-unknown"))
    )
    return turns.with_columns(eou_note=note).with_columns(
        pl.when(pl.col("eou_note").is_null() & ~unknown).then(d).alias(d) for d in delays[:2]
    )


def _wait() -> list[pl.Expr]:
    """The wait as LiveKit reports it, but to the first words that were heard."""
    known = pl.col("eou_note").is_null()
    filled = (pl.col("first_audio") < _STARTED).fill_null(value=False)
    measured = pl.col("first_audio") - pl.col("stopped")
    reported = pl.when(~filled).then("e2e_latency")
    wait = pl.coalesce(reported, measured)
    sound = known & pl.col("is_turn") & (wait <= LONGEST_DURATION)
    odd = [~pl.col(name).is_between(0, LONGEST_DURATION) for name in _DURATIONS]
    return [
        pl.when(sound).then(wait).alias("e2e_latency"),
        pl.any_horizontal(wait > LONGEST_DURATION, *odd).alias("implausible"),
        pl.when(known).then("stopped").alias("user_stopped"),
        filled.alias("filled"),
    ]


def _components() -> list[pl.Expr]:
    """LiveKit's names for the parts of the wait in ours; it reports no start of the LLM call."""
    first_token, first_byte = _sound("llm_node_ttft"), _sound("tts_node_ttfb")
    delay = pl.col("end_of_turn_delay")
    unknown = pl.lit(None, dtype=pl.Float64)
    return [
        delay.alias("eou_delay"),
        (delay - pl.col("transcription_delay")).alias("endpointing_delay"),
        _sound("on_user_turn_completed_delay").alias("callback_delay"),
        first_token.alias("llm_ttft"),
        (_sound("llm_node_ttfs") - first_token).alias("sentence_gap"),
        first_byte.alias("tts_ttfb"),
        unknown.alias("llm_offset"),
        unknown.alias("tool_gap"),
    ]


def _sound(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_between(0, LONGEST_DURATION)).then(name)


def _notes() -> pl.Expr:
    flags = {
        "clock-step": pl.col("clock_step"),
        "implausible": pl.col("implausible"),
        "filler": pl.col("filled"),
        "sentence-inside": pl.col("llm_ttft").is_not_null()
        & pl.col("tts_ttfb").is_not_null()
        & pl.col("sentence_gap").is_null(),
    }
    codes = [pl.when(flag).then(pl.lit(code)) for code, flag in flags.items()]
    return pl.concat_list("eou_note", *codes).list.drop_nulls()
