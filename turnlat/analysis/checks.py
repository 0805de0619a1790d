"""Checks: all rules of a gate, held against one run and its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turnlat.analysis import limits, regressions
from turnlat.analysis.limits import Result
from turnlat.analysis.rules import Limit, Regression, parse_limit, parse_regression
from turnlat.analysis.verdicts import ALPHA
from turnlat.errors import UsageError
from turnlat.run import Run


@dataclass(frozen=True)
class Rules:
    """What a run is held against; a baseline without regressions has those of the wait."""

    limits: tuple[Limit, ...]
    regressions: tuple[Regression, ...]

    @classmethod
    def of(cls, limits: Sequence[str], regressions: Sequence[str], *, has_baseline: bool) -> Rules:
        """The rules that a user wrote, each once.

        Raises `UsageError` where one makes no sense, or nothing would be checked.
        """
        found = cls(
            tuple(dict.fromkeys(map(parse_limit, limits))),
            tuple(dict.fromkeys(map(parse_regression, regressions))),
        )
        if found.regressions and not has_baseline:
            raise UsageError(
                f"--regression {found.regressions[0].text}: there is no baseline",
                hint="name the run to compare with: --baseline main.parquet",
            )
        if not found.limits and not has_baseline:
            raise UsageError(
                "there is no rule to check",
                hint="write one: --limit 'e2e_latency.p95 < 1.5s', or name a --baseline",
            )
        return found


def hold(  # noqa: PLR0913  # each is an option of its own
    run: Run,
    rules: Rules,
    baseline: Run | None = None,
    *,
    alpha: float = ALPHA,
    pair_by: str | None = None,
    confident: bool = False,
) -> list[Result]:
    """The result of each limit, then of each regression.

    Raises `UsageError` where a rule names a group that a run does not have.
    """
    held = [limits.hold(run, limit, confident=confident) for limit in rules.limits]
    if baseline is None:
        return held
    if rules.regressions:
        return held + regressions.hold(
            baseline, run, rules.regressions, alpha=alpha, pair_by=pair_by
        )
    return held + regressions.hold_wait(baseline, run, alpha=alpha, pair_by=pair_by)
