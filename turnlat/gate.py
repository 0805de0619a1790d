"""The gate in Python: for people who write their checks in pytest."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from turnlat import writers
from turnlat.analysis.checks import Rules, hold
from turnlat.analysis.limits import Result, Verdict
from turnlat.analysis.verdicts import ALPHA
from turnlat.report import check as reports
from turnlat.run import Run, load

_PAGE = writers.Page(width=100)

Runnable = Run | str | PathLike[str]
"""A run, or where one is to be loaded from."""


def check(  # noqa: PLR0913  # each is an option of its own
    run: Runnable,
    limits: Sequence[str] = (),
    *,
    baseline: Runnable | None = None,
    regressions: Sequence[str] = (),
    pair_by: str | None = None,
    alpha: float = ALPHA,
    confident: bool = False,
) -> list[Result]:
    """The result of each limit, such as `e2e_latency.p95 < 1.5s`, then of each regression.

    Regressions are like `e2e_latency.p95 +10% 50ms`; with a `baseline` and none of them, the p50
    and p95 of the wait are held against it, at one chance of `alpha` to fail wrongly. `pair_by`
    names the column that tells which sessions replay the same script. `found` and `limit` of the
    results are in seconds, shares of 1 or counts, as the rule's subject says. `confident` fails a
    limit only if its one-sided 95 % bound breaks it too.
    Raises `UsageError` where a rule makes no sense, names a group that a run does not have, or
    lacks its baseline, and `InputError` where there is nothing to load.
    """
    rules = Rules.of(limits, regressions, has_baseline=baseline is not None)
    before = None if baseline is None else _loaded(baseline)
    return hold(_loaded(run), rules, before, alpha=alpha, pair_by=pair_by, confident=confident)


def assert_limits(run: Runnable, *limits: str) -> None:
    """Raise `AssertionError`, which reads like the table, where a rule does not hold.

    What could not be judged does not hold either. Raises as `check` does beside that.
    """
    loaded = _loaded(run)
    results = check(loaded, limits)
    if any(result.verdict is not Verdict.PASSED for result in results):
        table = writers.WRITERS["table"].write(reports.report(loaded, results), _PAGE)
        raise AssertionError(table.decode())


def _loaded(run: Runnable) -> Run:
    return run if isinstance(run, Run) else load(run)
