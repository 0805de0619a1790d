"""The sums that hold for every input: lines, records, outcomes, the parts of each wait."""

from __future__ import annotations

import polars as pl

import turnlat
from turnlat.metrics import COMPONENTS


def add_up(run: turnlat.Run) -> None:
    ledger = run.ledger
    assert ledger.lines == (
        ledger.metric + ledger.other + ledger.blank + ledger.bad + ledger.joined
    )
    assert ledger.records == (
        ledger.in_turns + ledger.in_sessions + ledger.unattributed + ledger.duplicates
    )
    assert sum(ledger.outcomes.values()) == run.turns.height
    waited = run.turns.filter(pl.col("e2e_latency").is_not_null())
    parts = waited.select(pl.sum_horizontal(c.name for c in COMPONENTS)).to_series()
    assert ((parts - waited["e2e_latency"]).abs() <= 1e-6).all()
    assert (waited["e2e_latency"] > 0).all()
