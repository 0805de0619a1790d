"""The report of one run: latency, slowest turns, transcriptions, tools, usage, ledger."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl

from turnlat.errors import UsageError
from turnlat.metrics import COMPONENTS
from turnlat.notes import TURN_NOTES, Note
from turnlat.report import Column, Exhibits, Report, Table, Waterfall, columns
from turnlat.run import Run
from turnlat.summaries import latency
from turnlat.turns.ledger import OUTCOMES, USER_TURNS
from turnlat.turns.table import RECORDED_AT
from turnlat.units import plural

SCHEMA = "turnlat/analysis/1"
OVERVIEW_ROWS = 10
"""A table with more rows is cut in the overview, and says so."""
PAGE_ROWS = 100
"""The same on a page."""

ALIASES = {"model": "llm_model", "agent": "agent_name"}
"""Short names that `--by` takes for columns."""


def report(run: Run, *, by: str | None = None, worst: int = 5, table: str | None = None) -> Report:
    """What `turnlat analyze` shows: an overview, or one table in full where `table` names it.

    Raises `UsageError` where `by` is no column of the turn table.
    """
    turns, split = _split(run, by)
    members, notes = (None, []) if split == "outcome" else latency.membership(turns)
    statistics = latency.summarize(turns, split, members)
    slowest = _slowest_table(turns, members, worst)
    frames = _frames(run, statistics)

    def shown_on_pages() -> Exhibits:
        from turnlat.report import exhibits  # noqa: PLC0415  # only pages and pictures need it

        tables = [
            *_overview(frames, split, slowest, PAGE_ROWS),
            _ledger_table(frames["ledger"]),
        ]
        return exhibits.of_run(run, tables, run.frame if split == "outcome" else None)

    if table:
        shown = _full_table(table, frames, split)
        document = {"schema": SCHEMA, "run": run.label, table: frames[table]}
        rows = frames[table]
        return Report([], [shown], [], rows, document, saved=run, exhibits=shown_on_pages)
    all_notes = [*_turn_notes(run.frame), *run.notes, *notes, *_percentile_notes(statistics)]
    return Report(
        _headline(run),
        _overview(frames, split, slowest),
        all_notes,
        run.turns,
        _document(run, statistics, all_notes),
        saved=run,
        exhibits=shown_on_pages,
    )


def _frames(run: Run, statistics: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The tables by their names."""
    return {
        "turns": run.turns,
        "latency": statistics,
        "transcriptions": run.transcriptions,
        "tools": run.tools,
        "usage": run.usage,
        "ledger": pl.DataFrame([run.ledger.flat()]),
    }


def _document(run: Run, statistics: pl.DataFrame, notes: list[Note]) -> dict[str, Any]:
    """Keys are only ever added within a schema number."""
    return {
        "schema": SCHEMA,
        "run": run.label,
        "ledger": run.ledger.flat(),
        "bad_lines": run.bad_lines,
        "bad_line_count": run.ledger.bad,
        "latency": statistics,
        "transcriptions": run.transcriptions,
        "tools": run.tools,
        "usage": run.usage,
        "notes": notes,
    }


def _split(run: Run, by: str | None) -> tuple[pl.DataFrame, str | None]:
    """The turns with the column that `--by` names."""
    if by is None:
        return run.frame, None
    if by == "hour":
        time = pl.coalesce("user_stopped_at", RECORDED_AT)
        return run.frame.with_columns(hour=time.dt.truncate("1h")), by
    column = ALIASES.get(by, by)
    if column in latency.SCHEMA:
        raise UsageError(
            f"--by {by}: the statistics have a column of this name themselves",
            hint="select instead: --where",
        )
    known = [name for name in run.turns.columns if name != "notes"]
    if column not in known:
        names = [*ALIASES, "hour", *known]
        close = difflib.get_close_matches(by, names, n=3)
        known_names = f"columns are {', '.join(names)}; --keep FIELD adds fields of the log lines"
        hint = f"did you mean {' or '.join(close)}?" if close else known_names
        raise UsageError(f"--by {by}: there is no such column", hint=hint)
    return run.frame, column


