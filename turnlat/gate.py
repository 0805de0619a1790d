"""The gate in Python: for people who write their checks in pytest."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from turnlat import writers
from turnlat.analysis import limits, rules
from turnlat.analysis.limits import Result, Verdict
from turnlat.report import check as reports
from turnlat.run import Run, load

_PAGE = writers.Page(width=100)

Runnable = Run | str | PathLike[str]
"""A run, or where one is to be loaded from."""


def check(run: Runnable, limits_: Sequence[str], *, confident: bool = False) -> list[Result]:
    """The result of each rule, such as `e2e_latency.p95 < 1.5s`, in their order.

    `found` and `limit` are in seconds, shares of 1 or counts, as the rule's subject says.
    `confident` fails a limit only if its one-sided 95 % bound breaks it too. Raises `UsageError`
    where a rule makes no sense or names a group that the run does not have, and `InputError`
    where there is nothing to load.
    """
    parsed = [rules.parse_limit(text) for text in limits_]
    loaded = _loaded(run)
    return [limits.hold(loaded, limit, confident=confident) for limit in parsed]


def assert_limits(run: Runnable, *limits_: str) -> None:
    """Raise `AssertionError`, which reads like the table, where a rule does not hold.

    What could not be judged does not hold either. Raises as `check` does beside that.
    """
    loaded = _loaded(run)
    results = check(loaded, limits_)
    if any(result.verdict is not Verdict.PASSED for result in results):
        table = writers.WRITERS["table"].write(reports.report(loaded, results), _PAGE)
        raise AssertionError(table.decode())


def _loaded(run: Runnable) -> Run:
    return run if isinstance(run, Run) else load(run)
