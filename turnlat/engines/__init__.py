"""Engines run the first half, from sources to tables; the stages do not know which one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from turnlat.notes import Note
from turnlat.tally import BadLine
from turnlat.turns import Ledger


@dataclass(frozen=True, kw_only=True)
class Tables:
    """All that a run says, as an engine makes it from sources.

    All durations are seconds, all times UTC; not measured is null.
    """

    frame: pl.DataFrame
    """The turn table, and when the first record of each row was written (`recorded_at`)."""
    transcriptions: pl.DataFrame
    """One row per transcription request, or per session where records name none."""
    tools: pl.DataFrame
    """Calls and durations of each function tool; empty where the log does not tell."""
    usage: pl.DataFrame
    """Tokens, characters and audio per component and model, and in total."""
    ledger: Ledger
    """Where every line, record and speech ended up."""
    bad_lines: list[BadLine]
    """The first lines that could not be read; `ledger.bad` has the full count."""
    shapes: Mapping[str, int]
    """Lines of each format that was recognised."""
    unknown: Mapping[str, int]
    """Lines of each metric type that is not known."""
    rejected: list[tuple[BadLine, bytes]]
    """Every bad line with its bytes, where they were asked for."""
    broken: list[str]
    """Archives that could be read up to some place only, and where they broke."""
    notes: list[Note]
    """What must be known before trusting the numbers."""