def _overview(
    frames: dict[str, pl.DataFrame],
    by: str | None,
    slowest: Table,
    most: int = OVERVIEW_ROWS,
) -> list[Table]:
    tables = [
        _latency_table(frames["latency"], by),
        slowest,
        *(_frame_table(name, frames[name], most) for name in ("transcriptions", "tools", "usage")),
    ]
    return [table for table in tables if table.rows]


def _full_table(name: str, frames: dict[str, pl.DataFrame], by: str | None) -> Table:
    if name == "latency":
        return _latency_table(frames[name], by)
    if name == "ledger":
        return _ledger_table(frames[name])
    return _frame_table(name, frames[name])


def wait_metric(statistics: pl.DataFrame) -> str:
    """What stands for the wait: measured where any turn has it, else LiveKit's formula."""
    measured = statistics.filter(pl.col("metric") == "e2e_latency")["count"].sum()
    return "e2e_latency" if measured else "total_latency"


def _latency_table(statistics: pl.DataFrame, by: str | None) -> Table:
    """One row per metric that any turn has, with its share of the median wait."""
    wait = wait_metric(statistics)
    groups: dict[Any, float] = {
        row[by] if by else None: row["p50"]
        for row in statistics.filter(metric=wait).iter_rows(named=True)
    }
    rows = [
        _latency_row(row, by, groups.get(row[by] if by else None))
        for row in statistics.filter(pl.col("count") > 0).iter_rows(named=True)
    ]
    split = [Column(by, "moment" if by == "hour" else "text")] if by else []
    title = f"latency by {by}, ms" if by else "latency, ms"
    return Table("latency", title, [*split, *_LATENCY], rows)


_LATENCY = (
    Column("metric", "name"),
    Column("turns", "count", 1),
    Column("missing", "count", 6),
    Column("min", "milliseconds", 7),
    Column("mean", "milliseconds", 5),
    Column("p50", "milliseconds"),
    Column("p50 interval", "interval", 9),
    Column("p90", "milliseconds", 3),
    Column("p90 interval", "interval", 10),
    Column("p95", "milliseconds"),
    Column("p95 interval", "interval", 8),
    Column("p99", "milliseconds", 4),
    Column("p99 interval", "interval", 11),
    Column("max", "milliseconds", 2),
    Column("of the median wait", "share"),
)

P99_TURNS = 100
"""Fewer turns have no p99 that would not be their maximum."""


def _latency_row(row: dict[str, Any], by: str | None, wait: float | None) -> tuple[Any, ...]:
    component = row["metric"] in {metric.name for metric in COMPONENTS}
    share = row["p50"] / wait if component and wait else None
    return (
        *([row[by]] if by else []),
        ("  " if component else "") + row["metric"],
        row["count"],
        row["missing"],
        row["min"],
        row["mean"],
        row["p50"],
        (row["p50_low"], row["p50_high"]),
        row["p90"],
        (row["p90_low"], row["p90_high"]),
        row["p95"],
        (row["p95_low"], row["p95_high"]),
        row["p99"] if row["count"] >= P99_TURNS else None,
        (row["p99_low"], row["p99_high"]),
        row["max"],
        share,
    )


def _slowest_table(turns: pl.DataFrame, members: pl.Series | None, worst: int) -> Table:
    """The slowest of the turns that `members` marks; of all turns where it is null."""
    measured = turns.select("e2e_latency", "total_latency")
    among = measured if members is None else measured.filter(members)
    wait = "e2e_latency" if among["e2e_latency"].count() else "total_latency"
    least = pl.lit(among[wait].top_k(worst).min(), pl.Float64)
    slowest = (
        turns.filter(pl.col(wait) >= least, True if members is None else members)
        .sort(wait, "session", "turn", descending=[True, False, False])
        .head(worst)
    )
    scale = slowest[wait].max() if slowest.height else 0.0
    rows = [
        (
            row[wait],
            row["turn"],
            waterfall(row, wait, float(scale)),  # type: ignore[arg-type]
            (row["source"], row["line"]),
            row["session"],
            row["notes"],
        )
        for row in slowest.iter_rows(named=True)
    ]
    heads = (
        Column("wait", "milliseconds"),
        Column("turn", "count", 2),
        Column("from the end of the user's speech", "waterfall"),
        Column("first record", "place"),
        Column("session", "text", 4),
        Column("notes", "codes", 3),
    )
    return Table("slowest", f"slowest turns, ms ({wait})", heads, rows)


