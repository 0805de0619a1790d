"""Reports: what to show, before how. Titled tables and figures of raw values, notes and frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import polars as pl

from turnlat.notes import Note
from turnlat.run import Run

Kind = Literal[
    "text", "name", "place", "moment", "milliseconds", "interval", "seconds", "count", "ratio",
    "share", "waterfall", "codes", "quantity", "verdict", "change", "changes", "ratios", "counts",
    "probability", "percent", "percents", "growth", "points", "points_interval", "mark",
    "diverging",
]  # fmt: skip
"""How a writer formats a column's raw values. Durations are seconds in every kind.

A `name` is a text of turnlat's own, which is never shortened; a `text` may come from a log. A
`quantity` is a value and its unit: `seconds`, `share` or `count`.
"""


class Column(NamedTuple):
    """One column: its heading, how its values are formatted, and how soon it gives way."""

    label: str
    kind: Kind
    priority: int = 0
    """0 always shows; the highest number goes first where the page is narrow."""


class Table(NamedTuple):
    """A titled table of raw values."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[tuple[Any, ...]]
    left_out: int = 0
    """Rows that the overview does not show."""


class Waterfall(NamedTuple):
    """The components of one wait on the clock, from the end of the user's speech on."""

    parts: tuple[tuple[str, float, float], ...]
    """Component, start and end, in seconds; a later part lies over an earlier one."""
    scale: float
    """The longest wait of the table."""


class Diverging(NamedTuple):
    """A change on an axis with 0 in its middle, in seconds."""

    change: float
    scale: float
    """The largest change of the table, either way."""


class Case(NamedTuple):
    """One rule of a check, in words."""

    rule: str
    kind: str
    """`limit` or `regression`."""
    verdict: str
    sentence: str
    """What was found, and what it was held against."""
    places: Sequence[str]
    """The turns that hurt most."""
    first: tuple[str | None, int | None] | None
    """File and line of the first of them."""


FigureKind = Literal[
    "distribution", "stack", "waterfall", "timeline", "ranges", "shifts", "changes"
]  # fmt: skip
"""What a figure draws; `figures` and `differences` say which frames each kind has."""


class Figure(NamedTuple):
    """One picture as raw values: durations in seconds, shares as fractions, times UTC."""

    name: str
    """Unique in a report."""
    kind: FigureKind
    title: str
    alternative: str
    """What it shows in words, for those who do not see it."""
    about: str
    """How to read it."""
    data: Mapping[str, pl.DataFrame]
    choices: Sequence[str] = ()
    """What the reader picks from: the `choice` column of the frames is a place in it."""


class Fact(NamedTuple):
    """One number of the headline."""

    label: str
    kind: Kind
    value: Any
    about: str = ""
    interval: tuple[float, float] | None = None
    """The 95 % interval of a duration, in seconds."""


class Exhibits(NamedTuple):
    """What pages and pictures show beside a report's headline and notes."""

    facts: Sequence[Fact]
    figures: Sequence[Figure]
    tables: Sequence[Table]
    verdicts: Sequence[Table] = ()
    """Tables that come before all figures."""
    turns: Table | None = None
    """The turns to look through, the slowest first."""


def no_exhibits() -> Exhibits:
    """What a report has that was made for text alone."""
    return Exhibits((), (), ())


class Report(NamedTuple):
    """All that a command has to show."""

    headline: list[str]
    tables: list[Table]
    notes: list[Note]
    rows: pl.DataFrame
    """The one table of the contract that formats of rows (CSV, JSON lines) write."""
    document: dict[str, Any]
    """What JSON writes; a frame in it is a list of its rows."""
    cases: Sequence[Case] = ()
    """The rules of a check."""
    saved: Run | None = None
    """The run that Parquet saves; null where a report is not of one run."""
    exhibits: Callable[[], Exhibits] = no_exhibits
    """Made only where a page or a picture asks for them."""
