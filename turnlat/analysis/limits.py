"""Limits: whether one run keeps the values that its team set."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from turnlat.analysis.results import Row
from turnlat.analysis.rules import Limit, Regression, Subject
from turnlat.errors import UsageError
from turnlat.metrics import METRICS
from turnlat.notes import Note
from turnlat.run import Run
from turnlat.summaries import latency
from turnlat.summaries.order_statistics import percentile, ranks
from turnlat.turns.ledger import USER_TURNS

if TYPE_CHECKING:
    import numpy.typing as npt

WORST = 3
"""So many of the turns that hurt most are named for a failed rule."""

ONE_SIDED = 0.90
"""The two-sided confidence whose lower bound is the one-sided 95 % bound."""

ALIASES = {"model": "llm_model", "agent": "agent_name"}
"""Short names of columns, as `--by` takes them."""


class Verdict(str, Enum):
    """What became of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """There is data, but not enough to tell."""
    NOT_JUDGED = "not judged"
    """There is no data, or the runs cannot be compared: never a pass."""


@dataclass(frozen=True)
class Turn:
    """A turn that broke a rule."""

    value: float | None
    """Seconds."""
    source: str | None
    line: int | None
    session: str
    turn: int | None


@dataclass(frozen=True)
class Result:
    """One rule, what was found, and the verdict."""

    rule: Limit | Regression
    verdict: Verdict
    found: float | None
    """In the unit of the rule's subject."""
    limit: float | None
    """What it was held against, in the same unit; a regression's baseline with its margin."""
    turns: int
    """How many turns the statistic is of."""
    reason: str
    """Why it passed or not, where the numbers alone do not say so."""
    worst: tuple[Turn, ...] = ()
    row: Row | None = None
    """Of a regression: both runs, the effect and its p-value."""
    notes: tuple[Note, ...] = ()
    """What must be known before trusting the verdict."""


_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda found, limit: found < limit,
    "<=": lambda found, limit: found <= limit,
    ">": lambda found, limit: found > limit,
    ">=": lambda found, limit: found >= limit,
}


def hold(run: Run, limit: Limit, *, confident: bool = False) -> Result:
    """The verdict on one limit; `confident` fails only what the one-sided 95 % bound breaks too.

    Raises `UsageError` where the limit names a group that the run does not have.
    """
    turns = group(run.frame, limit.subject)
    if limit.subject.metric in METRICS:
        return _hold_metric(turns, limit, confident=confident)
    return _hold_outcome(turns, limit, confident=confident)


def group(turns: pl.DataFrame, subject: Subject) -> pl.DataFrame:
    """The turns of the subject's group.

    Raises `UsageError` where no turn is in it.
    """
    if subject.column is None:
        return turns
    column = ALIASES.get(subject.column, subject.column)
    known = [name for name, type_ in turns.schema.items() if not isinstance(type_, pl.List)]
    if column not in known:
        close = difflib.get_close_matches(column, known, n=3) or known
        raise UsageError(
            f"{subject.name}: there is no column {subject.column}",
            hint=f"did you mean {' or '.join(close)}?",
        )
    texts = turns[column].cast(pl.String)
    members = turns.filter(texts == subject.value)
    if not members.height:
        values = sorted(texts.drop_nulls().unique())
        near = difflib.get_close_matches(subject.value or "", values, n=5, cutoff=0.0)
        raise UsageError(
            f"{subject.name}: no turn has {subject.column} {subject.value}",
            hint=f"there is {', '.join(near)}" if near else f"no turn has any {subject.column}",
        )
    return members


def _hold_metric(turns: pl.DataFrame, limit: Limit, *, confident: bool) -> Result:
    metric = limit.subject.metric
    population, notes = latency.population(turns)
    known = population.drop_nulls(metric)
    values = np.sort(known[metric].to_numpy())
    if not len(values) and limit.subject.statistic != "count":
        reason = f"no turn has {metric}; nothing was judged"
        return Result(limit, Verdict.NOT_JUDGED, None, limit.value, 0, reason)
    found = _statistic(values, limit.subject)
    verdict, reason = _verdict(found, limit)
    if (few := _too_few(len(values), limit.subject)) is not None:
        verdict, reason = Verdict.INCONCLUSIVE, few
    elif confident and verdict is Verdict.FAILED:
        verdict, reason = _confidently(_bound(values, limit), limit, reason)
    hurt: tuple[Turn, ...] = ()
    if verdict is Verdict.FAILED and limit.subject.statistic != "count":
        hurt = worst(known, metric, descending=limit.relation in ("<", "<="))
    return Result(limit, verdict, found, limit.value, len(values), reason, hurt, notes=tuple(notes))


