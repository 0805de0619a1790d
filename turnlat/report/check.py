"""The report of a check: one line per rule, and the turns that broke it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl

from turnlat import units
from turnlat.analysis.limits import Result, Turn, Verdict
from turnlat.analysis.results import Row
from turnlat.analysis.rules import Limit
from turnlat.report import Case, Column, Exhibits, Fact, Report, Table
from turnlat.run import Run
from turnlat.units import plural

SCHEMA = "turnlat/check/1"

_RULES = (
    Column("rule", "text"),
    Column("found", "quantity"),
    Column("limit", "quantity"),
    Column("turns", "count", 2),
    Column("verdict", "verdict"),
    Column("why", "text", 1),
)
_TURNS = (
    Column("rule", "text", 1),
    Column("found", "quantity"),
    Column("first record", "place"),
    Column("turn", "count", 2),
    Column("session", "text", 3),
)

_EFFECT = ("ratio", "ratio_low", "ratio_high", "shift", "shift_low", "shift_high", "p")
"""What a comparison tells of a regression."""

_ROWS = {
    "rule": pl.String(),
    "verdict": pl.String(),
    "found": pl.Float64(),
    "limit": pl.Float64(),
    "unit": pl.String(),
    "turns": pl.Int64(),
    "reason": pl.String(),
    **dict.fromkeys(_EFFECT, pl.Float64()),
    "baseline": pl.Float64(),
}


def report(run: Run, results: Sequence[Result]) -> Report:
    """What `turnlat check` shows of the results of all rules."""
    rules = Table("rules", "checks", _RULES, [_rule(result) for result in results])
    worst = Table(
        "worst", "turns that hurt most", _TURNS, [row for r in results for row in _worst(r)]
    )
    return Report(
        [_headline(run, results), *(_unjudged(r) for r in results if _is_unjudged(r))],
        [rules, *([worst] if worst.rows else [])],
        list({note.code: note for result in results for note in result.notes}.values()),
        pl.DataFrame([_row(result) for result in results], schema=_ROWS),
        _document(run, results),
        cases=[_case(result) for result in results],
        exhibits=lambda: _exhibits(run, results, [rules, *([worst] if worst.rows else [])]),
    )


def _exhibits(run: Run, results: Sequence[Result], tables: Sequence[Table]) -> Exhibits:
    """The run's, with the verdicts in front."""
    from turnlat.report import exhibits  # noqa: PLC0415  # only pages and pictures need it

    of_run = exhibits.of_run(run, ())
    counts = Counter(result.verdict for result in results)
    verdicts = [
        Fact(verdict.value, "count", counts[verdict], "rules")
        for verdict in Verdict
        if counts[verdict]
    ]
    return of_run._replace(facts=[*verdicts, *of_run.facts], verdicts=tables)


def _headline(run: Run, results: Sequence[Result]) -> str:
    counts = Counter(result.verdict for result in results)
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return f"{run.label}: {plural(len(results), 'rule')}: {told}"


def _is_unjudged(result: Result) -> bool:
    return result.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_JUDGED)


def _unjudged(result: Result) -> str:
    """Why there is no verdict, in full: no column has the room."""
    return f"{result.rule.text}: {result.verdict.value}: {_why(result)}"


def _rule(result: Result) -> tuple[Any, ...]:
    unit = result.rule.subject.unit
    return (
        result.rule.text,
        (result.found, unit),
        (result.limit, unit),
        result.turns,
        result.verdict.value,
        "" if _is_unjudged(result) else _why(result),
    )


def _why(result: Result) -> str:
    """What the numbers of a rule's line do not say."""
    return result.reason if result.row is None else _effect(result.row)


def _effect(row: Row) -> str:
    """The effect of a regression, and what could have been seen where there is no verdict."""
    if row.p is None:
        sessions = f"{row.baseline.sessions} and {row.candidate.sessions}"
        return f"too few sessions for a verdict: {sessions}"
    grown = None if row.ratio is None else units.growth(row.ratio - 1)
    effect = grown or f"{units.change(row.shift)} ms"
    told = f"{effect}, p {units.probability(row.p)}"
    if row.verdict != "inconclusive" or row.detectable is None:
        return told
    needed = f"; {row.sessions_needed:,} sessions a side would do" if row.sessions_needed else ""
    return f"{told}: only {units.change(row.detectable)} ms and more would show{needed}"


def _worst(result: Result) -> list[tuple[Any, ...]]:
    return [
        (
            result.rule.text,
            (turn.value, "seconds"),
            (turn.source, turn.line),
            turn.turn,
            turn.session,
        )
        for turn in result.worst
    ]


def _row(result: Result) -> dict[str, Any]:
    return {
        "rule": result.rule.text,
        "verdict": result.verdict.value,
        "found": result.found,
        "limit": result.limit,
        "unit": result.rule.subject.unit,
        "turns": result.turns,
        "reason": result.reason or None,
        **{name: getattr(result.row, name, None) for name in _EFFECT},
        "baseline": result.row.baseline.value if result.row else None,
    }


def _document(run: Run, results: Sequence[Result]) -> dict[str, Any]:
    """Keys are only ever added within a schema number."""
    rules = [
        _row(r) | {"worst": [vars(turn) for turn in r.worst], "notes": r.notes} for r in results
    ]
    return {"schema": SCHEMA, "run": run.label, "ledger": run.ledger.flat(), "rules": rules}


def _case(result: Result) -> Case:
    first = result.worst[0] if result.worst else None
    return Case(
        rule=result.rule.text,
        kind="limit" if isinstance(result.rule, Limit) else "regression",
        verdict=result.verdict.value,
        sentence=sentence(result),
        places=[_place(turn) for turn in result.worst],
        first=(first.source, first.line) if first else None,
    )


def sentence(result: Result) -> str:
    """What was found and what it was held against."""
    unit = result.rule.subject.unit
    if result.found is None:
        return result.reason
    told = (
        f"{result.rule.subject.name} is {units.quantity(result.found, unit)} over "
        f"{plural(result.turns, 'turn')}; the limit is {units.quantity(result.limit, unit)}"
    )
    if result.row is not None:
        baseline = units.quantity(result.row.baseline.value, unit)
        told = f"{told}, with the baseline at {baseline}"
    why = _why(result)
    return f"{told} ({why})" if why else told


def _place(turn: Turn) -> str:
    value = f"{units.quantity(turn.value, 'seconds')} at " if turn.value is not None else ""
    number = f", turn {turn.turn}" if turn.turn is not None else ""
    return f"{value}{turn.source}:{turn.line} (session {turn.session}{number})"