def waterfall(turn: dict[str, Any], wait: str, scale: float) -> Waterfall:
    """The components of a row's wait on the clock; all that are known where it has none yet."""
    parts, now = [], 0.0
    end = math.inf if turn[wait] is None else turn[wait]
    for component in COMPONENTS:
        length = turn[component.name] or 0.0
        if length > 0 and now < end:
            parts.append((component.name, max(now, 0.0), min(now + length, end)))
        now += length
    return Waterfall(tuple(parts), scale)


def _frame_table(name: str, frame: pl.DataFrame, most: int | None = None) -> Table:
    """A table of the contract, or `most` rows of it; fields of log lines are texts at its end."""
    shown = frame if most is None else frame.head(most)
    kinds = columns.SUMMARY_KINDS.get(name, columns.TURN_KINDS)
    headings = columns.HEADINGS if name in columns.SUMMARY_KINDS else {}
    heads = [
        Column(headings.get(column, column), *kinds.get(column, ("text", 0)))
        for column in frame.columns
    ]
    left_out = frame.height - shown.height
    return Table(name, columns.TITLES[name], heads, shown.rows(), left_out)


def _ledger_table(ledger: pl.DataFrame) -> Table:
    heads = (Column("count", "name"), Column("number", "count"), Column("meaning", "text", 1))
    rows = [
        (name, number, columns.LEDGER_MEANINGS[name])
        for name, number in ledger.row(0, named=True).items()
    ]
    return Table("ledger", "ledger", heads, rows)


def _headline(run: Run) -> list[str]:
    """What was read, where it went, and what became of it, a line each."""
    each = ((pl.col("outcome") == name).sum().alias(name) for name in OUTCOMES)
    outcomes = run.frame.select(each).row(0, named=True)
    user_turns = sum(outcomes[name] for name in USER_TURNS)
    read = [
        plural(run.ledger.lines, "line"),
        plural(run.session_count, "session"),
        plural(user_turns, "user turn"),
        *_span(run.frame),
    ]
    return [
        f"{run.label}: {', '.join(read)}",
        ledger_line(run),
        f"turns: {_counts(outcomes, OUTCOMES)}",
    ]


def ledger_line(run: Run) -> str:
    """Where lines and records went, in a line."""
    counts = run.ledger.flat()
    lines = _counts(counts, ("metric", "other", "blank", "bad", "joined"))
    records = _counts(counts, ("in_turns", "in_sessions", "unattributed", "duplicates"))
    return f"ledger: lines {lines}; records {records}"


def _counts(counts: dict[str, int], names: Iterable[str]) -> str:
    known = (f"{counts[name]:,} {name.replace('_', ' ')}" for name in names if counts[name])
    return ", ".join(known) or "none"


def _span(frame: pl.DataFrame) -> list[str]:
    first, last = frame[RECORDED_AT].min(), frame[RECORDED_AT].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return []
    start = f"{first:%Y-%m-%d %H:%M}"
    end = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M}"
    return [f"{start} UTC" if start.endswith(end) else f"{start}–{end} UTC"]


def _turn_notes(turns: pl.DataFrame) -> list[Note]:
    counts = dict(turns["notes"].explode().drop_nulls().value_counts().iter_rows())
    return [Note.of(code, counts[code]) for code in TURN_NOTES if code in counts]


def _percentile_notes(statistics: pl.DataFrame) -> list[Note]:
    turns = statistics["count"].max()
    few = isinstance(turns, int) and 0 < turns < P99_TURNS
    return [Note.of("p99-few", turns)] if few and isinstance(turns, int) else []