def _statistic(values: npt.NDArray[np.float64], subject: Subject) -> float:
    share = subject.percentile
    if share is not None:
        return percentile(values, share)
    if subject.statistic == "count":
        return float(len(values))
    whole: dict[str, Callable[..., float]] = {"mean": np.mean, "min": np.min, "max": np.max}
    return float(whole[subject.statistic](values))


def _verdict(found: float, limit: Limit) -> tuple[Verdict, str]:
    keeps = _RELATIONS[limit.relation](found, limit.value)
    return (Verdict.PASSED, "") if keeps else (Verdict.FAILED, "")


def _too_few(number: int, subject: Subject) -> str | None:
    """A p99 of fewer than 100 turns would be their maximum."""
    share = subject.percentile
    needed = 0 if share is None or share < 0.99 else math.ceil(round(1 / (1 - share), 6))  # noqa: PLR2004
    if number >= needed:
        return None
    return f"a {subject.statistic} needs {needed:,} turns; there are {number:,}"


def _bound(values: npt.NDArray[np.float64], limit: Limit) -> float | None:
    """The bound of a percentile on the side of the limit; null where it cannot be had."""
    share = limit.subject.percentile
    if share is None:
        return _statistic(values, limit.subject)
    low, high = ranks(len(values), share, ONE_SIDED)
    rank = low if limit.relation in ("<", "<=") else high
    return None if rank is None else float(values[rank])


def _confidently(bound: float | None, limit: Limit, reason: str) -> tuple[Verdict, str]:
    if bound is not None and not _RELATIONS[limit.relation](bound, limit.value):
        return Verdict.FAILED, reason
    return Verdict.INCONCLUSIVE, "broken, but by no more than chance allows (--confident)"


def worst(turns: pl.DataFrame, metric: str, *, descending: bool = True) -> tuple[Turn, ...]:
    """The turns with the highest values of a metric, or with the lowest ones."""
    order = [descending, False, False, False]
    ordered = turns.drop_nulls(metric).sort(metric, "session", "turn", "line", descending=order)
    return _named(ordered.head(WORST), metric)


def _named(turns: pl.DataFrame, metric: str | None) -> tuple[Turn, ...]:
    columns = ("source", "line", "session", "turn")
    return tuple(
        Turn(row[metric] if metric else None, *(row[name] for name in columns))
        for row in turns.iter_rows(named=True)
    )


def _hold_outcome(turns: pl.DataFrame, limit: Limit, *, confident: bool) -> Result:
    asked = turns.filter(pl.col("outcome").is_in(USER_TURNS))
    outcome = limit.subject.metric
    of_it = (
        pl.col("interrupted").fill_null(value=False)
        if outcome == "interrupted"
        else pl.col("outcome") == outcome
    )
    having = asked.filter(of_it)
    if (reason := _unknown(asked, outcome)) is not None:
        return Result(limit, Verdict.NOT_JUDGED, None, limit.value, 0, reason)
    counted = float(having.height)
    found = counted / asked.height if limit.subject.statistic == "share" else counted
    verdict, reason = _verdict(found, limit)
    if confident and verdict is Verdict.FAILED and limit.subject.statistic == "share":
        bound = _share_bound(having.height, asked.height, limit)
        verdict, reason = _confidently(bound, limit, reason)
    failed = verdict is Verdict.FAILED and limit.relation in ("<", "<=")
    hurt = _named(having.head(WORST), None) if failed else ()
    return Result(limit, verdict, found, limit.value, asked.height, reason, hurt)


def _unknown(asked: pl.DataFrame, outcome: str) -> str | None:
    """Why nobody knows how many turns are so; null where some are known."""
    if not asked.height:
        return "there is no user turn; nothing was judged"
    if outcome == "interrupted" and not asked["interrupted"].count():
        return "no record tells whether a turn was interrupted; nothing was judged"
    if outcome in ("replied", "silent") and (asked["outcome"] == "unmeasured").all():
        return "there are no TTS metrics, so nobody knows who heard an answer; nothing was judged"
    return None


def _share_bound(having: int, of: int, limit: Limit) -> float:
    """The Wilson bound of a share on the side of the limit (Wilson 1927, JASA 22:209)."""
    z = 1.6448536269514722
    share, spread = having / of, z * z / of
    middle = share + spread / 2
    reach = z * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    side = -1 if limit.relation in ("<", "<=") else 1
    return (middle + side * reach) / (1 + spread)
