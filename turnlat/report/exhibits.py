"""Exhibits of a run: the headline's facts, its figures, and the turns to look through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from turnlat.metrics import COMPONENTS
from turnlat.report import Column, Exhibits, Fact, Figure, Table
from turnlat.report.figures import distribution, models, stack, timeline
from turnlat.report.waterfalls import waterfalls
from turnlat.run import Run
from turnlat.summaries import latency
from turnlat.turns.ledger import USER_TURNS
from turnlat.turns.table import RECORDED_AT

ROWS = 10_000
"""Turns that a page can look through; of more, the slowest."""


def of_run(run: Run, tables: Sequence[Table], over: pl.DataFrame | None = None) -> Exhibits:
    """The exhibits of a run beside `tables`; `over` are the turns that statistics are over."""
    over = latency.population(run.frame)[0] if over is None else over
    wait = wait_of(over)
    figures, turns = _figures(over, wait), _turns(run, wait)
    return Exhibits(_facts(run, over, wait), figures, tables, turns=turns)


def wait_of(turns: pl.DataFrame) -> str:
    """What stands for the wait: measured where any turn has it, else LiveKit's formula."""
    return "e2e_latency" if turns["e2e_latency"].count() else "total_latency"


def _figures(over: pl.DataFrame, wait: str) -> list[Figure]:
    found = (
        distribution({"all turns": over}, wait=wait),
        stack(over, wait=wait),
        waterfalls(over, wait=wait),
        timeline(over, time=RECORDED_AT, wait=wait),
        *models(over),
    )
    return [figure for figure in found if figure is not None]


def _facts(run: Run, over: pl.DataFrame, wait: str) -> list[Fact]:
    row = latency.summarize(over).row(by_predicate=pl.col("metric") == wait, named=True)
    outcomes = dict(run.frame["outcome"].value_counts().iter_rows())
    user_turns = sum(outcomes.get(name, 0) for name in USER_TURNS)
    told = ", ".join(f"{outcomes[name]:,} {name}" for name in USER_TURNS if outcomes.get(name))
    return [
        *(_percentile(row, name) for name in ("p50", "p95")),
        Fact("slowest", "milliseconds", row["max"], wait),
        Fact("user turns", "count", user_turns, told),
        Fact("sessions", "count", run.session_count),
    ]


def _percentile(row: dict[str, Any], name: str) -> Fact:
    bounds = (row[f"{name}_low"], row[f"{name}_high"])
    known = None not in bounds
    return Fact(f"{name} of the wait", "milliseconds", row[name], "", bounds if known else None)


_TURNS = (
    Column("wait", "milliseconds"),
    Column("turn", "count"),
    Column("session", "text"),
    Column("outcome", "text"),
    Column("first record", "place"),
    Column("total", "milliseconds"),
    Column("silence", "milliseconds"),
    *(Column(metric.label, "milliseconds") for metric in COMPONENTS),
    Column("LLM calls", "count"),
    Column("LLM", "text", 1),
    Column("TTS", "text", 1),
    Column("STT", "text", 1),
    Column("notes", "codes"),
    Column("began", "moment", 1),
)


def _turns(run: Run, wait: str) -> Table:
    """Every turn and speech, or the slowest of many."""
    slowest = run.frame.sort(
        wait, "session", "turn", descending=[True, False, False], nulls_last=True
    ).head(ROWS)
    rows = slowest.select(
        "e2e_latency",
        "turn",
        "session",
        "outcome",
        pl.struct("source", "line").alias("place"),
        "total_latency",
        "longest_silence",
        *(metric.name for metric in COMPONENTS),
        "llm_calls",
        "llm_model",
        "tts_model",
        "stt_model",
        "notes",
        pl.coalesce("user_stopped_at", RECORDED_AT),
    )
    values = [_with_place(row, rows.columns.index("place")) for row in rows.iter_rows()]
    left_out = run.frame.height - slowest.height
    return Table("turns", "turns and speeches, ms", _TURNS, values, left_out)


def _with_place(row: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    place = row[at]
    return (*row[:at], (place["source"], place["line"]), *row[at + 1 :])
