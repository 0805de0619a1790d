"""The report of a log that is watched: rolling statistics, limits, and the last turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from turnlat.analysis import limits
from turnlat.analysis.limits import Verdict
from turnlat.analysis.rules import Limit
from turnlat.errors import UsageError
from turnlat.metrics import COMPONENTS, METRICS
from turnlat.report import Report, Waterfall, analysis
from turnlat.run import Run
from turnlat.summaries import latency
from turnlat.turns.ledger import USER_TURNS
from turnlat.turns.table import COLUMNS, RECORDED_AT

LAST_TURNS = 100
"""So many turns at most are handed to a view; a screen has room for fewer."""


@dataclass(frozen=True)
class Rolling:
    """One metric over the window, in seconds."""

    name: str
    component: bool
    count: int
    p50: float
    p95: float
    trend: list[float | None]
    """Its values, the oldest first."""


@dataclass(frozen=True)
class Held:
    """One limit over the window."""

    rule: str
    verdict: str
    found: float | None
    unit: str
    """`seconds`, `share` or `count`: what `found` is in."""
    turns: int
    reason: str
    """Why it could not be judged, or what must be known beside the numbers."""


@dataclass(frozen=True)
class Row:
    """One turn or speech of the last ones."""

    at: datetime | None
    session: str
    turn: int | None
    outcome: str
    interrupted: bool
    told: bool
    """Whether it is finished; else what shows may still change."""
    wait: float | None
    waterfall: Waterfall


@dataclass(frozen=True)
class View:
    """One frame of a watched log."""

    label: str
    window: str
    waiting_for: Sequence[str]
    """Inputs that are not there yet."""
    turns: int
    sessions: int
    newest: datetime | None
    ledger: str
    wait: str
    """The metric that stands for the wait."""
    rolling: list[Rolling]
    limits: list[Held]
    rows: list[Row]
    """The oldest first."""


def check_limits(run: Run, rules: Sequence[Limit]) -> None:
    """Raise `UsageError` where a limit names a column that no turn table has."""
    for rule in rules:
        column = rule.subject.column
        if column is not None and limits.ALIASES.get(column, column) not in COLUMNS:
            limits.hold(run, rule)


def view(
    run: Run, told: pl.Series, window: str, waiting_for: Sequence[str], rules: Sequence[Limit]
) -> View:
    """The frame of a run that holds the window's rows; `told` says which of them are finished."""
    rows = run.frame.with_columns(told=told)
    finished = rows.filter("told")
    over = latency.population(finished)[0].sort(RECORDED_AT, nulls_last=False)
    statistics = latency.summarize(over)
    wait = analysis.wait_metric(statistics)
    newest = run.frame[RECORDED_AT].max()
    return View(
        label=run.label,
        window=window,
        waiting_for=waiting_for,
        turns=finished.filter(pl.col("outcome").is_in(USER_TURNS)).height,
        sessions=rows["session"].n_unique(),
        newest=newest if isinstance(newest, datetime) else None,
        ledger=analysis.ledger_line(run),
        wait=wait,
        rolling=_rolling(over, statistics, wait),
        limits=[_held(run, finished, rule) for rule in rules],
        rows=_last(rows, wait),
    )


def summary(run: Run) -> Report:
    """What is left of a watch when it ends: the headline, latency and notes of `analyze`."""
    whole = analysis.report(run, worst=0)
    tables = [table for table in whole.tables if table.name == "latency"]
    return Report(whole.headline, tables, whole.notes, whole.rows, whole.document)


def _rolling(over: pl.DataFrame, statistics: pl.DataFrame, wait: str) -> list[Rolling]:
    """The wait first, then every metric that any turn has."""
    parts = {metric.name for metric in COMPONENTS}
    known = statistics.filter(pl.col("count") > 0).iter_rows(named=True)
    ordered = sorted(
        known, key=lambda row: (row["metric"] != wait, list(METRICS).index(row["metric"]))
    )
    return [
        Rolling(
            name=row["metric"],
            component=row["metric"] in parts,
            count=row["count"],
            p50=row["p50"],
            p95=row["p95"],
            trend=over[row["metric"]].to_list(),
        )
        for row in ordered
    ]


def _held(run: Run, finished: pl.DataFrame, rule: Limit) -> Held:
    over = Run(**(vars(run) | {"frame": finished.drop("told")}))
    try:
        result = limits.hold(over, rule)
    except UsageError as error:
        # The column is known: its value may still come.
        verdict = Verdict.NOT_JUDGED.value
        return Held(rule.text, verdict, None, rule.subject.unit, 0, error.message)
    return Held(
        rule.text,
        result.verdict.value,
        result.found,
        rule.subject.unit,
        result.turns,
        result.reason,
    )


def _last(rows: pl.DataFrame, wait: str) -> list[Row]:
    last = rows.sort(pl.coalesce("user_stopped_at", RECORDED_AT), nulls_last=False).tail(LAST_TURNS)
    highest = last[wait].max()
    scale = float(highest) if isinstance(highest, float) and highest > 0 else 1.0
    return [_row(row, wait, scale) for row in last.iter_rows(named=True)]


def _row(row: dict[str, Any], wait: str, scale: float) -> Row:
    return Row(
        at=row["user_stopped_at"] or row[RECORDED_AT],
        session=row["session"],
        turn=row["turn"],
        outcome=row["outcome"],
        interrupted=bool(row["interrupted"]),
        told=row["told"],
        wait=row[wait],
        waterfall=analysis.waterfall(row, wait, scale),
    )
