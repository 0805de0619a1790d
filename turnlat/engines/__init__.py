"""Engines run the first half, from sources to tables; the stages do not know which one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from turnlat.notes import Note
from turnlat.records import BadLine
from turnlat.turns import Ledger


@dataclass(frozen=True)
class Tables:
    """All that a run says, as an engine makes it from sources."""

    turns: pl.DataFrame
    """The turn table, `recorded_at` and the kept fields."""
    transcriptions: pl.DataFrame
    usage: pl.DataFrame
    ledger: Ledger
    bad_lines: list[BadLine]
    shapes: Mapping[str, int]
    """Lines of each format."""
    notes: list[Note]
