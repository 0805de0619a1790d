"""Reported: what chat messages tell of the turns that better records make.

That is whether the agent was interrupted, and LiveKit's own measure of the wait.
"""

from __future__ import annotations

import polars as pl

from turnlat.turns import messages
from turnlat.turns.latency import remainder

SAME_MOMENT = 0.1
"""A turn and an exchange of messages are one where a moment of both is this close."""

AGREEMENT = 0.05
"""LiveKit's measure of the wait and ours differ by no more, or a note says so."""

_MOMENTS = {"stopped": "stopped", "first_audio": "first_audio", "eou_at": "decided"}
"""Moments of a turn, and what they are called in an exchange; plain lines have only the last."""


def fill(turns: pl.DataFrame, chat: pl.DataFrame) -> pl.DataFrame:
    """Add `reported_interrupted`, `e2e_reported` and `e2e_differs`.

    `e2e_reported`: the turn's own records do not give the wait, so it is LiveKit's now.
    """
    beside = chat.filter(~pl.col("alone"))
    if not beside.height:
        return turns.with_columns(
            reported_interrupted=pl.lit(None, dtype=pl.Boolean),
            e2e_reported=pl.lit(value=False),
            e2e_differs=pl.lit(value=False),
        )
    exchanges = messages.rows(beside, []).select(
        "session",
        "stopped",
        "first_audio",
        "decided",
        reported_wait="e2e_latency",
        reported_interrupted="interrupted",
    )
    matched = _matched(turns, exchanges)
    wait, reported = pl.col("e2e_latency"), pl.col("reported_wait")
    unsound = pl.col("eou_note").is_not_null() | pl.col("clock_step")
    lacking = (pl.col("outcome") == "replied") & wait.is_null() & ~unsound
    return (
        matched.with_columns(
            e2e_reported=lacking & (reported > 0).fill_null(value=False),
            e2e_differs=((wait - reported).abs() > AGREEMENT).fill_null(value=False),
        )
        .with_columns(_taken("e2e_latency", "reported_wait"))
        .with_columns(_taken("user_stopped", "said_stopped"), _taken("first_audio", "said_audio"))
        .join(_cut_short(turns, chat), on="turn_speech", how="left")
        .with_columns(reported_interrupted=pl.coalesce("reported_interrupted", "cut_short"))
        .with_columns(remainder=remainder())
    )


def _cut_short(turns: pl.DataFrame, chat: pl.DataFrame) -> pl.DataFrame:
    """Whether the agent was interrupted, by messages that tell nothing else (before 1.3.1).

    They were added when the audio had ended, so they are about the last turn heard before.
    """
    bare = chat.filter((pl.col("role") == "assistant") & pl.col("exchange").is_null())
    heard = turns.select("session", "turn_speech", "first_audio").drop_nulls()
    return (
        bare.select("session", "timestamp", "interrupted")
        .drop_nulls()
        .sort("timestamp")
        .join_asof(
            heard.sort("first_audio"),
            left_on="timestamp",
            right_on="first_audio",
            by="session",
            check_sortedness=False,
        )
        .drop_nulls("turn_speech")
        .group_by("turn_speech")
        .agg(cut_short=pl.col("interrupted").any())
    )


def _taken(own: str, told: str) -> pl.Expr:
    return pl.when("e2e_reported").then(told).otherwise(own).alias(own)


def _matched(turns: pl.DataFrame, exchanges: pl.DataFrame) -> pl.DataFrame:
    """`turns`, each with the exchange that shares a moment with it, the user's stop first."""
    told = exchanges.with_row_index("exchange")
    for own, name in _MOMENTS.items():
        turns = turns.join(_nearest(turns, told, own, name), on="turn_speech", how="left")
    found = pl.coalesce(f"by_{own}" for own in _MOMENTS)
    return turns.with_columns(exchange=found).join(
        told.drop("session", "decided").rename(
            {"stopped": "said_stopped", "first_audio": "said_audio"}
        ),
        on="exchange",
        how="left",
        maintain_order="left",
    )


def _nearest(turns: pl.DataFrame, told: pl.DataFrame, own: str, name: str) -> pl.DataFrame:
    ordered = turns.select("turn_speech", "session", moment=own).drop_nulls("moment").sort("moment")
    return ordered.join_asof(
        told.select("session", moment=name, exchange="exchange")
        .drop_nulls("moment")
        .sort("moment"),
        on="moment",
        by="session",
        strategy="nearest",
        tolerance=SAME_MOMENT,
        check_sortedness=False,
    ).select("turn_speech", pl.col("exchange").alias(f"by_{own}"))
