"""Breakdown: which components the change of the mean wait came from, and what else changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from turnlat.analysis.results import Model, Part, Share
from turnlat.analysis.samples import FEWEST_UNITS, Pooled, as_units, pool
from turnlat.analysis.statistics import sizes_by, sums_by
from turnlat.metrics import COMPONENTS
from turnlat.turns.ledger import USER_TURNS

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

DRAWS = 1_999
"""Bootstrap samples of whole sessions."""

_DRAWN_CELLS = 20_000_000
_BLOCK = 100
_TAILS = (0.025, 0.975)
_MODELS = {"llm": "llm_model", "tts": "tts_model", "stt": "stt_model"}


def parts(pooled: Pooled, wait: str, total_of: tuple[str, ...]) -> tuple[Part, ...]:
    """The change of the mean wait, component by component; last the wait, their sum."""
    names = _components(pooled, wait, total_of)
    rows = pooled.present(wait)
    values = np.column_stack(
        [pooled.turns[name].fill_null(0.0).to_numpy()[rows] for name in (*names, wait)]
    )
    sides = pooled.of_candidate[rows]
    if sides.all() or not sides.any():
        return (Part(wait, 0.0, 0.0, 0.0, None, None),)
    means = zip(*_means(values, sides), strict=True)
    bounds = _bounds(pooled, pooled.index[rows], values)
    return tuple(
        Part(name, *_rounded(mean), *bound)
        for name, mean, bound in zip((*names, wait), means, bounds, strict=True)
    )


def _rounded(means: tuple[float, float, float]) -> tuple[float, float, float]:
    """Without the digits in which the order of a sum's terms shows."""
    early, late, change = (round(float(mean), 9) + 0.0 for mean in means)
    return early, late, change


def _means(values: Floats, candidate: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    late, early = values[candidate].mean(axis=0), values[~candidate].mean(axis=0)
    return early, late, late - early


def _components(pooled: Pooled, wait: str, total_of: tuple[str, ...]) -> list[str]:
    """What the wait is the sum of."""
    if wait == "e2e_latency":
        names = [metric.name for metric in COMPONENTS]
    elif wait == "total_latency":
        split = {"eou_delay": ["transcription_delay", "endpointing_delay"]}
        whole = "transcription_delay" not in total_of
        names = [n for name in total_of for n in (split.get(name, [name]) if whole else [name])]
    else:
        names = []
    return [name for name in names if pooled.turns[name].count()]


def shares(baseline: pl.DataFrame, candidate: pl.DataFrame, wait: str) -> tuple[Share, ...]:
    """The shares of turns that percentiles do not see."""
    pooled = pool(as_units(baseline)[0], as_units(candidate)[0], (wait,))
    return tuple(
        share
        for name, of, happened, counted in _kinds(wait)
        for share in _share(pooled, name, of, happened, counted)
    )


def _kinds(wait: str) -> list[tuple[str, str, pl.Expr, pl.Expr]]:
    """Name, what it is a share of, whether it happened to a turn, whether the turn counts."""
    outcome = pl.col("outcome")
    user_turn, replied = outcome.is_in(USER_TURNS), outcome == "replied"
    known = replied & pl.col("interrupted").is_not_null()
    return [
        ("silent", "user turns", outcome == "silent", user_turn),
        ("unmeasured", "user turns", outcome == "unmeasured", user_turn),
        ("interrupted", "replied turns", pl.col("interrupted"), known),
        (f"without {wait}", "replied turns", pl.col(wait).is_null(), replied),
    ]


def _share(pooled: Pooled, name: str, of: str, happened: pl.Expr, counted: pl.Expr) -> list[Share]:
    frame = pooled.turns.select(
        happened=happened.fill_null(value=False), counted=counted.fill_null(value=False)
    )
    rows = frame["counted"].to_numpy()
    hits = frame["happened"].to_numpy()[rows].astype(np.float64)[:, None]
    sides = pooled.of_candidate[rows]
    if not hits.any() or sides.all() or not sides.any():
        return []
    [bound] = _bounds(pooled, pooled.index[rows], hits)
    early, late, change = (round(float(mean[0]), 9) for mean in _means(hits, sides))
    return [Share(name, of, early, late, change, *bound)]


def _bounds(
    pooled: Pooled, index: npt.NDArray[np.intp], values: Floats
) -> list[tuple[float | None, float | None]]:
    """The bootstrap intervals of the differences of means, whole units being drawn."""
    units = len(pooled.candidate)
    sums = np.column_stack([sums_by(index, column, units) for column in values.T])
    sizes = sizes_by(index, units)
    present = sizes > 0
    sides = [np.flatnonzero(present & side) for side in (~pooled.candidate, pooled.candidate)]
    if min(map(len, sides)) < FEWEST_UNITS:
        return [(None, None)] * values.shape[1]
    early, late = _drawn(pooled, sides, sums, sizes[:, None])
    low, high = np.quantile(late - early, _TAILS, axis=0)
    return [
        (round(float(a), 6) + 0.0, round(float(b), 6) + 0.0) for a, b in zip(low, high, strict=True)
    ]


def _drawn(
    pooled: Pooled, sides: list[npt.NDArray[np.intp]], sums: Floats, sizes: Floats
) -> list[Floats]:
    """The means of each side in every bootstrap sample; partners are drawn together."""
    seed = pooled.plan().seed
    means = []
    for number, members in enumerate(sides):
        dice = np.random.default_rng([seed, 0 if pooled.paired else number])
        draws = min(DRAWS, max(499, _DRAWN_CELLS // len(members)))
        chances = np.full(len(members), 1 / len(members))
        blocks = []
        for start in range(0, draws, _BLOCK):
            rows = min(_BLOCK, draws - start)
            drawn = dice.multinomial(len(members), chances, size=rows).astype(np.float64)
            blocks.append(drawn @ sums[members] / (drawn @ sizes[members]))
        means.append(np.concatenate(blocks))
    return means


def models(baseline: pl.DataFrame, candidate: pl.DataFrame) -> tuple[Model, ...]:
    """The models of components that do not have the same ones in both runs."""
    found = []
    for component, column in _MODELS.items():
        counts = [dict(side[column].drop_nulls().value_counts().iter_rows())
                  for side in (baseline, candidate)]  # fmt: skip
        if all(counts) and set(counts[0]) != set(counts[1]):
            found += [
                Model(component, name, *(count.get(name, 0) for count in counts))
                for name in sorted({*counts[0], *counts[1]})
            ]
    return tuple(found)
