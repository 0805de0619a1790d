"""Figures of comparisons, made of plain frames: the shift per decile, the split of the change.

The two distributions are `figures.distribution({"baseline": …, "candidate": …})`.
"""

from __future__ import annotations

import polars as pl

from turnlat import units
from turnlat.metrics import METRICS
from turnlat.report import Figure


def shifts(deciles: pl.DataFrame) -> Figure:
    """How far each decile of the wait moved from baseline to candidate.

    `deciles`: decile (0.1 … 0.9), shift, low, high (the simultaneous band), all in seconds;
    positive is slower.
    """
    told = [f"p{decile * 100:.0f} {_signed(shift)} ms" for decile, shift, *_ in deciles.iter_rows()]
    return Figure(
        "shifts",
        "shifts",
        "how far each decile moved",
        f"Candidate less baseline: {', '.join(told)}.",
        "Above 0 the candidate is slower; the band holds all deciles at once.",
        {"deciles": deciles.select("decile", "shift", "low", "high")},
    )


def changes(parts: pl.DataFrame) -> Figure:
    """Which components the change of the mean wait comes from.

    `parts`: component, change, low, high in seconds; positive is slower.
    """
    labelled = parts.select("component", "change", "low", "high").with_columns(
        label=pl.col("component").replace({name: m.label for name, m in METRICS.items()})
    )
    told = [f"{row['label']} {_signed(row['change'])} ms" for row in labelled.iter_rows(named=True)]
    return Figure(
        "changes",
        "changes",
        "where the change of the mean wait comes from",
        f"Candidate less baseline: {', '.join(told)}.",
        "Right of 0 the candidate is slower; the lines are 95 % intervals.",
        {"parts": labelled},
    )


def _signed(seconds: float) -> str:
    return f"{'+' if seconds > 0 else ''}{units.milliseconds(seconds).replace('-', '−')}"
