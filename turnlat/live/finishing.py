"""Finishing: when a turn of a growing log will not change any more, so that it can be told once."""

from __future__ import annotations

import polars as pl

from turnlat.turns.stitching import CONTINUATION_WINDOW

PATIENCE = CONTINUATION_WINDOW
"""So long after its last record, in seconds, a speech may still be taken in by a turn."""

SILENT_PATIENCE = 30.0
"""And so long nobody knows whether audio will follow: a TTS record comes when all was spoken."""


def finished(now: float, settle: float) -> pl.Expr:
    """Whether a row of the turn table is finished.

    Rows have `touched` and `opened`, when the last of their records and their EOU came (seconds
    of a clock that `now` is of). An answered turn that has an EOU, an LLM and a TTS record is
    finished when it was quiet for `settle` seconds. Any other waits for records that may complete
    it, until the next user turn of its session has begun, or until that would take too long.
    """
    quiet = now - pl.col("touched")
    answered = (pl.col("llm_calls") > 0).fill_null(value=True) | (pl.col("tts_segments") == 0)
    replied = pl.col("outcome") == "replied"
    complete = (pl.col("outcome") == "realtime") | (replied & answered.fill_null(value=True))
    patience = pl.when(replied | (pl.col("outcome") == "initiated")).then(PATIENCE)
    followed = (now - _next_opened()) >= settle
    return (
        (quiet >= settle) & (complete | followed.fill_null(value=False))
        | (quiet >= patience.otherwise(SILENT_PATIENCE))
    ).fill_null(value=True)


def _next_opened() -> pl.Expr:
    """When the next user turn of the same session began."""
    opened = pl.when(pl.col("turn").is_not_null()).then("opened")
    return opened.shift(-1).backward_fill().over("session")
