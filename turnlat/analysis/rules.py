"""Rules: what a check holds a run against, as people write it: `e2e_latency.p95 < 1.5s`.

A limit is `METRIC.STATISTIC[COLUMN=VALUE] < VALUE`, a regression `METRIC.STATISTIC +10% 50ms`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NoReturn

from turnlat.errors import UsageError
from turnlat.metrics import METRICS

OUTCOMES = ("replied", "silent", "unmeasured", "interrupted")
"""What turns can be counted for, and their share of the user turns."""

DURATION_STATISTICS = ("mean", "min", "max", "count", "p50", "p90", "p95", "p99", "p99.9")
"""Any percentile from p50 to p99.9 will do."""
OUTCOME_STATISTICS = ("share", "count")
REGRESSION_STATISTICS = ("mean", "p50", "p90", "p95", "p99")

RELATIONS = ("<=", ">=", "<", ">")

_PERCENTILE = re.compile(r"p(?P<number>\d{2}(?:\.\d+)?)")
_VALUE = re.compile(r"(?P<sign>[+-]?)(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>[a-zµ%]*)")
_SECONDS = {"s": 1.0, "ms": 1e-3}
_FACTORS = {"seconds": _SECONDS, "share": {"%": 0.01, "": 1.0}, "count": {"": 1.0}}
_EXAMPLES = {
    "seconds": "durations are like 1.5s or 400ms",
    "share": "shares are like 5% or 0.05",
    "count": "counts are like 100",
}


@dataclass(frozen=True)
class Subject:
    """What a rule looks at: a statistic of a metric, or of an outcome, in a group or in all."""

    metric: str
    statistic: str
    column: str | None = None
    value: str | None = None

    @property
    def name(self) -> str:
        """As it is written."""
        group = f"[{self.column}={self.value}]" if self.column else ""
        return f"{self.metric}.{self.statistic}{group}"

    @property
    def percentile(self) -> float | None:
        """The share below, where the statistic is a percentile."""
        found = _PERCENTILE.fullmatch(self.statistic)
        return float(found["number"]) / 100 if found else None

    @property
    def unit(self) -> str:
        """`seconds`, `share` or `count`."""
        return self.statistic if self.statistic in OUTCOME_STATISTICS else "seconds"


@dataclass(frozen=True)
class Limit:
    """A value that a statistic must keep."""

    text: str
    subject: Subject
    relation: str
    value: float
    """Seconds, a share of 1, or a count, as the subject's unit says."""


@dataclass(frozen=True)
class Regression:
    """How much worse than the baseline's a statistic may be."""

    text: str
    subject: Subject
    relative: float
    absolute: float
    """Seconds; a change has to exceed both."""


class RuleError(UsageError):
    """A rule that makes no sense: the message, and the caret under the place."""

    def __init__(self, rule: str, start: int, end: int, message: str, hint: str) -> None:
        caret = " " * start + "^" * max(1, end - start)
        super().__init__(message, hint=hint, detail=(rule, caret))


def parse_limit(text: str) -> Limit:
    """The limit that a user wrote.

    Raises `RuleError` where it does not parse, or names what there is not.
    """
    scanner = _Scanner(text)
    subject = scanner.subject()
    relation = scanner.relation()
    return Limit(text, subject, relation, scanner.value(subject))


def parse_regression(text: str) -> Regression:
    """The regression that a user wrote; `METRIC.STATISTIC +10% 50ms`, or one of the two margins.

    Raises `RuleError` where it does not parse, or names what there is not.
    """
    scanner = _Scanner(text)
    subject = scanner.subject()
    if subject.statistic not in REGRESSION_STATISTICS:
        scanner.fail_statistic(REGRESSION_STATISTICS)
    relative, absolute = scanner.margins()
    return Regression(text, subject, relative, absolute)


def parse_margins(text: str) -> tuple[float, float]:
    """The relative margin and the absolute one in seconds, as in `10% 50ms`; 0 for one left out.

    Raises `RuleError` where it does not parse.
    """
    return _Scanner(text).margins()


