"""The report of a comparison: verdicts, where the change comes from, what could have been seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from turnlat import units
from turnlat.analysis.results import Comparison, Row
from turnlat.metrics import COMPONENTS, METRICS
from turnlat.report import Column, Diverging, Exhibits, Report, Table
from turnlat.run import Run

SCHEMA = "turnlat/comparison/1"

_COMPONENTS = {metric.name for metric in COMPONENTS}
_VERDICTS = {
    "worse": "worse",
    "better": "better",
    "same": "no worse than the margin",
    "inconclusive": "no difference shown",
}


def report(comparisons: Sequence[Comparison], runs: Sequence[Run]) -> Report:
    """What `turnlat compare` shows of one baseline and its candidates, `runs` in that order."""
    tables = [
        table
        for comparison in comparisons
        for table in _tables(comparison, several=len(comparisons) > 1)
    ]

    def shown_on_pages() -> Exhibits:
        from turnlat.report import differences  # noqa: PLC0415  # only pages and pictures need it

        return differences.exhibits(comparisons, runs, tables)

    notes = {note.code: note for comparison in comparisons for note in comparison.notes}
    return Report(
        [line for comparison in comparisons for line in _headline(comparison)],
        tables,
        list(notes.values()),
        _rows(comparisons),
        {
            "schema": SCHEMA,
            "baseline": comparisons[0].baseline,
            "comparisons": [_document(comparison) for comparison in comparisons],
        },
        exhibits=shown_on_pages,
    )


def _headline(comparison: Comparison) -> list[str]:
    """The verdict, and where it comes from, in a sentence each."""
    what = f"{comparison.candidate} against {comparison.baseline}"
    paired = f", paired by {comparison.paired_by}" if comparison.paired_by else ""
    judged = any(row.p is not None for row in comparison.gated)
    verdict = _VERDICTS[comparison.verdict] if judged else "too few sessions for a verdict"
    first = f"{what}{paired}: {verdict}"
    named = [f"{row.metric} {row.statistic}" for row in comparison.gated if _is_called(row)]
    lines = [f"{first} ({', '.join(named)})" if named else first]
    cause = comparison.cause
    if named and cause is not None:
        lines.append(
            f"mean {comparison.wait}: {units.change(comparison.mean.change)} ms, "
            f"of which {METRICS[cause.metric].label} {units.change(cause.change)} ms"
        )
    return lines


def _is_called(row: Row) -> bool:
    return row.verdict in ("worse", "better")


def _tables(comparison: Comparison, *, several: bool) -> Iterable[Table]:
    of = f"{comparison.candidate}: " if several else ""
    tables = (
        _metrics_table(comparison, of),
        _groups_table(comparison, of),
        _parts_table(comparison, of),
        _shares_table(comparison, of),
        _models_table(comparison, of),
        _power_table(comparison, of),
    )
    return (table for table in tables if table.rows)


_METRICS = (
    Column("metric", "name"),
    Column("of", "name"),
    Column("baseline", "milliseconds"),
    Column("interval", "interval", 6),
    Column("candidate", "milliseconds"),
    Column("interval", "interval", 7),
    Column("change", "change", 2),
    Column("ratio", "ratio"),
    Column("interval", "ratios", 1),
    Column("p", "probability", 3),
    Column("verdict", "mark"),
    Column("turns", "counts", 5),
    Column("sessions", "counts", 4),
)


def _metrics_table(comparison: Comparison, of: str) -> Table:
    rows = [_metric_row(row) for row in comparison.rows if row.gated or _is_visible(row)]
    return Table("metrics", f"{of}latency, ms", _METRICS, rows)


def _is_visible(row: Row) -> bool:
    """Whether a row shows anything but zeros."""
    return max(abs(row.baseline.value), abs(row.candidate.value)) >= 0.0005  # noqa: PLR2004


def _metric_row(row: Row) -> tuple[Any, ...]:
    return (
        ("  " if row.metric in _COMPONENTS else "") + row.metric,
        row.statistic,
        row.baseline.value,
        (row.baseline.low, row.baseline.high),
        row.candidate.value,
        (row.candidate.low, row.candidate.high),
        row.difference,
        row.ratio,
        (row.ratio_low, row.ratio_high),
        row.p,
        row.verdict,
        (row.baseline.turns, row.candidate.turns),
        (row.baseline.sessions, row.candidate.sessions),
    )


def _groups_table(comparison: Comparison, of: str) -> Table:
    rows = [
        (group.group, *_metric_row(row), _cause(group))
        for group in comparison.groups
        for row in group.gated
    ]
    heads = (Column(comparison.by or "group", "text"), *_METRICS, Column("most of it", "name", 3))
    return Table("groups", f"{of}latency by {comparison.by}, ms", heads, rows)


def _cause(comparison: Comparison) -> str | None:
    cause = comparison.cause
    return None if cause is None else f"{METRICS[cause.metric].label} {units.change(cause.change)}"


def _parts_table(comparison: Comparison, of: str) -> Table:
    """The split of the mean wait, and its sum as the last row."""
    if len(comparison.parts) < 2:  # noqa: PLR2004  # nothing is split
        return Table("parts", "", (), ())
    scale = max(abs(part.change) for part in comparison.parts)
    rows: list[tuple[Any, ...]] = [
        (
            METRICS[part.metric].label,
            part.baseline,
            part.candidate,
            part.change,
            (part.low, part.high),
            Diverging(part.change, scale),
        )
        for part in comparison.parts
        if max(abs(part.baseline), abs(part.candidate)) >= 0.0005  # noqa: PLR2004
    ]
    mean = comparison.mean
    bounds = (mean.low, mean.high)
    rows.append(
        (f"mean {comparison.wait}", mean.baseline, mean.candidate, mean.change, bounds, None)
    )
    heads = (
        Column("component", "name"),
        Column("baseline", "milliseconds", 2),
        Column("candidate", "milliseconds", 2),
        Column("change", "change"),
        Column("interval", "changes", 1),
        Column("faster │ slower", "diverging"),
    )
    return Table("parts", f"{of}where the change of the mean wait comes from, ms", heads, rows)


def _shares_table(comparison: Comparison, of: str) -> Table:
    heads = (
        Column("turns", "name"),
        Column("of", "name", 1),
        Column("baseline", "percent"),
        Column("candidate", "percent"),
        Column("change", "points"),
        Column("interval", "points_interval"),
    )
    rows = [
        (s.name, s.of, s.baseline, s.candidate, s.change, (s.low, s.high))
        for s in comparison.shares
    ]
    return Table("shares", f"{of}what percentiles cannot see, % of turns", heads, rows)


def _models_table(comparison: Comparison, of: str) -> Table:
    heads = (
        Column("component", "name"),
        Column("model", "text"),
        Column("baseline", "count"),
        Column("candidate", "count"),
    )
    rows = [(m.component, m.model, m.baseline, m.candidate) for m in comparison.models]
    return Table("models", f"{of}models that changed, turns", heads, rows)


def _power_table(comparison: Comparison, of: str) -> Table:
    """The smallest change that would have shown four times out of five."""
    heads = (
        Column("metric", "name"),
        Column("of", "name"),
        Column("margin", "change"),
        Column("smallest", "change"),
        Column("ratio", "ratio", 1),
        Column("sessions", "counts"),
        Column("for the margin", "count"),
    )
    rows = [
        (
            row.metric,
            row.statistic,
            row.margin,
            row.detectable,
            1 + row.detectable / row.baseline.value if row.baseline.value > 0 else None,
            (row.baseline.sessions, row.candidate.sessions),
            row.sessions_needed,
        )
        for row in comparison.gated
        if row.detectable is not None
    ]
    title = f"{of}smallest change that would show as worse 4 times out of 5, ms"
    return Table("power", title, heads, rows)


def _rows(comparisons: Sequence[Comparison]) -> pl.DataFrame:
    """The metric table as it is written to CSV: a row per candidate, group, metric, statistic."""
    return pl.DataFrame(
        [
            {"candidate": one.candidate, "group": one.group} | _flat(row)
            for comparison in comparisons
            for one in (comparison, *comparison.groups)
            for row in one.rows
        ],
        infer_schema_length=None,
    )


def _flat(row: Row) -> dict[str, Any]:
    """A row with its values' fields beside its own."""
    fields = asdict(row)
    sides = {side: fields.pop(side) for side in ("baseline", "candidate")}
    values = {
        side if name == "value" else f"{side}_{name}": value
        for side, fields_ in sides.items()
        for name, value in fields_.items()
    }
    head = {name: fields.pop(name) for name in ("metric", "statistic", "gated")}
    renamed = {f"{side}_value" if side in values else side: values[side] for side in sides}
    values = {**renamed, **{k: v for k, v in values.items() if k not in sides}}
    return head | values | {"difference": row.difference} | fields


def _document(comparison: Comparison) -> dict[str, Any]:
    """Keys are only ever added within a schema number."""
    fields = asdict(comparison)
    fields.pop("groups")
    for row, kept in zip(fields["rows"], comparison.rows, strict=True):
        row["difference"] = kept.difference
    return fields | {
        "verdict": comparison.verdict,
        "cause": comparison.cause and comparison.cause.metric,
        "groups": [_document(group) for group in comparison.groups],
    }
