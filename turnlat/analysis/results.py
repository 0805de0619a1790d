"""What a comparison comes to: plain values in seconds, for reports, checks and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turnlat.analysis.verdicts import Verdict
from turnlat.notes import Note

Mark = Literal["worse", "same", "better", "inconclusive", "slower", "faster", "unclear"]
"""The verdict of a gated row; of any other, whether its interval is on one side of no change."""


@dataclass(frozen=True)
class Value:
    """A statistic of one run, in seconds, with its 95 % interval; null where it has none."""

    value: float
    low: float | None
    high: float | None
    turns: int
    sessions: int
    """Sessions that these turns are in; in a paired comparison, those that have a partner."""


@dataclass(frozen=True)
class Row:
    """One statistic of one metric in both runs."""

    metric: str
    statistic: str
    gated: bool
    """Whether it is in the family that verdicts are on."""
    baseline: Value
    candidate: Value
    ratio: float | None
    """Candidate over baseline: Hodges–Lehmann for `p50`, Harrell–Davis for other percentiles.

    Null where a value is 0 or negative; the shift says it then.
    """
    ratio_low: float | None
    ratio_high: float | None
    shift: float | None
    """The same effect in seconds, from the baseline's value."""
    shift_low: float | None
    shift_high: float | None
    p: float | None
    """One-sided and adjusted for the whole family, in the direction of the effect."""
    verdict: Mark
    margin: float | None
    """What the effect must exceed to be worse, in seconds."""
    detectable: float | None
    """The smallest effect that would show as worse four times out of five, in seconds."""
    sessions_needed: int | None
    """On each side, to show the margin as often."""

    @property
    def difference(self) -> float:
        """Candidate less baseline as they are shown, in seconds."""
        return self.candidate.value - self.baseline.value


@dataclass(frozen=True)
class Part:
    """What one component adds to the change of the mean wait, in seconds."""

    metric: str
    baseline: float
    candidate: float
    change: float
    low: float | None
    high: float | None
    """The 95 % bootstrap interval of the change, by session; null with too few sessions."""


@dataclass(frozen=True)
class Share:
    """How often something happened that percentiles cannot see."""

    name: str
    of: str
    """What it is a share of."""
    baseline: float
    candidate: float
    change: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Model:
    """How many turns one model had in each run."""

    component: str
    model: str
    baseline: int
    candidate: int


@dataclass(frozen=True)
class Comparison:
    """A candidate beside its baseline."""

    baseline: str
    """The baseline's label."""
    candidate: str
    wait: str
    """The metric that stands for the wait: `e2e_latency`, or `total_latency`."""
    alpha: float
    paired_by: str | None
    rows: tuple[Row, ...]
    """Gated ones first, then all others in the order of the catalogue."""
    parts: tuple[Part, ...]
    """Components in their order; their changes add up to that of the mean wait."""
    mean: Part
    """The change of the mean wait itself."""
    shares: tuple[Share, ...]
    models: tuple[Model, ...]
    """Of the components whose models are not the same in both runs."""
    notes: tuple[Note, ...]
    by: str | None = None
    group: str | None = None
    """The value of `by` that these turns have."""
    groups: tuple[Comparison, ...] = ()
    """The same within every value of `by`."""

    @property
    def gated(self) -> tuple[Row, ...]:
        """The rows that verdicts are on."""
        return tuple(row for row in self.rows if row.gated)

    @property
    def verdict(self) -> Verdict:
        """`worse` where any gated row is, else `inconclusive`, `better` or `same`."""
        verdicts = {row.verdict for row in self.gated}
        order: tuple[Verdict, ...] = ("worse", "inconclusive", "better")
        return next((verdict for verdict in order if verdict in verdicts), "same")

    @property
    def cause(self) -> Part | None:
        """The component that moved the mean wait most in the direction in which it went."""
        sign = 1 if self.mean.change > 0 else -1
        return max(self.parts, key=lambda part: sign * part.change, default=None)
