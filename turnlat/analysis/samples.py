"""Samples: the turns of two runs side by side, each with the unit that chance moves.

The unit is the session. Units are ordered by what they hold, never by name or run, so that neither
labels nor the order of input decide what is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from turnlat.analysis.arrangements import Plan
from turnlat.analysis.permutation import Sample
from turnlat.sources import log_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

FEWEST_UNITS = 5
"""Fewer on a side have too few arrangements for a verdict: 252 at 5 against 5."""

FEWEST_PAIRS = 6
"""Matched sessions of a paired comparison: 64 arrangements."""

_UNIT, _INDEX, _SIDE, _PAIR, _NUMBER = (
    f"turnlat.{name}" for name in ("unit", "index", "side", "pair", "number")
)
"""Columns beside those of the turn table and the fields that users keep."""


@dataclass(frozen=True)
class Pooled:
    """The turns of both runs, and the units that they are in."""

    turns: pl.DataFrame
    """In a paired comparison: the baseline's turns, then their partners in the same order."""
    index: npt.NDArray[np.intp]
    """Per turn: its unit."""
    candidate: npt.NDArray[np.bool_]
    """Per unit: whether it is the candidate's."""
    paired: bool
    ordered_by: tuple[str, ...]

    @property
    def of_candidate(self) -> npt.NDArray[np.bool_]:
        """Per turn: whether it is the candidate's."""
        return self.candidate[self.index]

    def present(self, metric: str) -> npt.NDArray[np.bool_]:
        """The turns that have a metric; in pairs, those whose partner has it too."""
        here = self.turns[metric].is_not_null().to_numpy()
        if not self.paired:
            return here
        earlier, later = np.split(here, 2)
        return np.tile(earlier & later, 2)

    def values(self, metric: str, *, candidate: bool) -> Floats:
        """The sorted values of one side, in seconds."""
        rows = self.present(metric) & (self.of_candidate == candidate)
        return np.sort(self.turns[metric].to_numpy()[rows])

    def units(self, metric: str, *, candidate: bool) -> int:
        """How many units of one side have the metric."""
        rows = self.present(metric) & (self.of_candidate == candidate)
        return len(np.unique(self.index[rows]))

    def enough(self, metric: str) -> bool:
        """Whether both sides have as many units as a verdict needs."""
        return min(self.units(metric, candidate=side) for side in (False, True)) >= self.fewest

    @property
    def fewest(self) -> int:
        """How many units of a side a verdict needs."""
        return FEWEST_PAIRS if self.paired else FEWEST_UNITS

    def sample(self, metric: str, *, logarithmic: bool) -> Sample:
        """The values of a metric on the scale that it is tested on."""
        rows = self.present(metric)
        values = self.turns[metric].to_numpy()[rows]
        pairs = np.arange(len(values)) if self.paired else None
        scaled = np.log(values) if logarithmic else values
        return Sample(scaled, self.index[rows], self.candidate, pairs)

    def plan(self) -> Plan:
        """How units change sides; the seed comes from the values alone."""
        sides = [self._content(candidate=side) for side in (True, False)]
        counts = [int(self.candidate.sum()), int((~self.candidate).sum())]
        first = (counts[0], sides[0]) <= (counts[1], sides[1])
        digest = hashlib.blake2b(b"|".join(sorted(sides)), digest_size=8).digest()
        return Plan(self.candidate, self.paired, first, int.from_bytes(digest, "big"))

    def _content(self, *, candidate: bool) -> bytes:
        names = self.ordered_by
        return b"".join(self.values(name, candidate=candidate).tobytes() for name in names)


def pool(baseline: pl.DataFrame, candidate: pl.DataFrame, metrics: Sequence[str]) -> Pooled:
    """Turns of two runs, with units that `as_units` named, in the order of their `metrics`."""
    turns = pl.concat(
        [
            baseline.with_columns(pl.lit(0).alias(_SIDE)),
            candidate.with_columns(pl.lit(1).alias(_SIDE)),
        ],
        how="diagonal_relaxed",
    )
    contents = (
        turns.group_by(_SIDE, _UNIT)
        .agg(*_contents(metrics))
        .sort(*metrics, _SIDE, _UNIT, nulls_last=True)
        .with_row_index(_INDEX)
    )
    numbered = turns.join(
        contents.select(_SIDE, _UNIT, _INDEX), on=[_SIDE, _UNIT], maintain_order="left"
    )
    return Pooled(
        turns,
        numbered[_INDEX].to_numpy().astype(np.intp),
        contents[_SIDE].to_numpy() == 1,
        paired=False,
        ordered_by=tuple(metrics),
    )


