"""Runs: what was watched so far as a run, so that reports and limits read it like any other."""

from __future__ import annotations

import polars as pl

from turnlat.run import Run
from turnlat.summaries import tools, transcriptions, usage
from turnlat.tally import Tally
from turnlat.turns import Ledger


def as_run(label: str, rows: pl.DataFrame, ledger: Ledger, tally: Tally) -> Run:
    """The run of some rows of the turn table; it has no transcriptions, tools and usage."""
    return Run(
        label=label,
        frame=rows.drop("told", strict=False),
        transcriptions=pl.DataFrame(schema=transcriptions.SCHEMA),
        tools=pl.DataFrame(schema=tools.SCHEMA),
        usage=pl.DataFrame(schema=usage.SCHEMA),
        ledger=ledger,
        bad_lines=tally.bad_lines,
        shapes=dict(tally.shapes),
        unknown=dict(tally.unknown),
        rejected=[],
        broken=[],
        notes=[],
    )
