"""Turn lines: one line per turn, for pipes and terminals that only scroll."""

from __future__ import annotations

from typing import Any

import polars as pl

from turnlat import units
from turnlat.metrics import COMPONENTS
from turnlat.turns.table import RECORDED_AT
from turnlat.writers import Page
from turnlat.writers.cells import visible
from turnlat.writers.drawing import ASCII

_SHORTEST_PART = 0.0005
"""A component that rounds to 0 ms is left out."""


def rows(frame: pl.DataFrame, page: Page) -> bytes:
    """The rows of a turn table: when, who, how long, and why; as long as they have to be."""
    text = "".join(f"{_line(row)}\n" for row in frame.iter_rows(named=True))
    return (text if page.unicode else text.translate(ASCII)).encode()


def _line(row: dict[str, Any]) -> str:
    turn = f"turn {row['turn']}" if row["turn"] is not None else "speech"
    told = [
        units.moment(row["user_stopped_at"] or row[RECORDED_AT]),
        visible(row["session"]),
        turn,
        row["outcome"] + (", interrupted" if row["interrupted"] else ""),
        *_wait(row),
    ]
    return "  ".join(told)


def _wait(row: dict[str, Any]) -> list[str]:
    """The wait as the sum of its components; the formula where nothing was measured."""
    parts = " + ".join(
        f"{component.label} {units.milliseconds(row[component.name])}"
        for component in COMPONENTS
        if abs(row[component.name] or 0.0) >= _SHORTEST_PART
    ).replace("+ remainder -", "- remainder ")
    if row["e2e_latency"] is not None:
        return [f"{units.milliseconds(row['e2e_latency'])} ms = {parts}"]
    if row["total_latency"] is not None:
        return [f"total {units.milliseconds(row['total_latency'])} ms: {parts}"]
    return [parts] if parts else []