def _contents(metrics: Sequence[str]) -> list[pl.Expr]:
    """What each unit holds, as a text that sorts: lists do not."""
    return [
        pl.col(name).drop_nulls().sort().cast(pl.String).str.join(" ").alias(name)
        for name in metrics
    ]


def pool_pairs(
    baseline: pl.DataFrame, candidate: pl.DataFrame, metrics: Sequence[str], column: str
) -> Pooled:
    """The turns that have a partner: the same number in a session of the same `column`."""
    keys = [_PAIR, _NUMBER]
    left, right = (_numbered(side, column).with_row_index(_INDEX) for side in (baseline, candidate))
    matched = left.select(*keys, left=_INDEX).join(
        right.select(*keys, right=_INDEX), on=keys, maintain_order="left"
    )
    early, late = left[matched["left"]], right[matched["right"]]
    contents = (
        pl.concat(
            [
                early.select(_PAIR, *metrics).with_row_index("place"),
                late.select(_PAIR, *metrics).with_row_index("place"),
            ]
        )
        .group_by(_PAIR)
        .agg(*_contents(metrics))
        .sort(*metrics, _PAIR, nulls_last=True)
        .with_row_index("own")
    )
    own = matched.join(contents.select(_PAIR, "own"), on=_PAIR, maintain_order="left")["own"]
    index = own.to_numpy().astype(np.intp)
    pairs = contents.height
    return Pooled(
        pl.concat([early, late], how="diagonal_relaxed"),
        np.concatenate([index, index + pairs]),
        np.arange(2 * pairs) >= pairs,
        paired=True,
        ordered_by=tuple(metrics),
    )


def _numbered(turns: pl.DataFrame, column: str) -> pl.DataFrame:
    """Turns with `pair`, what matches their session, and their `number` in it.

    Several sessions of one value are matched in their order. Sessions without the value, or with
    several, have no partner.
    """
    sessions = (
        turns.group_by(_UNIT, maintain_order=True)
        .agg(pl.col(column).drop_nulls().unique().alias("of"))
        .filter(pl.col("of").list.len() == 1)
        .select(_UNIT, value=pl.col("of").list.first().cast(pl.String))
        .with_columns(occurrence=pl.int_range(pl.len()).over("value"))
        .select(_UNIT, pl.concat_str(pl.col("occurrence"), pl.lit(" "), "value").alias(_PAIR))
    )
    position = pl.int_range(1, pl.len() + 1).over(_UNIT)
    return turns.join(sessions, on=_UNIT, maintain_order="left").with_columns(
        pl.coalesce(pl.col("turn"), position).alias(_NUMBER)
    )


def as_units(turns: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """`turns` with the name of each one's unit, and whether these had to be the turns themselves.

    A session that is only its source may hold several conversations. As long as there are enough
    of them, sources are units as good as sessions; else every turn is one.
    """
    places = turns.select("session", "source", "job_id", "room").unique()
    only_places = all(_only_place(*row) for row in places.iter_rows())
    if only_places and turns["session"].n_unique() < FEWEST_UNITS and turns.height:
        return turns.with_row_index(_UNIT).with_columns(pl.col(_UNIT).cast(pl.String)), True
    return turns.with_columns(pl.col("session").alias(_UNIT)), False


def _only_place(session: str, source: str | None, job: str | None, room: str | None) -> bool:
    """Whether a session was named after its log, or a container in it, for want of a better key."""
    if job is not None or room is not None or source is None:
        return False
    log = log_of(source)
    return session == log or (
        session.startswith(f"{log}:") and not session.startswith(f"{log}:pid ")
    )