class _Scanner:
    """Reads a rule from left to right, and knows where it is."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self._statistic = text, 0, (0, 0)

    def subject(self) -> Subject:
        metric = self._word()
        known = (*METRICS, *OUTCOMES)
        if metric not in known:
            self._unknown("metric", metric, known, self.at - len(metric))
        if not self._take("."):
            self._fail("a statistic is missing", f"write {metric}.{_statistics(metric)[0]}")
        statistic = self._word(dots=True)
        self._statistic = (self.at - len(statistic), self.at)
        if not _is_statistic(metric, statistic):
            self.fail_statistic(_statistics(metric))
        if not self._take("["):
            return Subject(metric, statistic)
        column, value = self._group()
        return Subject(metric, statistic, column, value)

    def _group(self) -> tuple[str, str]:
        start, end = self.at, self.text.rfind("]")
        column, equals, value = self.text[start:end].partition("=")
        if end < start or not equals or not column.strip() or not value.strip():
            self._fail("the group is not closed, or no COLUMN=VALUE", "write [llm_model=gpt-4o]")
        self.at = end + 1
        return column.strip(), value.strip()

    def relation(self) -> str:
        self._skip()
        found = next((r for r in RELATIONS if self.text.startswith(r, self.at)), None)
        if found is None:
            self._fail("a relation is missing", "relations are <, <=, > and >=")
        self.at += len(found)
        return found

    def value(self, subject: Subject) -> float:
        self._skip()
        found = _VALUE.fullmatch(self.text[self.at :].rstrip())
        hint = _EXAMPLES[subject.unit]
        if found is None:
            self._fail("a value is missing or has something after it", hint, to_end=True)
        factor = _FACTORS[subject.unit].get(found["unit"])
        if factor is None:
            unit = f"has the unit {found['unit']}" if found["unit"] else "has no unit"
            self._fail(f"the value {unit}", hint, to_end=True)
        return float(found["sign"] + found["number"]) * factor

    def margins(self) -> tuple[float, float]:
        margins: dict[str, float] = {}
        parts = self.text[self.at :].split()
        hint = "margins are like +10%, 50ms or +10% 50ms"
        if not parts:
            self._fail("a margin is missing", hint)
        for part in parts:
            self.at = self.text.index(part, self.at)
            found = _VALUE.fullmatch(part)
            unit = found["unit"] if found and found["sign"] != "-" else None
            if found is None or unit not in {"%", *_SECONDS}:
                self._fail(f"{part} is no margin", hint, width=len(part))
            kind, factor = ("%", 0.01) if unit == "%" else ("s", _SECONDS[unit])
            if kind in margins:
                self._fail(f"{part} is a second margin of its kind", hint, width=len(part))
            margins[kind] = float(found["number"]) * factor
            self.at += len(part)
        return margins.get("%", 0.0), margins.get("s", 0.0)

    def fail_statistic(self, known: Collection[str]) -> NoReturn:
        start, end = self._statistic
        self._unknown("statistic", self.text[start:end], known, start)

    def _word(self, *, dots: bool = False) -> str:
        self._skip()
        found = re.compile(r"[\w.]*" if dots else r"\w*").match(self.text, self.at)
        word = found[0] if found else ""
        self.at += len(word)
        return word

    def _take(self, mark: str) -> bool:
        self._skip()
        taken = self.text.startswith(mark, self.at)
        self.at += len(mark) if taken else 0
        return taken

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _unknown(self, what: str, name: str, known: Collection[str], start: int) -> NoReturn:
        close = difflib.get_close_matches(name, known, n=len(known), cutoff=0.0)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(close)}"
        message = f"there is no {what} {name}" if name else f"a {what} is missing"
        raise RuleError(self.text, start, start + len(name), message, hint)

    def _fail(self, message: str, hint: str, *, to_end: bool = False, width: int = 1) -> NoReturn:
        end = len(self.text.rstrip()) if to_end else self.at + width
        raise RuleError(self.text, self.at, end, message, hint)


def _statistics(metric: str) -> tuple[str, ...]:
    return OUTCOME_STATISTICS if metric in OUTCOMES else DURATION_STATISTICS


def _is_statistic(metric: str, statistic: str) -> bool:
    if statistic in _statistics(metric):
        return True
    found = _PERCENTILE.fullmatch(statistic)
    return found is not None and metric in METRICS and 50 <= float(found["number"]) <= 99.9  # noqa: PLR2004
